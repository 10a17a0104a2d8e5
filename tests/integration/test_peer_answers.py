"""What peers answer, and whether sound and digits can flow then: RTP is counted by its number."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import pytest

from phone_emulator.events import CallChanged, CallState, Outcome
from phone_emulator.phone import Call, CallError, IncomingCall
from tests.integration.harness.baresip import Account, Baresip
from tests.integration.harness.far_end import TRANSPORTS, Peers, Transport, only_server
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.script import (
    Step,
    ack_refusal,
    answer,
    hear,
    hear_first,
    invite,
    reply,
    say,
    sdp,
)
from tests.integration.harness.stage import Stage
from tests.patience import until

pytestmark = pytest.mark.integration
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)

EVENTS = "a=rtpmap:101 telephone-event/8000"
NOTHING = "a session description without a common codec: 18 (G.729)"
G729 = sdp(codec="18 G729")
PHONE_HANGS_UP = [hear("BYE"), reply(200)]


class Ear:
    """A port for RTP at the far end's address."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.setblocking(False)
        self.port = str(self._socket.getsockname()[1])
        self._heard: Counter[int] = Counter()

    @property
    def heard(self) -> Counter[int]:
        """The packets that have come, by payload type."""
        try:
            while True:
                self._heard[self._socket.recv(2048)[1] & 0x7F] += 1
        except BlockingIOError:
            return self._heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def ear(net: Net) -> Iterator[Ear]:
    """Where the far end says that it listens."""
    ear = Ear(net.primary)
    yield ear
    ear.close()


def up(body: str) -> list[Step]:
    """The call is answered so."""
    return [hear_first(), answer(180), answer(200, body), hear("ACK")]


def came_to_nothing(peers: Peers, call: Call, why: str) -> None:
    """The server has answered, and the call has failed without having been up."""
    assert [attempt.outcome for attempt in call.route] == [Outcome.ANSWERED]
    assert f"with {why}" in call.route[-1].detail
    assert (call.result, call.via, call.state) == ("failed", None, CallState.ENDED)
    assert call.reason.startswith(f"answered with {why}")
    assert "talking" not in [event.state for event in peers.live.told(CallChanged)]


# -- calling -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("formats", "spoken"), [("101 0", 0), ("3 0 101", 0), ("4 8 0", 8)])
def test_the_first_common_format_is_spoken(formats: str, spoken: int, peers: Peers, ear: Ear) -> None:
    async def act(call: Call) -> None:
        assert await call.settled() == "answered"
        await until(lambda: ear.heard[spoken] >= 10, "sound")
        await call.hang_up()

    body = sdp(port=ear.port, formats=formats, more=[EVENTS])
    call = peers.place("udp", [*up(body), *PHONE_HANGS_UP], act)
    assert (call.result, call.via) == ("answered", "primary")
    assert set(ear.heard) == {spoken}


@every_transport
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (G729, NOTHING),
        (sdp(formats="101", more=[EVENTS]), "a session description without a common codec: 101 (telephone"),
        (sdp(formats="97"), "a session description without a common codec: 97"),
        (sdp(port="0"), "a session description that has no audio"),
        ("", "no session description"),
    ],
    ids=["G.729", "events", "unknown", "port 0", "none"],
)
def test_an_answer_with_nothing_common_ends_the_call(
    body: str, why: str, transport: Transport, peers: Peers
) -> None:
    call = peers.place(transport, [*up(body), *PHONE_HANGS_UP])
    came_to_nothing(peers, call, why)


def test_early_media_with_nothing_common_is_passed_over(peers: Peers, ear: Ear) -> None:
    async def act(call: Call) -> None:
        assert await call.settled() == "answered"
        await until(lambda: ear.heard[0] >= 5, "sound")
        await call.hang_up()

    steps = [hear_first(), answer(183, G729), answer(200, sdp(port=ear.port)), hear("ACK"), *PHONE_HANGS_UP]
    assert peers.place("udp", steps, act).via == "primary"


def test_a_reliable_answer_with_nothing_common_ends_the_call(peers: Peers) -> None:
    """What comes behind it is passed over (RFC 3261 section 13.2.1)."""
    early = [answer(183, G729, headers=["Require: 100rel", "RSeq: 1"]), hear("PRACK"), reply(200)]
    steps = [hear_first(), *early, answer(200, sdp()), hear("ACK"), *PHONE_HANGS_UP]
    came_to_nothing(peers, peers.place("udp", steps), NOTHING)


def test_a_hold_that_is_answered_with_nothing_common_is_one(peers: Peers, ear: Ear) -> None:
    """Nothing is sent, and the call can be taken back."""
    held = [hear("INVITE", CSeq="2 INVITE", body="a=sendonly"), reply(200, G729), hear("ACK")]
    back = [
        hear("INVITE", CSeq="3 INVITE", body="a=sendrecv"),
        reply(200, sdp("sendrecv", 3, ear.port)),
        hear("ACK"),
    ]

    async def act(call: Call) -> None:
        assert await call.settled() == "answered"
        await call.hold()
        assert call.state is CallState.HELD
        before = ear.heard.total()
        await call.resume()
        await until(lambda: ear.heard.total() > before, "sound")
        await call.hang_up()

    body = sdp(port=ear.port)
    peers.place("udp", [*up(body), *held, *back, *PHONE_HANGS_UP], act)


