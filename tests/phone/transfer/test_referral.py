"""The far end transfers this phone: REFER in, a call out, NOTIFYs about it (RFC 3515, RFC 3892)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import CallState, Event, TransferChanged, TransferState
from phone_emulator.lab.behaviour import CalleeBehaviour
from phone_emulator.phone import CallError
from phone_emulator.sip.message import Request, Response
from tests.phone.far_end import FarEnd, Play, offer, play
from tests.phone.stage import Stage
from tests.phone.stage import play as play_on_stage

SUBSCRIPTION, EVENT = "Subscription-State", "Event"


def refer(
    on: Play, invite: Request, cseq: int = 101, to: str = "<sip:1003@192.168.1.13>", **extra: str
) -> Request:
    """A REFER of the far end in the dialog of *invite*, not sent yet."""
    request = on.from_far("REFER", invite, cseq)
    request.headers.add("Contact", "<sip:1002@192.168.1.13>")
    if to:
        request.headers.add("Refer-To", to)
    for name, value in extra.items():
        request.headers.add(name.replace("_", "-"), value)
    return request


async def told(on: Play, status: str, state: str = "active", event: str = "refer") -> Request:
    """The next NOTIFY of the phone, answered: what it must say."""
    notify = await on.far.heard("NOTIFY")
    assert notify.body == f"SIP/2.0 {status}\r\n".encode()
    assert notify.headers.get("Content-Type") == "message/sipfrag;version=2.0"
    assert (notify.headers.get(SUBSCRIPTION) or "").startswith(state)
    assert notify.headers.get(EVENT) == event
    on.far.answer(notify, 200)
    return notify


async def followed(on: Play, request: Request, event: str = "refer") -> Request:
    """The phone accepts *request*; returns the INVITE that it makes of it, its first NOTIFY told."""
    on.far.send(request)
    accepted = await on.far.response(202, "REFER")
    assert len(accepted.contacts) == 1
    heard = [await on.far.request(), await on.far.request()]
    assert [each.method for each in heard] == ["NOTIFY", "INVITE"]
    notify, invite = heard
    assert notify.body == b"SIP/2.0 100 Trying\r\n"
    assert notify.headers.get(EVENT) == event
    assert notify.headers.get(SUBSCRIPTION) == "active;expires=600"
    on.far.answer(notify, 200)
    return invite


async def declined(on: Play, request: Request, event: str = "refer") -> None:
    """The phone follows *request*, whose new call is busy, and says so."""
    on.far.answer(await followed(on, request, event), 486)
    await on.far.heard("ACK")
    await told(on, "486 Busy Here", "terminated", event=event)


def transfers(on: Play) -> list[str]:
    """What was told of transfers."""
    return [f"{event.state}: {event.reason}" for event in on.events if isinstance(event, TransferChanged)]


def test_the_phone_calls_whom_it_is_sent_to() -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        asked = refer(on, first, Referred_By="<sip:1002@192.168.1.13>;x=y")
        invite = await followed(on, asked)
        assert invite.uri == "sip:1003@192.168.1.13"
        assert invite.call_id != first.call_id
        assert invite.headers.get("Referred-By") == "<sip:1002@192.168.1.13>;x=y"
        assert "Replaces" not in invite.headers
        on.far.answer(invite, 180)
        await told(on, "180 Ringing")
        on.far.answer(invite, 200, body=offer())
        heard = {each.method: each for each in (await on.far.request(), await on.far.request())}
        assert set(heard) == {"ACK", "NOTIFY"}
        notify = heard["NOTIFY"]
        assert notify.body == b"SIP/2.0 200 OK\r\n"
        assert notify.headers.get(SUBSCRIPTION) == "terminated;reason=noresource"
        on.far.answer(notify, 200)
        # The call with the transferor is the transferor's to end.
        assert call.state is CallState.TALKING
        on.far.send(on.from_far("BYE", first, 102))
        await on.far.response(200, "BYE")
        [new] = on.phone.calls
        assert (new.state, new.remote) == (CallState.TALKING, "sip:1003@192.168.1.13")
        assert [attempt.target.role for attempt in new.route] == ["primary"]
        assert transfers(on) == [
            "started: the far end asks to call sip:1003@192.168.1.13",
            "done: sip:1003@192.168.1.13 answered",
        ]

    play(story)


def test_whom_it_is_sent_to_answers_with_nothing_that_could_be_said() -> None:
    """The transferor is told that it failed: a 200 would have it hang up."""

    async def story(on: Play) -> None:
        first, call = await on.talking()
        invite = await followed(on, refer(on, first))
        on.far.answer(invite, 200, body=offer().replace(b"AVP 0", b"AVP 18"))
        heard: dict[str, Request] = {}
        while len(heard) < 3:
            request = await on.far.request()
            heard[request.method] = request
            if request.method != "ACK":
                on.far.answer(request, 200)
        assert heard["NOTIFY"].body == b"SIP/2.0 488 Not Acceptable Here\r\n"
        assert heard["BYE"].call_id == invite.call_id
        await on.rest()
        assert call.state is CallState.TALKING
        assert transfers(on)[-1] == "failed: sip:1003@192.168.1.13 could not be reached: 488"

    play(story)


def test_replaces_goes_into_the_invite() -> None:
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        to = "<sip:1003@192.168.1.13;new=1?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&From=x&Subject=y>"
        invite = await followed(on, refer(on, first, to=to))
        assert invite.uri == "sip:1003@192.168.1.13;new=1"
        assert invite.headers.get("Subject") == "y"
        assert transfers(on)[0].endswith(", and for From in the INVITE, which it does not get")
        assert invite.headers.get("Replaces") == "a@b;to-tag=1;from-tag=2"
        # Of what a Refer-To carries, nothing else is believed (RFC 3261 section 19.1.5).
        assert invite.from_address.uri.user == "1001"

    play(story)


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (486, "Busy Here", "486 Busy Here"),
        (603, "Decline", "603 Decline"),
        (404, "Not Found", "404 Not Found"),
    ],
)
def test_the_far_end_hears_why_it_failed(status: int, reason: str, line: str) -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        invite = await followed(on, refer(on, first))
        on.far.answer(invite, status)
        await on.far.heard("ACK")
        await told(on, line, "terminated;reason=noresource")
        assert call.state is CallState.TALKING
        assert transfers(on)[-1] == f"failed: sip:1003@192.168.1.13 could not be reached: {status}"

    play(story)


def test_each_further_refer_is_told_apart() -> None:
    # RFC 3515 section 2.4.6
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        await declined(on, refer(on, first, 101))
        await declined(on, refer(on, first, 102, to="<sip:1004@192.168.1.13>"), event="refer;id=102")

    play(story)


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("", 400),
        ("<sip:1003@192.168.1.13", 400),
        ("<sip:1003@192.168.1.13>, <sip:1004@192.168.1.13>", 400),
        ("<sip:1003@192.168.1.13?Replaces=nothing>", 400),
        ("<http://example.com/>", 416),
        ("<sip:1003@192.168.1.13;method=BYE>", 603),
    ],
)
def test_a_refer_that_cannot_be_followed(to: str, status: int) -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        on.far.send(refer(on, first, to=to))
        await on.far.response(status, "REFER")
        await on.rest()
        assert call.state is CallState.TALKING
        assert len(on.phone.calls) == 1

    play(story)


def test_no_more_than_some_at_a_time() -> None:
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        for cseq in range(101, 105):
            on.far.send(refer(on, first, cseq))
        on.far.send(refer(on, first, 105))
        await on.rest()
        statuses = [m.status for _, m in on.sent("REFER") if isinstance(m, Response)]
        assert statuses == [202, 202, 202, 202, 486]
        assert on.ignored == ["4 REFERs of this call go on already"]

    play(story)


def test_a_far_end_that_does_not_listen_any_more_is_told_nothing() -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        on.far.send(refer(on, first))
        await on.far.response(202, "REFER")
        notify, invite = await on.far.request(), await on.far.request()
        on.far.answer(notify, 481)
        on.far.answer(invite, 180)
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        await on.far.nothing(1)
        assert call.state is CallState.TALKING  # a 481 to NOTIFY ends its subscription alone (RFC 5057)
        assert len(on.phone.calls) == 2

    play(story)


def test_the_transferor_may_hang_up_at_once() -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        invite = await followed(on, refer(on, first))
        on.far.send(on.from_far("BYE", first, 102))
        await on.far.response(200, "BYE")
        assert call.state is CallState.ENDED
        on.far.answer(invite, 486)
        await on.far.heard("ACK")
        await told(on, "486 Busy Here", "terminated")

    play(story)


def test_the_user_gives_the_new_call_up() -> None:
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        invite = await followed(on, refer(on, first))
        on.far.answer(invite, 180)
        await told(on, "180 Ringing")
        await on.phone.calls[-1].hang_up()
        heard = {each.method: each for each in (await on.far.request(), await on.far.request())}
        assert set(heard) == {"CANCEL", "NOTIFY"}
        assert heard["NOTIFY"].body == b"SIP/2.0 487 Request Terminated\r\n"
        on.far.answer(heard["NOTIFY"], 200)
        on.far.answer(heard["CANCEL"], 200)
        on.far.answer(invite, 487)
        await on.far.heard("ACK")

    play(story)


def test_the_transferor_unsubscribes() -> None:
    # RFC 3515 section 2.4.4, RFC 6665 section 4.1.2.3
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        invite = await followed(on, refer(on, first))
        await on.rest()
        leave = on.from_far("SUBSCRIBE", first, 102)
        leave.headers.add("Event", "refer;id=101")
        leave.headers.add("Expires", "0")
        on.far.send(leave)
        response = await on.far.response(200, "SUBSCRIBE")
        assert response.headers.get("Expires") == "0"
        await told(on, "100 Trying", "terminated;reason=timeout")
        on.far.answer(invite, 486)
        await on.far.heard("ACK")
        await on.far.nothing(1)

    play(story)


def test_a_subscribe_without_an_id_is_about_the_first_refer() -> None:
    # RFC 3515 section 2.4.6
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        await declined(on, refer(on, first, 101))
        await followed(on, refer(on, first, 102), event="refer;id=102")
        for cseq, event, status in (
            (103, "refer", 481),
            (104, "refer;id=101", 481),
            (105, "refer;id=102", 200),
        ):
            again = on.from_far("SUBSCRIBE", first, cseq)
            again.headers.add("Event", event)
            on.far.send(again)
            await on.far.response(status, "SUBSCRIBE")
        await told(on, "100 Trying", event="refer;id=102")

    play(story)


def test_a_subscribe_to_something_else() -> None:
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        stray = on.from_far("SUBSCRIBE", first, 101)
        stray.headers.add("Event", "refer")
        on.far.send(stray)
        await on.far.response(481, "SUBSCRIBE")

    play(story)


def test_while_it_rings_nobody_sends_the_phone_elsewhere() -> None:
    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing()
        own = invite.headers.get("From") or ""
        request = on.far.inside("REFER", "in-1", own, ringing.headers.get("To") or "", 2)
        request.headers.add("Refer-To", "<sip:1003@192.168.1.13>")
        on.far.send(request)
        await on.far.response(603, "REFER")
        assert call.state is CallState.RINGING

    play(story)


# -- outside of calls ------------------------------------------------------------------------------------


def outside(far: FarEnd, call_id: str = "refer-1") -> Request:
    """A REFER that belongs to no call, not sent yet."""
    request = far.make("REFER", "sip:1001@192.168.1.21", user="1002", call_id=call_id)
    request.headers.add("Refer-To", "<sip:1003@192.168.1.13>")
    return request


def test_a_server_may_have_the_phone_call_somebody() -> None:
    async def story(on: Play) -> None:
        first, _ = await on.talking()  # now the phone knows its server
        on.far.send(outside(on.far))
        accepted = await on.far.response(202, "REFER")
        assert accepted.to_tag
        notify, hold, invite = await on.far.request(), await on.far.request(), await on.far.request()
        assert hold.call_id == first.call_id
        on.far.answer(hold, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        assert (notify.method, notify.call_id, notify.from_tag) == ("NOTIFY", "refer-1", accepted.to_tag)
        assert notify.to_tag == "from-1"
        on.far.answer(notify, 200)
        leave = on.far.inside(
            "SUBSCRIBE", "refer-1", notify.headers.get("To") or "", notify.headers.get("From") or ""
        )
        leave.headers.add("Event", "refer")
        on.far.send(leave)
        await on.far.response(200, "SUBSCRIBE")
        await told(on, "100 Trying")
        on.far.answer(invite, 486)
        await on.far.heard("ACK")
        await told(on, "486 Busy Here", "terminated")
        await on.rest()
        late = on.far.inside(
            "SUBSCRIBE", "refer-1", notify.headers.get("To") or "", notify.headers.get("From") or "", 102
        )
        late.headers.add("Event", "refer")
        on.far.send(late)
        await on.far.response(481, "SUBSCRIBE")
        assert first.call_id != invite.call_id

    play(story)


def test_nobody_else_may() -> None:
    async def story(on: Play) -> None:
        far = await on.stranger()
        far.send(outside(far))
        await far.response(603, "REFER")
        assert on.phone.calls == []
        assert on.ignored == ["a REFER outside of calls is taken from the line's own servers only"]

    play(story)


def test_no_more_calls_than_a_line_can_hold() -> None:
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        for _ in range(99):
            on.phone.dial("1009")
        on.far.send(outside(on.far))
        on.far.send(refer(on, first))
        await on.rest()
        statuses = [m.status for _, m in on.sent("REFER") if isinstance(m, Response)]
        assert statuses == [486, 486]

    play(story)


def test_no_more_refers_than_a_line_can_follow() -> None:
    """Their calls are over at once, but nobody answers the NOTIFYs that tell it."""

    async def story(on: Play) -> None:
        _, call = await on.talking()  # now the phone knows its server
        hanging_up = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await hanging_up
        for number in range(100):
            on.far.send(outside(on.far, f"refer-{number}"))
            await on.far.response(202, "REFER")
            await on.far.heard("NOTIFY")
            on.far.answer(await on.far.heard("INVITE"), 486)
            await on.far.heard("ACK")
        assert len(on.phone.calls) == 0
        for number in range(100, 105):
            on.far.send(outside(on.far, f"refer-{number}"))
        await on.rest()
        statuses = [m.status for _, m in on.sent("REFER") if isinstance(m, Response)]
        assert statuses == [202] * 100 + [486] * 5
        assert on.ignored[-1] == "the line follows as many REFERs as it can"
        await asyncio.sleep(64 * 0.5)  # timer F
        on.far.send(outside(on.far, "refer-again"))
        await on.rest()
        assert [m.status for _, m in on.sent("REFER") if isinstance(m, Response)][-1] == 202

    play(story)


def test_a_refer_for_somebody_else() -> None:
    async def story(on: Play) -> None:
        request = outside(on.far)
        request.uri = "sip:9999@192.168.1.21"
        on.far.send(request)
        await on.far.response(404, "REFER")

    play(story)


# -- along the servers -----------------------------------------------------------------------------------


def test_the_new_call_fails_over_like_any_other() -> None:
    # rule C1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()

        def fail(event: Event) -> None:  # not before the far end has held the phone by a re-INVITE
            if isinstance(event, TransferChanged) and event.state is TransferState.STARTED:
                failing.append(asyncio.create_task(stage.behave(primary={"INVITE": 503})))

        failing: list[asyncio.Task[None]] = []
        stage.phone.bus.subscribe(fail)
        await stage.lab.callee.transfer("1003@yealink.pbx.com")
        [new] = stage.phone.calls
        assert (new.remote, new.state) == ("sip:1003@yealink.pbx.com", CallState.TALKING)
        assert [(each.target.role, str(each.outcome)) for each in new.route] == [
            ("primary", "unavailable"),
            ("secondary", "answered"),
        ]
        assert call.state is CallState.ENDED

    play_on_stage(story)


def test_a_transfer_to_a_number_that_refuses_is_taken_back() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        stage.lab.callee.behaviour = CalleeBehaviour.BUSY
        with pytest.raises(CallError, match=r"1003@yealink\.pbx\.com could not be reached: 486 Busy Here"):
            await stage.lab.callee.transfer("1003@yealink.pbx.com")
        assert stage.phone.calls == [call]
        assert call.state is CallState.TALKING
        assert not call.far_held

    play_on_stage(story)


def test_it_is_told_once_however_often_that_is_asked_for() -> None:
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        on.far.send(refer(on, first))
        await on.far.response(202, "REFER")
        notify, invite = await on.far.request(), await on.far.request()
        for cseq in range(102, 112):  # while the first NOTIFY is not answered yet
            again = on.from_far("SUBSCRIBE", first, cseq)
            again.headers.add("Event", "refer;id=101")
            on.far.send(again)
            await on.far.response(200, "SUBSCRIBE")
        on.far.answer(notify, 200)
        await told(on, "100 Trying")
        await on.far.nothing(0.2)
        on.far.answer(invite, 486)
        await on.far.heard("ACK")
        await told(on, "486 Busy Here", "terminated")

    play(story)


def test_a_refer_moves_the_target() -> None:
    # RFC 5057 section 5.2: REFER and SUBSCRIBE are target refresh requests
    async def story(on: Play) -> None:
        first, call = await on.talking()
        asked = refer(on, first)
        asked.headers.set("Contact", "<sip:moved@192.168.1.13>")
        on.far.send(asked)
        await on.far.response(202, "REFER")
        notify = await on.far.heard("NOTIFY")
        assert notify.uri == "sip:moved@192.168.1.13"
        await on.far.heard("INVITE")
        on.far.answer(notify, 200, extra=[("Contact", "<sip:moved@192.168.1.13>")])
        await on.rest()
        again = on.from_far("SUBSCRIBE", first, 102)
        again.headers.add("Event", "refer;id=101")
        again.headers.add("Contact", "<sip:further@192.168.1.13>")
        on.far.send(again)
        await on.far.response(200, "SUBSCRIBE")
        assert (await on.far.heard("NOTIFY")).uri == "sip:further@192.168.1.13"
        assert call.state is CallState.TALKING

    play(story)
