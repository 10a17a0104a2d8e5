"""The words for what servers and called users do: a table each, and all that is said of a word in one place.

Scenario files, ``--down``, the lab's prompt, the menu of the terminal phone and docs/scenarios.md read these
tables. An entry names the fields of a behaviour that its word sets; what they do is in the rooms of the lab.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from phone_emulator.durations import format_duration, parse_duration
from phone_emulator.events import Transport
from phone_emulator.media.dtmf import DIGITS
from phone_emulator.media.tones import parse_hertz
from phone_emulator.numbers import number

METHODS = (
    "REGISTER",
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "SUBSCRIBE",
    "NOTIFY",
    "INFO",
    "REFER",
    "UPDATE",
    "PRACK",
    "MESSAGE",
    "PUBLISH",
)
EVERY = frozenset(METHODS)
ANSWERED = EVERY - {"ACK"}
COUNTED = ANSWERED - {"CANCEL"}
"""What may be challenged (RFC 3261 section 22.1), and what counts as a request of its own."""
LEASED = frozenset({"REGISTER", "SUBSCRIBE"})
TARGETING = frozenset({"REGISTER", "INVITE", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE"})
"""The requests whose Contact says where to send to from then on (RFC 3261 section 12.2)."""
SERVER_ONLY: frozenset[str] = frozenset()
STREAMS = frozenset({Transport.TCP, Transport.TLS})
MAX_NEXT = 1000
MAX_RATE = 100_000
MAX_PRESSED = 100
"""Keys that a called user presses in a call."""
NO_TONE = "none"
MAX_SDP = 8000
"""Characters of a description that a called user answers with: it goes in one datagram."""


class BehaviourKind(StrEnum):
    """What a server does with a request; the table says what each is."""

    OK = "ok"
    STATUS = "status"
    SILENT = "silent"
    REFUSE = "refuse"
    TRYING = "trying"
    RINGING = "ringing"
    MUTE = "mute"
    CHALLENGE_FOREVER = "challenge-forever"
    CHALLENGE_BROKEN = "challenge-broken"


class CalleeKind(StrEnum):
    """What a called user does with a call."""

    ANSWER = "answer"
    BUSY = "busy"
    REJECT = "reject"
    NO_ANSWER = "no-answer"


class BrokenChallenge(StrEnum):
    """What is wrong with a challenge that nobody can answer."""

    NO_NONCE = "no-nonce"
    NO_HEADER = "no-header"
    ALGORITHM = "unknown-algorithm"
    BASIC = "basic"


class BadCertificate(StrEnum):
    """What is wrong with the certificate that a TLS server shows."""

    EXPIRED = "expired"
    WRONG_NAME = "wrong-name"
    UNKNOWN_CA = "unknown-ca"


class Over(StrEnum):
    """What becomes of requests beyond a server's capacity, besides a status."""

    SILENT = "silent"
    SLOW = "slow"


Changes = Mapping[str, Any]
"""Fields of a behaviour, and what they become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A word for a behaviour."""

    name: str
    """As text has it: ``retry-after``. Files may write ``retry_after``."""
    form: str
    """How a scenario file says it."""
    says: str
    """What the server, or the called user, does: for the page, in Markdown."""
    changes: Changes = field(default_factory=dict)
    """What a word without a value sets."""
    reads: Callable[[str], Changes] | None = None
    """What a value sets; None where the word takes none. Raises ValueError, without words for a stranger."""
    left_out: tuple[str, Collection[str]] | None = None
    """The value that is meant where none of these follows; None where one has to."""
    writes: Callable[[Any], str] = str
    """The value of ``of`` as text."""
    of: str = ""
    """The field that the value is in; empty for words without one."""
    nothing: Any = None
    """What the field is where the word was not said."""
    bare: bool = False
    """Whether text has the value without the word."""
    way: bool = False
    """Whether it is the one thing that is done with a request, of which there cannot be two."""
    methods: frozenset[str] = EVERY
    """For which requests it means something by itself; none: only for the whole server."""
    needs: frozenset[Transport] = frozenset()
    """The transports of which the server must speak one."""
    offers: tuple[tuple[str, str], ...] = ()
    """What menus offer: the text, and what it means, in few words."""

    def said(self, behaviour: Any) -> str:
        """What text says of it about *behaviour*; empty where it does not hold there."""
        if self.of:
            value = getattr(behaviour, self.of)
            if value == self.nothing:
                return ""
            return self.writes(value) if self.bare else f"{self.name} {self.writes(value)}"
        holds = all(getattr(behaviour, key) == value for key, value in self.changes.items())
        return self.name if holds else ""


