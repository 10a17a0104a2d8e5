"""The phone calls SIPp, which does what few peers do and every phone must bear, over UDP, TCP and TLS."""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from phone_emulator.events import CallChanged, CallState, Outcome
from phone_emulator.media import g711
from phone_emulator.phone import Call, CallError
from tests.integration.harness.far_end import REPEATS_SOON, TRANSPORTS, Peers, Transport
from tests.integration.harness.live import outcomes
from tests.integration.harness.net import Net
from tests.integration.harness.script import (
    RTP_STREAM,
    answer,
    hear,
    hear_first,
    is_fork,
    pause,
    play,
    reply,
    say,
    sdp,
)
from tests.patience import until

pytestmark = pytest.mark.integration
Act = Callable[[Call], Awaitable[None]]
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)

UP = [hear_first(), answer(100), answer(180), answer(200, sdp()), hear("ACK")]
"""The call is answered."""
PHONE_HANGS_UP = [hear("BYE"), reply(200)]
PEER_HANGS_UP = [say("BYE", 9), hear(200)]


async def talking(call: Call) -> None:
    """Wait for the answer."""
    assert await call.settled() == "answered", call.reason


async def hang_up(call: Call) -> None:
    """Wait for the answer, and hang up."""
    await talking(call)
    await call.hang_up()


def hang_up_at(peers: Peers, moment: str, times: int = 1) -> Act:
    """Hang up as soon as *moment* stands in the phone's ladder so many times."""

    async def act(call: Call) -> None:
        await peers.came(moment, times)
        await call.hang_up()

    return act


def states(peers: Peers) -> list[CallState]:
    """What the call went through, as the phone told it."""
    return [event.state for event in peers.live.told(CallChanged)]


def answered(call: Call) -> None:
    """The call was answered by the far end, at the first attempt, and is over. rule C1"""
    assert (call.result, call.status, call.via) == ("answered", 200, "primary")
    assert [attempt.outcome for attempt in call.route] == [Outcome.ANSWERED]
    assert call.state is CallState.ENDED


# -- up and down ---------------------------------------------------------------------------------------------


@every_transport
def test_the_phone_hangs_up(transport: Transport, peers: Peers) -> None:
    call = peers.place(transport, [*UP, *PHONE_HANGS_UP], hang_up)
    answered(call)
    assert str(call.route[0].target.transport) == transport
    assert states(peers) == ["calling", "ringing", "talking", "ending", "ended"]


@every_transport
def test_the_peer_hangs_up(transport: Transport, peers: Peers) -> None:
    call = peers.place(transport, [*UP, *PEER_HANGS_UP], talking)
    answered(call)
    assert states(peers) == ["calling", "ringing", "talking", "ended"]


@every_transport
def test_both_hang_up_at_once(transport: Transport, peers: Peers) -> None:
    crossing = [hear("BYE", keep="bye"), say("BYE", 9), hear(200), reply(200, kept="bye")]
    answered(peers.place(transport, [*UP, *crossing], hang_up))


@every_transport
@pytest.mark.parametrize("status", [404, 486, 500, 603])
def test_the_peer_refuses(status: int, transport: Transport, peers: Peers) -> None:
    call = peers.place(transport, [hear_first(), answer(180), answer(status), hear("ACK", To="tag=a")])
    assert (call.result, call.status, call.via) == ("rejected", status, None)
    assert [attempt.outcome for attempt in call.route] == [Outcome.REJECTED]  # rule C3


# -- what is lost or comes twice -----------------------------------------------------------------------------


@every_transport
def test_a_lost_ack_is_sent_again(transport: Transport, peers: Peers) -> None:
    again = [answer(200, sdp()), hear("ACK", CSeq="1 ACK", To="tag=a")]
    answered(peers.place(transport, [*UP, *again, *again, *PHONE_HANGS_UP], hang_up_at(peers, "> ACK", 3)))
    assert peers.ladder.count("> ACK") == 3


def test_a_refusal_that_is_repeated_is_acknowledged_again(peers: Peers) -> None:
    refusal = [answer(486), hear("ACK", To="tag=a")]
    call = peers.place("udp", [hear_first(), *refusal, *refusal])
    assert (call.result, call.status) == ("rejected", 486)


def test_an_invite_that_nobody_hears_is_repeated(peers: Peers) -> None:
    """The first one is lost; the answer is to the second."""
    lost_first = [hear_first(), hear("INVITE"), answer(180), answer(200, sdp()), hear("ACK")]
    call = peers.place("udp", [*lost_first, *PHONE_HANGS_UP], hang_up, REPEATS_SOON)
    answered(call)
    assert call.route[0].sent == 2


