"""The shape of a scenario file: pydantic models at the edge, one for each mapping a person can write.

Keys are the fields' names, or their aliases where the name is a Python word. What is checked here needs only
the mapping itself; what needs the rest of the file (does that server exist?) is :mod:`.meaning`.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)
from pydantic_core import core_schema

from phone_emulator.durations import parse_duration
from phone_emulator.events import CallState, Outcome, Transport
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.vocabulary import CALLEE, known
from phone_emulator.media.codecs import CODECS, spoken
from phone_emulator.media.sound import Sound
from phone_emulator.media.tones import parse_hertz
from phone_emulator.media.wav import WavError, read_wav
from phone_emulator.phone.dialling.number import why_undialable

from .bounds import GAP, LEVEL, LOST, MOS, Bound, Measure, parse_bound
from .tree import RawFloat, RawInt

WorldName = Literal["simulated", "lab", "real"]
ResultName = Literal["answered", "rejected", "failed", "cancelled"]

_ROLE = re.compile(
    r"direct|primary|secondary|fallback|target-([3-9]|[1-9][0-9]+)|fallback-([2-9]|[1-9][0-9]+)"
)


def is_role(name: str) -> bool:
    """Whether *name* is a role: ``primary``, ``secondary``, ``target-3`` …, ``fallback``, …, ``direct``."""
    return _ROLE.fullmatch(name) is not None


# -- values ----------------------------------------------------------------------------------------------


def _text(value: Any) -> Any:
    """Numbers stand for the text they were written as: ``to: 0100`` is the number 0100."""
    if isinstance(value, RawInt | RawFloat):
        return value.raw
    return value


def _some_text(value: Any) -> Any:
    text = _text(value)
    if isinstance(text, str) and not text.strip():
        raise ValueError("expected a word, got nothing")
    return text


def _number(value: Any) -> Any:
    text = _some_text(value)
    if isinstance(text, str) and (wrong := why_undialable(text)):
        raise ValueError(wrong)
    return text


def _duration(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected a duration such as 250ms, 5s, 10m or 1h, got {shown(value)}")
    return parse_duration(_text(value))


def _behaviour(value: Any) -> Behaviour:
    return Behaviour.parse(value)


def _folder(info: ValidationInfo) -> Path:
    """What the names of files are relative to: where the scenario file is."""
    return (info.context or {}).get("folder") or Path()


def _callee(value: Any, info: ValidationInfo) -> CalleeBehaviour:
    if not isinstance(value, str | dict):
        raise ValueError(f"expected one of {known(CALLEE)}, got {shown(value)}")
    return CalleeBehaviour.parse(value, _folder(info))


def _of_that_server(value: Behaviour, info: ValidationInfo) -> Behaviour:
    """What means something for the server that stands beside it: one of the file, with its transports."""
    servers: Mapping[str, Collection[Transport]] = (info.context or {}).get("transports") or {}
    transports = servers.get(str(info.data.get("name")))
    if transports and (wrong := value.why_not(transports)):
        raise ValueError(wrong)
    return value


def _of_its_transports(value: Behaviour, info: ValidationInfo) -> Behaviour:
    """What means something beside these ``transports``."""
    if wrong := value.why_not(info.data.get("transports") or tuple(Transport)):
        raise ValueError(wrong)
    return value


def _address(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(str(_text(value))))
    except ValueError:
        raise ValueError(f"expected an IP address such as 192.168.1.13, got {shown(value)}") from None


def _listed(value: Any) -> Any:
    """A single value may stand for a list of one."""
    return value if isinstance(value, list) or value is None else [value]


def shown(value: Any) -> str:
    """*value* as a fault tells it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return repr(_text(value)) if isinstance(value, str) else str(_text(value))


def near_word(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'via'?)`` where *word* is close to something *known*, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def meant(word: str, known: Iterable[str]) -> str:
    """What *word* may have meant, or else all that is *known*."""
    names = list(known)
    return near_word(word, names) or (f" (known: {', '.join(names)})" if names else "")


def _server(value: Any, info: ValidationInfo) -> Any:
    """The name of a server of the file; without a context any name will do."""
    name = _some_text(value)
    servers: tuple[str, ...] | None = (info.context or {}).get("servers")
    if isinstance(name, str) and servers is not None and name not in servers:
        raise ValueError(f"there is no server {name!r}{meant(name, servers) or ': the file has no servers'}")
    return name


