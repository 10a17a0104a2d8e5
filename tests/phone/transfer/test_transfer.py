"""This phone transfers a call: blind, attended, semi-attended; what can go wrong (RFC 3515, RFC 5589)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from phone_emulator.events import CallState, TransferChanged
from phone_emulator.phone import Call, CallError
from phone_emulator.phone.transfer.transfer import transfer_blind, transfer_to
from phone_emulator.sip.digest import challenge_value
from phone_emulator.sip.message import Request
from phone_emulator.sip.refer import parse_refer_to, parse_replaces
from tests.phone.far_end import Play, offer, play

ACTIVE, OVER = "active;expires=60", "terminated;reason=noresource"


def told(on: Play) -> list[str]:
    """What was told of transfers."""
    return [f"{event.state}: {event.reason}" for event in on.events if isinstance(event, TransferChanged)]


def notify(
    on: Play,
    invite: Request,
    cseq: int,
    status: str,
    state: str = OVER,
    *,
    event: str = "refer",
    extra: Iterable[tuple[str, str]] = (),
) -> Request:
    """A NOTIFY of the far end in the dialog of *invite*, not sent yet."""
    request = on.from_far("NOTIFY", invite, cseq)
    request.headers.add("Event", event)
    request.headers.add("Subscription-State", state)
    for name, value in extra:
        request.headers.add(name, value)
    if status:
        request.headers.add("Content-Type", "message/sipfrag;version=2.0")
        request.body = f"SIP/2.0 {status}\r\n".encode()
    return request


async def referring(on: Play, call: Call, to: str = "1003") -> tuple[asyncio.Task[None], Request]:
    """A blind transfer up to its REFER, the re-INVITE of the hold answered."""
    task = asyncio.create_task(transfer_blind(call, to))
    hold = await on.far.heard("INVITE")
    on.far.answer(hold, 200, body=offer("recvonly"))
    await on.far.heard("ACK")
    return task, await on.far.heard("REFER")


async def taken_back(on: Play) -> None:
    """The far end takes part in the end of the hold."""
    resume = await on.far.heard("INVITE")
    assert b"a=sendrecv" in resume.body
    on.far.answer(resume, 200, body=offer())
    await on.far.heard("ACK")


def test_a_blind_transfer() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        assert [name for name, _ in refer.headers] == [
            "Via",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
            "Max-Forwards",
            "User-Agent",
            "Refer-To",
            "Referred-By",
            "Content-Length",
        ]
        assert refer.headers.get("Refer-To") == "<sip:1003@192.168.1.13:5060>"
        assert refer.headers.get("Referred-By") == "<sip:1001@192.168.1.13:5060>"
        on.far.answer(refer, 202)
        for cseq, status, state in ((101, "100 Trying", ACTIVE), (102, "180 Ringing", ACTIVE)):
            on.far.send(notify(on, invite, cseq, status, state))
            await on.far.response(200, "NOTIFY")
        assert not task.done()
        on.far.send(notify(on, invite, 103, "200 OK"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("BYE"), 200)
        await task
        assert call.state is CallState.ENDED
        assert on.states[-1] == "ended: transferred to 1003"
        assert told(on) == ["started: the far end is asked to call 1003", "done: 1003 answered"]

    play(story)


@pytest.mark.parametrize(
    ("typed", "uri"),
    [
        ("(030) 12-3", "sip:030123@192.168.1.13:5060"),
        ("tel:+49-30-12", "sip:+493012@192.168.1.13:5060"),
        ("192.0.2.5", "sip:192.0.2.5"),
        ("1003@192.0.2.5", "sip:1003@192.0.2.5"),
    ],
)
def test_whom_people_type(typed: str, uri: str) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        task, refer = await referring(on, call, typed)
        assert refer.headers.get("Refer-To") == f"<{uri}>"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    play(story)


def test_a_refer_is_authenticated_when_asked() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 407, extra=[("Proxy-Authenticate", challenge_value("r", "n"))])
        again = await on.far.heard("REFER")
        assert "Proxy-Authorization" in again.headers
        assert again.headers.get("Refer-To") == refer.headers.get("Refer-To")
        on.far.answer(again, 202)
        # The id of the event is the number of the REFER that was accepted.
        on.far.send(notify(on, invite, 101, "200 OK", event=f"refer;id={again.cseq.number}"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("BYE"), 200)
        await task

    play(story)


def test_the_notify_may_overtake_the_202() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.send(notify(on, invite, 101, "200 OK"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(refer, 202)
        on.far.answer(await on.far.heard("BYE"), 200)
        await task

    play(story)


@pytest.mark.parametrize(
    ("status", "state", "why"),
    [
        ("486 Busy Here", OVER, "1003 could not be reached: 486 Busy Here"),
        ("503 Service Unavailable", ACTIVE, "1003 could not be reached: 503 Service Unavailable"),
        ("100 Trying", "terminated;reason=giveup", "the far end tells no more of it"),
        ("", "terminated", "the far end tells no more of it"),
    ],
)
def test_a_transfer_that_fails_leaves_the_call_as_it_was(status: str, state: str, why: str) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 202)
        on.far.send(notify(on, invite, 101, status, state))
        await on.far.response(200, "NOTIFY")
        await taken_back(on)
        with pytest.raises(CallError, match=why):
            await task
        assert call.state is CallState.TALKING
        assert told(on)[-1] == f"failed: {why}"

    play(story)


def test_a_far_end_that_does_not_know_refer() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 405)
        await taken_back(on)
        with pytest.raises(CallError, match="refused the transfer: 405 Method Not Allowed"):
            await task

    play(story)


def test_a_call_that_was_held_before_stays_held() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        task = asyncio.create_task(transfer_blind(call, "1003"))
        on.far.answer(await on.far.heard("REFER"), 603)
        with pytest.raises(CallError, match="603 Decline"):
            await task
        await on.far.nothing(1)
        assert call.state is CallState.HELD

    play(story)


def test_nobody_tells_how_it_ends() -> None:
    # Timer N, 64*T1, for the first NOTIFY; after it, as long as that one says.
    async def story(on: Play) -> None:
        _, call = await on.talking()
        task, refer = await referring(on, call)
        start = on.world.now()
        on.far.answer(refer, 202)
        await taken_back(on)
        with pytest.raises(CallError, match="no NOTIFY told within 32 s"):
            await task
        assert round(on.world.now() - start, 3) == 32

    play(story)


def test_a_notify_prolongs_the_wait_by_what_it_says() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 202)
        await asyncio.sleep(10)
        start = on.world.now()
        on.far.send(notify(on, invite, 101, "180 Ringing", "active;expires=50"))
        await on.far.response(200, "NOTIFY")
        await taken_back(on)
        with pytest.raises(CallError, match="no NOTIFY told within 50 s"):
            await task
        assert round(on.world.now() - start, 3) == 50

    play(story)


def test_the_end_is_heard_after_the_call_too() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 202)
        on.far.send(on.from_far("BYE", invite, 101))
        await on.far.response(200, "BYE")
        await on.rest()
        assert call.state is CallState.ENDED
        on.far.send(notify(on, invite, 102, "180 Ringing", ACTIVE))
        await on.far.response(200, "NOTIFY")
        on.far.send(notify(on, invite, 103, "200 OK"))
        await on.far.response(200, "NOTIFY")
        await task
        assert told(on)[-1] == "done: 1003 answered"
        on.far.send(notify(on, invite, 104, "200 OK"))
        await on.far.response(481, "NOTIFY")

    play(story)


@pytest.mark.parametrize(
    ("event", "extra", "status"),
    [
        ("refer;id=77", [], 481),
        ("refer", [("Content-Type", "text/plain")], 415),
    ],
)
def test_a_notify_that_tells_nothing_of_it(event: str, extra: list[tuple[str, str]], status: int) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 202)
        wrong = notify(on, invite, 101, "", event=event, extra=extra)
        wrong.body = b"SIP/2.0 200 OK\r\n"
        on.far.send(wrong)
        await on.far.response(status, "NOTIFY")
        assert not task.done()
        on.far.send(notify(on, invite, 102, "200 OK"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("BYE"), 200)
        await task

    play(story)


def test_the_event_id_is_the_number_of_the_refer_that_was_accepted() -> None:
    """RFC 3515 section 2.4.6: neither that of the REFER that was challenged nor of what was sent since."""

    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 407, extra=[("Proxy-Authenticate", challenge_value("r", "n"))])
        accepted = await on.far.heard("REFER")
        on.far.answer(accepted, 202)
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        for cseq, step in ((101, -1), (102, +1)):
            event = f"refer;id={accepted.cseq.number + step}"
            on.far.send(notify(on, invite, cseq, "200 OK", event=event))
            await on.far.response(481, "NOTIFY")
        assert not task.done()
        on.far.send(notify(on, invite, 103, "200 OK", event=f"refer;id={accepted.cseq.number}"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("BYE"), 200)
        await task

    play(story)


def test_a_notify_of_a_transfer_that_nobody_asked_for() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        on.far.send(notify(on, invite, 101, "200 OK"))
        await on.far.response(481, "NOTIFY")
        assert call.state is CallState.TALKING

    play(story)


def test_the_phone_stops_in_the_middle_of_it() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 202)
        await on.rest()
        await on.phone.stop(unregister=False)
        with pytest.raises(CallError, match="the phone was stopped"):
            await task

    play(story)


def test_what_cannot_be_transferred() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        with pytest.raises(CallError, match="no number to dial"):
            await transfer_blind(call, "Bob Smith")
        with pytest.raises(CallError, match="to itself"):
            await transfer_to(call, call)
        ringing = on.phone.dial("1004")
        await on.second_call()
        with pytest.raises(CallError, match="the call is calling, not up"):
            await transfer_blind(ringing, "1003")
        with pytest.raises(CallError, match="the other call is calling, neither up nor ringing"):
            await transfer_to(call, ringing)
        task = asyncio.create_task(transfer_blind(call, "1003"))
        await on.far.heard("REFER")
        with pytest.raises(CallError, match="being transferred already"):
            await transfer_blind(call, "1005")
        task.cancel()
        ringing_end = asyncio.create_task(ringing.abandon())
        await asyncio.gather(task, ringing_end, return_exceptions=True)

    play(story)


# -- attended and semi-attended --------------------------------------------------------------------------


async def consulting(on: Play) -> tuple[Call, Request, Call, Request]:
    """A call that is held, and a second one that is up: each with its INVITE."""
    first, call = await on.talking()
    holding = asyncio.create_task(call.hold())
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
    await on.far.heard("ACK")
    await holding
    other = on.phone.dial("1003")
    second = await on.far.accept_invite(extra=[("Contact", "<sip:desk3@192.168.1.13>")])
    await other.settled()
    return call, first, other, second


@pytest.mark.parametrize(
    ("by_contact", "uri"), [("0", "sip:1003@192.168.1.13:5060"), ("1", "sip:desk3@192.168.1.13")]
)
def test_an_attended_transfer(by_contact: str, uri: str) -> None:
    async def story(on: Play) -> None:
        call, first, other, second = await consulting(on)
        task = asyncio.create_task(transfer_to(call, other))
        refer = await on.far.heard("REFER")
        assert refer.call_id == first.call_id
        asked = parse_refer_to(refer.headers.get("Refer-To") or "")
        assert asked.uri == uri
        # The target's own tag is its to-tag (RFC 3891 section 3).
        replaces = parse_replaces(asked.header("Replaces")[0])
        assert (replaces.call_id, replaces.to_tag, replaces.from_tag) == (
            second.call_id,
            "far-tag",
            second.from_tag,
        )
        assert not replaces.early_only
        on.far.answer(refer, 202)
        on.far.send(notify(on, first, 101, "200 OK"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("BYE"), 200)
        bye = await on.far.heard("BYE")
        assert bye.call_id == second.call_id
        on.far.answer(bye, 200)
        await task
        assert (call.state, other.state) == (CallState.ENDED, CallState.ENDED)

    play(story, account__1__transfer_refer_to_contact_header__enable=by_contact)


def test_the_target_may_end_its_call_itself() -> None:
    async def story(on: Play) -> None:
        call, first, other, second = await consulting(on)
        task = asyncio.create_task(transfer_to(call, other))
        on.far.answer(await on.far.heard("REFER"), 202)
        on.far.send(on.from_far("BYE", second, 101))
        await on.far.response(200, "BYE")
        on.far.send(notify(on, first, 101, "200 OK"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("BYE"), 200)
        await task
        assert other.state is CallState.ENDED

    play(story)


def test_an_attended_transfer_that_fails_loses_neither_call() -> None:
    async def story(on: Play) -> None:
        call, first, other, _ = await consulting(on)
        task = asyncio.create_task(transfer_to(call, other))
        on.far.answer(await on.far.heard("REFER"), 202)
        on.far.send(notify(on, first, 101, "503 Service Unavailable"))
        await on.far.response(200, "NOTIFY")
        with pytest.raises(CallError, match="503"):
            await task
        assert (call.state, other.state) == (CallState.HELD, CallState.TALKING)

    play(story)


def test_a_semi_attended_transfer_replaces_the_call_that_rings() -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        other = on.phone.dial("1003")
        second = await on.second_call()
        on.far.answer(second, 180)
        await on.rest()
        task = asyncio.create_task(transfer_to(call, other))
        refer = await on.far.heard("REFER")
        [value] = parse_refer_to(refer.headers.get("Refer-To") or "").header("Replaces")
        assert parse_replaces(value).names(second.call_id, "far-tag", second.from_tag or "")
        on.far.answer(refer, 202)
        on.far.send(notify(on, first, 101, "200 OK"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("BYE"), 200)
        cancel = await on.far.heard("CANCEL")
        assert cancel.call_id == second.call_id
        on.far.answer(cancel, 200)
        on.far.answer(second, 487)
        await on.far.heard("ACK")
        await task
        await on.rest()
        assert (call.state, other.state) == (CallState.ENDED, CallState.ENDED)

    play(story)


def test_without_semi_attended_transfers_the_ringing_call_is_cancelled_first() -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        other = on.phone.dial("1003")
        second = await on.second_call()
        on.far.answer(second, 180)
        await on.rest()
        task = asyncio.create_task(transfer_to(call, other))
        on.far.answer(await on.far.heard("CANCEL"), 200)
        on.far.answer(second, 487)
        await on.far.heard("ACK")
        refer = await on.far.heard("REFER")
        assert refer.headers.get("Refer-To") == "<sip:1003@192.168.1.13:5060>"
        on.far.answer(refer, 202)
        on.far.send(notify(on, first, 101, "200 OK"))
        await on.far.response(200, "NOTIFY")
        on.far.answer(await on.far.heard("BYE"), 200)
        await task

    play(story, transfer__semi_attend_tran_enable=0)


def test_an_anonymous_line_does_not_say_who_transfers() -> None:
    # RFC 3323 section 4.1: Referred-By would name whom From hides
    async def story(on: Play) -> None:
        _, call = await on.talking()
        task, refer = await referring(on, call)
        assert "Referred-By" not in refer.headers
        assert (refer.headers.get("From") or "").startswith('"Anonymous" ')
        on.far.answer(refer, 603)
        await taken_back(on)
        with pytest.raises(CallError, match="603 Decline"):
            await task

    play(story, account__1__anonymous_call=1)


def test_a_notify_moves_the_target() -> None:
    # RFC 5057 section 5.2
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        task, refer = await referring(on, call)
        on.far.answer(refer, 202)
        await on.rest()
        moved = [("Contact", "<sip:moved@192.168.1.13>")]
        on.far.send(notify(on, invite, 101, "200 OK", extra=moved))
        await on.far.response(200, "NOTIFY")
        bye = await on.far.heard("BYE")
        assert bye.uri == "sip:moved@192.168.1.13"
        on.far.answer(bye, 200)
        await task

    play(story)
