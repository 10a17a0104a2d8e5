"""How each generation of firmware writes its messages, as data: order, ports, ids, session descriptions.

The facts are those of public traces (T1..T13 in the comments); docs/decisions/wire.md says what is inferred.
libosip2, whose style the phones have, writes some headers at fixed places and the others as they were added:
`_FIXED` are the former, the tables order the latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from phone_emulator.config.models import generation_in
from phone_emulator.media import sdp
from phone_emulator.media.crypto import Srtp
from phone_emulator.sip.headers import CompactHeaders
from phone_emulator.sip.message import Message, Request

M = TypeVar("M", bound=Message)

_FIXED = (
    "Via Record-Route Route From To Call-ID CSeq Contact Authorization WWW-Authenticate Proxy-Authenticate "
    "Proxy-Authorization Content-Type Allow Accept"
)
_REQUEST = f"{_FIXED} Max-Forwards User-Agent"
_ORDERS = {
    "REGISTER": f"{_REQUEST} Expires Allow-Events Line MAC *",  # T1, T5, T6
    "INVITE": f"{_REQUEST} Allow-Events Session-Expires Min-SE Supported *",  # T2
    "INVITE with 100rel": f"{_REQUEST} Session-Expires Min-SE Supported Allow-Events *",  # T9
    "UPDATE": f"{_REQUEST} Session-Expires Min-SE Supported *",  # T7
    "SUBSCRIBE": f"{_REQUEST} Expires Event *",  # T8
    "NOTIFY": f"{_REQUEST} Subscription-State Event *",  # T8
    "PUBLISH": f"{_REQUEST} Expires Event *",
    "REFER": f"{_REQUEST} Refer-To Referred-By Event *",
    "request": f"{_REQUEST} *",  # T4 (ACK), T11 (OPTIONS); BYE, CANCEL, PRACK, INFO, MESSAGE
    "response": f"{_FIXED} * Supported User-Agent Allow-Events",
}
"""Kind of message -> its headers in order; ``*`` stands for those that are not named, as they were added."""

_OLD_INVITE = {"INVITE": _ORDERS["INVITE with 100rel"]}  # T3: Supported, then Allow-Events


@dataclass(frozen=True, slots=True)
class WireStyle:
    """What the messages of one generation of firmware have in common."""

    name: str
    """``V8x``"""
    places: Mapping[str, Mapping[str, int]]
    """Kind of message -> key of a header -> its place; ``*`` is that of all others."""
    port_in_uri: bool
    """Whether URIs carry the server's port, also 5060; else the Request-URI does, and only another one."""
    numbered_call_id: bool
    """Whether a Call-ID begins with the account, counted from 0."""
    listen_port: int
    """Where SIP is awaited unless ``sip.listen_port`` says."""
    register_allow_events: bool
    """Whether REGISTER carries Allow-Events."""
    refer_event: bool
    """Whether REFER carries ``Event: refer``."""
    first_session: int
    """The SDP session id of the first call since the phone booted."""
    skipped_rtp_ports: int
    """Ports between ``static.network.port.min_rtpport`` and the one of the first call."""
    sdp_order: sdp.Order
    """Of the attributes of an audio line."""
    srtp: tuple[Srtp, Srtp, Srtp]
    """What 0, 1 and 2 mean in ``account.X.srtp_encryption``."""


@cache
def _places(order: str) -> dict[str, int]:
    return {name.lower(): place for place, name in enumerate(f"{order} Content-Length".split())}


V8X = WireStyle(
    name="V8x",
    places={kind: _places(order) for kind, order in _ORDERS.items()},
    port_in_uri=True,
    numbered_call_id=True,
    listen_port=5060,
    register_allow_events=True,
    refer_event=False,
    first_session=20000,
    skipped_rtp_ports=0,
    sdp_order=sdp.V8X,
    srtp=(Srtp.OFF, Srtp.OPTIONAL, Srtp.COMPULSORY),
)
V7X = WireStyle(  # T3
    name="V7x",
    places={kind: _places(order) for kind, order in (_ORDERS | _OLD_INVITE).items()},
    port_in_uri=False,
    numbered_call_id=False,
    listen_port=5062,
    register_allow_events=True,
    refer_event=True,
    first_session=20001,
    skipped_rtp_ports=2,
    sdp_order=sdp.V7X,
    srtp=V8X.srtp,
)
V6X = WireStyle(  # T4
    name="V6x",
    places=V7X.places,
    port_in_uri=False,
    numbered_call_id=False,
    listen_port=5062,
    register_allow_events=False,
    refer_event=True,
    first_session=20000,
    skipped_rtp_ports=0,
    sdp_order=sdp.V6X,
    srtp=(Srtp.OFF, Srtp.COMPULSORY, Srtp.OPTIONAL),  # "1 = forced, 2 = negotiated", its templates say
)
EARLY_V7X = replace(V7X, srtp=V6X.srtp)
LAST_EARLY = 71
"""The last generation that is taken for early; no public source tells when the meaning was swapped."""


@cache
def style_of(firmware: str) -> WireStyle:
    """The style of a firmware version, by its second field: 38.70.14.5 is V7x, 66.86.0.15 is V8x.

    What is no version, or has no such field, is taken for today's: V8x.
    """
    generation = generation_in(firmware)
    if generation is None or generation >= 80:
        return V8X
    return V6X if generation < 70 else EARLY_V7X if generation <= LAST_EARLY else V7X


def dressed(message: M, style: WireStyle, *, compact: bool = False) -> M:
    """*message* itself, its headers where *style* has them.

    Args:
        message: about to leave.
        style: of the phone's firmware.
        compact: whether headers are spelt in their short forms (``account.X.compact_header_enable``).
    """
    kind = "response"
    if isinstance(message, Request):
        kind = message.method
        if kind == "INVITE" and any(
            k == "supported" and "100rel" in line for k, line in message.headers.lines
        ):
            kind = "INVITE with 100rel"
        elif kind not in style.places:
            kind = "request"
    message.headers.arrange(style.places[kind])
    if compact:
        message.headers = CompactHeaders(message.headers)
    return message