def _role(value: Any, info: ValidationInfo) -> Any:
    """A role, or the name of a server of the file."""
    name = _some_text(value)
    servers: tuple[str, ...] = (info.context or {}).get("servers") or ()
    if isinstance(name, str) and not is_role(name) and name not in servers:
        known = dict.fromkeys(("primary", "secondary", "target-3", "fallback", *servers))
        raise ValueError(f"there is no role and no server {name!r}{meant(name, known)}")
    return name


@dataclass(frozen=True, slots=True)
class _ReadBy:
    """What *read* makes of a value, whose type pydantic does not look into."""

    read: Callable[[Any, ValidationInfo], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(self.read)


Text = Annotated[str, BeforeValidator(_some_text)]
Number = Annotated[str, BeforeValidator(_number)]
Duration = Annotated[float, BeforeValidator(_duration)]
BehaviourValue = Annotated[Behaviour, BeforeValidator(_behaviour)]
OwnBehaviourValue = Annotated[Behaviour, BeforeValidator(_behaviour), AfterValidator(_of_that_server)]


def _wav(value: Any, info: ValidationInfo) -> Sound:
    name = _some_text(value)
    if not isinstance(name, str):
        raise ValueError(f"expected the name of a WAV file, got {shown(value)}")
    try:
        return read_wav(_folder(info) / name)
    except WavError as error:
        raise ValueError(str(error)) from None


def _written(value: Any, info: ValidationInfo) -> Path:
    """A WAV file that can be written."""
    name = _some_text(value)
    if not isinstance(name, str):
        raise ValueError(f"expected the name of a file, got {shown(value)}")
    path = _folder(info) / name
    try:
        wrong = "is a folder" if path.is_dir() else "" if path.parent.is_dir() else "has no folder to be in"
    except (OSError, ValueError) as error:
        wrong = f"cannot be: {getattr(error, 'strerror', None) or error}"
    if not wrong and path.suffix.lower() != ".wav":
        wrong = "is no name of a WAV file: it ends in .wav"  # nor of the scenario, or of what it reads
    if wrong:
        raise ValueError(f"{path} {wrong}")
    return path


WavFile = Annotated[Sound, _ReadBy(_wav)]
NewFile = Annotated[Path, _ReadBy(_written)]
CalleeValue = Annotated[CalleeBehaviour, _ReadBy(_callee)]
IpAddress = Annotated[str, BeforeValidator(_address)]
ServerName = Annotated[str, BeforeValidator(_server)]
Role = Annotated[str, BeforeValidator(_role)]
Names = Annotated[list[Text], BeforeValidator(_listed)]
Line = Annotated[int, Field(ge=1, le=32)]
Port = Annotated[int, Field(ge=1, le=65535)]
Status = Annotated[int, Field(ge=100, le=699)]


class Model(BaseModel):
    """Unknown keys and wrong types are faults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


# -- top level -------------------------------------------------------------------------------------------


class FileModel(Model):
    """The file itself; servers and steps are read by their own models, so that one fault hides no other."""

    name: Text | None = None
    world: WorldName = "simulated"
    config: Names = []
    set: dict[str, Annotated[str, BeforeValidator(_text)]] = {}
    zone: Text | None = None
    servers: dict[str, Any] = {}
    callee: Any = None
    sound: bool = False
    steps: list[Any] = []


class ServerModel(Model):
    """``servers: {NAME: …}``."""

    address: IpAddress
    port: Port = 5060
    tls_port: Port | None = None
    transports: Annotated[
        list[Annotated[Transport, Field(strict=False)]], BeforeValidator(_listed), Field(min_length=1)
    ] = [Transport.UDP, Transport.TCP, Transport.TLS]
    behaviour: Annotated[BehaviourValue, AfterValidator(_of_its_transports)] = Behaviour()
    names: Names = []


# -- expectations ----------------------------------------------------------------------------------------


def _route_item(value: Any, info: ValidationInfo) -> Any:
    """``{primary: no-response}`` or ``{primary: 503}`` as (role, outcome, status)."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(
            f"expected one role and its outcome, as in {{primary: no-response}}, got {shown(value)}"
        )
    ((name, ended),) = value.items()
    role = _role(name, info)
    if isinstance(ended, int) and not isinstance(ended, bool):
        if not 200 <= ended <= 699:
            raise ValueError(f"expected an outcome or a final status, 200 to 699, got {shown(ended)}")
        return (role, None, int(ended))
    try:
        return (role, Outcome(ended), None)
    except ValueError:
        names = ", ".join(Outcome)
        raise ValueError(f"there is no outcome {shown(ended)}: a status number or one of {names}") from None


