"""Session descriptions (RFC 4566), offered and answered as a Yealink phone does (RFC 3264)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from phone_emulator.media import crypto
from phone_emulator.media.codecs import CODECS, STATIC_RTPMAPS, Codec, codecs_called
from phone_emulator.media.crypto import Crypto, Key, Srtp, Suite
from phone_emulator.numbers import MAX_UINT32, number

MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
"""Direction of an offer -> direction of the answer (RFC 3264 section 6.1)."""

HELD = {"sendrecv": "sendonly", "sendonly": "sendonly", "recvonly": "inactive", "inactive": "inactive"}
"""Direction of an answer -> the same without hearing the far end."""

SECURE = ("RTP/SAVP", "RTP/SAVPF")
"""The transports of sound that is encrypted (RFC 3711 section 12)."""
PROFILES = ("RTP/AVP", "RTP/AVPF", *SECURE)
"""The transports an answer accepts."""

DTMF_RTPMAP = "telephone-event/8000"
DTMF_EVENTS = "0-15"
MAX_LINES = 1000
UNSPECIFIED = ("0.0.0.0", "::")
LINE = re.compile(r"([a-z])=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Order:
    """In which order the attributes of an audio line are written.

    The parts: ``codecs`` (a=rtpmap and a=fmtp of each), ``crypto``, ``ptime``, ``direction``, and
    ``event map`` and ``event range`` (a=rtpmap and a=fmtp of telephone events).
    """

    offer: tuple[str, ...]
    answer: tuple[str, ...]


_ANSWER = ("codecs", "event map", "crypto", "direction", "ptime", "event range")
V8X = Order(offer=("crypto", "codecs", "ptime", "direction", "event map", "event range"), answer=_ANSWER)
V7X = Order(offer=("crypto", "codecs", "event range", "event map", "ptime", "direction"), answer=_ANSWER)
V6X = Order(offer=V7X.offer, answer=("codecs", "ptime", "event map", "event range", "crypto", "direction"))


class SdpError(ValueError):
    """The bytes do not form a session description; the text names the line and what was expected there."""


@dataclass(frozen=True, slots=True)
class Origin:
    """``o=`` (RFC 4566 section 5.2)."""

    username: str
    session_id: str
    version: str
    address: str


@dataclass(slots=True)
class Media:
    """One ``m=`` line and what belongs to it; where it says nothing itself, the session-level values."""

    kind: str
    """``audio``, ``video``, ``image`` …"""
    port: int
    """0: refused or switched off."""
    proto: str
    """``RTP/AVP``, ``RTP/SAVP`` …"""
    formats: tuple[str, ...]
    """Payload types, as text."""
    connection: str | None = None
    """The address media is to be sent to."""
    rtpmap: dict[str, str] = field(default_factory=dict)
    """Payload type -> ``PCMU/8000``; the static ones of RFC 3551 are filled in."""
    fmtp: dict[str, str] = field(default_factory=dict)
    direction: str = "sendrecv"
    ptime: int | None = None
    """Milliseconds of sound in a packet, as it is wanted."""
    maxptime: int | None = None
    """The most of them that a packet may hold."""
    attributes: list[tuple[str, str]] = field(default_factory=list)
    """All its ``a=`` lines but those with keys: name and value (empty where there is none)."""
    crypto_lines: list[str] = field(default_factory=list, repr=False)
    """What stands behind each ``a=crypto:``, keys and all."""

    @property
    def spoken(self) -> bool:
        """Whether it is audio that is switched on."""
        return self.kind == "audio" and self.port != 0

    @property
    def secure(self) -> bool:
        """Whether it is to be encrypted in any case."""
        return self.proto in SECURE

    @property
    def cryptos(self) -> tuple[Crypto, ...]:
        """Its keys that can be used."""
        return crypto.read_all(self.crypto_lines)[0]

    @property
    def crypto_fault(self) -> str:
        """What is wrong with one of its keys that cannot be used; empty for none such."""
        return crypto.read_all(self.crypto_lines)[1]

    @property
    def held(self) -> bool:
        """Whether the sender wants to hear nothing: sendonly, inactive, or 0.0.0.0 (RFC 2543)."""
        return self.direction in ("sendonly", "inactive") or self.connection in UNSPECIFIED

    @property
    def muxed(self) -> bool:
        """Whether RTCP is at the port of RTP (``a=rtcp-mux``, RFC 5761), or may be."""
        return any(name == "rtcp-mux" for name, _ in self.attributes)

    @property
    def rtcp(self) -> tuple[str | None, int]:
        """The address and port of RTCP: ``a=rtcp`` (RFC 3605), else the next port; 0 where it names none."""
        text = next((text for name, text in self.attributes if name == "rtcp"), None)
        if text is None:
            return self.connection, min(self.port + 1, 65535)
        port, _, where = text.partition(" ")
        try:
            return _connection(where.strip()) if where.strip() else self.connection, number(port, 65535) or 0
        except SdpError:
            return self.connection, 0

    def codec(self, payload: str, names: Iterable[str] = tuple(CODECS)) -> Codec | None:
        """The first of the codecs *names* that the format *payload* is."""
        encoding, clock, channels = _rtpmap(self.rtpmap.get(payload, ""))
        fmtp = self.fmtp.get(payload, "").replace(" ", "")
        for codec in codecs_called(names):
            same = (codec.encoding.lower(), codec.clock, codec.channels) == (encoding, clock, channels)
            if same and (not codec.strict or fmtp == codec.fmtp):
                return codec
        return None

    def dtmf(self, preferred: int | None = None) -> str | None:
        """The format of telephone events at 8 kHz (RFC 4733), *preferred* first."""
        events = [each for each in self.formats if self.rtpmap.get(each, "").lower() == DTMF_RTPMAP]
        return str(preferred) if str(preferred) in events else next(iter(events), None)


@dataclass(slots=True)
class Sdp:
    """A session description."""

    origin: Origin
    name: str = ""
    """``s=``"""
    connection: str | None = None
    """The session-level address."""
    direction: str = "sendrecv"
    """The session-level direction."""
    media: list[Media] = field(default_factory=list)

    @property
    def audio(self) -> Media | None:
        """The first audio line that is switched on."""
        return next((media for media in self.media if media.spoken), None)


def parse(data: bytes | str) -> Sdp:
    """Read a session description; lines end in CRLF or LF, unknown ones are passed over. Raises SdpError."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    lines = text.rstrip("\r\n").split("\n")
    if "\0" in text:
        raise SdpError("SDP: holds a NUL byte")
    if len(lines) > MAX_LINES:
        raise SdpError(f"{len(lines)} lines are more than {MAX_LINES}")
    origin: Origin | None = None
    sdp = Sdp(Origin("-", "0", "0", ""))
    media: Media | None = None
    for count, line in enumerate(lines, 1):
        match = LINE.fullmatch(line.removesuffix("\r"))
        if match is None:
            raise SdpError(f"SDP line {count}: expected a letter and '=', like 'v=0'")
        kind, value = match[1], match[2].strip()
        try:
            if count == 1 and (kind, value) != ("v", "0"):
                raise SdpError("expected v=0")
            if kind == "o" and origin is None:
                sdp.origin = origin = _origin(value)
            elif kind == "s" and media is None:
                sdp.name = value
            elif kind == "c" and media is None:
                sdp.connection = _connection(value)
            elif kind == "c" and media is not None:
                media.connection = _connection(value)
            elif kind == "m":
                media = _media(value, sdp)
                sdp.media.append(media)
            elif kind == "a" and media is not None:
                _attribute(media, value)
            elif kind == "a" and value in MIRRORED:
                sdp.direction = value
        except SdpError as error:
            raise SdpError(f"SDP line {count}: {error}") from None
    if origin is None:
        raise SdpError("SDP: no o= line")
    return sdp


