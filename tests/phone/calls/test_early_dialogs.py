"""What happens before a call is answered: forks, early media, requests in early dialogs (RFC 3261)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import CallState, MediaChanged
from phone_emulator.phone import Call, CallResult
from phone_emulator.sip.message import response_to
from tests.lab.peers import SERVER, ack_to
from tests.phone.far_end import Play, lines, offer, play

ON: dict[str, Any] = {"account__1__100rel_enable": 1}
SDP = ("Content-Type", "application/sdp")


def sound(port: int) -> bytes:
    """A session description whose sound is at *port*."""
    return offer().replace(b"4000", str(port).encode())


def reliable(rseq: int) -> list[tuple[str, str]]:
    return [("Require", "100rel"), ("RSeq", str(rseq))]


def heard_from(call: Call) -> int | None:
    """The port that the phone talks to."""
    audio = call.voice.audio
    assert audio is not None
    return None if audio._remote is None else audio._remote.address.port


def told(on: Play) -> list[tuple[bool, bool]]:
    """What was told of the media: held by the far end, heard before the answer."""
    return [(event.far_held, event.early) for event in on.events if isinstance(event, MediaChanged)]


@pytest.mark.parametrize("status", [180, 183])
def test_early_media_is_heard(status: int) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, status, body=sound(4000))
        await on.rest()
        assert heard_from(call) == 4000
        assert call.voice.audio is not None
        assert call.voice.audio.can_send
        assert told(on) == [(False, True)]
        assert call.state is CallState.RINGING
        on.far.answer(invite, 200, body=sound(4002))
        await on.far.heard("ACK")
        assert heard_from(call) == 4002
        assert told(on) == [(False, True), (False, False)]

    play(story)


def test_a_200_without_description_goes_on_with_the_early_one() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=sound(4000))
        on.far.answer(invite, 200)
        await on.far.heard("ACK")
        assert call.state is CallState.TALKING
        assert heard_from(call) == 4000

    play(story)


@pytest.mark.parametrize(("deal", "after"), [(1, None), (0, 4000)])
def test_a_180_after_early_media(deal: int, after: int | None) -> None:
    """``phone_setting.is_deal180``: the phone's own ringback again, or not."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=sound(4000))
        on.far.answer(invite, 180)
        await on.rest()
        assert heard_from(call) == after
        on.far.answer(invite, 183, body=sound(4000))
        await on.rest()
        assert heard_from(call) == 4000

    play(story, phone_setting__is_deal180=deal)


def test_the_fork_that_spoke_last_is_heard_and_the_one_that_answers_stays() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, tag="one", body=sound(4000))
        on.far.answer(invite, 183, tag="two", body=sound(5000))
        await on.rest()
        assert heard_from(call) == 5000
        on.far.answer(invite, 180, tag="one")
        await on.rest()
        assert heard_from(call) == 5000, "the 180 is of another fork"
        on.far.answer(invite, 200, tag="one")
        ack = await on.far.heard("ACK")
        assert ack.to_tag == "one"
        assert heard_from(call) == 4000
        on.far.answer(invite, 200, tag="two", body=sound(5000))
        assert (await on.far.heard("ACK")).to_tag == "two"
        bye = await on.far.heard("BYE")
        assert bye.to_tag == "two"
        on.far.answer(bye, 200, tag="two")
        await on.rest()
        assert call.state is CallState.TALKING
        assert heard_from(call) == 4000

    play(story)


def test_a_fork_that_cannot_be_heard_leaves_the_other_its_sound() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, tag="one", body=sound(4000))
        on.far.answer(invite, 183, tag="two", body=sound(5000).replace(b"AVP 0", b"AVP 18"))
        await on.rest()
        assert heard_from(call) == 4000
        on.far.answer(invite, 199, tag="one")
        await on.rest()
        assert heard_from(call) is None
        assert told(on) == [(False, True), (False, False)]

    play(story)


def test_a_far_end_that_cannot_be_heard_any_more_is_silent() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=sound(4000))
        on.far.answer(invite, 183, body=sound(0))
        await on.rest()
        assert heard_from(call) is None

    play(story)