def _fails(value: Any) -> Any:
    if value is True:
        return ""
    if value is False or value is None:
        raise ValueError(f"expected true, or words of the reason, got {shown(value)}")
    return _some_text(value)


def _each_once(names: list[str]) -> list[str]:
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} stands there twice: a line is registered at a server once")
    return names


SILENT = 0
"""Hz of silence, where a frequency stands."""


def _tone(value: Any) -> int:
    """``440Hz``, or ``silence``."""
    if not isinstance(value, str):
        raise ValueError(f"expected a frequency such as 440Hz, or silence, got {shown(value)}")
    return SILENT if value.strip().lower() == "silence" else parse_hertz(value)


def _not_both(heard: list[int]) -> list[int]:
    if SILENT in heard and len(heard) > 1:
        raise ValueError("silence is heard alone")
    return heard


def _bound(measure: Measure) -> _ReadBy:
    return _ReadBy(lambda value, info: parse_bound(_text(value), measure))


Heard = Annotated[
    list[Annotated[int, BeforeValidator(_tone)]],
    BeforeValidator(_listed),
    Field(min_length=1),
    AfterValidator(_not_both),
]


def _hertz(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError(f"expected a frequency such as 440Hz, got {shown(value)}")
    return parse_hertz(value)


Hertz = Annotated[int, BeforeValidator(_hertz)]
Time = Annotated[float, BeforeValidator(_duration), Field(gt=0)]


class AudioModel(Model):
    """``audio``: what was heard."""

    heard: Heard | None = None
    """Hz of each tone; SILENT for nothing."""
    level: Annotated[Bound | None, _bound(LEVEL)] = None
    """dBov."""
    gap: Annotated[Bound | None, _bound(GAP)] = None
    """Seconds of the longest silence."""
    lost: Annotated[Bound | None, _bound(LOST)] = None
    """The share of the packets of the call so far that have not come, in percent."""
    mos: Annotated[Bound | None, _bound(MOS)] = None
    """The mean opinion score of the call so far, by the E-model."""
    by: Literal["us", "them"] = "us"
    """Who hears it."""
    last: Time | None = Field(default=None, alias="for")
    """The last seconds are judged; None: the step's."""


def _codec(value: Any) -> str:
    """The encoding name of a codec that can be spoken here."""
    name = _some_text(value)
    known = {
        each.lower(): CODECS[codec].encoding
        for codec in spoken(CODECS)
        for each in (codec, CODECS[codec].encoding)
    }
    if not isinstance(name, str) or name.lower() not in known:
        names = sorted(set(known.values()))
        raise ValueError(f"no codec {shown(value)} can be spoken here: one of {', '.join(names)}")
    return known[name.lower()]


Digits = Annotated[str, BeforeValidator(_text), Field(pattern=r"^[0-9A-D*#]*$")]
Fails = Annotated[str | None, BeforeValidator(_fails)]
RouteItem = Annotated[tuple[str, Outcome | None, int | None], BeforeValidator(_route_item)]


class ExpectModel(Model):
    """``expect``: what must hold when the step has ended."""

    fails: Fails = None
    line: Line | None = None
    registered: Annotated[list[Role], BeforeValidator(_listed), AfterValidator(_each_once)] | None = None
    call: Text | None = None
    state: Annotated[CallState, Field(strict=False)] | None = None
    result: ResultName | None = None
    status: Status | None = None
    via: Role | None = None
    dtmf: Digits | None = None
    audio: AudioModel | None = None
    codec: Annotated[str, BeforeValidator(_codec)] | None = None
    srtp: bool | None = None
    within: Duration | None = None
    route: list[RouteItem] | None = None
