"""SIPp registers the phone and calls it on the same connection, over UDP, TCP and TLS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from phone_emulator.events import CallChanged, CallState
from phone_emulator.phone import IncomingCall
from tests.integration.harness.far_end import REPEATS_SOON, TRANSPORTS, Peers, Transport
from tests.integration.harness.script import (
    ack_refusal,
    cancel,
    hear,
    invite,
    reply,
    say,
    sdp,
)

pytestmark = pytest.mark.integration
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)

RINGING = [invite(sdp()), hear(180, dialog=True)]
UP = [*RINGING, hear(200, dialog=True), say("ACK", 1)]
"""The call is answered."""
PEER_HANGS_UP = [say("BYE", 9), hear(200)]
PHONE_HANGS_UP = [hear("BYE"), reply(200)]


async def answer_it(call: IncomingCall) -> None:
    """Answer as soon as it rings."""
    assert call.state is CallState.RINGING
    call.answer()


def answer_after(peers: Peers, moment: str, times: int = 1) -> Callable[[IncomingCall], Awaitable[None]]:
    """Let it ring until *moment* stands in the phone's ladder so many times."""

    async def act(call: IncomingCall) -> None:
        await peers.came(moment, times)
        call.answer()

    return act


async def answer_and_hang_up(call: IncomingCall) -> None:
    """Answer, and hang up at once: the BYE waits for the ACK."""
    call.answer()
    await call.hang_up()


def answered(call: IncomingCall) -> None:
    """The call was answered here and is over."""
    assert (call.result, call.status, call.state, call.remote) == ("answered", 200, "ended", "1002")


def states(peers: Peers) -> list[CallState]:
    """What the call went through, as the phone told it."""
    return [event.state for event in peers.live.told(CallChanged)]


# -- up and down ---------------------------------------------------------------------------------------------


@every_transport
def test_the_caller_hangs_up(transport: Transport, peers: Peers) -> None:
    answered(peers.take(transport, [*UP, *PEER_HANGS_UP], answer_it))
    assert states(peers) == ["ringing", "talking", "ended"]


@every_transport
def test_the_phone_hangs_up(transport: Transport, peers: Peers) -> None:
    answered(peers.take(transport, [*UP, *PHONE_HANGS_UP], answer_and_hang_up))
    assert states(peers) == ["ringing", "talking", "ending", "ended"]


@every_transport
def test_the_phone_refuses(transport: Transport, peers: Peers) -> None:
    async def act(call: IncomingCall) -> None:
        call.reject()

    call = peers.take(transport, [*RINGING, hear(486), ack_refusal()], act, REPEATS_SOON)
    assert (call.result, call.status) == ("rejected", 486)


@every_transport
def test_a_call_for_another_user_does_not_ring(transport: Transport, peers: Peers) -> None:
    """404, and nothing rings; the call after it does."""
    uri = "sip:1009@127.0.0.1"
    stranger = [invite(sdp(), branch="stranger", uri=uri), hear(404), ack_refusal(branch="stranger", uri=uri)]
    second = [invite(sdp(), cseq=2), *UP[1:-1], say("ACK", 2)]
    answered(peers.take(transport, [*stranger, *second, *PEER_HANGS_UP], answer_it))


@every_transport
def test_both_hang_up_at_once(transport: Transport, peers: Peers) -> None:
    crossing = [hear("BYE", keep="bye"), say("BYE", 9), hear(200), reply(200, kept="bye")]
    answered(peers.take(transport, [*UP, *crossing], answer_and_hang_up))


# -- what is lost or comes twice -----------------------------------------------------------------------------


@every_transport
def test_the_answer_is_repeated_until_its_ack_comes(transport: Transport, peers: Peers) -> None:
    """Over TCP and TLS too: a 2xx is repeated end to end (RFC 3261 section 13.3.1.4)."""
    lost = [*RINGING, hear(200, dialog=True), hear(200), hear(200), say("ACK", 1)]
    answered(peers.take(transport, [*lost, *PEER_HANGS_UP], answer_it, REPEATS_SOON))
    assert peers.ladder.count("> 200") == 5, "three to the INVITE, one to the BYE, one to the OPTIONS"


