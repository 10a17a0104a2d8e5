"""How a server of the lab or of the simulated world behaves, and how a called user does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from phone_emulator.events import Transport
from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import WavError, read_wav

from .vocabulary import (
    CALLEE,
    COUNTED,
    METHODS,
    SERVER,
    BadCertificate,
    BehaviourKind,
    BrokenChallenge,
    CalleeKind,
    Entry,
    Over,
    known,
)
from .wording import Said, Wording

__all__ = ["METHODS", "Behaviour", "BehaviourKind", "CalleeBehaviour", "CalleeKind"]

_SERVERS = Wording(
    SERVER,
    "there is no behaviour",
    "write ok, silent, refuse, trying, ringing, a status such as 503, or {status: 503, retry_after: 30}, "
    "{delay: 2s}, {loss: 0.2, duplicate: 0.1, reorder: 0.1}, {INVITE: 503, REGISTER: ok}; "
    f"all the words: {known(SERVER)}",
    bare="status",
    methods=True,
)
_CALLED = Wording(CALLEE, "a called user cannot be", f"one of {known(CALLEE)}")
_HANDED_DOWN = ("delay", "loss", "duplicate", "reorder", "no_to_tag", "rewrite_contact", "rewrite_to")
"""What holds for a method with a behaviour of its own, too, unless that says otherwise."""
_OF_DATAGRAMS = ("loss", "duplicate", "reorder")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a server treats requests: one way for all, with exceptions per method.

    As text, the way for all and each method's way are separated by commas, and the words of each are
    separated by spaces: ``503 retry-after 30``, ``silent``, ``delay 2s``, ``ok, INVITE: 503``. What each
    word does is in `SERVER`.
    """

    kind: BehaviourKind = BehaviourKind.OK
    status: int | None = None
    """The final status, 200..699; only with ``STATUS``."""
    retry_after: int | None = None
    """Seconds in a Retry-After header; only with a status."""
    delay: float = 0.0
    """Seconds before each answer."""
    loss: float = 0.0
    """The share of datagrams that get lost, 0..1."""
    duplicate: float = 0.0
    """The share of datagrams that come twice, 0..1."""
    reorder: float = 0.0
    """The share of datagrams that come late, so that others overtake them, 0..1."""
    per_method: Mapping[str, Behaviour] = field(default_factory=dict, hash=False)
    min_expires: int | None = None
    """Seconds below which a lease is refused; only with the status 423."""
    next: int | None = None
    """How many requests it holds for; None for all."""
    rate: int | None = None
    """Requests a second that it holds for; None for any number."""
    then: int | Over | None = None
    """What becomes of more than that: a status, or what stands in its place; None for 503."""
    challenge: BrokenChallenge | None = None
    """What is wrong with the challenge; only with ``CHALLENGE_BROKEN``."""
    no_to_tag: bool = False
    rewrite_contact: bool = False
    rewrite_to: bool = False
    close_after: float | None = None
    """Seconds that a connection lives."""
    certificate: BadCertificate | None = None
    """What is wrong with the certificate; None for nothing."""

    @classmethod
    def parse(cls, value: object) -> Behaviour:
        """Read what a person wrote: text, a status code, or a mapping as YAML gives it.

        :param value: ``"503"``, ``503``, ``"silent"``, ``"delay=2s"``, ``"INVITE=503"``,
            ``{"status": 503, "retry_after": 30}``, ``{"INVITE": 503, "REGISTER": "ok"}``, ``{"loss": 0.2}``.
        :raises ValueError: in words for people.
        """
        if isinstance(value, Behaviour):
            return value
        said, methods = _SERVERS.read(value)
        per_method: dict[str, Behaviour] = {}
        for method, setting in methods.items():
            own = Behaviour.parse(setting)
            if own.per_method:
                raise ValueError(f"{method}: a method's behaviour names no further methods")
            for entry in own.said():
                if method not in entry.methods:
                    raise ValueError(f"{method}: {_nothing(entry)}")
            per_method[method] = own
        return _checked(_with(cls(per_method=per_method), said))

    @property
    def answers(self) -> bool:
        """Whether anything is said at all."""
        return self.kind not in (BehaviourKind.SILENT, BehaviourKind.REFUSE)

    @property
    def heard(self) -> bool:
        """Whether what is said arrives at phones."""
        return self.answers and self.kind is not BehaviourKind.MUTE

    @property
    def pongs(self) -> bool:
        """Whether keep-alives on connections are answered: by the sockets, whatever becomes of requests."""
        return self.kind is not BehaviourKind.MUTE

    @property
    def connects(self) -> bool:
        """Whether calls get through, as far as they come."""
        return self.kind is BehaviourKind.OK or self.min_expires is not None

    @property
    def challenges(self) -> bool:
        """Whether it challenges whatever it is told."""
        return self.kind in (BehaviourKind.CHALLENGE_FOREVER, BehaviourKind.CHALLENGE_BROKEN)

    @property
    def counts(self) -> bool:
        """Whether it holds for a number of requests only, in any part."""
        return self.next is not None or any(own.next is not None for own in self.per_method.values())

    def for_method(self, method: str) -> Behaviour:
        """What holds for *method*; the server's delay, shares and habits do unless the method has its own."""
        own = self.per_method.get(method)
        if own is None:
            return replace(self, per_method={}) if self.per_method else self
        handed: Mapping[str, Any] = {name: getattr(own, name) or getattr(self, name) for name in _HANDED_DOWN}
        return replace(own, **handed)

    def said(self) -> list[Entry]:
        """The words for it, without those for single methods."""
        return [entry for entry in SERVER.values() if entry.name != "ok" and entry.said(self)]

    def why_not(self, transports: Collection[Transport], who: str = "the server") -> str:
        """Why it means nothing where *who* speaks *transports*, for people; empty where it does."""
        for entry in self.said():
            if entry.needs and not entry.needs & {*transports}:
                return (
                    f"{entry.name} is about {_or(entry.needs)} connections, "
                    f"and {who} speaks {_or(transports)} only"
                )
        return ""

    def __str__(self) -> str:
        words = [entry.said(self) for entry in self.said()]
        clauses = [" ".join(words)] if words else []
        clauses += [f"{method}: {own}" for method, own in self.per_method.items()]
        return ", ".join(clauses) or "ok"


