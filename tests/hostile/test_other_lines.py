"""A server is a server of its line: that of another line rings, and does no more to this one's calls.

The bystander is the server of line 2; the calls are those of line 1.
"""

from __future__ import annotations

import pytest

from phone_emulator.events import CallState
from phone_emulator.sip.message import Request
from tests.hostile.scene import Play, Scene, neighbour

SECOND = {
    "account__2__enable": 1,
    "account__2__user_name": "2001",
    "account__2__password": "other",
    "account__2__sip_server__1__address": neighbour(77),
    "account__2__sip_server__1__port": 5060,
}


def test_rings_its_own_line(play: Play) -> None:
    async def story(on: Scene) -> None:
        invite = on.bystander.ask("INVITE")
        invite.uri = f"sip:2001@{on.phone_at}"
        on.bystander.send(invite)
        await on.bystander.response(180)
        assert [each.seat.number for each in on.phone.calls] == [2]

    play(story, **SECOND)


@pytest.mark.parametrize("user", ["1001", "2001"])
def test_takes_no_call_over(play: Play, user: str) -> None:
    async def story(on: Scene) -> None:
        up = await on.up(on.server)
        tags = [up.phone.rpartition("tag=")[2], up.own.rpartition("tag=")[2]]
        replaces = f"{up.call_id};to-tag={tags[0]};from-tag={tags[1]}"
        invite = on.bystander.ask("INVITE", call_id="replacing", extra=[("Replaces", replaces)])
        invite.uri = f"sip:{user}@{on.phone_at}"
        on.bystander.send(invite)
        await on.bystander.response(403, "INVITE")
        assert on.phone.calls == [up.call]
        assert up.call.state is CallState.TALKING

    play(story, **SECOND)


@pytest.mark.parametrize("user", ["1001@", "2001@", "nobody@", ""])
def test_answers_no_call(play: Play, user: str) -> None:
    async def story(on: Scene) -> None:
        _, _, call = await on.incoming(on.server)
        notify = on.bystander.ask("NOTIFY", call_id="talking", extra=[("Event", "talk")])
        notify.uri = f"sip:{user}{on.phone_at}"
        on.bystander.send(notify)
        await on.bystander.hear()
        await on.passed()
        assert call.state is CallState.RINGING

    play(story, **SECOND)


def test_cancels_no_call(play: Play) -> None:
    async def story(on: Scene) -> None:
        invite, _, call = await on.incoming(on.server)
        cancel = Request("CANCEL", invite.uri, invite.headers.copy())
        cancel.headers.set("CSeq", f"{invite.cseq.number} CANCEL")
        for name in ("Contact", "Content-Type"):
            cancel.headers.remove(name)
        on.bystander.send(cancel)
        await on.passed()
        assert call.state is CallState.RINGING
        assert [(status, place) for status, place, _ in on.refused] == [(481, on.bystander.place)]

    play(story, **SECOND)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "REFER", "NOTIFY"])
@pytest.mark.parametrize("way", ["called", "up"])
def test_acts_within_no_call(play: Play, way: str, method: str) -> None:
    async def story(on: Scene) -> None:
        up = await on.called() if way == "called" else await on.up(on.server)
        extra = [("Event", "hold"), ("Refer-To", "<sip:1009@192.0.2.9>")]
        on.bystander.send(up.request(on.bystander, method, 101, extra=extra))
        await on.bystander.response(481, method)
        assert up.call.state is CallState.TALKING
        assert on.phone.calls == [up.call]

    play(story, **SECOND)


@pytest.mark.parametrize("status", [180, 200, 401, 486, 503])
def test_answers_for_no_other_server_under_trust_ctrl(play: Play, status: int) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        on.bystander.answer(invite, status)
        await on.passed()
        assert call.state is CallState.CALLING
        on.server.answer(invite, 486)
        await on.server.heard("ACK")
        await call.over()
        assert call.status == 486

    play(story, sip__trust_ctrl=1, **SECOND)
