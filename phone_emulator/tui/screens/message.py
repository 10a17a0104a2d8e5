"""One SIP message, in full."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from phone_emulator.tui.rows.ladder import Rung
from phone_emulator.tui.widgets.messages import heading, message_text
from phone_emulator.tui.widgets.text_pane import TextPane

from .overlay import Overlay


class MessageScreen(Overlay[None]):
    """A message to read, scroll and copy."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q", "close", "Close", show=False),
        Binding("c", "copy", "Copy", show=False),
    ]

    def __init__(self, rung: Rung) -> None:
        super().__init__()
        self._rung = rung
        self._pane = TextPane(id="message-box")

    def compose(self) -> ComposeResult:
        """One pane that scrolls."""
        self._pane.border_title = heading(self._rung).replace("[", r"\[")
        self._pane.border_subtitle = "c: copy · Esc: close"
        yield self._pane

    def on_mount(self) -> None:
        """Show it."""
        self._pane.draw(message_text(self._rung))
        self._pane.focus()

    def action_copy(self) -> None:
        """Put the text on the clipboard, without secrets, as it is shown."""
        self.app.copy_to_clipboard(self._rung.text)
        self.notify("copied, credentials left out")
