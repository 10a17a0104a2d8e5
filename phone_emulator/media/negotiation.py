"""What an offer and its answer come to (RFC 3264): what is said and heard, or why nothing can be.

Whoever answers, this end's description decides which line is about the sound: its first audio line that is
switched on. The other end's line is the one at the same place (section 6); lines behind those that were
offered are passed over, missing ones are refused. Each end is sent to under its own numbers (section 5.1).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from phone_emulator.cleaning import brief
from phone_emulator.numbers import number

from . import comfort
from .codecs import Codec
from .coder import Terms
from .crypto import Security
from .dtmf import DIGITS
from .sdp import DTMF_RTPMAP, MIRRORED, PROFILES, UNSPECIFIED, Media, Sdp, SdpError, parse

MAX_TOLD = 8
"""Formats of one line that are named to people."""
PTIME = 20
"""Milliseconds of sound in a packet where nobody says how many (RFC 3551 section 4.2)."""
BROADCAST = "255.255.255.255"
NO_ADDRESS = "no address (c=)"


class Fault(IntEnum):
    """What is wrong with a session description, as the codes of Warning say it (RFC 3261 section 20.43)."""

    ADDRESS_FORMAT = 301
    TRANSPORT = 302
    MEDIA_TYPE = 304
    MEDIA_FORMAT = 305
    MULTICAST = 330
    OTHER = 399


class Unusable(Exception):
    """What the far end has described lets nothing be said; the text names it: ``no session description``."""

    def __init__(self, why: str, fault: Fault = Fault.OTHER) -> None:
        super().__init__(why)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Agreed:
    """How sound goes between the two ends, as this end says it."""

    host: str
    """Where the far end listens; 0.0.0.0 where it is to be sent nothing (RFC 2543 hold)."""
    port: int
    direction: str
    """The ways that both descriptions allow."""
    far_held: bool | None
    """Whether the far end wants to hear nothing; None where its answer could say nothing else."""
    codec: Codec
    """What is sent: the first common one that can be spoken here; where none can, the first common one."""
    payload: int
    """Its number at the far end."""
    terms: Terms
    """What the descriptions say of it."""
    ptime: int
    """Milliseconds of it in each packet that is sent: what the far end asks for, else what this end does."""
    heard: Mapping[int, Codec]
    """By this end's numbers, what may come: every common codec that can be spoken here."""
    events_sent: int | None
    """The number of telephone events at the far end; None where they are not agreed."""
    events_heard: int | None
    """Their number at this end."""
    comfort: frozenset[int]
    """The numbers of comfort noise that may come (RFC 3389)."""
    digits: str
    """Those that the far end takes as telephone events."""
    profile: str
    """The transport that this end's description says: ``RTP/AVP``, ``RTP/SAVP``."""
    security: Security | None
    """How it is encrypted; None where it is not."""
    rtcp: tuple[str, int] | None
    """Where the far end listens for RTCP; None where it names no place that could be reached."""
    rtcp_mux: bool
    """Whether RTCP goes to the port of RTP, and comes there (RFC 5761)."""

    @property
    def unspoken(self) -> str:
        """What people call the codec, where it cannot be spoken here; empty where it can."""
        return "" if self.codec.coder is not None else self.codec.title


