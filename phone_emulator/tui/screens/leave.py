"""Quitting: the question while a call is up, and what is shown while the phone de-registers."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from phone_emulator.tui.theme import DIM

from .overlay import Overlay


class ConfirmScreen(Overlay[bool]):
    """Quit although a call is up?"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "yes", "Quit", show=False),
        Binding("n", "close", "Stay", show=False),
    ]

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._calls = calls

    def compose(self) -> ComposeResult:
        """One question."""
        what = "A call is up." if self._calls == 1 else f"{self._calls} calls are up."
        with Vertical(classes="box") as box:
            box.border_title = "Quit"
            yield Static(
                Content.assemble(what, " Hang up and quit?\n\n", ("y Enter: quit · n Esc: stay", DIM))
            )

    def action_yes(self) -> None:
        """Quit."""
        self.dismiss(True)


class LeavingScreen(ModalScreen[None]):
    """Shown while calls end and lines de-register."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._calls = calls

    def compose(self) -> ComposeResult:
        """One notice."""
        ending = "hanging up, " if self._calls else ""
        with Vertical(classes="box") as box:
            box.border_title = "Quit"
            yield Static(Content.assemble(f"{ending}de-registering…\n\n", ("^Q again: quit at once", DIM)))