def test_an_invite_that_comes_twice_rings_once(peers: Peers) -> None:
    again = invite(sdp())
    answered(
        peers.take(
            "udp",
            [*RINGING, again, hear(180), hear(200, dialog=True), say("ACK", 1), *PEER_HANGS_UP],
            answer_after(peers, "> 180", 2),
        )
    )
    assert states(peers) == ["ringing", "talking", "ended"]


def test_an_invite_that_comes_again_after_the_answer_is_no_new_call(peers: Peers) -> None:
    """The 200 was lost: the phone's own clock repeats it, the INVITE draws nothing new."""
    late = [*RINGING, hear(200, dialog=True), invite(sdp()), hear(200), say("ACK", 1)]
    answered(peers.take("udp", [*late, *PEER_HANGS_UP], answer_it, REPEATS_SOON))
    assert states(peers) == ["ringing", "talking", "ended"]


def test_a_bye_that_comes_twice_is_answered_twice(peers: Peers) -> None:
    answered(peers.take("udp", [*UP, *PEER_HANGS_UP, *PEER_HANGS_UP], answer_it))


def test_a_bye_that_nobody_hears_is_repeated(peers: Peers) -> None:
    answered(peers.take("udp", [*UP, hear("BYE"), *PHONE_HANGS_UP], answer_and_hang_up, REPEATS_SOON))


def test_a_refusal_is_repeated_until_its_ack_comes(peers: Peers) -> None:
    async def act(call: IncomingCall) -> None:
        call.reject()

    call = peers.take("udp", [*RINGING, hear(486), hear(486), ack_refusal()], act, REPEATS_SOON)
    assert (call.result, call.status) == ("rejected", 486)


@every_transport
def test_an_invite_that_comes_on_two_ways_rings_once(transport: Transport, peers: Peers) -> None:
    """The second one is merged: 482 (RFC 3261 section 8.2.2.2)."""
    merged = [*RINGING, invite(sdp(), branch="other"), hear(482), ack_refusal(branch="other")]
    rest = [hear(200, dialog=True), say("ACK", 1), *PEER_HANGS_UP]
    answered(peers.take(transport, [*merged, *rest], answer_after(peers, "> 482")))


# -- CANCEL --------------------------------------------------------------------------------------------------


@every_transport
def test_the_caller_cancels(transport: Transport, peers: Peers) -> None:
    call = peers.take(transport, [*RINGING, cancel(), hear(200, CSeq="1 CANCEL"), hear(487), ack_refusal()])
    assert (call.result, call.status) == ("cancelled", 487)
    assert states(peers) == ["ringing", "ended"]


@every_transport
def test_cancel_comes_after_the_answer(transport: Transport, peers: Peers) -> None:
    """It is answered and changes nothing (RFC 3261 section 9.2); the caller ends the call with a BYE."""
    crossing = [hear(200, dialog=True), cancel(), hear(200, CSeq="1 CANCEL"), say("ACK", 1)]
    answered(peers.take(transport, [*RINGING, *crossing, *PEER_HANGS_UP], answer_it))


def test_a_cancel_that_comes_twice(peers: Peers) -> None:
    first = [*RINGING, cancel(), hear(200, CSeq="1 CANCEL"), hear(487)]
    again = [cancel(), hear(200, CSeq="1 CANCEL"), ack_refusal()]
    call = peers.take("udp", [*first, *again])
    assert (call.result, call.status) == ("cancelled", 487)


@every_transport
def test_a_cancel_for_nothing(transport: Transport, peers: Peers) -> None:
    """No such INVITE: 481."""
    answered(peers.take(transport, [cancel(7, branch="nothing"), hear(481), *UP, *PEER_HANGS_UP], answer_it))


@every_transport
def test_the_caller_hangs_up_while_it_rings(transport: Transport, peers: Peers) -> None:
    """BYE in the early dialog: 200 to it, 487 to the INVITE (RFC 3261 section 15.1.2)."""
    early = [*RINGING, say("BYE", 2), hear(200, CSeq="2 BYE"), hear(487)]
    call = peers.take(transport, [*early, ack_refusal()])
    assert (call.result, call.status) == ("cancelled", 487)


