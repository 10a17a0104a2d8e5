"""NOTIFY talk and hold: a server operates the phone; and whose requests it obeys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import CallState, CheckSync
from phone_emulator.sip.digest import Session, read_challenges
from phone_emulator.sip.message import Request
from tests.lab.peers import PHONE, SERVER
from tests.phone.far_end import Play, lines, play


def control(on: Play, event: str, call_id: str = "control", **how: Any) -> Request:
    """A NOTIFY outside a dialog, not sent yet."""
    return on.far.make("NOTIFY", f"sip:1001@{PHONE}", call_id=call_id, extra=[("Event", event)], **how)


def within(on: Play, invite: Request, phone: str, event: str, cseq: int) -> Request:
    """A NOTIFY in the dialog of the far end's *invite*, not sent yet."""
    notify = on.far.inside("NOTIFY", invite.call_id, invite.headers.get("From") or "", phone, cseq)
    notify.headers.add("Event", event)
    return notify


def test_talk_answers_in_the_dialog() -> None:
    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing()
        on.far.send(within(on, invite, ringing.headers.get("To") or "", "talk", 2))
        heard = [await on.far.hear(), await on.far.hear()]
        assert {each.cseq.method for each in heard} == {"NOTIFY", "INVITE"}
        assert {getattr(each, "status", 0) for each in heard} == {200}
        assert call.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize("call_id", ["in-1", "another"])
def test_talk_answers_outside_the_dialog(call_id: str) -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        on.far.send(control(on, "talk", call_id))
        heard = [await on.far.hear(), await on.far.hear()]
        assert {(each.cseq.method, getattr(each, "status", 0)) for each in heard} == {
            ("NOTIFY", 200),
            ("INVITE", 200),
        }
        assert call.state is CallState.TALKING

    play(story)


def test_hold_and_talk() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        notify = on.from_far("NOTIFY", invite, 101)
        notify.headers.add("Event", "hold")
        on.far.send(notify)
        await on.far.response(200, "NOTIFY")
        again = await on.far.accept_invite()
        assert "a=sendonly" in lines(again.body, "a=")
        await on.rest()
        assert on.states[-1] == "held: held by this phone"
        on.far.send(control(on, "talk", invite.call_id))
        await on.far.response(200, "NOTIFY")
        again = await on.far.accept_invite()
        assert "a=sendrecv" in lines(again.body, "a=")
        await on.rest()
        assert call.state is CallState.TALKING

    play(story)