@dataclass(frozen=True, slots=True)
class CalleeBehaviour:
    """What a called user does; see `CALLEE`."""

    kind: CalleeKind = CalleeKind.ANSWER
    sdp: str | None = None
    """How it describes itself, whatever was offered; None for as it can."""
    hang_up_after: float | None = None
    """Seconds from the answer to its BYE; None for never."""
    press: str = ""
    """The keys that it presses once the call is up."""
    tone: int | None = None
    """Hz of what it says; 0: nothing; None: a tone of its own for each server."""
    play: str = ""
    """The file that it says, as somebody named it; empty for none."""
    loss: float = 0.0
    """The share of the packets of its sound that get lost, 0..1."""
    duplicate: float = 0.0
    """The share that comes twice, 0..1."""
    reorder: float = 0.0
    """The share that comes late, so that others overtake it, 0..1."""
    speech: Sound | None = field(default=None, compare=False, repr=False)
    """What is in that file."""

    ANSWER: ClassVar[CalleeBehaviour]
    BUSY: ClassVar[CalleeBehaviour]
    REJECT: ClassVar[CalleeBehaviour]
    NO_ANSWER: ClassVar[CalleeBehaviour]

    @classmethod
    def parse(cls, value: object, folder: Path | None = None) -> CalleeBehaviour:
        """The behaviour that a person wrote: ``busy``, ``{"hang_up_after": "5s"}``.

        :param folder: what the name of a file is relative to; None: to where the program runs.
        :raises ValueError: in words for people, also of a file that cannot be read.
        """
        if isinstance(value, CalleeBehaviour):
            return value
        said, _ = _CALLED.read(value)
        found: CalleeBehaviour = _with(cls(), said)
        if found.kind is not CalleeKind.ANSWER and found != cls(found.kind):
            raise ValueError(
                f"{found.kind}: who does not answer describes nothing, says nothing, presses nothing and "
                "hangs nothing up"
            )
        if found.play:
            if found.tone is not None:
                raise ValueError("tone and play: a called user says one thing at a time")
            try:
                found = replace(found, speech=read_wav((folder or Path()) / found.play))
            except WavError as error:
                raise ValueError(f"play: {error}") from None
        return _PLAIN.get(found, found)

    @property
    def body(self) -> bytes | None:
        """The description that it answers with, as it goes out; None for its own."""
        return None if self.sdp is None else self.sdp.replace("\r\n", "\n").replace("\n", "\r\n").encode()

    def __str__(self) -> str:
        if self.sdp is not None or self.play:
            said = ", ".join(
                f"{entry.name.replace('-', '_')}: {_quoted(entry.writes(getattr(self, entry.of)))}"
                for entry in CALLEE.values()
                if entry.of and entry.said(self)
            )
            return f"{{{said}}}"
        words = [said for entry in CALLEE.values() if (said := entry.said(self))]
        return " ".join(words)