def _duration(name: str) -> Callable[[str], Changes]:
    return lambda text: {name: parse_duration(text)}


def _some_time(name: str) -> Callable[[str], Changes]:
    def read(text: str) -> Changes:
        seconds = parse_duration(text)
        if seconds <= 0:
            raise ValueError(f"{name}: {text} is no time: write 10s, say")
        return {name: seconds}

    return read


def _seconds(name: str) -> Callable[[str], Changes]:
    def read(text: str) -> Changes:
        try:
            seconds = parse_duration(text)
        except ValueError as fault:
            raise ValueError(f"{name}: {fault}") from None
        if seconds != int(seconds):
            raise ValueError(f"{name} is whole seconds, not {text}")
        return {name: int(seconds)}

    return read


def _share(name: str, of: str) -> Callable[[str], Changes]:
    def read(text: str) -> Changes:
        match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(%?)", text.strip())
        share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is the share of datagrams {of}, 0 to 1 or 0% to 100%, not {text!r}")
        return {name: share}

    return read


def _count(name: str, largest: int, of: str) -> Callable[[str], Changes]:
    def read(text: str) -> Changes:
        count = number(text.strip(), largest)
        if not count:
            raise ValueError(f"{name} is {of}, 1 to {largest}, not {text!r}")
        return {name: count}

    return read


def _choice(name: str, kinds: type[StrEnum], **more: Any) -> Callable[[str], Changes]:
    def read(text: str) -> Changes:
        try:
            return {name: kinds(text.strip().lower().replace("_", "-")), **more}
        except ValueError:
            raise ValueError(f"{name} cannot be {text!r}: one of {', '.join(kinds)}") from None

    return read


def final_status(text: str, least: int = 200) -> int:
    """The final status that *text* is; raises ValueError, without words where it is no number."""
    status = number(text, 999) if len(text) == 3 else None
    if status is None:
        raise ValueError
    if not least <= status <= 699:
        hint = {100: " (say trying)", 180: " (say ringing)"}.get(status, "")
        raise ValueError(f"a server answers with a final status, {least} to 699, not {status}{hint}")
    return status


def _status(text: str) -> Changes:
    """A status, or another way where a status may stand: ``{next: 3, status: silent}``."""
    named = text.strip().lower().replace("_", "-")
    entry = SERVER.get(named)
    if entry is not None and entry.way and entry.changes:
        return entry.changes
    status = final_status(named)
    return {"kind": BehaviourKind.OK} if status == 200 else {"kind": BehaviourKind.STATUS, "status": status}


def _then(text: str) -> Changes:
    named = text.strip().lower()
    if named in tuple(Over):
        return {"then": Over(named)}
    try:
        return {"then": final_status(named, 300)}
    except ValueError:
        raise ValueError(
            f"then cannot be {text!r}: a status from 300 on, or one of {', '.join(Over)}"
        ) from None


def _sdp(text: str) -> Changes:
    if len(text) > MAX_SDP:
        raise ValueError(f"sdp: {len(text)} characters, and no more than {MAX_SDP} go in a datagram")
    return {"sdp": text}


def _press(text: str) -> Changes:
    if not text or text.strip(DIGITS):
        raise ValueError(f"press: {text[:20]!r} are no keys: they are {DIGITS}")
    if len(text) > MAX_PRESSED:
        raise ValueError(f"press: {len(text)} keys, and no more than {MAX_PRESSED} are pressed")
    return {"press": text}


def _tone(text: str) -> Changes:
    if text.strip().lower() == NO_TONE:
        return {"tone": 0}
    try:
        return {"tone": parse_hertz(text)}
    except ValueError as fault:
        raise ValueError(f"tone: {fault}, or {NO_TONE}") from None


