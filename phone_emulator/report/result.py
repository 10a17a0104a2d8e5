"""What came of a scenario: the plain data that every report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from phone_emulator.events import (
    AddressChanged,
    Attempt,
    CodecsNotSpoken,
    Direction,
    Ended,
    InternalFault,
    MediaNumbers,
    MessageReceived,
    MessageSent,
)
from phone_emulator.events.numbers import in_words

from .json import head_of

if TYPE_CHECKING:
    from phone_emulator.media.judgement import Stretch
    from phone_emulator.phone.registration.health import LineHealth

Message = MessageSent | MessageReceived


class Verdict(StrEnum):
    """Whether a scenario went as its file says."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """It could not be run to its end."""


@dataclass(slots=True)
class StepFailure:
    """An expectation that did not hold, or why the scenario could not go on."""

    step: str
    """``step 3 (call)``."""
    message: str

    def as_json(self) -> dict[str, Any]:
        return {"step": self.step, "message": self.message}


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What the two ends of a call have agreed to say to each other, and how it fared."""

    codec: str
    """``PCMU``, ``G722``."""
    srtp: str | None
    """The cipher of the sound, ``AES_CM_128_HMAC_SHA1_80``; None where it is not encrypted."""
    keys_in_clear: bool = False
    """Whether the keys of that went where others could read them."""
    numbers: MediaNumbers | None = None
    """None before there is an RTP session."""
    flows: bool = True
    """Whether sound is sent all the time, as in most of virtual time it is not: silence says something."""

    @property
    def in_words(self) -> str:
        """One line for people; empty where no sound flowed."""
        if self.numbers is None or not (self.flows and self.numbers.flowed):
            return ""
        return in_words(self.codec, self.numbers, encrypted=self.srtp is not None)

    def as_json(self) -> dict[str, Any]:
        """Within a call; null is what is not known."""
        agreed = {"codec": self.codec, "srtp": self.srtp, "keys_in_clear": self.keys_in_clear}
        return agreed if self.numbers is None else agreed | _as_json(self.numbers, flows=self.flows)