CalleeBehaviour.ANSWER = CalleeBehaviour()
CalleeBehaviour.BUSY = CalleeBehaviour(CalleeKind.BUSY)
CalleeBehaviour.REJECT = CalleeBehaviour(CalleeKind.REJECT)
CalleeBehaviour.NO_ANSWER = CalleeBehaviour(CalleeKind.NO_ANSWER)
_PLAIN = {
    each: each
    for each in (
        CalleeBehaviour.ANSWER,
        CalleeBehaviour.BUSY,
        CalleeBehaviour.REJECT,
        CalleeBehaviour.NO_ANSWER,
    )
}


def _quoted(text: str) -> str:
    """*text* as a value in a file, whatever it begins with."""
    return text if text.startswith('"') else f'"{text}"'


def _with(base: Any, said: list[Said]) -> Any:
    changes: dict[str, Any] = {}
    for _, each in said:
        changes |= each
    return replace(base, **changes)


def _or(transports: Collection[Transport]) -> str:
    return " or ".join(sorted(each.upper() for each in transports))


def _nothing(entry: Entry) -> str:
    """Why the word of *entry* means nothing for the request that it stands at."""
    if not entry.methods:
        return f"{entry.name} is about the whole server, not about single requests"
    if len(entry.methods) >= len(COUNTED):
        return f"{entry.name} means nothing for it"
    return f"{entry.name} means nothing for it, only for {', '.join(sorted(entry.methods))}"


def _checked(found: Behaviour) -> Behaviour:
    """*found*, where its words go together; raises ValueError."""
    status = found.kind is BehaviourKind.STATUS
    over = found.rate is not None and not isinstance(found.then, Over)
    if found.retry_after is not None and not (status or over):
        raise ValueError("retry_after goes with a status: {status: 503, retry_after: 30}")
    if found.min_expires is not None and (not status or found.status != 423):
        raise ValueError("min_expires goes with 423: {status: 423, min_expires: 120}")
    if found.then is not None and found.rate is None:
        raise ValueError("then goes with a rate: {rate: 200, then: 503}")
    if found.next is not None:
        if found == Behaviour(next=found.next, per_method=found.per_method):
            raise ValueError("next goes with what the next requests meet: {next: 3, status: 503}")
        if found.kind is BehaviourKind.REFUSE:
            raise ValueError("next counts requests, and to a server that is not there (refuse) none come")
        apart = [entry for entry in found.said() if not entry.methods or entry.of in (*_OF_DATAGRAMS, "rate")]
        if apart:
            raise ValueError(f"next counts requests, and {apart[0].name} is not about single ones")
    return found