def offer(
    local_ip: str,
    port: int,
    codecs: Sequence[str],
    session_id: int,
    version: int,
    ptime: int,
    dtmf_payload: int | None,
    direction: str = "sendrecv",
    *,
    order: Order = V8X,
    fmtps: Mapping[str, str] = MappingProxyType({}),
    cryptos: Sequence[Crypto] = (),
    profiles: Sequence[str] = ("RTP/AVP",),
) -> bytes:
    """An offer.

    *local_ip* and *port*: where RTP is awaited. *codecs*: configuration names, the preferred first; unknown
    ones are left out. *ptime* in milliseconds, 0 leaves it out. *dtmf_payload*: None offers no telephone
    events. *order*: of the attributes. *fmtps*: by configuration name, what ``a=fmtp`` says instead of the
    table. *cryptos*: this end's keys, the preferred first. *profiles*: of the
    audio lines, which differ in nothing else; of several the secure ones alone have the keys.
    """
    offered: dict[int, Codec] = {}
    for codec in codecs_called(codecs):
        payload = codec.payload
        if codec.dynamic:
            payload = _free(payload, {*offered, dtmf_payload})
        offered.setdefault(payload, codec)
    formats = [*offered] if dtmf_payload is None else [*offered, dtmf_payload]
    lines = _session(local_ip, session_id, version)
    codec_lines = [
        line for payload, codec in offered.items() for line in _codec_lines(str(payload), codec, fmtps)
    ]
    for profile in profiles:
        keyed = cryptos if len(profiles) == 1 or profile in SECURE else ()
        lines.append(f"m=audio {port} {profile} {' '.join(map(str, formats))}")
        lines += _attributes(order.offer, codec_lines, ptime, direction, dtmf_payload, keyed)
    return _joined(lines)