def negotiated(offer: bytes, answer: bytes, *, answered_here: bool) -> Agreed:
    """What *offer* and *answer* come to; raises Unusable where the far end's part lets nothing be said."""
    theirs, ours = (offer, answer) if answered_here else (answer, offer)
    far, own = _read(theirs), parse(ours)
    place, mine = _sound_of(own, far)
    line = _audio_at(place, far)
    if line.proto not in PROFILES:
        raise Unusable(
            f"a session description whose audio has not been offered ({brief(line.proto)})", Fault.TRANSPORT
        )
    host = _reachable(line.connection, own.origin.address)
    offered, answered = (line, mine) if answered_here else (mine, line)
    _fill_in(answered, offered)
    own_numbers, far_numbers = _by_codec(mine), _by_codec(line)
    known = own_numbers.keys() & far_numbers.keys()
    common = [(name, codec) for name, codec in _codecs(answered) if name in known]
    if not common:
        wanted, found = ", ".join(_told(mine)), ", ".join(_told(line))
        why = f"a session description without a common codec: {found}; this phone has {wanted}"
        raise Unusable(why, Fault.MEDIA_FORMAT)
    spoken = [(name, codec) for name, codec in common if codec.coder is not None]
    name, codec = (spoken or common)[0]
    sent, heard = line.dtmf(), mine.dtmf()
    events = None if sent is None or heard is None else (int(sent), int(heard))
    return Agreed(
        host,
        line.port,
        _common_way(mine.direction, MIRRORED[line.direction]),
        line.held if answered_here or mine.direction != "inactive" else None,
        codec,
        far_numbers[name],
        Terms(line.fmtp.get(str(far_numbers[name]), ""), mine.fmtp.get(str(own_numbers[name]), "")),
        codec.ptime(line.ptime or mine.ptime or PTIME, line.maxptime or None),
        {own_numbers[name]: codec for name, codec in spoken},
        None if events is None else events[0],
        None if events is None else events[1],
        _comfort(mine, line),
        "" if events is None else _digits(line.fmtp.get(str(events[0]), "")),
        mine.proto,
        _security(offered, answered, answered_here=answered_here),
        _rtcp(line, own.origin.address),
        line.muxed and mine.muxed,
    )


# -- the lines -----------------------------------------------------------------------------------------------


def _read(description: bytes) -> Sdp:
    if not description:
        raise Unusable("no session description")
    try:
        return parse(description)
    except SdpError as error:
        raise Unusable(f"a session description that cannot be read ({error})") from None


def _sound_of(own: Sdp, far: Sdp) -> tuple[int, Media]:
    """The first audio line of *own* that is switched on; of several the first that is so in *far*, too."""
    spoken = [(place, media) for place, media in enumerate(own.media) if media.spoken]
    for place, media in spoken:
        if place < len(far.media) and far.media[place].spoken:
            return place, media
    if spoken:
        return spoken[0]
    raise Unusable("a session description that has no audio", Fault.MEDIA_TYPE)


def _audio_at(place: int, far: Sdp) -> Media:
    none = "a session description that has no audio"
    media = far.media[place] if place < len(far.media) else None
    if media is None or (media.kind == "audio" and not media.port):
        raise Unusable(none, Fault.MEDIA_TYPE)
    if media.kind != "audio":
        raise Unusable(f"{none} in its place, but {brief(media.kind)}", Fault.MEDIA_TYPE)
    return media


def _reachable(connection: str | None, own: str) -> str:
    """The address *connection*, where something can be sent there from the address *own*."""
    if connection is None:
        raise Unusable(f"a session description whose audio has {NO_ADDRESS}")
    if connection in UNSPECIFIED:
        return connection
    where = f"a session description whose audio is at {brief(connection)}"
    try:
        address = ipaddress.ip_address(connection)
    except ValueError:
        raise Unusable(f"{where}, which is no IP address", Fault.ADDRESS_FORMAT) from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None and ":" not in own:
        address = address.ipv4_mapped
    if address.is_multicast or str(address) == BROADCAST:
        raise Unusable(f"{where}, which is no address of one host", Fault.MULTICAST)
    if (address.version == 6) is not (":" in own):
        raise Unusable(f"{where}, which cannot be reached from {own}", Fault.ADDRESS_FORMAT)
    return str(address)


def _rtcp(line: Media, own: str) -> tuple[str, int] | None:
    """Where RTCP goes, if something can be sent there from the address *own*."""
    host, port = line.rtcp
    if host in UNSPECIFIED or not port:
        return None
    try:
        return _reachable(host, own), port
    except Unusable:
        return None


# -- the keys ------------------------------------------------------------------------------------------------


