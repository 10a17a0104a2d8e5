"""What goes beyond RFC 3261, with SIPp: 100rel, session timers, transfer, forwarding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from phone_emulator.events import CallChanged, CallState, MessageSent
from phone_emulator.phone import Call, CallError, IncomingCall
from phone_emulator.phone.calls import session_timer
from phone_emulator.phone.transfer.transfer import transfer_blind, transfer_to
from phone_emulator.phone.wire import session_expires
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from phone_emulator.sip.refer import Replaces, parse_refer_to, parse_replaces
from tests.integration.harness.far_end import TRANSPORTS, Peers, Transport
from tests.integration.harness.script import (
    Step,
    ack_refusal,
    answer,
    cancel,
    hear,
    hear_first,
    invite,
    reply,
    say,
    sdp,
)
from tests.patience import NET, until

pytestmark = pytest.mark.integration
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)

PHONE_HANGS_UP = [hear("BYE"), reply(200)]
PEER_HANGS_UP = [say("BYE", 99), hear(200)]
RELIABLE = {"account.1.100rel_enable": "1"}
TIMED = {"account.1.session_timer.enable": "1", "account.1.session_timer.expires": "1800"}


async def hang_up(call: Call) -> None:
    """Wait for the answer, and hang up."""
    assert await call.settled() == "answered", call.reason
    await call.hang_up()


async def talking(call: Call) -> None:
    """Wait for the answer."""
    assert await call.settled() == "answered", call.reason


async def take_it(call: IncomingCall) -> None:
    """Answer as soon as it rings."""
    call.answer()


def answered(call: Call) -> None:
    """The call was answered and is over."""
    assert (call.result, call.state) == ("answered", "ended"), call.reason


# -- 100rel --------------------------------------------------------------------------------------------------


def reliably(status: int, rseq: int, body: str = "", tag: str = "a") -> Step:
    """A provisional response that wants its PRACK."""
    return answer(status, body, tag=tag, headers=["Require: 100rel", f"RSeq: {rseq}"])


def pracked(rseq: int, tag: str = "a") -> list[Step]:
    """Its PRACK, answered."""
    return [hear("PRACK", RAck=f"^ *{rseq} 1 INVITE", To=f"tag={tag}"), reply(200)]


@every_transport
def test_reliable_ringing(transport: Transport, peers: Peers) -> None:
    """Each reliable 1xx draws its PRACK (RFC 3262 section 4)."""
    first = hear_first(Supported="100rel")
    rung = [reliably(180, 7), *pracked(7), reliably(183, 8, sdp()), *pracked(8)]
    up = [answer(200, sdp()), hear("ACK")]
    answered(peers.place(transport, [first, *rung, *up, *PHONE_HANGS_UP], hang_up, RELIABLE))


def test_reliable_ringing_that_is_repeated(peers: Peers) -> None:
    """A repeated 1xx draws no second PRACK, nor does one that comes before its turn."""
    rung = [reliably(180, 1), *pracked(1), reliably(180, 1), reliably(183, 5)]
    up = [answer(200, sdp()), hear("ACK")]
    answered(peers.place("udp", [hear_first(), *rung, *up, *PHONE_HANGS_UP], hang_up, RELIABLE))


@every_transport
def test_reliable_ringing_of_a_fork(transport: Transport, peers: Peers) -> None:
    """Each branch counts for itself."""
    rung = [reliably(180, 1, tag="a"), *pracked(1, "a"), reliably(180, 1, tag="b"), *pracked(1, "b")]
    up = [answer(200, sdp(), tag="b"), hear("ACK", To="tag=b")]
    answered(peers.place(transport, [hear_first(), *rung, *up, *PHONE_HANGS_UP], hang_up, RELIABLE))


@every_transport
def test_cancel_after_reliable_ringing(transport: Transport, peers: Peers) -> None:
    async def act(call: Call) -> None:
        await peers.came("< 200")  # to the PRACK: SIPp reads one message at a time
        await call.hang_up()

    ended = [hear("CANCEL"), reply(200, tag="a"), answer(487), hear("ACK")]
    call = peers.place(transport, [hear_first(), reliably(180, 1), *pracked(1), *ended], act, RELIABLE)
    assert call.result == "cancelled"


SUPPORTED = ["Supported: 100rel"]
REQUIRED = ["Require: 100rel"]


@every_transport
@pytest.mark.parametrize("headers", [SUPPORTED, REQUIRED], ids=["supported", "required"])
def test_the_phone_rings_reliably(headers: Sequence[str], transport: Transport, peers: Peers) -> None:
    rung = [invite(sdp(), headers=headers), hear(180, dialog=True, Require="100rel", RSeq="[0-9]")]
    up = [prack(2), hear(200, CSeq="2 PRACK"), hear(200, CSeq="1 INVITE", dialog=True), say("ACK", 1)]

    async def act(call: IncomingCall) -> None:
        await peers.came("< PRACK")
        call.answer()

    answered(peers.take(transport, [*rung, *up, *PEER_HANGS_UP], act, RELIABLE))


def test_the_phone_rings_again_until_its_prack_comes(peers: Peers) -> None:
    rung = [invite(sdp(), headers=REQUIRED), hear(180, dialog=True, RSeq="[0-9]"), hear(180)]
    acknowledged = [prack(2), hear(200, CSeq="2 PRACK")]
    ended = [cancel(), hear(200, CSeq="1 CANCEL"), hear(487), ack_refusal()]
    call = peers.take("udp", [*rung, *acknowledged, *ended], None, RELIABLE)
    assert (call.result, call.status) == ("cancelled", 487)


def prack(cseq: int) -> Step:
    """Acknowledge the 1xx heard last."""
    return say("PRACK", cseq, headers=["RAck: [$rseq] 1 INVITE"])


@every_transport
def test_reliability_that_is_required_but_switched_off(transport: Transport, peers: Peers) -> None:
    refused = [
        invite(sdp(), branch="strange", headers=REQUIRED),
        hear(420, Unsupported="100rel"),
        ack_refusal(branch="strange"),
    ]
    second = [invite(sdp(), cseq=2), hear(180, dialog=True), hear(200, dialog=True), say("ACK", 2)]
    answered(peers.take(transport, [*refused, *second, *PEER_HANGS_UP], take_it))


# -- session timers ------------------------------------------------------------------------------------------


def expires(seconds: int, refresher: str = "", *more: str) -> list[str]:
    """The headers of a session timer."""
    who = f";refresher={refresher}" if refresher else ""
    return [f"Session-Expires: {seconds}{who}", "Supported: timer", *more]


@every_transport
@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_the_peer_refreshes(method: str, transport: Transport, peers: Peers) -> None:
    """It is the refresher, with either method (RFC 4028 section 10)."""
    first = hear_first(Session_Expires="1800", Supported="timer")
    up = [answer(200, sdp(), headers=[*expires(1800, "uas"), "Require: timer"]), hear("ACK")]
    body = sdp(version=1) if method == "INVITE" else ""
    acknowledged = [say("ACK", 1)] if method == "INVITE" else []
    refresh = [
        say(method, 1, body, headers=expires(1800, "uac")),
        hear(200, Session_Expires="1800;refresher=uac"),
        *acknowledged,
    ]
    answered(peers.place(transport, [first, *up, *refresh, *PEER_HANGS_UP], talking, TIMED))


@every_transport
@pytest.mark.parametrize("update", [True, False], ids=["update", "re-invite"])
def test_the_phone_refreshes(
    update: bool, transport: Transport, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At half the interval, by UPDATE where the peer allows it, else by re-INVITE (RFC 4028 section 7.4)."""
    monkeypatch.setattr(session_expires, "MIN_INTERVAL", 1)  # nobody waits for 45 s
    # Not before its end, so that a slow peer's answer still counts.
    monkeypatch.setattr(session_timer, "LONGEST_LEAD", -NET)
    allow = "Allow: INVITE, ACK, BYE, CANCEL" + (", UPDATE" if update else "")
    soon, later = ([*expires(seconds, "uac"), "Require: timer"] for seconds in (1, 1800))
    up = [hear_first(), answer(200, sdp(), headers=[allow, *soon]), hear("ACK")]
    acknowledged = [] if update else [hear("ACK")]
    body = "" if update else sdp()
    refresh = [
        hear("UPDATE" if update else "INVITE", Session_Expires="refresher=uac"),
        reply(200, body, headers=later),
    ]
    answered(peers.place(transport, [*up, *refresh, *acknowledged, *PEER_HANGS_UP], talking, TIMED))


