"""A ladder of SIP messages: the phone on the left, each server a column, time downwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from phone_emulator.events import MessageSent

from .result import Message
from .wire import Endpoint, endpoint, label, shown_text

_TIME = 10
_GAP = 30


@dataclass(frozen=True, slots=True)
class Lane:
    """A far end."""

    name: str
    """Its role, or empty."""
    place: str
    """``192.168.1.13:5060/udp``."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One message."""

    at: float
    lane: int
    """Index of the far end in ``Ladder.lanes``."""
    outwards: bool
    """Whether the phone sent it."""
    label: str
    text: str
    """The whole message, without secrets."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The diagram as data."""

    phone: str
    lanes: tuple[Lane, ...]
    rungs: tuple[Rung, ...]


def ladder(messages: Iterable[Message], names: Mapping[Endpoint, str] | None = None) -> Ladder:
    """The ladder of *messages*; *names* gives far ends their roles (:func:`.wire.names_of`)."""
    lanes: dict[Endpoint, int] = {}
    rungs: list[Rung] = []
    seen: set[tuple[Endpoint, bool, bytes]] = set()
    phone = ""
    for message in messages:
        place = endpoint(message)
        lane = lanes.setdefault(place, len(lanes))
        outwards = isinstance(message, MessageSent)
        phone = phone or message.local.host
        once = (place, outwards, message.data)
        again = " again" if once in seen else ""
        seen.add(once)
        rungs.append(Rung(message.at, lane, outwards, label(message.data) + again, shown_text(message.data)))
    found = tuple(Lane((names or {}).get(place, ""), f"{place[0]}/{place[1]}") for place in lanes)
    return Ladder(phone, found, tuple(rungs))


def ladder_text(diagram: Ladder) -> list[str]:
    """The diagram in plain ASCII, a line a message, without trailing spaces."""
    if not diagram.rungs:
        return []
    edges = [_TIME + 2 + _GAP * position for position in range(len(diagram.lanes) + 1)]
    heads = [("phone", diagram.phone), *((lane.name, lane.place) for lane in diagram.lanes)]
    lines = [
        _columns(edges, "seconds", [name for name, _ in heads]),
        _columns(edges, "", [place for _, place in heads]),
    ]
    for rung in diagram.rungs:
        row = [" "] * (edges[-1] + 1)
        for edge in edges:
            row[edge] = "|"
        end = edges[rung.lane + 1]
        row[edges[0] + 1 : end] = _arrow(rung, end - edges[0] - 1)
        lines.append(f"{rung.at:>{_TIME}.3f}  " + "".join(row[_TIME + 2 :]))
    return lines


def _columns(edges: list[int], first: str, texts: list[str]) -> str:
    line = first.rjust(_TIME)
    for edge, text in zip(edges, texts, strict=True):
        line = line.ljust(edge) + text[: _GAP - 1]
    return line.rstrip()


def _arrow(rung: Rung, length: int) -> str:
    """``--- INVITE ------>`` in *length* characters; longer labels are cut to the first gap."""
    text = rung.label.encode("ascii", "replace").decode()[: _GAP - 6]
    if rung.outwards:
        return f"- {text} ".ljust(length - 1, "-") + ">"
    return f"<- {text} ".ljust(length, "-")