def _security(offered: Media, answered: Media, *, answered_here: bool) -> Security | None:
    """How the sound is encrypted (RFC 4568 section 7.1.3); None where it is not."""
    lines, fault = answered.crypto_lines, answered.crypto_fault
    if answered.secure and not offered.crypto_lines:
        proto = brief(answered.proto)
        raise Unusable(f"a session description whose audio has not been offered ({proto})", Fault.TRANSPORT)
    if not offered.crypto_lines:
        return None
    if not lines:
        if offered.secure or answered.secure:
            raise Unusable("a session description without a key (a=crypto), where encryption is compulsory")
        return None
    if len(lines) > 1:  # section 7.1.2
        raise Unusable("a session description with several keys (a=crypto), where one was to be chosen")
    if fault:
        raise Unusable(f"a session description whose key (a=crypto) cannot be used: {fault}")
    answer = answered.cryptos[0]
    offer = next((each for each in offered.cryptos if each.tag == answer.tag), None)
    if offer is None or offer.suite != answer.suite:
        raise Unusable("a session description whose key (a=crypto) is for none of the offered ciphers")
    own, far = (answer, offer) if answered_here else (offer, answer)
    return Security(answer.suite, own.key, far.key, far.mki)


# -- the formats ---------------------------------------------------------------------------------------------


def _fill_in(answered: Media, offered: Media) -> None:
    """A number that an answer takes over without a word means what the offer has said of it."""
    for payload in answered.formats:
        if payload not in answered.rtpmap and payload in offered.rtpmap:
            answered.rtpmap[payload] = offered.rtpmap[payload]
            answered.fmtp.setdefault(payload, offered.fmtp.get(payload, ""))


def _codecs(media: Media) -> Iterator[tuple[str, Codec]]:
    for payload in media.formats:
        codec = media.codec(payload)
        if codec is not None:
            yield codec.name, codec


def _by_codec(media: Media) -> dict[str, int]:
    """The number of each codec of *media*, the first where it has several."""
    found: dict[str, int] = {}
    for payload in media.formats:
        codec = media.codec(payload)
        if codec is not None:
            found.setdefault(codec.name, int(payload))
    return found


def _comfort(mine: Media, line: Media) -> frozenset[int]:
    """The numbers of comfort noise: who has said them sends it under them, also where nobody has agreed."""
    named = {
        payload for media in (line, mine) for payload, rtpmap in media.rtpmap.items() if _is_noise(rtpmap)
    }
    other = {payload for payload in mine.formats if not _is_noise(mine.rtpmap.get(payload, ""))}
    numbers = {number(payload, 127) for payload in named - other}
    return frozenset({each for each in numbers if each is not None} | {comfort.PAYLOAD})


def _is_noise(rtpmap: str) -> bool:
    return rtpmap.upper().startswith(f"{comfort.ENCODING}/")


def _digits(events: str) -> str:
    """The digits among *events*, as ``a=fmtp`` lists them (RFC 4733 section 2.4.1): all where it does not."""
    taken: set[int] = set()
    for part in events.replace(" ", "").removeprefix("events=").strip('"').split(","):
        first, dash, last = part.partition("-")
        low, high = number(first, 255), number(last if dash else first, 255)
        if low is None or high is None:
            return DIGITS
        taken.update(range(low, high + 1))
    return "".join(digit for event, digit in enumerate(DIGITS) if event in taken)


def _told(media: Media) -> Iterator[str]:
    """The formats of *media*, for people."""
    for payload in media.formats[:MAX_TOLD]:
        codec, rtpmap = media.codec(payload), media.rtpmap.get(payload, "")
        name = "telephone events" if rtpmap.lower() == DTMF_RTPMAP else brief(rtpmap)
        name = name if codec is None else codec.title
        yield f"{payload} ({name})" if name else payload
    if len(media.formats) > MAX_TOLD:
        yield "…"


def _common_way(one: str, other: str) -> str:
    """The direction that two directions have in common, both as this end says them."""
    sends = "send" in one and "send" in other
    hears = "recv" in one and "recv" in other
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (sends, hears), "inactive"
    )