# -- being called --------------------------------------------------------------------------------------------


@every_transport
def test_an_ack_with_nothing_common_ends_the_call(transport: Transport, peers: Peers) -> None:
    async def act(call: IncomingCall) -> None:
        call.answer()

    late = [invite(), hear(180, dialog=True), hear(200, dialog=True, body="m=audio"), say("ACK", 1, G729)]
    call = peers.take(transport, [*late, *PHONE_HANGS_UP], act)
    assert call.result == "failed"
    assert call.reason.startswith(f"the ACK answers this phone's offer with {NOTHING}")


@every_transport
def test_a_refused_offer_says_why(transport: Transport, peers: Peers) -> None:
    """RFC 3261 section 13.3.1.3."""
    refused = hear(488, Warning="305 [^ ]* .no common codec: G.729 cannot be spoken here")
    call = peers.take(transport, [invite(G729), refused, ack_refusal()])
    assert call.status == 488


@every_transport
def test_the_answer_says_what_is_supported(transport: Transport, peers: Peers) -> None:
    async def act(call: IncomingCall) -> None:
        call.answer()

    taken = [invite(sdp()), hear(180, dialog=True), hear(200, dialog=True, Supported="replaces")]
    peers.take(transport, [*taken, say("ACK", 1), say("BYE", 9), hear(200)], act)


# -- digits --------------------------------------------------------------------------------------------------


def pressing(digits: str, why: str = "") -> Callable[[Call], Awaitable[None]]:
    """Send *digits*; *why*: they are refused with these words."""

    async def act(call: Call) -> None:
        assert await call.settled() == "answered"
        if why:
            with pytest.raises(CallError, match=why):
                await call.send_dtmf(digits)
        else:
            await call.send_dtmf(digits)
        await call.hang_up()

    return act


def test_digits_that_are_not_agreed_do_not_leave(peers: Peers, ear: Ear) -> None:
    steps = [*up(sdp(port=ear.port)), *PHONE_HANGS_UP]
    peers.place("udp", steps, pressing("12", "the far end has not agreed to telephone events"))
    assert set(ear.heard) <= {0}


def test_digits_go_in_the_sound(peers: Peers, ear: Ear) -> None:
    steps = [*up(sdp(port=ear.port)), *PHONE_HANGS_UP]
    peers.place("udp", steps, pressing("12"), {"account.1.dtmf.type": "0"})
    assert set(ear.heard) == {0}
    assert ear.heard[0] >= 12


@pytest.mark.parametrize("kind", ["2", "3"])
def test_digits_go_by_info_where_events_are_not_agreed(kind: str, peers: Peers, ear: Ear) -> None:
    infos = [step for digit in "12" for step in (hear("INFO", body=f"Signal= ?{digit}"), reply(200))]
    steps = [*up(sdp(port=ear.port)), *infos, *PHONE_HANGS_UP]
    peers.place("udp", steps, pressing("12"), {"account.1.dtmf.type": kind})
    assert set(ear.heard) <= {0}


@pytest.mark.parametrize("number", [97, 101])
def test_digits_go_under_the_number_of_the_peer(number: int, peers: Peers, ear: Ear) -> None:
    events = f"a=rtpmap:{number} telephone-event/8000"
    body = sdp(port=ear.port, formats=f"0 {number}", more=[events])
    peers.place("udp", [*up(body), *PHONE_HANGS_UP], pressing("1"))
    assert ear.heard[number] == 7
    assert set(ear.heard) <= {0, number}


# -- another phone -------------------------------------------------------------------------------------------


@pytest.fixture
def baresip(stage: Stage, net: Net) -> Baresip:
    """baresip with G.711 only, at the primary's address."""
    account = Account("1002", "", f"{net.primary}:5060", registers=False)
    peer = Baresip(net.primary, stage.folder("baresip"), [account])
    stage.processes.append(peer)
    return peer.start()


def test_baresip_is_heard_in_what_both_speak(baresip: Baresip, lone: LivePhone) -> None:
    """G.722, which the phone offers first, is none of its codecs."""

    async def story() -> None:
        call = lone.phone.dial("1002")
        assert await call.settled() == "answered"
        audio, agreed = call.voice.audio, call.voice.agreed
        assert audio is not None
        assert agreed is not None
        assert agreed.codec.name in ("pcmu", "pcma")
        audio.record(1.0)
        await until(lambda: audio.recording.seconds >= 0.2, "sound")
        assert any(audio.recording.samples)
        await call.hang_up()

    lone.play(story, only_server(baresip.address, "udp"))
