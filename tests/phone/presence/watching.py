"""A far end that is a notifier: it registers the phone, grants subscriptions and tells what a test says."""

from __future__ import annotations

import asyncio

from phone_emulator.sip.message import Headers, Request
from tests.lab.peers import SERVER
from tests.phone.far_end import FarEnd, Play

LONG = ("Expires", "1000000")
MWI = "application/simple-message-summary"
DIALOG_INFO = "application/dialog-info+xml"


async def registered(on: Play) -> None:
    """Register the phone, for longer than any story takes."""
    registering = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[LONG])
    await registering


async def subscribed(
    on: Play, expires: int = 3600, state: str = "active", body: bytes = b"", content_type: str = MWI
) -> Request:
    """Register the phone, grant its subscription, send the first NOTIFY; returns the SUBSCRIBE."""
    await registered(on)
    return await granted(on, expires, state, body, content_type)


async def granted(
    on: Play, expires: int = 3600, state: str = "active", body: bytes = b"", content_type: str = MWI
) -> Request:
    """Grant the next SUBSCRIBE and send the first NOTIFY; returns the SUBSCRIBE."""
    subscribe = await on.far.heard("SUBSCRIBE")
    on.far.answer(subscribe, 200, extra=[("Expires", str(expires))])
    on.far.send(notify(on.far, subscribe, 1, state, body=body, content_type=content_type))
    await on.far.response(200, "NOTIFY")
    return subscribe


def notify(
    far: FarEnd,
    subscribe: Request,
    cseq: int,
    state: str = "active",
    *,
    tag: str = "far-tag",
    body: bytes = b"",
    content_type: str = MWI,
    event: str = "",
) -> Request:
    """A NOTIFY in the dialog that *subscribe* made, not sent yet."""
    branch = f"z9hG4bK{subscribe.from_tag}{tag}{cseq}"
    headers = [
        ("Via", f"SIP/2.0/{far.transport.upper()} {SERVER};branch={branch}"),
        ("From", f"{(subscribe.headers.get('To') or '').partition(';tag=')[0]};tag={tag}"),
        ("To", subscribe.headers.get("From") or ""),
        ("Call-ID", subscribe.call_id),
        ("CSeq", f"{cseq} NOTIFY"),
        ("Max-Forwards", "70"),
        ("Contact", f"<sip:notifier@{SERVER}>"),
        ("Event", event or subscribe.headers.get("Event") or ""),
        ("Subscription-State", state),
    ]
    if body:
        headers.append(("Content-Type", content_type))
    return Request("NOTIFY", str(subscribe.contacts[0].uri), Headers(headers), body)