@every_transport
def test_nobody_refreshes(transport: Transport, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call ends with a BYE shortly before the interval is over (RFC 4028 section 10)."""
    monkeypatch.setattr(session_expires, "MIN_INTERVAL", 1)
    up = [hear_first(), answer(200, sdp(), headers=[*expires(1, "uas"), "Require: timer"]), hear("ACK")]
    call = peers.place(transport, [*up, *PHONE_HANGS_UP], talking, TIMED)
    answered(call)


@every_transport
def test_an_interval_that_is_too_small_for_the_peer(transport: Transport, peers: Peers) -> None:
    """422 with Min-SE: the INVITE comes again with that (RFC 4028 section 7.3)."""
    small = [hear_first(Session_Expires="1800"), answer(422, headers=["Min-SE: 3600"]), hear("ACK")]
    enough = [
        hear_first(CSeq="2 INVITE", Session_Expires="3600", Min_SE="3600"),
        answer(200, sdp()),
        hear("ACK"),
    ]
    call = peers.place(transport, [*small, *enough, *PHONE_HANGS_UP], hang_up, TIMED)
    answered(call)
    assert [attempt.sent for attempt in call.route] == [2]


@every_transport
def test_an_interval_that_is_too_small_for_the_phone(transport: Transport, peers: Peers) -> None:
    small = [invite(sdp(), headers=expires(60)), hear(422, Min_SE="90"), ack_refusal()]
    enough = [
        invite(sdp(), cseq=2, branch="again", headers=expires(90, "uac", "Min-SE: 90")),
        hear(180, dialog=True),
        hear(200, dialog=True, Session_Expires="90;refresher=uac"),
        say("ACK", 2),
    ]
    answered(peers.take(transport, [*small, *enough, *PEER_HANGS_UP], take_it, TIMED))


# -- transfer ------------------------------------------------------------------------------------------------

UP = [hear_first(), answer(200, sdp()), hear("ACK")]
HELD = [hear("INVITE", body="a=sendonly"), reply(200, sdp("recvonly", 2)), hear("ACK")]
RESUMED = [hear("INVITE", body="a=sendrecv"), reply(200, sdp("sendrecv", 3)), hear("ACK")]


TERMINATED = "terminated;reason=noresource"


def progress(cseq: int, line: str, state: str) -> list[Step]:
    """Tell how the transfer goes (RFC 3515)."""
    headers = ["Event: refer", f"Subscription-State: {state}", "Content-Type: message/sipfrag;version=2.0"]
    return [say("NOTIFY", cseq, f"SIP/2.0 {line}", headers=headers), hear(200, CSeq=f"{cseq} NOTIFY")]


@every_transport
def test_the_phone_transfers_the_peer(transport: Transport, peers: Peers) -> None:
    refer = [hear("REFER", Refer_To="sip:1003@", Referred_By="sip:1001@"), reply(202)]
    told = [
        *progress(1, "100 Trying", "active;expires=60"),
        *progress(2, "200 OK", "terminated;reason=noresource"),
    ]

    async def act(call: Call) -> None:
        await talking(call)
        await transfer_blind(call, "1003")

    answered(peers.place(transport, [*UP, *HELD, *refer, *told, *PHONE_HANGS_UP], act))


@every_transport
@pytest.mark.parametrize("accepted", [True, False], ids=["busy", "declined"])
def test_a_transfer_that_fails(accepted: bool, transport: Transport, peers: Peers) -> None:
    """The call is taken back."""
    refer = [hear("REFER"), reply(202 if accepted else 603)]
    told = progress(1, "486 Busy Here", TERMINATED) if accepted else []

    async def act(call: Call) -> None:
        await talking(call)
        with pytest.raises(CallError, match="486" if accepted else "603"):
            await transfer_blind(call, "1003")
        assert call.state is CallState.TALKING
        await call.hang_up()

    answered(peers.place(transport, [*UP, *HELD, *refer, *told, *RESUMED, *PHONE_HANGS_UP], act))


# -- attended transfer, and Replaces -------------------------------------------------------------------------

PHONE = "sip:1001@[remote_ip]:[remote_port]"


def calling(steps: Sequence[Step], *headers: str) -> list[Step]:
    """A peer that calls the phone where it is; its *steps* follow when the phone has answered."""
    return [invite(sdp(), uri=PHONE, headers=headers), hear(200, dialog=True), say("ACK", 1), *steps]


async def called_by(peers: Peers, steps: Sequence[Step]) -> None:
    """Another peer calls the phone, and follows *steps*."""
    net = peers.stage.net
    await peers.live.beside(
        lambda: peers.start("udp", steps, address=net.peer, name="other", calls=net.phone)
    )


def named_by_the_peer(call: Call) -> Replaces:
    """*call* as its far end names it to others."""
    dialog = call.dialog
    assert dialog is not None
    return Replaces(dialog.call_id, dialog.local_tag, dialog.remote_tag)


async def ringing(peers: Peers) -> IncomingCall:
    """The call that rings at the phone."""
    phone = peers.live.phone
    await until(lambda: any(call.state is CallState.RINGING for call in phone.calls), "a call")
    call = next(call for call in phone.calls if call.state is CallState.RINGING)
    assert isinstance(call, IncomingCall)
    return call


def test_the_phone_joins_two_peers(peers: Peers) -> None:
    """Refer-To has the dialog of the second call, as its far end knows it (RFC 3891 section 6.1)."""
    replaces = "[?]Replaces=[^;>&]+%3Bto-tag%3Dcaller%3Bfrom-tag%3D[0-9A-Za-z]+>"
    refer = [hear("REFER", Refer_To=f"^ *<sip:1002@[0-9.]+{replaces}", Referred_By="sip:1001@"), reply(202)]
    told = progress(1, "200 OK", TERMINATED)
    peers.start("udp", [*UP, *HELD, *refer, *told, *PHONE_HANGS_UP])

    async def story() -> None:
        first = peers.live.phone.dial("1002")
        await talking(first)
        await first.hold()
        call, *up = calling(PHONE_HANGS_UP)
        await called_by(peers, [call, hear(180), *up])
        second = await ringing(peers)
        second.answer()
        dialog = second.dialog
        assert dialog is not None
        await transfer_to(first, second)
        asked = [parse(event.data) for event in peers.live.told(MessageSent)]
        (named,) = [
            each.headers.get("Refer-To")
            for each in asked
            if isinstance(each, Request) and each.method == "REFER"
        ]
        (replaced,) = parse_refer_to(named or "").header("Replaces")
        assert parse_replaces(replaced) == Replaces(dialog.call_id, dialog.remote_tag, dialog.local_tag)
        await first.over()
        await second.over()

    peers.play(story, "udp")


def test_the_peer_joins_the_phone_with_another(peers: Peers) -> None:
    """What the URI of Refer-To carries for Replaces goes into the INVITE, and Referred-By."""
    refer_to = f"<sip:1003@{peers.stage.net.primary}?Replaces=ab%40c%3Bto-tag%3D7%3Bfrom-tag%3D8>"
    refer = say("REFER", 2, headers=[f"Refer-To: {refer_to}", "Referred-By: <sip:1002@[local_ip]>;x=y"])
    told = [
        *(hear("NOTIFY", Event="^ *refer *$", Subscription_State="active", body="SIP/2.0 100 "), reply(200)),
        *(hear("NOTIFY", Subscription_State=TERMINATED, body="SIP/2.0 200 OK"), reply(200)),
    ]
    call, *up = calling([refer, hear(202), *told, say("BYE", 3), hear(200)])
    joined = hear_first(
        line="^INVITE sip:1003@",
        Replaces="^ *ab@c;to-tag=7;from-tag=8 *$",
        Referred_By="^ *<sip:1002@[0-9.]+>;x=y *$",
    )
    peers.start("udp", [joined, *UP[1:], *PHONE_HANGS_UP])

    async def story() -> None:
        await called_by(peers, [call, hear(180), *up])
        first = await ringing(peers)
        first.answer()
        await first.over()
        (second,) = peers.live.phone.calls
        await hang_up(second)

    peers.play(story, "udp", {"account.1.sip_server.2.address": peers.stage.net.peer})  # else a stranger


def test_another_peer_takes_the_place_of_the_first(peers: Peers) -> None:
    """An INVITE with Replaces is answered without ringing, and the old call ends with a BYE."""
    peers.start("udp", [*UP, *PHONE_HANGS_UP])

    async def story() -> None:
        first = peers.live.phone.dial("1002")
        await talking(first)
        replaces = f"Replaces: {named_by_the_peer(first)}"
        await called_by(peers, calling(PEER_HANGS_UP, "Require: replaces", replaces))
        await first.over()
        await until(lambda: not peers.live.phone.calls, "the new call to be over")
        (new,) = (call for call in peers.live.phone.history if call is not first)
        assert (new.remote, new.result) == ("1002", "answered")
        changes = [(event.call, event.state) for event in peers.live.told(CallChanged)]
        assert changes.index((new.id, CallState.TALKING)) < changes.index((first.id, CallState.ENDING))

    peers.play(story, "udp", {"account.1.sip_server.2.address": peers.stage.net.peer})  # else a stranger


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"from_tag": "another"}, 481), ({"call_id": "another"}, 481), ({"early_only": True}, 486)],
    ids=["tag", "call-id", "early-only"],
)
def test_an_invite_that_replaces_nothing(wrong: dict[str, Any], status: int, peers: Peers) -> None:
    """The call goes on (RFC 3891 section 3)."""
    peers.start("udp", [*UP, *PHONE_HANGS_UP])

    async def story() -> None:
        first = peers.live.phone.dial("1002")
        await talking(first)
        replaces = replace(named_by_the_peer(first), **wrong)
        asked = invite(sdp(), uri=PHONE, headers=[f"Replaces: {replaces}"])
        await called_by(peers, [asked, hear(status), ack_refusal(uri=PHONE)])
        await until(lambda: not peers.made[-1].running, "the refusal")
        assert first.state is CallState.TALKING
        await first.hang_up()

    peers.play(story, "udp")


# -- forwarding ----------------------------------------------------------------------------------------------

FORWARD = {"forward.always.enable": "1", "forward.always.target": "1003"}


@every_transport
def test_the_phone_sends_the_caller_elsewhere(transport: Transport, peers: Peers) -> None:
    """302 with the target and why (RFC 5806)."""
    elsewhere = hear(302, Contact="sip:1003@", Diversion="sip:1001@.*reason=unconditional")
    peers.deny(transport, [invite(sdp()), elsewhere, ack_refusal()], FORWARD)
