"""The servers pane: the lab's servers and the called user, to break and to mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from phone_emulator.cleaning import clean
from phone_emulator.tui.lab_control import ServerView
from phone_emulator.tui.theme import BAD, DIM, GOOD, STRONG

CALLEE = "callee"
"""Id of the called user's row; servers have ``server:`` before their name."""


class ServersPane(OptionList):
    """A row a server, one for the called user."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "break_or_mend", "Break or mend", show=False)]

    @dataclass
    class Asked(Message):
        """What shall this server do? None asks for the called user."""

        server: ServerView | None

    @dataclass
    class Toggled(Message):
        """Break this server, or mend it when it is broken."""

        server: ServerView

    def __init__(self) -> None:
        super().__init__(id="servers", classes="pane", markup=False)
        self.border_title = "Servers"
        self.border_subtitle = "Space: break or mend · Enter: choose"
        self._servers: list[ServerView] = []
        self._callee = ""

    def show(self, servers: Sequence[ServerView], callee: str) -> None:
        """Show *servers* and what the called user does."""
        if list(servers) == self._servers and callee == self._callee:
            return
        kept = self.highlighted
        self._servers, self._callee = list(servers), callee
        width = max((len(server.address) for server in servers), default=0)
        rows = [Option(_row(server, width), id=f"server:{server.name}") for server in servers]
        rows.append(Option(_callee_row(callee, width), id=CALLEE))
        self.set_options(rows)
        self.highlighted = kept if kept is not None and kept < len(rows) else 0

    def action_break_or_mend(self) -> None:
        """Break or mend the highlighted server."""
        if self.highlighted is not None and self.highlighted < len(self._servers):
            self.post_message(self.Toggled(self._servers[self.highlighted]))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        event.stop()
        index = event.option_index
        self.post_message(self.Asked(self._servers[index] if index < len(self._servers) else None))


def _row(server: ServerView, width: int) -> Content:
    well = server.behaviour == "ok"
    return Content.assemble(
        ("✓ " if well else "✗ ", GOOD if well else BAD),
        (f"{server.name:<10} ", STRONG),
        f"{server.address:<{width}} ",
        (f"{','.join(server.transports):<11} ", DIM),
        (clean(server.behaviour), GOOD if well else BAD),
    )


def _callee_row(behaviour: str, width: int) -> Content:
    well = behaviour == "answer"
    return Content.assemble(
        ("✓ " if well else "✗ ", GOOD if well else BAD),
        (f"{'called user':<{width + 23}} ", STRONG),
        (clean(behaviour), GOOD if well else BAD),
    )