def test_a_199_ends_its_fork_only() -> None:
    """RFC 6228."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, tag="one", body=sound(4000))
        on.far.answer(invite, 183, tag="two", body=sound(5000))
        on.far.answer(invite, 199, tag="two")
        await on.rest()
        assert heard_from(call) == 4000
        assert len(on.phone.line(1).seat.dialogs) == 1
        on.far.answer(invite, 183, tag="two", body=sound(5000))
        await on.rest()
        assert heard_from(call) == 4000, "it is over"
        on.far.send(on.from_far("UPDATE", invite, tag="two"))
        await on.far.response(481, "UPDATE")
        on.far.answer(invite, 199, tag="one")
        await on.rest()
        assert heard_from(call) is None
        assert call.state is CallState.RINGING
        on.far.answer(invite, 486, tag="three")
        await on.far.heard("ACK")
        assert call.status == 486

    play(story)


def test_a_199_of_nobody_says_nothing() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 199)
        await on.rest()
        assert told(on) == []
        assert list(call.ringing_dialogs) == []

    play(story)


def test_a_refused_call_falls_silent() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=sound(4000))
        on.far.answer(invite, 486)
        await on.far.heard("ACK")
        await call.over()
        assert told(on) == [(False, True), (False, False)]

    play(story)


def test_a_description_that_cannot_be_read_is_not_heard() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=b"rubbish")
        await on.rest()
        assert heard_from(call) is None
        assert told(on) == []
        on.far.answer(invite, 200, body=sound(4000))
        await on.far.heard("ACK")
        assert heard_from(call) == 4000

    play(story)


def test_another_body_in_a_183_is_no_answer() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        extra = [*reliable(1), ("Content-Type", "text/plain"), ("Contact", "<sip:1002@192.168.1.13>")]
        on.far.send(response_to(invite, 183, to_tag="far-tag", extra=extra, body=sound(4000)))
        on.far.answer(await on.far.heard("PRACK"), 200)
        on.far.answer(invite, 200, body=sound(5000))
        await on.far.heard("ACK")
        assert heard_from(call) == 5000

    play(story, **ON)


def test_the_200_may_change_the_route_of_its_early_dialog() -> None:
    """Section 13.2.2.4: route set and remote target are those of the 2xx."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        early = [("Contact", "<sip:early@192.168.1.13>"), ("Record-Route", "<sip:192.168.1.13;lr;x=1>")]
        on.far.answer(invite, 180, extra=early)
        final = [("Contact", "<sip:final@192.168.1.13>"), ("Record-Route", "<sip:192.168.1.13;lr;x=2>")]
        on.far.answer(invite, 200, body=offer(), extra=final)
        ack = await on.far.heard("ACK")
        assert (ack.uri, ack.headers.get("Route")) == ("sip:final@192.168.1.13", "<sip:192.168.1.13;lr;x=2>")
        assert call.state is CallState.TALKING

    play(story)