def _play(text: str) -> Changes:
    if not text.strip():
        raise ValueError("play: it names no file")
    return {"play": text}


def _table(*entries: Entry) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}


SERVER: Mapping[str, Entry] = _table(
    Entry(
        name="ok",
        form="`ok`",
        says="registers, challenges, connects calls",
        changes={"kind": BehaviourKind.OK},
        way=True,
        offers=(("ok", "works"),),
    ),
    Entry(
        name="status",
        form="`503`",
        says="answers that; in a mapping `{status: 503}`, with which more can be said",
        reads=_status,
        of="status",
        bare=True,
        way=True,
        offers=(("503", "not available: the next server is tried"),),
    ),
    Entry(
        name="retry-after",
        form="`{status: 503, retry_after: 30}`",
        says="the same, with Retry-After",
        reads=_seconds("retry_after"),
        of="retry_after",
        offers=(("503 retry-after 30", "the same, with Retry-After"),),
    ),
    Entry(
        name="silent",
        form="`silent`",
        says="reads, answers nothing but keep-alives on connections (RFC 5626)",
        changes={"kind": BehaviourKind.SILENT},
        way=True,
        offers=(("silent", "answers nothing: a wait, then the next server"),),
    ),
    Entry(
        name="refuse",
        form="`refuse`",
        says="is not there: ICMP port unreachable, TCP reset; by method it is `silent`",
        changes={"kind": BehaviourKind.REFUSE},
        way=True,
        offers=(("refuse", "closed port: ICMP over UDP, reset over TCP"),),
    ),
    Entry(
        name="mute",
        form="`mute`",
        says="hears and is not heard, as behind half a cut: it registers and connects whom it hears, "
        "the called user rings, and nothing that it sends arrives at a phone",
        changes={"kind": BehaviourKind.MUTE},
        way=True,
        methods=ANSWERED,
        offers=(("mute", "hears, is not heard: the called user rings"),),
    ),
    Entry(
        name="trying",
        form="`trying`",
        says="answers INVITE with 100, then nothing; the rest as `ok`",
        changes={"kind": BehaviourKind.TRYING},
        way=True,
        offers=(("trying", "100, then nothing: the call stays here"),),
    ),
    Entry(
        name="ringing",
        form="`ringing`",
        says="answers INVITE with 100 and 180, then nothing; the rest as `ok`",
        changes={"kind": BehaviourKind.RINGING},
        way=True,
        offers=(
            ("ringing", "180, then nothing: the call stays here"),
            ("404", "Not Found: an answer, no other server"),
            ("486", "Busy Here: an answer, no other server"),
            ("500", "Server Internal Error: an answer as well"),
            ("ok, INVITE: 503", "registers, but takes no calls"),
        ),
    ),
    Entry(
        name="next",
        form="`{next: 3, status: 503}`",
        says="does that with the next 3 requests, then behaves as before. ACK and CANCEL do not count,"
        " and what is sent once more is the same request; `{next: 2, status: silent}` takes other"
        " words",
        reads=_count("next", MAX_NEXT, "how many requests"),
        of="next",
        methods=COUNTED,
        offers=(("next 3 503", "503 to the next three requests only"),),
    ),
    Entry(
        name="rate",
        form="`{rate: 200, then: 503}`",
        says="takes 200 requests in any second; what is more is answered with the status `then` (503 "
        "where it is left out), not answered (`then: silent`), or waits for its turn (`then: "
        "slow`). ACK and CANCEL do not count",
        reads=_count("rate", MAX_RATE, "how many requests a second"),
        of="rate",
        methods=COUNTED,
        offers=(("rate 5 then 503", "five requests a second, 503 beyond"),),
    ),
    Entry(
        name="then",
        form="",
        says="",
        reads=_then,
        of="then",
        methods=COUNTED,
    ),
    Entry(
        name="min-expires",
        form="`{status: 423, min_expires: 120}`",
        says="answers 423 with Min-Expires to a REGISTER or SUBSCRIBE that asks for less than 120 s; "
        "the rest as `ok`",
        reads=_seconds("min_expires"),
        of="min_expires",
        methods=LEASED,
        offers=(("423 min-expires 7200", "wants longer leases than asked for"),),
    ),
    Entry(
        name="challenge-forever",
        form="`challenge-forever`",
        says="answers every request of its users with a fresh challenge, 401 or 407, and credentials "
        "with one that says `stale=true`: the answer was right and is to be given anew. (`401` "
        "never says so.)",
        changes={"kind": BehaviourKind.CHALLENGE_FOREVER},
        way=True,
        methods=COUNTED,
        offers=(("challenge-forever", "a fresh challenge to every answer"),),
    ),
    Entry(
        name="challenge-broken",
        form="`{challenge-broken: no-nonce}`",
        says="challenges its users so that nobody can answer: `no-nonce`, `no-header`, `unknown-"
        "algorithm`, or `basic` alone; `challenge-broken` is the first",
        reads=_choice("challenge", BrokenChallenge, kind=BehaviourKind.CHALLENGE_BROKEN),
        left_out=(BrokenChallenge.NO_NONCE, tuple(BrokenChallenge)),
        of="challenge",
        way=True,
        methods=COUNTED,
        offers=tuple((f"challenge-broken {each}", "cannot be answered") for each in BrokenChallenge),
    ),
    Entry(
        name="no-to-tag",
        form="`no-to-tag`",
        says="leaves no tag in To of its answers, nor in From of what the called user asks in the call"
        " (RFC 2543); beside others: `503 no-to-tag`",
        changes={"no_to_tag": True},
        methods=ANSWERED,
        offers=(("no-to-tag", "an RFC 2543 peer: no tag in To"),),
    ),
    Entry(
        name="rewrite-contact",
        form="`rewrite-contact`",
        says="puts its own address in place of Contact: in calls it passes on what comes there, in the"
        " answer to REGISTER the phone does not find its own",
        changes={"rewrite_contact": True},
        methods=TARGETING,
        offers=(("rewrite-contact", "its own address in place of Contact"),),
    ),
    Entry(
        name="rewrite-to",
        form="`rewrite-to`",
        says="puts another URI into To of every answer, with the tag as it was",
        changes={"rewrite_to": True},
        methods=ANSWERED,
        offers=(("rewrite-to", "another URI in To of every answer"),),
    ),
    Entry(
        name="close-after",
        form="`{close_after: 10s}`",
        says="closes each TCP and TLS connection that long after it was opened (or after this was said)",
        reads=_some_time("close_after"),
        writes=format_duration,
        of="close_after",
        methods=SERVER_ONLY,
        needs=STREAMS,
        offers=(("close-after 10s", "closes TCP and TLS connections"),),
    ),
    Entry(
        name="certificate",
        form="`{certificate: expired}`",
        says="shows another certificate over TLS: `expired`, `wrong-name`, or by an `unknown-ca`; open"
        " TLS connections are closed as it changes",
        reads=_choice("certificate", BadCertificate),
        of="certificate",
        methods=SERVER_ONLY,
        needs=frozenset({Transport.TLS}),
        offers=tuple((f"certificate {each}", "of the TLS server") for each in BadCertificate),
    ),
    Entry(
        name="delay",
        form="`{delay: 2s}`",
        says="waits before each answer",
        reads=_duration("delay"),
        writes=format_duration,
        of="delay",
        nothing=0.0,
        offers=(("delay 2s", "answers late"),),
    ),
    Entry(
        name="loss",
        form="`{loss: 0.2, duplicate: 0.1, reorder: 0.1}`",
        says="that share of datagrams, both ways, gets lost, comes twice, comes 50 ms late so that "
        "others overtake it",
        reads=_share("loss", "that get lost"),
        writes=lambda share: f"{share:g}",
        of="loss",
        nothing=0.0,
        offers=(("loss 0.3", "loses three datagrams in ten"),),
    ),
    Entry(
        name="duplicate",
        form="",
        says="",
        reads=_share("duplicate", "that come twice"),
        writes=lambda share: f"{share:g}",
        of="duplicate",
        nothing=0.0,
    ),
    Entry(
        name="reorder",
        form="",
        says="",
        reads=_share("reorder", "that others overtake"),
        writes=lambda share: f"{share:g}",
        of="reorder",
        nothing=0.0,
    ),
)
"""What a server does, by name; one without a ``form`` is told with the one before it."""