def test_a_bye_that_comes_twice_is_answered_twice(peers: Peers) -> None:
    twice = [say("BYE", 9), hear(200), say("BYE", 9), hear(200)]
    answered(peers.place("udp", [*UP, *twice], talking))


def test_a_bye_that_nobody_hears_is_repeated(peers: Peers) -> None:
    answered(peers.place("udp", [*UP, hear("BYE"), *PHONE_HANGS_UP], hang_up, REPEATS_SOON))


# -- CANCEL at every moment ----------------------------------------------------------------------------------

CANCELLED = [hear("CANCEL"), reply(200, tag="a"), answer(487), hear("ACK", To="tag=a")]


@every_transport
def test_cancel_waits_for_the_first_answer(transport: Transport, peers: Peers) -> None:
    silent_first = [hear_first(), pause(200), answer(100), *CANCELLED]
    call = peers.place(transport, silent_first, hang_up_at(peers, "> INVITE"))
    assert call.result == "cancelled"
    assert [attempt.outcome for attempt in call.route] == [Outcome.CANCELLED]
    assert peers.ladder[:3] == ["> INVITE", "< 100", "> CANCEL"]  # rule C9


@every_transport
@pytest.mark.parametrize("progress", [100, 180, 183])
def test_cancel_after_progress(progress: int, transport: Transport, peers: Peers) -> None:
    call = peers.place(
        transport, [hear_first(), answer(progress), *CANCELLED], hang_up_at(peers, f"< {progress}")
    )
    assert (call.result, call.state) == ("cancelled", "ended")
    assert peers.ladder == ["> INVITE", f"< {progress}", "> CANCEL", "< 200", "< 487", "> ACK"]


@every_transport
@pytest.mark.parametrize("verdict", [200, 481])
def test_cancel_and_the_answer_cross(verdict: int, transport: Transport, peers: Peers) -> None:
    """The call is up although it was cancelled: it is acknowledged and ended (RFC 3261 section 9.1)."""
    crossing = [hear("CANCEL"), reply(verdict, tag="a"), answer(200, sdp())]
    ended = [hear("ACK", To="tag=a"), hear("BYE", To="tag=a"), reply(200)]
    call = peers.place(transport, [hear_first(), answer(180), *crossing, *ended], hang_up_at(peers, "< 180"))
    assert (call.result, call.state) == ("cancelled", "ended")
    assert [attempt.outcome for attempt in call.route] == [Outcome.CANCELLED]


@every_transport
def test_a_cancelled_invite_may_be_refused_otherwise(transport: Transport, peers: Peers) -> None:
    """Busy and CANCEL cross: any final answer ends it."""
    crossing = [hear("CANCEL"), answer(486), hear("ACK", To="tag=a")]
    call = peers.place(transport, [hear_first(), answer(180), *crossing], hang_up_at(peers, "< 180"))
    assert call.result == "cancelled"


# -- forks ---------------------------------------------------------------------------------------------------


@every_transport
def test_two_answers_of_a_fork(transport: Transport, peers: Peers) -> None:
    """The first one is the call, the other is acknowledged and ended (RFC 3261 section 13.2.2.4)."""
    ringing = [hear_first(), answer(180, tag="a"), answer(180, tag="b")]
    first = [answer(200, sdp(), tag="a"), hear("ACK", To="tag=a")]
    second = [answer(200, sdp(), tag="b"), hear("ACK", To="tag=b"), hear("BYE", To="tag=b"), reply(200)]
    end = [hear("BYE", To="tag=a"), reply(200)]
    # SIPp hears nothing of the first dialog while it has to answer in the second: the third 200 ends that.
    story = [*ringing, *first, *second, *end]
    answered(peers.place(transport, story, hang_up_at(peers, "< 200", 3)))


@every_transport
def test_the_answer_has_another_tag_than_the_ringing(transport: Transport, peers: Peers) -> None:
    ringing = [hear_first(), answer(180, tag="a"), answer(183, tag="b"), answer(180, tag="c")]
    up = [answer(200, sdp(), tag="d"), hear("ACK", To="tag=d")]
    down = [hear("BYE", To="tag=d"), reply(200)]
    answered(peers.place(transport, [*ringing, *up, *down], hang_up))


@every_transport
def test_the_peer_hangs_up_in_the_dialog_of_the_answer(transport: Transport, peers: Peers) -> None:
    """The dialog of the branch that only rang is none any more: 481."""
    up = [hear_first(), answer(180, tag="a"), answer(200, sdp(), tag="b"), hear("ACK", To="tag=b")]
    stranger = [is_fork("a"), say("BYE", 1, branch="stranger"), hear(481)]
    answered(peers.place(transport, [*up, *stranger, is_fork("b"), *PEER_HANGS_UP], talking))