def test_updates_before_the_answer() -> None:
    """RFC 3311 section 5.2: none with an offer while that of the INVITE waits for its answer."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        on.far.send(on.from_far("UPDATE", invite, 101))
        response = await on.far.response(200, "UPDATE")
        assert response.body == b""
        on.far.send(on.from_far("UPDATE", invite, 102, body=offer()))
        await on.far.response(491, "UPDATE")
        on.far.send(on.from_far("UPDATE", invite, 100))
        await on.far.response(500, "UPDATE")
        on.far.send(on.from_far("INVITE", invite, 103, body=offer()))
        await on.far.response(491, "INVITE")
        assert call.state is CallState.RINGING

    play(story)


def test_a_request_right_behind_the_180_that_makes_its_dialog() -> None:
    """Over TCP both may come in one piece."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        contact = ("Contact", f"<sip:1002@{SERVER};transport=tcp>")
        ringing = response_to(invite, 180, to_tag="far-tag", extra=[contact])
        on.far.raw(ringing.to_bytes() + on.from_far("UPDATE", invite).to_bytes())
        await on.far.response(200, "UPDATE")
        assert call.state is CallState.RINGING

    play(story, account__1__sip_server__1__transport_type=1)


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("UPDATE", 200, CallState.TALKING),
        ("INVITE", 200, CallState.TALKING),
        ("OPTIONS", 200, CallState.TALKING),
        ("PUBLISH", 405, CallState.TALKING),
        ("BYE", 200, CallState.ENDED),
    ],
)
@pytest.mark.parametrize("rings", [False, True])
def test_a_request_right_behind_the_200_that_makes_its_dialog(
    method: str, status: int, then: CallState, rings: bool
) -> None:
    """It is dealt with as if it had come a moment later."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        contact = ("Contact", f"<sip:1002@{SERVER};transport=tcp>")
        if rings:
            on.far.send(response_to(invite, 180, to_tag="far-tag", extra=[contact]))
            await on.rest()
        taken = response_to(invite, 200, to_tag="far-tag", extra=[contact, SDP], body=sound(4000))
        behind = on.from_far(method, invite, body=sound(5000) if method == "INVITE" else b"")
        on.far.raw(taken.to_bytes() + behind.to_bytes())
        heard = [await on.far.hear(), await on.far.hear()]
        assert {(message.cseq.method, getattr(message, "status", None)) for message in heard} == {
            ("ACK", None),
            (method, status),
        }
        assert (call.result, call.state) == (CallResult.ANSWERED, then)
        if method == "INVITE":
            assert heard_from(call) == 5000

    play(story, account__1__sip_server__1__transport_type=1)


def test_what_is_right_behind_a_200_and_cannot_be_read() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        contact = ("Contact", f"<sip:1002@{SERVER};transport=tcp>")
        taken = response_to(invite, 200, to_tag="far-tag", extra=[contact, SDP], body=sound(4000))
        behind = on.from_far("UPDATE", invite)
        behind.headers.set("Contact", "<nonsense")
        on.far.raw(taken.to_bytes() + behind.to_bytes())
        await on.far.response(400, "UPDATE")
        await on.far.heard("ACK")
        assert "Contact" in on.ignored[-1]

    play(story, account__1__sip_server__1__transport_type=1)


def test_a_request_right_behind_a_200_that_cannot_be_read() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        odd = [("Record-Route", "<nonsense"), SDP]
        taken = response_to(invite, 200, to_tag="far-tag", extra=odd, body=sound(4000))
        on.far.raw(taken.to_bytes() + on.from_far("UPDATE", invite).to_bytes())
        await on.far.response(481, "UPDATE")
        await call.over()
        assert call.reason.startswith("the 2xx cannot be used")

    play(story, account__1__sip_server__1__transport_type=1)


def test_a_request_right_behind_a_200_that_comes_after_the_hang_up() -> None:
    """Nobody wants that dialog any more."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        await call.hang_up()
        contact = ("Contact", f"<sip:1002@{SERVER};transport=tcp>")
        taken = response_to(invite, 200, to_tag="far-tag", extra=[contact, SDP], body=sound(4000))
        on.far.raw(taken.to_bytes() + on.from_far("UPDATE", invite).to_bytes())
        await on.far.response(481, "UPDATE")
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()
        assert len(on.phone.dialogs) == 0

    play(story, account__1__sip_server__1__transport_type=1)


def test_an_update_with_an_offer_after_a_reliable_answer() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=sound(4000), extra=reliable(1))
        on.far.answer(await on.far.heard("PRACK"), 200)
        update = on.from_far("UPDATE", invite, 101, body=sound(5000))
        update.headers.set("Contact", "<sip:moved@192.168.1.13>")
        on.far.send(update)
        response = await on.far.response(200, "UPDATE")
        version = int(lines(response.body, "o=")[0].split()[2])
        assert version == int(lines(invite.body, "o=")[0].split()[2]) + 1
        assert heard_from(call) == 5000
        on.far.answer(invite, 200, extra=[("Contact", "<sip:moved@192.168.1.13>")])
        await on.far.heard("ACK")
        assert heard_from(call) == 5000, "what was agreed last"
        on.far.send(on.from_far("UPDATE", invite, 102))
        await on.far.response(200, "UPDATE")

    play(story, **ON)


