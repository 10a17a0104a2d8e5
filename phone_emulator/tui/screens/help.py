"""The help: every key."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from phone_emulator.tui.keymap import HELP
from phone_emulator.tui.theme import DIM, LINK

from .overlay import Overlay


class HelpScreen(Overlay[None]):
    """The keys, a line each."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,enter,q", "close", "Close", show=False)]

    def compose(self) -> ComposeResult:
        """One box."""
        rows = [Content.assemble((f"{key:<13}", LINK), text) for key, text in HELP]
        signs = Content.assemble(
            ("\n✓ ", "$success"), "good  ", ("✗ ", "$error"), "failed  ", ("… ", "$warning"), "going on  ",
            ("· ", DIM), "still to come  ", ("− ", DIM), "passed over",
        )  # fmt: skip
        with Vertical(classes="box") as box:
            box.border_title = "Keys"
            box.border_subtitle = "Esc: close"
            yield Static(Content("\n").join([*rows, signs]))
