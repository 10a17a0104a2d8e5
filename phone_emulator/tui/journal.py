"""What was told, kept for the panes: the messages of each call, the log, the targets that are known."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from phone_emulator.events import (
    Attempt,
    AttemptEnded,
    AttemptProgressed,
    AttemptStarted,
    CallChanged,
    Direction,
    Event,
    MessageIgnored,
    MessageReceived,
    MessageSent,
    Target,
)
from phone_emulator.report.remarks import as_message, with_remark
from phone_emulator.report.wire import Endpoint
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.parser import parse

MAX_MESSAGES = 4000
MAX_EVENTS = 1000
MAX_CALL_IDS = 2000
MAX_NAMES = 64
"""Places whose role is remembered, so that a peer cannot fill the memory."""

Message = MessageSent | MessageReceived


@dataclass(frozen=True, slots=True)
class Heard:
    """A SIP message with its Call-ID, empty where it cannot be read."""

    message: Message
    call_id: str


class Journal:
    """A listener of the bus; bounded in everything it keeps.

    Args:
        changed: is called after each event.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.changed = changed
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        """All but messages, oldest first."""
        self.total = 0
        """How many events came, also those that are not kept any more."""
        self.names: dict[Endpoint, str] = {}
        """Roles by place."""
        self._messages: deque[Heard] = deque(maxlen=MAX_MESSAGES)
        self._owners: OrderedDict[str, str] = OrderedDict()
        """The call that a SIP Call-ID belongs to."""
        self._trying: dict[str, Attempt] = {}
        """The attempt that goes on, by call."""
        self._unclaimed = ""
        """Call-ID of an INVITE that has just come in and whose call is not yet known."""

    def __call__(self, event: Event) -> None:
        """Keep *event*."""
        self.total += 1
        if isinstance(event, MessageSent | MessageReceived):
            self._keep_message(event)
        else:
            if isinstance(event, MessageIgnored) and not event.outwards:
                self._remark(event)
            self._keep_event(event)
        self.changed()

    def messages_of(self, call: str) -> list[Message]:
        """The messages of *call* that are still kept, oldest first."""
        return [heard.message for heard in self._messages if self._owners.get(heard.call_id) == call]

    @property
    def messages(self) -> list[Message]:
        """All messages that are still kept, oldest first."""
        return [heard.message for heard in self._messages]

    # -- events --------------------------------------------------------------------------------------------

    def _keep_event(self, event: Event) -> None:
        if not isinstance(event, AttemptProgressed):
            self.events.append(event)
        match event:
            case AttemptStarted(attempt=attempt, call=call):
                self._know(attempt.target)
                if call is not None:
                    self._trying[call] = attempt
            case AttemptEnded(call=str() as call):
                self._trying.pop(call, None)
            case CallChanged(call=call, direction=Direction.INCOMING) if self._unclaimed:
                if call not in self._owners.values():
                    self._own(self._unclaimed, call)
                self._unclaimed = ""
            case _:
                pass

    def _know(self, target: Target) -> None:
        if target.address and len(self.names) < MAX_NAMES:
            self.names.setdefault((target.remote, target.transport), target.role)

    # -- messages ------------------------------------------------------------------------------------------

    def _keep_message(self, event: Message) -> None:
        try:
            message = parse(event.data)
            call_id = message.call_id
        except MessageError:
            self._messages.append(Heard(event, ""))
            return
        self._messages.append(Heard(event, call_id))
        if call_id not in self._owners and _opens_a_call(message):
            if isinstance(event, MessageSent):
                self._claim(call_id, event)
            else:
                self._unclaimed = call_id

    def _remark(self, event: MessageIgnored) -> None:
        """Note on a message why it was refused or ignored; what was none at all is kept with that, too."""
        if event.unread:
            self._messages.append(Heard(as_message(event), ""))
            return
        for place in reversed(range(len(self._messages))):
            heard = self._messages[place]
            noted = with_remark(heard.message, event)
            if noted is not None:
                self._messages[place] = Heard(noted, heard.call_id)
                return

    def _claim(self, call_id: str, event: MessageSent) -> None:
        """An INVITE with a new Call-ID left: it is the call's whose attempt goes to that place."""
        for call, attempt in reversed(self._trying.items()):
            if attempt.target.remote == event.remote and attempt.outcome is None:
                self._own(call_id, call)
                return

    def _own(self, call_id: str, call: str) -> None:
        self._owners[call_id] = call
        while len(self._owners) > MAX_CALL_IDS:
            self._owners.popitem(last=False)


def _opens_a_call(message: Request | Response) -> bool:
    return isinstance(message, Request) and message.method == "INVITE" and message.to_tag is None