def test_a_hold_that_the_far_end_refuses_changes_nothing() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        on.far.send(control(on, "hold"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("INVITE"), 488)
        await on.far.heard("ACK")
        await on.rest()
        assert call.state is CallState.TALKING
        assert invite.call_id

    play(story)


@pytest.mark.parametrize("event", ["talk", "hold"])
def test_without_a_call_that_is_meant(event: str) -> None:
    async def story(on: Play) -> None:
        on.far.send(control(on, event))
        await on.far.response(481, "NOTIFY")

    play(story)


def test_of_two_calls_none_is_guessed() -> None:
    async def story(on: Play) -> None:
        _, _, first = await on.ringing(call_id="in-1")
        _, _, second = await on.ringing(call_id="in-2")
        on.far.send(control(on, "talk"))
        await on.far.response(481, "NOTIFY")
        on.far.send(control(on, "talk", "in-2", cseq=2))
        await asyncio.sleep(0.5)
        assert (first.state, second.state) == (CallState.RINGING, CallState.TALKING)

    play(story)


@pytest.mark.parametrize(
    ("settings", "event", "statuses"),
    [
        ({"sip__trust_ctrl": 1}, "check-sync", (200, 403)),
        ({"sip__request_validation__source__list": "INVITE, notify"}, "check-sync", (200, 403)),
        (
            {
                "sip__request_validation__source__list": "NOTIFY",
                "sip__request_validation__event": "check-sync,talk",
            },
            "check-sync",
            (200, 403),
        ),
        (
            {"sip__request_validation__source__list": "NOTIFY", "sip__request_validation__event": "talk"},
            "keep-alive",
            (200, 200),
        ),
        ({"sip__request_validation__source__list": "SUBSCRIBE"}, "keep-alive", (200, 200)),
        ({}, "keep-alive", (200, 200)),
        ({}, "check-sync", (200, 403)),
        ({}, "talk", (481, 403)),
        ({}, "hold", (481, 403)),
        ({}, "dialog", (481, 403)),
    ],
)
def test_whose_notify_is_obeyed(settings: dict[str, Any], event: str, statuses: tuple[int, int]) -> None:
    """First the line's own server, then a stranger."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 486)
        await on.far.heard("ACK")
        await call.over()
        on.far.send(control(on, event, "one"))
        await on.far.response(statuses[0], "NOTIFY")
        stranger = await type(on.far)(on.world).bind(SERVER._replace(host="192.168.1.66"), remote=PHONE)
        request = control(on, event, "two")
        request.headers.set("Via", "SIP/2.0/UDP 192.168.1.66:5060;branch=z9hG4bKstranger")
        stranger.send(request)
        await stranger.response(statuses[1], "NOTIFY")
        obeyed = sum(isinstance(each, CheckSync) for each in on.events)
        assert obeyed == (statuses.count(200) if event == "check-sync" else 0)

    play(story, **settings)


DIGEST: dict[str, Any] = {"sip__request_validation__digest__list": "NOTIFY,INVITE"}


async def challenged(on: Play, request: Request) -> str:
    """Send *request*; the challenge that it draws."""
    on.far.send(request)
    response = await on.far.response(401, request.method)
    return response.headers.get("WWW-Authenticate") or ""


def proven(request: Request, challenge: str, number: int, password: str = "secret") -> Request:
    """*request* once more, with credentials, not sent yet."""
    again = Request(request.method, request.uri, request.headers.copy(), request.body)
    again.headers.set("CSeq", f"{number} {request.method}")
    again.headers.set("Via", f"SIP/2.0/UDP {SERVER};branch=z9hG4bKproven{number}")
    [read] = read_challenges([challenge])
    value = Session(read).authorize(request.method, request.uri, "1001", password, "0a4f113b", request.body)
    again.headers.set("Authorization", value)
    return again


def test_a_notify_has_to_prove_itself() -> None:
    async def story(on: Play) -> None:
        request = control(on, "check-sync")
        challenge = await challenged(on, request)
        assert 'realm="YealinkSPIP"' in challenge
        on.far.send(proven(request, challenge, 2))
        await on.far.response(200, "NOTIFY")
        on.far.send(proven(request, challenge, 3))  # replayed
        response = await on.far.response(401, "NOTIFY")
        assert "stale=true" in (response.headers.get("WWW-Authenticate") or "")
        on.far.send(proven(request, challenge, 4, "wrong"))
        await on.far.response(403, "NOTIFY")
        assert sum(isinstance(each, CheckSync) for each in on.events) == 1

    play(story, **DIGEST, sip__request_validation__event="check-sync")


def test_an_invite_has_to_prove_itself() -> None:
    async def story(on: Play) -> None:
        invite = on.far.invite()
        challenge = await challenged(on, invite)
        assert on.phone.calls == []
        on.far.send(proven(invite, challenge, 2))
        await on.far.response(180)

    play(story, **DIGEST)


@pytest.mark.parametrize(
    ("settings", "event"),
    [({**DIGEST, "sip__request_validation__event": "talk"}, "check-sync"), ({}, "check-sync")],
)
def test_what_needs_no_proof(settings: dict[str, Any], event: str) -> None:
    async def story(on: Play) -> None:
        on.far.send(control(on, event))
        await on.far.response(200, "NOTIFY")

    play(story, **settings)


def test_without_a_password_nothing_can_be_proven() -> None:
    async def story(on: Play) -> None:
        on.far.send(control(on, "check-sync"))
        await on.far.response(403, "NOTIFY")

    play(story, **DIGEST, account__1__password="")


def test_open_challenges_are_bounded() -> None:
    async def story(on: Play) -> None:
        first = control(on, "check-sync", "c0")
        challenge = await challenged(on, first)
        for number in range(1, 101):
            await challenged(on, control(on, "check-sync", f"c{number}"))
        on.far.send(proven(first, challenge, 2))
        response = await on.far.response(401, "NOTIFY")
        assert "stale=true" in (response.headers.get("WWW-Authenticate") or "")

    play(story, **DIGEST)
