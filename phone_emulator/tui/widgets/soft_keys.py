"""The four soft keys at the foot of the screen, and what they do in this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Click
from textual.message import Message

from phone_emulator.tui.keymap import SoftKey
from phone_emulator.tui.theme import DIM, STRONG

from .text import Text

KEYS = ("f1", "f2", "f3", "f4")


class SoftKeys(Horizontal):
    """A row of four."""

    @dataclass
    class Pressed(Message):
        """A soft key was clicked."""

        key: SoftKey

    def __init__(self) -> None:
        super().__init__(id="soft-keys")
        self._caps = {name: Cap() for name in KEYS}
        self.keys: dict[str, SoftKey] = {}
        """Those that can be pressed now, by ``f1`` … ``f4``."""

    def compose(self) -> ComposeResult:
        """Four caps."""
        yield from self._caps.values()

    def show(self, keys: Sequence[SoftKey]) -> None:
        """Offer *keys*."""
        self.keys = {key.key: key for key in keys}
        for name, cap in self._caps.items():
            cap.show(self.keys.get(name))


class Cap(Text):
    """One soft key."""

    def __init__(self) -> None:
        super().__init__(classes="cap")
        self._key: SoftKey | None = None

    def show(self, key: SoftKey | None) -> None:
        """Be *key*, or blank."""
        self._key = key
        self.set_class(key is None, "blank")
        if key is None:
            self.draw(Content(""))
            return
        names = key.key.upper() + (f" {key.alias}" if key.alias else "")
        self.draw(Content.assemble((f"{names} ", DIM), (key.label, STRONG)))

    def on_click(self, event: Click) -> None:
        """Pressed with the mouse."""
        event.stop()
        if self._key is not None:
            self.post_message(SoftKeys.Pressed(self._key))
