"""How a server of the lab or of the simulated world behaves, and how a called user does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import yaml

from phone_emulator.durations import format_duration, parse_duration
from phone_emulator.numbers import number


class BehaviourKind(StrEnum):
    """What a server does with a request."""

    OK = "ok"
    """Challenges, registers, connects calls."""
    STATUS = "status"
    """Answers everything with one status."""
    SILENT = "silent"
    """Reads, answers nothing."""
    REFUSE = "refuse"
    """UDP: ICMP port unreachable; TCP and TLS: reset."""
    TRYING = "trying"
    """100, then nothing."""
    RINGING = "ringing"
    """180, and nobody answers."""


class CalleeBehaviour(StrEnum):
    """What a called user does."""

    ANSWER = "answer"
    BUSY = "busy"
    REJECT = "reject"
    NO_ANSWER = "no-answer"

    @classmethod
    def parse(cls, value: str) -> CalleeBehaviour:
        """The behaviour of that name. :raises ValueError: in words for people."""
        try:
            return cls(value.strip().lower().replace("_", "-"))
        except ValueError:
            names = ", ".join(cls)
            raise ValueError(f"a called user cannot be {value!r}: one of {names}") from None


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
_WORDS = {str(kind): kind for kind in BehaviourKind if kind is not BehaviourKind.STATUS}
SHARES = {
    "loss": "that get lost",
    "duplicate": "that come twice",
    "reorder": "that others overtake",
}
"""What may happen to datagrams, both ways: the settings that take a share."""
_SETTINGS = ("status", "retry_after", "delay", *SHARES)
_CLAUSE = re.compile(r"(?P<method>[A-Za-z]+)\s*[:=]\s*(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a server treats requests: one way for all, with exceptions per method.

    As text, the way for all and each method's way are separated by commas, and the words of each are
    separated by spaces: ``503 retry-after 30``, ``silent``, ``delay 2s``, ``ok, INVITE: 503``.
    """

    kind: BehaviourKind = BehaviourKind.OK
    status: int | None = None
    """The final status, 200..699; only with ``STATUS``."""
    retry_after: int | None = None
    """Seconds in a Retry-After header; only with ``STATUS``."""
    delay: float = 0.0
    """Seconds before each answer."""
    loss: float = 0.0
    """The share of datagrams that get lost, 0..1."""
    duplicate: float = 0.0
    """The share of datagrams that come twice, 0..1."""
    reorder: float = 0.0
    """The share of datagrams that come late, so that others overtake them, 0..1."""
    per_method: Mapping[str, Behaviour] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, value: object) -> Behaviour:
        """Read what a person wrote: text, a status code, or a mapping as YAML gives it.

        :param value: ``"503"``, ``503``, ``"silent"``, ``"delay=2s"``, ``"INVITE=503"``,
            ``{"status": 503, "retry_after": 30}``, ``{"INVITE": 503, "REGISTER": "ok"}``, ``{"loss": 0.2}``.
        :raises ValueError: in words for people.
        """
        if isinstance(value, Behaviour):
            return value
        if isinstance(value, Mapping):
            return _from_mapping(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return _with_status(cls(), value)
        if isinstance(value, str):
            return _from_text(value)
        raise ValueError(f"a behaviour cannot be {_shown(value)}: {_HELP}")

    @property
    def answers(self) -> bool:
        """Whether anything is said at all."""
        return self.kind not in (BehaviourKind.SILENT, BehaviourKind.REFUSE)

    def for_method(self, method: str) -> Behaviour:
        """What holds for *method*; the server's delay and shares hold unless the method has its own."""
        own = self.per_method.get(method)
        if own is None:
            return replace(self, per_method={}) if self.per_method else self
        return replace(
            own,
            delay=own.delay or self.delay,
            loss=own.loss or self.loss,
            duplicate=own.duplicate or self.duplicate,
            reorder=own.reorder or self.reorder,
        )

    def __str__(self) -> str:
        words: list[str] = []
        if self.kind is BehaviourKind.STATUS:
            words.append(str(self.status))
            if self.retry_after is not None:
                words.append(f"retry-after {self.retry_after}")
        elif self.kind is not BehaviourKind.OK:
            words.append(str(self.kind))
        if self.delay:
            words.append(f"delay {format_duration(self.delay)}")
        words += [f"{name} {share:g}" for name in SHARES if (share := getattr(self, name))]
        clauses = [" ".join(words)] if words else []
        clauses += [f"{method}: {own}" for method, own in self.per_method.items()]
        return ", ".join(clauses) or "ok"


_HELP = (
    "write ok, silent, refuse, trying, ringing, a status such as 503, or {status: 503, retry_after: 30}, "
    "{delay: 2s}, {loss: 0.2, duplicate: 0.1, reorder: 0.1}, {INVITE: 503, REGISTER: ok}"
)


def _shown(value: object) -> str:
    return "empty" if value is None else repr(value)


def _with_status(base: Behaviour, value: object) -> Behaviour:
    """*base* answering with a status, or in the way named where a status may stand."""
    text = str(value).strip().lower()
    if text in _WORDS:
        return replace(base, kind=_WORDS[text], status=None)
    status = None if isinstance(value, bool) or len(text) != 3 else number(text, 999)
    if status is None:
        raise ValueError(f"there is no behaviour {_shown(value)}: {_HELP}")
    if not 200 <= status <= 699:
        hint = {100: " (say trying)", 180: " (say ringing)"}.get(status, "")
        raise ValueError(f"a server answers with a final status, 200 to 699, not {status}{hint}")
    if status == 200:
        return replace(base, kind=BehaviourKind.OK, status=None)
    return replace(base, kind=BehaviourKind.STATUS, status=status)


def _with_setting(base: Behaviour, name: str, value: object) -> Behaviour:
    """*base* with one of ``status``, ``retry_after``, ``delay`` and the shares."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name} cannot be {_shown(value)}")
    if name == "status":
        return _with_status(base, value)
    if name == "delay":
        return replace(base, delay=parse_duration(value))
    if name in SHARES:
        share: Mapping[str, Any] = {name: _share(name, str(value))}
        return replace(base, **share)
    try:
        seconds = parse_duration(value)
    except ValueError as fault:
        raise ValueError(f"retry_after: {fault}") from None
    if seconds != int(seconds):
        raise ValueError(f"retry_after is whole seconds, not {value}")
    return replace(base, retry_after=int(seconds))


def _share(name: str, text: str) -> float:
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(%?)", text.strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise ValueError(
            f"{name} is the share of datagrams {SHARES[name]}, 0 to 1 or 0% to 100%, not {text!r}"
        )
    return share


def _checked(behaviour: Behaviour) -> Behaviour:
    if behaviour.retry_after is not None and behaviour.kind is not BehaviourKind.STATUS:
        raise ValueError("retry_after goes with a status: {status: 503, retry_after: 30}")
    return behaviour


def _method(name: str) -> str:
    method = name.strip().upper()
    if method not in METHODS:
        raise ValueError(f"there is no request {name!r}, and a behaviour has no such setting: {_HELP}")
    return method


def _as_in_a_scenario(text: str) -> Mapping[Any, Any]:
    """The mapping that *text* is, in YAML: what a scenario file may say, a command may be told."""
    try:
        value = yaml.load(text, Loader=yaml.BaseLoader)  # its numbers are read like all others
    except (yaml.YAMLError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        raise ValueError(f"there is no behaviour {_shown(text)}: {_HELP}")
    return value


def _from_mapping(value: Mapping[Any, Any]) -> Behaviour:
    if not value:
        raise ValueError(f"the behaviour is empty: {_HELP}")
    base = Behaviour()
    per_method: dict[str, Behaviour] = {}
    for key, setting in value.items():
        name = str(key).strip()
        plain = name.lower().replace("-", "_")
        if plain in _SETTINGS:
            base = _with_setting(base, plain, setting)
            continue
        own = Behaviour.parse(setting)
        if own.per_method:
            raise ValueError(f"{name}: a method's behaviour names no further methods")
        per_method[_method(name)] = own
    return _checked(replace(base, per_method=per_method))


def _from_text(text: str) -> Behaviour:
    if text.lstrip().startswith("{"):
        return _from_mapping(_as_in_a_scenario(text))
    base = Behaviour()
    per_method: dict[str, Behaviour] = {}
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause.strip())
        if match and match["method"].lower() not in _SETTINGS:
            per_method[_method(match["method"])] = _checked(_from_words(Behaviour(), match["rest"]))
        else:
            base = _from_words(base, clause)
    return _checked(replace(base, per_method=per_method))


def _from_words(base: Behaviour, text: str) -> Behaviour:
    """*base* changed by words such as ``503 retry-after 30 delay=2s``."""
    words = re.sub(r"\s*[:=]\s*", " ", text).split()
    if not words:
        raise ValueError(f"the behaviour is empty: {_HELP}")
    position = 0
    while position < len(words):
        name = words[position].lower().replace("-", "_")
        position += 1
        if name not in _SETTINGS:
            base = _with_status(base, words[position - 1])
            continue
        if position == len(words):
            raise ValueError(f"{name} needs a value, as in {name}={'2s' if name == 'delay' else '0.2'}")
        base = _with_setting(base, name, words[position])
        position += 1
    return base