def held_the_old_way(offer: bytes) -> bytes:
    """*offer* with 0.0.0.0 as the address for media instead of a direction attribute (RFC 2543 hold)."""
    lines = [b"c=IN IP4 0.0.0.0" if line.startswith(b"c=") else line for line in offer.split(b"\r\n")]
    return b"\r\n".join(b"a=sendrecv" if line == b"a=sendonly" else line for line in lines)


def answer(
    offer: Sdp,
    local_ip: str,
    port: int,
    codecs: Sequence[str],
    session_id: int,
    version: int,
    dtmf_payload: int | None,
    *,
    held: bool = False,
    ptime: int = 20,
    order: Order = V8X,
    fmtps: Mapping[str, str] = MappingProxyType({}),
    srtp: Srtp = Srtp.OFF,
    keys: Mapping[Suite, Key] | None = None,
    rtcp_mux: bool = False,
) -> bytes | None:
    """The answer to *offer*: its first codec that is among *codecs*, and telephone events if offered.

    Payload types are the offer's; *dtmf_payload* decides only between several offered ones (None: no
    telephone events). Other media lines are refused with port 0. *held*: this end keeps the other on hold
    whatever it offers. *ptime*: in milliseconds, where the offer says none; 0 leaves it out then. *order*: of
    the attributes. *fmtps*: as in an offer. *srtp*: what is made of keys, and of their absence; of several
    lines an encrypted one is preferred. *keys*: this end's, for what it sends. *rtcp_mux*: whether RTCP at
    the port of RTP is taken where it is offered. None when no codec or no way to encrypt is common (488).
    """
    keys = {} if srtp is Srtp.OFF or keys is None else keys
    usable = [media for media in offer.media if _choice(media, codecs) and _protectable(media, srtp, keys)]
    taken = next((media for media in usable if crypto.chosen(media.cryptos, [*keys])), None)
    taken = taken or next(iter(usable), None)
    lines = _session(local_ip, session_id, version)
    for media in offer.media:
        chosen = _choice(media, codecs) if media is taken else None
        if chosen is None:
            lines.append(f"m={media.kind} 0 {media.proto} {' '.join(media.formats)}")
            continue
        payload, codec = chosen
        theirs = crypto.chosen(media.cryptos, [*keys])
        own = () if theirs is None else (Crypto(theirs.tag, theirs.suite, keys[theirs.suite]),)
        dtmf = None if dtmf_payload is None else media.dtmf(dtmf_payload)
        lines.append(f"m=audio {port} {media.proto} {payload}" + (f" {dtmf}" if dtmf else ""))
        old_hold = media.direction == "sendrecv" and media.connection in UNSPECIFIED
        direction = "recvonly" if old_hold else MIRRORED[media.direction]
        direction = HELD[direction] if held else direction
        codec_lines = _codec_lines(payload, codec, fmtps)
        lines += _attributes(order.answer, codec_lines, media.ptime or ptime, direction, dtmf, own)
        lines += ["a=rtcp-mux"] if rtcp_mux and media.muxed else []
    return None if taken is None else _joined(lines)


def _protectable(media: Media, srtp: Srtp, keys: Mapping[Suite, Key]) -> bool:
    """Whether *media* can be answered as *srtp* has it: plain, or with one of *keys*."""
    if crypto.chosen(media.cryptos, [*keys]):
        return True
    return not media.secure and srtp is not Srtp.COMPULSORY