# -- early media ---------------------------------------------------------------------------------------------

TONE = 500


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """A file that SIPp plays: one second of a tone in G.711 mu-law."""
    samples = array("h", (round(8000 * math.sin(2 * math.pi * TONE * n / 8000)) for n in range(8000)))
    file = tmp_path / "tone.raw"
    file.write_bytes(g711.PCMU.encode(samples))
    return file


@every_transport
@pytest.mark.parametrize("progress", [180, 183])
def test_early_media_is_heard(progress: int, transport: Transport, peers: Peers, tone: Path) -> None:
    """A 1xx with a description: the far end is heard before it answers."""
    sounding = [answer(progress, sdp(port=RTP_STREAM)), play(tone), pause(3000)]

    async def act(call: Call) -> None:
        await peers.came(f"< {progress}")
        audio = call.voice.audio
        assert audio is not None
        audio.record(2.0)
        await until(lambda: len(audio.recording.samples) >= 800, "sound")
        assert call.state is CallState.RINGING
        assert crossings(audio.recording.samples[:800]) == pytest.approx(2 * TONE * 0.1, abs=3)
        await hang_up(call)

    up = [answer(200, sdp(port=RTP_STREAM)), hear("ACK")]
    answered(peers.place(transport, [hear_first(), *sounding, *up, *PHONE_HANGS_UP], act))


def crossings(samples: array[int]) -> int:
    """How often the sound crosses zero: twice a period of a tone."""
    return sum((one < 0) != (other < 0) for one, other in itertools.pairwise(samples))


# -- hold and resume -----------------------------------------------------------------------------------------


@every_transport
def test_the_phone_holds_and_resumes(transport: Transport, peers: Peers) -> None:
    held = [hear("INVITE", CSeq="2 INVITE", body="a=sendonly"), reply(200, sdp("recvonly", 2)), hear("ACK")]
    back = [hear("INVITE", CSeq="3 INVITE", body="a=sendrecv"), reply(200, sdp("sendrecv", 3)), hear("ACK")]

    async def act(call: Call) -> None:
        await talking(call)
        await call.hold()
        await call.resume()
        await call.hang_up()

    answered(peers.place(transport, [*UP, *held, *back, *PHONE_HANGS_UP], act))
    assert states(peers) == ["calling", "ringing", "talking", "held", "talking", "ending", "ended"]


@every_transport
def test_the_peer_holds_and_resumes(transport: Transport, peers: Peers) -> None:
    held = [say("INVITE", 1, sdp("sendonly", 2)), hear(200, body="a=recvonly"), say("ACK", 1)]
    dead = [say("INVITE", 2, sdp("inactive", 3)), hear(200, body="a=inactive"), say("ACK", 2)]
    back = [say("INVITE", 3, sdp("sendrecv", 4)), hear(200, body="a=sendrecv"), say("ACK", 3)]
    answered(peers.place(transport, [*UP, *held, *dead, *back, *PEER_HANGS_UP], talking))


@every_transport
def test_a_hold_that_is_refused_leaves_the_call_up(transport: Transport, peers: Peers) -> None:
    refused = [hear("INVITE", body="a=sendonly"), reply(488), hear("ACK")]

    async def act(call: Call) -> None:
        await talking(call)
        with pytest.raises(CallError, match="488"):
            await call.hold()
        assert call.state is CallState.TALKING
        await call.hang_up()

    answered(peers.place(transport, [*UP, *refused, *PHONE_HANGS_UP], act))


@every_transport
def test_the_peer_has_lost_the_call(transport: Transport, peers: Peers) -> None:
    """A 481 to the re-INVITE ends the call with a BYE (RFC 3261 section 12.2.1.2)."""
    lost = [hear("INVITE", body="a=sendonly"), reply(481), hear("ACK"), hear("BYE"), reply(481)]

    async def act(call: Call) -> None:
        await talking(call)
        with pytest.raises(CallError, match="481"):
            await call.hold()

    answered(peers.place(transport, [*UP, *lost], act))


