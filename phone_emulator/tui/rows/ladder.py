"""SIP messages as the rungs of a ladder: when, which way, with whom, the first line, and the whole text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from phone_emulator.cleaning import clean
from phone_emulator.events import MessageReceived, MessageSent
from phone_emulator.report.wire import Endpoint, endpoint, first_line, label, shown_text
from phone_emulator.sip.parser import STATUSES

Message = MessageSent | MessageReceived


@dataclass(frozen=True, slots=True)
class Rung:
    """A message."""

    at: float
    """Seconds since the call began."""
    outwards: bool
    peer: str
    """``primary``; empty for an unknown far end."""
    place: str
    """``192.168.1.13:5060/udp``."""
    label: str
    """``INVITE``, ``INVITE with credentials``, ``503 Service Unavailable``."""
    first_line: str
    again: bool
    """Whether the same bytes went the same way before: a retransmission."""
    text: str
    """The whole message, without secrets."""
    remark: str = ""
    """Why it was refused or ignored; empty for others."""

    @property
    def summary(self) -> str:
        """The first line without the version, and whether it carries credentials."""
        text = self.first_line.removeprefix("SIP/2.0 ").removesuffix(" SIP/2.0")
        return f"{text} +auth" if self.label.endswith(" with credentials") else text

    @property
    def status(self) -> int | None:
        """The status of a response, None for a request."""
        version, _, rest = self.first_line.partition(" ")
        return STATUSES.get(rest.partition(" ")[0]) if version == "SIP/2.0" else None


def rungs(messages: Iterable[Message], names: Mapping[Endpoint, str], since: float) -> list[Rung]:
    """The ladder of *messages*; *names* gives far ends their roles, *since* is when its time is 0."""
    found: list[Rung] = []
    seen: set[tuple[Endpoint, bool, bytes]] = set()
    for message in messages:
        place, outwards = endpoint(message), isinstance(message, MessageSent)
        once = (place, outwards, message.data)
        found.append(
            Rung(
                at=max(message.at - since, 0.0),  # what brings a call in comes a moment before it begins
                outwards=outwards,
                peer=names.get(place, ""),
                place=f"{place[0]}/{place[1]}",
                label=label(message.data),
                first_line=first_line(message.data),
                again=once in seen,
                text=shown_text(message.data),
                remark=clean(message.remark) if isinstance(message, MessageReceived) else "",
            )
        )
        seen.add(once)
    return found
