"""An internal fault: what went wrong in this program itself, and where its details are."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from phone_emulator.events import InternalFault
from phone_emulator.tui.theme import BAD, DIM, LINK

from .overlay import Overlay


class FaultScreen(Overlay[None]):
    """One fault.

    Args:
        fault: the fault.
        saved: the file that has its traceback, or why there is none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q", "close", "Close", show=False)]

    def __init__(self, fault: InternalFault, saved: str) -> None:
        super().__init__()
        self._fault = fault
        self._saved = saved

    def compose(self) -> ComposeResult:
        """One notice."""
        fault = self._fault
        with Vertical(classes="box") as box:
            box.border_title = "Internal fault"
            box.border_subtitle = "Esc: close"
            yield Static(
                Content.assemble(
                    f"Something went wrong in this program: {fault.work} of {fault.owner}.\n\n",
                    (f"{fault.error}\n\n", BAD),
                    "What that was for has failed; everything else goes on.\n",
                    ("The details, to be reported, are in\n", DIM),
                    (self._saved, LINK),
                )
            )