def test_an_invite_while_this_ends_own_is_not_answered() -> None:
    """RFC 3261 section 14.2: 491, though the offer of the first INVITE is answered already."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=sound(4000), extra=reliable(1))
        on.far.answer(await on.far.heard("PRACK"), 200)
        await on.rest()
        again = on.from_far("INVITE", invite, 101, body=sound(5000))
        on.far.send(again)
        on.far.send(ack_to(again, await on.far.response(491, "INVITE")))
        assert heard_from(call) == 4000
        assert call.state is CallState.RINGING

    play(story, **ON)


def test_a_bye_of_the_called_end_in_an_early_dialog_ends_the_call() -> None:
    """It has answered: no 200 came through, and no ACK within 64*T1 (section 13.3.1.4)."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        on.far.send(on.from_far("BYE", invite))
        await on.far.response(200, "BYE")
        assert await call.settled() is CallResult.FAILED
        assert "the far end hung up" in call.reason
        await on.far.heard("CANCEL")
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("BYE"), 481)
        await call.over()

    play(story)


def test_a_bye_of_one_fork_leaves_the_others() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        for tag in ("far-tag", "other"):
            on.far.answer(invite, 180, tag=tag)
        await on.rest()
        on.far.send(on.from_far("BYE", invite))
        await on.far.response(200, "BYE")
        assert call.state is CallState.RINGING
        on.far.answer(invite, 200, tag="other", body=offer())
        assert (await on.far.heard("ACK")).to_tag == "other"

    play(story)


def test_early_dialogs_end_with_their_invite() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        on.far.answer(invite, 302, extra=[("Contact", "<sip:1003@192.168.1.13>")])
        await on.far.heard("ACK")
        again = await on.far.heard("INVITE")
        on.far.send(on.from_far("UPDATE", invite))
        await on.far.response(481, "UPDATE")
        on.far.answer(again, 486)
        await on.far.heard("ACK")
        await call.over()
        assert len(on.phone.dialogs) == 0

    play(story)


def test_forks_without_end_are_not_all_followed() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        for number in range(100):
            on.far.answer(invite, 180, tag=f"tag{number}")
        await on.rest()
        assert len(on.phone.dialogs) == 20
        on.far.answer(invite, 200, tag="tag99", body=offer())
        assert (await on.far.heard("ACK")).to_tag == "tag99"
        assert call.state is CallState.TALKING
        assert len(on.phone.dialogs) == 1

    play(story)


# -- the called end ------------------------------------------------------------------------------------------


def test_the_caller_updates_before_the_answer() -> None:
    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing()
        own, phone = invite.headers.get("From") or "", ringing.headers.get("To") or ""
        update = on.far.inside("UPDATE", invite.call_id, own, phone, 2)
        update.headers.set("Contact", "<sip:moved@192.168.1.13>")
        on.far.send(update)
        await on.far.response(200, "UPDATE")
        on.far.send(on.far.inside("UPDATE", invite.call_id, own, phone, 3, body=offer()))
        response = await on.far.response(500, "UPDATE")
        assert 0 <= int(response.headers.get("Retry-After") or -1) <= 10
        call.answer()
        taken = await on.far.response(200, "INVITE")
        on.far.send(on.far.ack(invite, taken))
        await on.rest()
        ending = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        assert bye.uri == "sip:moved@192.168.1.13"
        on.far.answer(bye, 200)
        await ending

    play(story)


def test_the_caller_updates_after_a_late_offer_is_answered() -> None:
    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing(body=b"", extra=[("Supported", "100rel")])
        own, phone = invite.headers.get("From") or "", ringing.headers.get("To") or ""
        on.far.send(on.far.inside("UPDATE", invite.call_id, own, phone, 2, body=offer()))
        await on.far.response(491, "UPDATE")
        prack = on.far.inside("PRACK", invite.call_id, own, phone, 3, body=offer())
        prack.headers.add("RAck", f"{ringing.headers.get('RSeq')} 1 INVITE")
        on.far.send(prack)
        await on.far.response(200, "PRACK")
        on.far.send(on.far.inside("UPDATE", invite.call_id, own, phone, 4, body=sound(6000)))
        response = await on.far.response(200, "UPDATE")
        assert lines(response.body, "m=") != []
        call.answer()
        on.far.send(on.far.ack(invite, await on.far.response(200, "INVITE")))
        await on.rest()
        assert heard_from(call) == 6000

    play(story, **ON)