def _choice(media: Media, codecs: Sequence[str]) -> tuple[str, Codec] | None:
    """The format and codec that answer *media*."""
    if media.kind != "audio" or not media.port or media.proto not in PROFILES:
        return None
    for payload in media.formats:
        codec = media.codec(payload, codecs)
        if codec is not None:
            return payload, codec
    return None


def _session(local_ip: str, session_id: int, version: int) -> list[str]:
    """The lines before the first media line."""
    where = f"IN IP{6 if ':' in local_ip else 4} {local_ip}"
    return ["v=0", f"o=- {session_id} {version} {where}", "s=SDP data", f"c={where}", "t=0 0"]


def _codec_lines(payload: str, codec: Codec, fmtps: Mapping[str, str]) -> list[str]:
    lines = [f"a=rtpmap:{payload} {codec.rtpmap}"]
    if fmtp := fmtps.get(codec.name, codec.fmtp):
        lines.append(f"a=fmtp:{payload} {fmtp}")
    return lines


def _attributes(
    parts: Sequence[str],
    codecs: list[str],
    ptime: int,
    direction: str,
    events: int | str | None,
    cryptos: Sequence[Crypto] = (),
) -> list[str]:
    """The attributes of an audio line; *events* is the payload type of telephone events, None for none."""
    written = {
        "codecs": codecs,
        "crypto": [each.line() for each in cryptos],
        "ptime": [f"a=ptime:{ptime}"] if ptime else [],
        "direction": [f"a={direction}"],
        "event map": [] if events is None else [f"a=rtpmap:{events} {DTMF_RTPMAP}"],
        "event range": [] if events is None else [f"a=fmtp:{events} {DTMF_EVENTS}"],
    }
    return [line for part in parts for line in written[part]]


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def _free(payload: int, taken: set[int | None]) -> int:
    """*payload*, or the next free dynamic one (96..127); there are fewer codecs than numbers."""
    while payload in taken:
        payload = 96 + (payload + 1 - 96) % 32
    return payload


def _origin(value: str) -> Origin:
    words = value.split()
    if len(words) != 6:
        raise SdpError("expected o= with a user, two numbers, IN, IP4 or IP6, and an address")
    return Origin(words[0], words[1], words[2], words[5])


def _connection(value: str) -> str:
    words = value.split()
    if len(words) != 3 or words[0] != "IN" or words[1] not in ("IP4", "IP6"):
        raise SdpError("expected c= with IN, IP4 or IP6, and an address")
    return words[2].partition("/")[0]


def _media(value: str, sdp: Sdp) -> Media:
    words = value.split()
    if len(words) < 4:
        raise SdpError("expected m= with a kind, a port, a transport and formats")
    kind, port, proto, *formats = words
    if proto in PROFILES:
        for each in formats:
            _number(each, 127, "payload type")
    media = Media(kind, _number(port.partition("/")[0], 65535, "port"), proto, tuple(formats))
    media.connection = sdp.connection
    media.direction = sdp.direction
    media.rtpmap = {each: STATIC_RTPMAPS[int(each)] for each in formats if each in _STATIC}
    return media


def _attribute(media: Media, value: str) -> None:
    name, _, text = value.partition(":")
    text = text.strip()
    if name.lower() == "crypto":
        media.crypto_lines.append(text)
        return
    media.attributes.append((name, text))
    if value in MIRRORED:
        media.direction = value
    elif name == "ptime":
        media.ptime = _number(text.partition(".")[0], 10000, "ptime")
    elif name == "maxptime":
        media.maxptime = _number(text.partition(".")[0], 10000, "maxptime")
    elif name in ("rtpmap", "fmtp"):
        payload, blank, description = text.partition(" ")
        if not blank:
            raise SdpError(f"expected a={name} with a payload type and a description")
        (media.rtpmap if name == "rtpmap" else media.fmtp)[payload] = description.strip()


def _rtpmap(text: str) -> tuple[str, int, int]:
    """``opus/48000/2`` as (encoding in lower case, clock, channels); zeros where they are no numbers."""
    encoding, _, rest = text.lower().partition("/")
    clock, _, channels = rest.partition("/")
    return encoding, number(clock, MAX_UINT32) or 0, number(channels or "1", MAX_UINT32) or 0


def _number(text: str, largest: int, what: str) -> int:
    found = number(text, largest)
    if found is None:
        raise SdpError(f"{what}: expected a number up to {largest}, got {text[:20]!r}")
    return found


_STATIC = {str(payload) for payload in STATIC_RTPMAPS}