# -- hold and resume -----------------------------------------------------------------------------------------


@every_transport
def test_the_caller_holds_and_resumes(transport: Transport, peers: Peers) -> None:
    held = [say("INVITE", 2, sdp("sendonly", 2)), hear(200, body="a=recvonly"), say("ACK", 2)]
    back = [say("INVITE", 3, sdp("sendrecv", 3)), hear(200, body="a=sendrecv"), say("ACK", 3)]
    answered(peers.take(transport, [*UP, *held, *back, *PEER_HANGS_UP], answer_it))


@every_transport
def test_the_phone_holds_and_resumes(transport: Transport, peers: Peers) -> None:
    held = [hear("INVITE", body="a=sendonly"), reply(200, sdp("recvonly", 2)), hear("ACK")]
    back = [hear("INVITE", body="a=sendrecv"), reply(200, sdp("sendrecv", 3)), hear("ACK")]

    async def act(call: IncomingCall) -> None:
        call.answer()
        await call.hold()
        await call.resume()
        await call.hang_up()

    answered(peers.take(transport, [*UP, *held, *back, *PHONE_HANGS_UP], act))
    assert states(peers) == ["ringing", "talking", "held", "talking", "ending", "ended"]


@every_transport
def test_both_change_the_session_at_once(transport: Transport, peers: Peers) -> None:
    """491 both ways; the caller made the Call-ID, so the phone comes again within 2 s (section 14.1)."""
    theirs = [hear("INVITE", keep="hold"), say("INVITE", 2, sdp("sendonly", 2)), hear(491)]
    refused = [say("ACK", 2, branch="INVITE2"), reply(491, kept="hold"), hear("ACK")]
    again = [hear("INVITE", body="a=sendonly"), reply(200, sdp("recvonly", 2)), hear("ACK")]

    async def act(call: IncomingCall) -> None:
        call.answer()
        await call.hold()
        await call.hang_up()

    answered(peers.take(transport, [*UP, *theirs, *refused, *again, *PHONE_HANGS_UP], act))


@every_transport
def test_the_caller_changes_the_session_while_the_phone_holds(transport: Transport, peers: Peers) -> None:
    """It stays held: the phone answers sendonly."""
    held = [hear("INVITE", body="a=sendonly"), reply(200, sdp("recvonly", 2)), hear("ACK")]
    changed = [say("INVITE", 2, sdp("sendrecv", 3)), hear(200, body="a=sendonly"), say("ACK", 2)]

    async def act(call: IncomingCall) -> None:
        call.answer()
        await call.hold()

    answered(peers.take(transport, [*UP, *held, *changed, *PEER_HANGS_UP], act))


# -- offers --------------------------------------------------------------------------------------------------


@every_transport
def test_an_invite_without_an_offer(transport: Transport, peers: Peers) -> None:
    """The phone offers in its 200, the answer is in the ACK."""
    late = [invite(), hear(180, dialog=True), hear(200, dialog=True, body="m=audio [0-9]+ RTP/AVP 9 0 8 101")]
    answered(peers.take(transport, [*late, say("ACK", 1, sdp()), *PEER_HANGS_UP], answer_it))


@every_transport
def test_an_offer_without_a_common_codec(transport: Transport, peers: Peers) -> None:
    call = peers.take(transport, [invite(sdp(codec="96 NOBODY")), hear(488), ack_refusal()])
    assert (call.result, call.status) == ("rejected", 488)


@every_transport
def test_an_invite_that_requires_what_nobody_knows(transport: Transport, peers: Peers) -> None:
    headers = ["Require: telepathy"]
    strange = [
        invite(sdp(), branch="strange", headers=headers),
        hear(420, Unsupported="telepathy"),
        ack_refusal(branch="strange"),
    ]
    answered(
        peers.take(
            transport, [*strange, invite(sdp(), cseq=2), *UP[1:-1], say("ACK", 2), *PEER_HANGS_UP], answer_it
        )
    )