def test_both_change_the_session_at_once(peers: Peers) -> None:
    """491 both ways; the phone made the Call-ID, so it comes again 2.1 to 4 s later (section 14.1)."""
    theirs = [hear("INVITE", keep="hold"), say("INVITE", 1, sdp("sendonly", 2)), hear(491)]
    refused = [say("ACK", 1, branch="INVITE1"), reply(491, kept="hold"), hear("ACK")]
    again = [hear("INVITE", body="a=sendonly"), reply(200, sdp("recvonly", 2)), hear("ACK")]

    async def act(call: Call) -> None:
        await talking(call)
        await call.hold()
        await call.hang_up()

    answered(peers.place("udp", [*UP, *theirs, *refused, *again, *PHONE_HANGS_UP], act))
    assert states(peers) == ["calling", "ringing", "talking", "held", "ending", "ended"]


@every_transport
def test_the_peer_changes_the_session_without_an_offer(transport: Transport, peers: Peers) -> None:
    """The phone offers in its 200, the answer is in the ACK."""
    late = [say("INVITE", 1), hear(200, body="m=audio [0-9]+ RTP/AVP"), say("ACK", 1, sdp(version=2))]
    answered(peers.place(transport, [*UP, *late, *PEER_HANGS_UP], talking))


@every_transport
def test_a_new_session_without_a_common_codec_is_refused(transport: Transport, peers: Peers) -> None:
    foreign = sdp(version=2, codec="96 NOBODY")
    refused = [say("INVITE", 1, foreign), hear(488), say("ACK", 1, branch="INVITE1")]
    answered(peers.place(transport, [*UP, *refused, *PEER_HANGS_UP], talking))


# -- other requests in the dialog ----------------------------------------------------------------------------


@every_transport
def test_other_requests_in_the_dialog(transport: Transport, peers: Peers) -> None:
    asked = [
        step
        for n, method in enumerate(("OPTIONS", "INFO", "UPDATE"), 1)
        for step in (say(method, n), hear(200))
    ]
    unknown = [say("DANCE", 4), hear(501)]
    answered(peers.place(transport, [*UP, *asked, *unknown, *PEER_HANGS_UP], talking))


@every_transport
def test_a_request_that_is_older_than_the_last_is_refused(transport: Transport, peers: Peers) -> None:
    """RFC 3261 section 12.2.2."""
    old = [say("INFO", 5), hear(200), say("BYE", 4), hear(500)]
    answered(peers.place(transport, [*UP, *old, *PEER_HANGS_UP], talking))


@every_transport
def test_digits_by_info(transport: Transport, peers: Peers) -> None:
    info = [hear("INFO", Content_Type="application/dtmf-relay", body="Signal= ?5"), reply(200)]

    async def act(call: Call) -> None:
        await talking(call)
        await call.send_dtmf("5")
        await call.hang_up()

    answered(peers.place(transport, [*UP, *info, *PHONE_HANGS_UP], act, {"account.1.dtmf.type": "2"}))


# -- too late ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nsd")
@pytest.mark.parametrize("status", [200, 486])
def test_an_answer_of_a_server_that_was_given_up(status: int, peers: Peers, net: Net) -> None:
    """The primary answers when the secondary has the call already: ACK, and BYE to a 2xx. rule C8"""
    silent = [hear_first(), hear("INVITE"), pause(5000)]  # given up 1.5 s after the first one. rule C5
    late = [answer(status, sdp() if status == 200 else ""), hear("ACK", To="tag=a")]
    bye = [hear("BYE", To="tag=a"), reply(200)] if status == 200 else []
    primary = peers.start("udp", [*silent, *late, *bye], name="primary")
    peers.start("udp", [*UP, *PHONE_HANGS_UP], address=net.secondary, name="secondary")
    calls: list[Call] = []

    async def story() -> None:
        calls.append(peers.live.phone.dial("1002"))
        await talking(calls[0])
        await until(lambda: not primary.running, "the late answer to be done with")
        assert calls[0].state is CallState.TALKING
        await calls[0].hang_up()

    peers.live.play(story, {"account.1.sip_server.1.invite_retry_counts": "1", "sip.timer_t1": "0.5"})
    peers.content()
    assert outcomes(calls[0].route) == [("primary", "no-response"), ("secondary", "answered")]


# -- elsewhere -----------------------------------------------------------------------------------------------


@every_transport
def test_a_redirect_is_followed_at_the_same_server(transport: Transport, peers: Peers) -> None:
    moved = [
        hear_first(),
        answer(302, headers=["Contact: <sip:1003@@VIA@>"]),
        hear("ACK", line="ACK sip:1002@"),
    ]
    there = [hear_first(line="INVITE sip:1003@", CSeq="2 INVITE"), answer(200, sdp()), hear("ACK")]
    call = peers.place(transport, [*moved, *there, *PHONE_HANGS_UP], hang_up)
    assert (call.result, len(call.route), call.route[0].sent) == ("answered", 1, 2)  # rule C3
