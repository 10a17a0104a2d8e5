"""The dial field: digits, or a SIP URI."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

HELP_KEY = "question_mark"
"""It has a meaning of its own while the field is empty; no number begins with it."""


class DialField(Input):
    """One line of text without a frame."""

    def __init__(self) -> None:
        super().__init__(
            id="dial",
            placeholder="a number or a SIP URI",
            compact=True,
            max_length=256,
            select_on_focus=False,
        )

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether *key* is text: in an empty field, not the one that asks for help."""
        return bool(self.value or key != HELP_KEY) and super().check_consume_key(key, character)

    def on_key(self, event: events.Key) -> None:
        """The same for the text itself."""
        if not self.value and event.key == HELP_KEY:
            event.prevent_default()

    def type_in(self, character: str) -> None:
        """Add *character* at the end, as if it had been typed here."""
        self.screen.set_focus(self)
        self.value += character
        self.cursor_position = len(self.value)
