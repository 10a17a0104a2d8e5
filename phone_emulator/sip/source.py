"""Where a request came from, and where the responses to it go (RFC 3261 section 18.2, RFC 3581)."""

from __future__ import annotations

import re

from phone_emulator.events import Address
from phone_emulator.world.address import is_unicast

from .allowance import Known
from .flow import Flow
from .message import Message
from .values import Via

STAMPS = re.compile(r"\s*;\s*(?:rport|received)\s*(?:=[^;]*)?(?=;|$)", re.IGNORECASE)
"""The parameters of a Via that its receiver sets."""


def stamp_source(message: Message, via: Via, flow: Flow) -> None:
    """Note in the top Via where the request came from (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
    host, port = flow.remote
    asked = "rport" in via.parameters
    if not asked and via.host.strip("[]") == host and "received" not in via.parameters:
        return
    headers = message.headers
    line = headers.first["via"]
    usual = line[-6:] == ";rport" and line[:5] == "Via: " and "," not in line
    if usual and len(via.parameters) == 2 and "branch" in via.parameters:
        # As nearly all are: nothing is to be looked for.
        headers.set_line("via", f"{line[:-6]};received={host};rport={port}")
        return
    top, *others = message.headers.values("Via")
    plain = STAMPS.sub("", top)
    rport = f";rport={port}" if asked else ""
    message.headers.remove("Via")
    for value in reversed([f"{plain};received={host}{rport}", *others]):
        message.headers.prepend("Via", value)


def noted_source(via: Via) -> str:
    """The IP address that `stamp_source` has left in the top Via *via*."""
    return via.parameters.get("received") or via.host.strip("[]")


def response_flow(via: Via, flow: Flow, *, known: Known) -> Flow:
    """Where responses to the request go whose top Via is *via* (RFC 3261 section 18.2.2, RFC 3581).

    No group of hosts hears them, nor does the host of a ``maddr`` that is a name, or that a stranger gave:
    the request's source does. *known* tells who is no stranger.
    """
    if flow.stream is not None:
        return flow
    port, maddr = via.port or flow.transport.default_port, (via.parameters.get("maddr") or "").strip("[]")
    if maddr != flow.remote.host:
        if is_unicast(maddr) and known(flow.remote.host):
            return Flow(flow.transport, flow.local, Address(maddr, port))
        if "rport" in via.parameters:
            return flow
    return Flow(flow.transport, flow.local, Address(flow.remote.host, port), allowance=flow.allowance)