CALLEE: Mapping[str, Entry] = _table(
    Entry(
        name="answer",
        form="`answer`",
        says="takes the call",
        changes={"kind": CalleeKind.ANSWER},
        way=True,
        offers=(("answer", "takes the call"),),
    ),
    Entry(
        name="busy",
        form="`busy`",
        says="refuses it with 486",
        changes={"kind": CalleeKind.BUSY},
        way=True,
        offers=(("busy", "486 Busy Here"),),
    ),
    Entry(
        name="reject",
        form="`reject`",
        says="refuses it with 603",
        changes={"kind": CalleeKind.REJECT},
        way=True,
        offers=(("reject", "603 Decline"),),
    ),
    Entry(
        name="no-answer",
        form="`no-answer`",
        says="lets it ring",
        changes={"kind": CalleeKind.NO_ANSWER},
        way=True,
        offers=(("no-answer", "lets it ring"),),
    ),
    Entry(
        name="hang-up-after",
        form="`{hang_up_after: 5s}`",
        says="takes the call and hangs up that long after it",
        reads=_some_time("hang_up_after"),
        writes=format_duration,
        of="hang_up_after",
        offers=(("hang-up-after 5s", "takes it, hangs up after 5 s"),),
    ),
    Entry(
        name="press",
        form='`{press: "12#"}`',
        says="takes the call and presses these keys, as telephone events",
        reads=_press,
        of="press",
        nothing="",
        offers=(("press 12#", "takes it, presses 12#"),),
    ),
    Entry(
        name="tone",
        form="`{tone: 440Hz}`",
        says="takes the call and says a tone of that frequency, 100 to 7000 Hz, all the time; `{tone: none}` "
        "says nothing. Without it each server has a tone of its own, so that a person hears through which "
        "one the call came: 440 Hz through the first of the file, then 550, 660, 880, 1100 and 1320 Hz",
        reads=_tone,
        writes=lambda hertz: f"{hertz}Hz" if hertz else NO_TONE,
        of="tone",
        offers=(("tone none", "takes it, says nothing"),),
    ),
    Entry(
        name="play",
        form="`{play: file.wav}`",
        says="takes the call and says that file over and over; of any rate and width, ten minutes at most",
        reads=_play,
        of="play",
        nothing="",
    ),
    Entry(
        name="loss",
        form="`{loss: 0.2, duplicate: 0.1, reorder: 0.1}`",
        says="takes the call; that share of the packets of its sound gets lost on the way, comes twice, "
        "comes 50 ms late so that others overtake it",
        reads=_share("loss", "that get lost"),
        writes=lambda share: f"{share:g}",
        of="loss",
        nothing=0.0,
    ),
    Entry(
        name="duplicate",
        form="",
        says="",
        reads=_share("duplicate", "that come twice"),
        writes=lambda share: f"{share:g}",
        of="duplicate",
        nothing=0.0,
    ),
    Entry(
        name="reorder",
        form="",
        says="",
        reads=_share("reorder", "that others overtake"),
        writes=lambda share: f"{share:g}",
        of="reorder",
        nothing=0.0,
    ),
    Entry(
        name="sdp",
        form='`{sdp: "v=0\\r\\n…"}`',
        says="takes the call and describes itself so, whatever was offered, then and whenever it is "
        'asked in the call; lines may end with `\\n`, and `sdp: ""` describes nothing',
        reads=_sdp,
        writes=lambda text: json.dumps(text, ensure_ascii=False),
        of="sdp",
        offers=(
            (
                '{sdp: "v=0\\no=- 1 1 IN IP4 192.0.2.100\\ns=-\\nc=IN IP4 192.0.2.100\\nt=0 0\\n'
                'm=audio 40000 RTP/AVP 3 101\\na=rtpmap:101 telephone-event/8000\\n"}',
                "answers with GSM alone",
            ),
        ),
    ),
)
"""What a called user does, by name."""


def known(table: Mapping[str, Entry]) -> str:
    """The words of *table*, for people."""
    return ", ".join(table)


def offers(table: Mapping[str, Entry]) -> list[tuple[str, str]]:
    """What menus offer of *table*: the text, and what it means."""
    return [offer for entry in table.values() for offer in entry.offers]
