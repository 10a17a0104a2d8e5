"""Bodies that the phone does not know: ignored where they may be, else 415 (RFC 3261 section 20.11)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phone_emulator.events import CallState
from phone_emulator.phone import IncomingCall
from phone_emulator.sip.message import Request
from tests.lab.peers import PHONE
from tests.phone.far_end import Play, offer, play

OPTIONAL = "render;handling=optional"
INSIDE = ("INVITE", "UPDATE", "INFO", "MESSAGE", "OPTIONS", "BYE")
OUTSIDE: dict[str, tuple[int, list[tuple[str, str]]]] = {
    "INVITE": (180, []),
    "MESSAGE": (200, []),
    "OPTIONS": (200, []),
    "SUBSCRIBE": (200, [("Event", "dialog")]),
    "NOTIFY": (200, [("Event", "check-sync")]),
    "REFER": (202, [("Refer-To", "<sip:1003@192.168.1.13>")]),
}


def with_unknown(request: Request, disposition: str) -> Request:
    """*request* with a body of a type that nobody knows."""
    request.headers.set("Content-Type", "application/x-unknown")
    if disposition:
        request.headers.set("Content-Disposition", disposition)
    request.body = b"zz"
    return request


def in_parts(
    request: Request, disposition: str, known: bytes = b"", kind: str = "application/sdp"
) -> Request:
    """*request* with a part of that type, and one that nobody knows."""
    parts = b"--b\r\nContent-Type: application/x-unknown\r\n"
    if disposition:
        parts += f"Content-Disposition: {disposition}\r\n".encode()
    parts += b"\r\nzz\r\n"
    if known:
        parts += f"--b\r\nContent-Type: {kind}\r\n\r\n".encode() + known + b"\r\n"
    request.headers.set("Content-Type", "multipart/mixed;boundary=b")
    request.body = parts + b"--b--\r\n"
    return request


@pytest.mark.parametrize("method", INSIDE)
def test_within_a_call(method: str) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        for number, (put, disposition, refused) in enumerate(
            [
                (with_unknown, OPTIONAL, False),
                (in_parts, OPTIONAL, False),
                (with_unknown, "render;handling=required", True),
                (with_unknown, "", True),
                (in_parts, "", True),
            ]
        ):
            if method == "BYE" and number not in (0, 3):
                continue
            request = put(on.from_far(method, invite, 101 + number), disposition)
            on.far.send(request)
            response = await on.far.response(415 if refused else 200, method)
            assert ("Accept" in response.headers) or not refused
            if method == "BYE":
                return
            if method == "INVITE" and not refused:  # an INVITE without an offer, then
                assert response.body
                on.far.send(on.far.ack(request, response, offer()))
                await on.rest()
        assert call.state is CallState.TALKING

    play(story)


def test_a_bye_that_is_refused_ends_the_call_nevertheless() -> None:
    """Section 15.1.1: for its sender the session is over."""

    async def story(on: Play) -> None:
        invite, _ = await on.talking()
        on.far.send(with_unknown(on.from_far("BYE", invite), ""))
        await on.far.response(415, "BYE")
        await on.rest()
        assert on.phone.calls == []

    play(story)


@pytest.mark.parametrize("method", OUTSIDE)
@pytest.mark.parametrize("put", [with_unknown, in_parts])
@pytest.mark.parametrize("disposition", [OPTIONAL, "render", ""])
def test_outside_of_calls(method: str, put: Callable[[Request, str], Request], disposition: str) -> None:
    status, extra = OUTSIDE[method]

    async def story(on: Play) -> None:
        request = on.far.make(method, f"sip:1001@{PHONE}", user="1002", extra=extra)
        on.far.send(put(request, disposition))
        message = await on.far.hear()
        while isinstance(message, Request):
            message = await on.far.hear()
        assert message.to_bytes().startswith(b"SIP/2.0 %d " % (status if disposition == OPTIONAL else 415))
        assert ("Accept" in message.headers) or disposition == OPTIONAL
        await on.phone.stop(unregister=False)

    play(story)


def test_a_known_part_beside_an_optional_one_counts() -> None:
    async def story(on: Play) -> None:
        invite = in_parts(on.far.invite(), "signal;handling=optional", offer())
        on.far.send(invite)
        await on.far.response(180, "INVITE")
        call = on.phone.calls[0]
        assert isinstance(call, IncomingCall)
        call.answer()
        response = await on.far.response(200, "INVITE")
        assert b"m=audio" in response.body
        on.far.send(on.far.ack(invite, response))
        await on.rest()
        update = in_parts(
            on.far.inside(
                "UPDATE", "in-1", invite.headers.get("From") or "", response.headers.get("To") or ""
            ),
            OPTIONAL,
            offer("sendonly"),
        )
        on.far.send(update)
        assert b"a=recvonly" in (await on.far.response(200, "UPDATE")).body
        assert call.far_held

    play(story)


def test_an_optional_body_of_an_update_is_no_offer() -> None:
    """So it may come while the offer of the INVITE waits for its answer (RFC 3311 section 5.2)."""

    async def story(on: Play) -> None:
        invite, ringing, _ = await on.ringing()
        own, phone = invite.headers.get("From") or "", ringing.headers.get("To") or ""
        on.far.send(with_unknown(on.far.inside("UPDATE", "in-1", own, phone, 2), OPTIONAL))
        await on.far.response(200, "UPDATE")

    play(story)
