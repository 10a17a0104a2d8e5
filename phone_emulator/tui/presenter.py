"""Looks at the phone, the lab and the journal, and says what each pane shows now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phone_emulator.events import CallState, Direction
from phone_emulator.phone.calls.call import Call
from phone_emulator.report.wire import endpoint

from .journal import Journal
from .lab_control import LabControl
from .rows.call import CallRow, call_rows
from .rows.history import HistoryRow, history_rows
from .rows.ladder import Rung, rungs
from .rows.log import LogRow, log_rows
from .rows.registration import LineRow, line_rows
from .rows.route import RouteView, route_view

if TYPE_CHECKING:
    from phone_emulator.live.handset import Handset
    from phone_emulator.phone.line import Line
    from phone_emulator.phone.phone import Phone
    from phone_emulator.phone.wire.dialog_info import DialogState

LOG_ROWS = 200


class Presenter:
    """The one place where panes meet the phone.

    Args:
        phone: whose face this is.
        journal: what was told so far.
        lab: the servers behind it, or None.
        handset: the machine's microphone and loudspeaker, or None.
    """

    def __init__(
        self, phone: Phone, journal: Journal, lab: LabControl | None, handset: Handset | None = None
    ) -> None:
        self.phone = phone
        self.journal = journal
        self.lab = lab
        self.handset = handset
        self.chosen_line: int | None = None
        """The line of the next call; None until the phone runs."""
        self.chosen_call: str | None = None
        """The call picked from the history, or the live one in hand; None takes the newest live one."""
        self.all_messages = False
        """Whether the messages pane shows all that are kept, not only those of the shown call."""

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.phone.world.now()

    def call_cards(self) -> list[CallRow]:
        """The live calls, the one in hand first."""
        return call_rows(self.live_calls, self.live_call, self.now, self.handset)

    # -- which call ----------------------------------------------------------------------------------------

    @property
    def live_call(self) -> Call | None:
        """The call that the keys act on: the one in hand, else the newest."""
        calls = self.live_calls
        chosen = next((call for call in calls if call.id == self.chosen_call), None)
        return chosen or (calls[-1] if calls else None)

    @property
    def live_calls(self) -> list[Call]:
        """The calls that are up or on their way, oldest first; those that are ending are the phone's own."""
        return [call for call in self.phone.calls if call.state not in (CallState.ENDING, CallState.ENDED)]

    @property
    def rings_elsewhere(self) -> tuple[Line, DialogState] | None:
        """A call at a watched number that can be picked up, and the line that watches (BLF keys)."""
        for line in self.phone.lines.values():
            for lamp in line.subscriptions.lamps:
                if line.account.dialog_pickup and lamp.ringing is not None:
                    return line, lamp.ringing
        return None

    @property
    def past_calls(self) -> list[Call]:
        """The calls that are over for whoever looks, oldest first; some still wait for their last answer."""
        ending = [call for call in self.phone.calls if call.state is CallState.ENDING]
        return sorted([*self.phone.history, *ending], key=lambda call: call.started)

    @property
    def last_call(self) -> Call | None:
        """The latest of them."""
        return next(reversed(self.past_calls), None)

    @property
    def shown_call(self) -> Call | None:
        """The call whose route and messages are shown: the chosen one, the live one, else the last one."""
        ringing = any(
            call.direction is Direction.INCOMING and call.state is CallState.RINGING
            for call in self.phone.calls
        )
        known = [] if ringing else [*self.phone.history, *self.phone.calls]
        chosen = next((call for call in known if call.id == self.chosen_call), None)
        return chosen or self.live_call or self.last_call

    @property
    def lively(self) -> bool:
        """Whether something on the screen changes faster than once a second: a call is being placed."""
        return any(call.result is None for call in self.live_calls)

    # -- panes ---------------------------------------------------------------------------------------------

    def lines(self) -> list[LineRow]:
        """The lines pane."""
        return line_rows(self.phone.lines.values(), self.now, self.chosen_line)

    def route(self) -> RouteView | None:
        """The route pane, or None before the first call."""
        call = self.shown_call
        if call is None:
            return None
        return route_view(call, self.now, self._origin(call))

    def history(self) -> list[HistoryRow]:
        """The history pane."""
        return history_rows(self.past_calls)

    def ladder(self) -> tuple[str, list[Rung]]:
        """The messages pane: whose messages, and the messages; all before the first call, or if asked."""
        call = self.shown_call
        if call is None or self.all_messages:
            return "all", rungs(self.journal.messages, self.journal.names, 0.0)
        return call.id, rungs(self.journal.messages_of(call.id), self.journal.names, call.started)

    def log(self) -> list[LogRow]:
        """The log pane: the last rows."""
        return log_rows(self.journal.events)[-LOG_ROWS:]

    def _origin(self, call: Call) -> tuple[str, str] | None:
        """Who brought an incoming call: role, empty for a stranger, and place."""
        if call.direction is Direction.OUTGOING:
            return None
        first = next(iter(self.journal.messages_of(call.id)), None)
        if first is None:
            return None
        place = endpoint(first)
        return self.journal.names.get(place, ""), f"{place[0]}/{place[1]}"