def _as_json(numbers: MediaNumbers, *, flows: bool) -> dict[str, Any]:
    sent, heard = numbers.sent, numbers.heard
    came = heard.packets > 0
    return {
        "sent": {
            "packets": sent.packets,
            "bytes": sent.octets,
            "lost": sent.lost,
            "jitter_ms": _milliseconds(sent.jitter),
        },
        "received": {
            "packets": heard.packets,
            "bytes": heard.octets,
            "lost": heard.lost,
            "late": heard.late,
            "duplicated": heard.duplicated,
            "out_of_order": heard.out_of_order,
            "jitter_ms": _milliseconds(heard.jitter if came else None),
        },
        "ptime_ms": _milliseconds(numbers.ptime if came else None),
        "round_trip_ms": _milliseconds(numbers.round_trip),
        "r_factor": None if numbers.r_factor is None else round(numbers.r_factor, 1),
        "mos": None if numbers.mos is None else round(numbers.mos, 2),
        "scale": str(numbers.scale) or None,
        "longest_silence_ms": _milliseconds(heard.longest_silence if flows else None),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


@dataclass(slots=True)
class CallReport:
    """One call, from dialling to its result."""

    id: str
    line: int
    to: str
    """The far end: who was called, or who called."""
    result: str | None
    """``answered``, ``rejected``, ``failed``, ``cancelled``; None while it is being placed."""
    status: int | None
    reason: str
    """One sentence for people."""
    via: str | None
    """The role of the target that answered."""
    started: float
    """Seconds from the start of the scenario."""
    elapsed: float
    """Seconds from dialling to the result."""
    route: list[Attempt] = field(default_factory=list)
    incoming: bool = False
    """Whether ``to``, the far end, called."""
    ended: Ended | None = None
    """How it ended; None where it is told before that."""
    media: MediaReport | None = None
    """None where no sound was agreed."""
    digits: str | None = None
    """What the far end has pressed; None where no sound was agreed, and none came by INFO."""
    conference: tuple[str, ...] = ()
    """The ids of the calls that it has talked together with."""
    silences: list[Stretch] | None = None
    """When nothing was heard in it, in seconds from the start of the scenario; None where nobody listened."""
    tones: tuple[str, ...] = ()
    """The phone's own that its user heard, one after the other: ``ringback``, ``busy`` …"""

    @property
    def way(self) -> str:
        """``to 1002``, or ``from 1002`` where that is who called."""
        return f"{'from' if self.incoming else 'to'} {self.to}"

    def as_json(self) -> dict[str, Any]:
        """The call as ``call --format json`` prints it."""
        media: dict[str, Any] = {} if self.media is None else self.media.as_json()
        if self.digits is not None:
            media["digits"] = self.digits
        if self.silences is not None:
            media["silences"] = [
                {"at": round(each.start, 3), "for": round(each.seconds, 3)} for each in self.silences
            ]
        told = {
            "id": self.id,
            "line": self.line,
            "direction": str(Direction.INCOMING if self.incoming else Direction.OUTGOING),
            "to": self.to,
            "result": self.result,
            "status": self.status,
            "reason": self.reason,
            "via": self.via,
            "started": round(self.started, 6),
            "elapsed": round(self.elapsed, 6),
            "route": [attempt.as_json() for attempt in self.route],
            "ended": None if self.ended is None else self.ended.as_json(),
            "tones": [str(tone) for tone in self.tones],
        }
        if media:
            told["media"] = media
        if self.conference:
            told["conference"] = list(self.conference)
        return told


@dataclass(frozen=True, slots=True)
class NotRun:
    """A scenario that was asked for, and whose turn did not come."""

    scenario: str
    file: str


@dataclass(slots=True)
class ScenarioResult:
    """One scenario that was run."""

    scenario: str
    file: str
    verdict: Verdict
    elapsed: float
    """Seconds of the scenario's own clock."""
    virtual: bool
    """Whether that clock was a simulated one."""
    failures: list[StepFailure] = field(default_factory=list)
    calls: list[CallReport] = field(default_factory=list)
    registrations: list[Attempt] = field(default_factory=list)
    """Every attempt of every REGISTER, in order of time."""
    messages: list[Message] = field(default_factory=list)
    """Every SIP message, in order of time; not part of the JSON."""
    health: list[LineHealth] = field(default_factory=list)
    """How each line stands at the end."""
    faults: list[InternalFault] = field(default_factory=list)
    """What went wrong in this program itself; ``failures`` has each in one line."""
    addresses: list[AddressChanged] = field(default_factory=list)
    """Each change of the phone's own address, in order of time."""
    unspoken: list[CodecsNotSpoken] = field(default_factory=list)
    """The codecs that the cfg enables and that could not be spoken, by line."""
    epoch: float = 0.0
    """When it began, in seconds since 1970; 0 in virtual time."""

    def as_json(self) -> dict[str, Any]:
        """The result as ``run --format json`` prints it."""
        return {
            **head_of(self.epoch),
            "scenario": self.scenario,
            "file": self.file,
            "verdict": str(self.verdict),
            "elapsed": round(self.elapsed, 6),
            "virtual": self.virtual,
            "failures": [failure.as_json() for failure in self.failures],
            "calls": [call.as_json() for call in self.calls],
            "registrations": [attempt.as_json() for attempt in self.registrations],
            "health": [line.as_json() for line in self.health],
            "addresses": [
                {
                    "at": round(change.at, 6),
                    "before": list(change.before),
                    "now": list(change.now),
                    "reason": change.reason,
                }
                for change in self.addresses
            ],
            "codecs_not_spoken": [
                {
                    "line": each.line,
                    "codecs": list(each.codecs),
                    "offered": each.offered,
                    "reason": each.reason,
                }
                for each in self.unspoken
            ],
        }
