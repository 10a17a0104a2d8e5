"""SIPp asks for credentials, in every way and for every request, over UDP, TCP and TLS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from phone_emulator.events import MessageReceived, Outcome, RegistrationState
from phone_emulator.phone import Call
from tests.integration.harness.far_end import TRANSPORTS, Peers, Transport
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import aside, outcomes
from tests.integration.harness.net import Net
from tests.integration.harness.script import Step, answer, hear, hear_first, reply, sdp
from tests.integration.harness.sipp import SippUas

pytestmark = pytest.mark.integration
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)
both_kinds = pytest.mark.parametrize("status", [401, 407])

CHALLENGE = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}
CREDENTIALS = {401: "Authorization", 407: "Proxy-Authorization"}
ACCEPTED = [answer(200, sdp()), hear("ACK")]
HANG_UP = [hear("BYE"), reply(200)]


def challenge(
    status: int, nonce: str, *, realm: str = "pbx", algorithm: str = "MD5", stale: bool = False
) -> str:
    """A header that asks for credentials, as a 401 or a 407 has it."""
    stale_too = ", stale=true" if stale else ""
    value = f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{stale_too}'
    return f"{CHALLENGE[status]}: {value}"


def proven(status: int, nonce: str, *, realm: str = "pbx", algorithm: str = "MD5") -> dict[str, str]:
    """What the header with the answer to `challenge` looks like."""
    pattern = f'username="1001", realm="{realm}", nonce="{nonce}".*algorithm={algorithm},.*qop=auth'
    return {CREDENTIALS[status].replace("-", "_"): pattern}


def refused(status: int, *challenges: str) -> list[Step]:
    """The INVITE is heard and refused so."""
    return [answer(status, headers=challenges), hear("ACK")]


async def hang_up(call: Call) -> None:
    """Wait for the answer, and hang up."""
    assert await call.settled() == "answered", call.reason
    await call.hang_up()


def answered(call: Call, sent: int) -> None:
    """The call was answered in one attempt, for which the INVITE left *sent* times."""
    assert (call.result, call.via) == ("answered", "primary"), call.reason
    assert [(attempt.outcome, attempt.sent) for attempt in call.route] == [(Outcome.ANSWERED, sent)]


def rejected(call: Call, status: int, sent: int) -> None:
    """The credentials were not taken: that is an answer. rule C3"""
    assert (call.result, call.status) == ("rejected", status)
    assert [(attempt.outcome, attempt.sent) for attempt in call.route] == [(Outcome.REJECTED, sent)]


# -- INVITE --------------------------------------------------------------------------------------------------


@every_transport
@both_kinds
def test_an_invite(status: int, transport: Transport, peers: Peers) -> None:
    asked = [hear_first(CSeq="1 INVITE"), *refused(status, challenge(status, "n1"))]
    shown = hear_first(CSeq="2 INVITE", **proven(status, "n1"))
    answered(peers.place(transport, [*asked, shown, *ACCEPTED, *HANG_UP], hang_up), 2)


@both_kinds
def test_a_stale_nonce(status: int, peers: Peers) -> None:
    asked = [hear_first(), *refused(status, challenge(status, "n1"))]
    stale = [hear_first(**proven(status, "n1")), *refused(status, challenge(status, "n2", stale=True))]
    shown = hear_first(CSeq="3 INVITE", **proven(status, "n2"))
    answered(peers.place("udp", [*asked, *stale, shown, *ACCEPTED, *HANG_UP], hang_up), 3)


@both_kinds
def test_credentials_that_are_refused(status: int, peers: Peers) -> None:
    """Another nonce that is not said to be stale: the password is wrong. rule R10"""
    asked = [hear_first(), *refused(status, challenge(status, "n1"))]
    wrong = [hear_first(**proven(status, "n1")), *refused(status, challenge(status, "n2"))]
    rejected(peers.place("udp", [*asked, *wrong]), status, 2)


@both_kinds
def test_no_password(status: int, peers: Peers) -> None:
    asked = [hear_first(), *refused(status, challenge(status, "n1"))]
    rejected(peers.place("udp", asked, settings={"account.1.password": ""}), status, 1)


@both_kinds
@pytest.mark.parametrize(
    ("algorithms", "chosen"),
    [
        (("MD5", "SHA-256"), "SHA-256"),
        (("SHA-256", "MD5"), "SHA-256"),
        (("SHA-512-256", "MD5"), "MD5"),
        (("AKAv1-MD5", "SHA-256"), "SHA-256"),
    ],
)
def test_several_algorithms(algorithms: Sequence[str], chosen: str, status: int, peers: Peers) -> None:
    """The strongest that the phone knows (RFC 8760)."""
    offers = [challenge(status, name, algorithm=name) for name in algorithms]
    asked = [hear_first(), *refused(status, *offers)]
    shown = hear_first(**proven(status, chosen, algorithm=chosen))
    answered(peers.place("udp", [*asked, shown, *ACCEPTED, *HANG_UP], hang_up), 2)


@both_kinds
def test_an_algorithm_that_nobody_knows(status: int, peers: Peers) -> None:
    asked = [hear_first(), *refused(status, challenge(status, "n1", algorithm="ROT13"))]
    rejected(peers.place("udp", asked), status, 1)


@both_kinds
def test_two_realms_at_once(status: int, peers: Peers) -> None:
    """Credentials for each (RFC 3261 section 22.3)."""
    offers = [challenge(status, "n1", realm="east"), challenge(status, "n2", realm="west")]
    asked = [hear_first(), *refused(status, *offers)]
    east, west = (proven(status, "n1", realm="east"), proven(status, "n2", realm="west"))
    ((_, one),), ((_, other),) = east.items(), west.items()
    shown = hear_first(body=one, line=other)
    answered(peers.place("udp", [*asked, shown, *ACCEPTED, *HANG_UP], hang_up), 2)


@every_transport
@pytest.mark.parametrize(("first", "second"), [(401, 407), (407, 401)])
def test_a_proxy_and_the_far_end_ask(first: int, second: int, transport: Transport, peers: Peers) -> None:
    """One after the other: the last INVITE satisfies both."""
    asked = [hear_first(), *refused(first, challenge(first, "n1", realm="east"))]
    asked_again = [
        hear_first(**proven(first, "n1", realm="east")),
        *refused(second, challenge(second, "n2", realm="west")),
    ]
    both = proven(first, "n1", realm="east") | proven(second, "n2", realm="west")
    shown = [hear_first(CSeq="3 INVITE", **both), *ACCEPTED]
    answered(peers.place(transport, [*asked, *asked_again, *shown, *HANG_UP], hang_up), 3)


def test_kamailio_checks_sha_256(
    peers: Peers, make_kamailio: Callable[..., Kamailio], callee: SippUas, net: Net
) -> None:
    """REGISTER, INVITE and BYE, each with credentials that another program finds right."""
    server = make_kamailio("primary", net.primary, algorithm="SHA-256").start()
    server.challenge_dialogs(407)
    calls: list[Call] = []

    async def story() -> None:
        await peers.live.phone.register()
        assert [binding.user for binding in await aside(server.bindings)] == ["1001"]
        calls.append(await peers.live.call("1009"))

    peers.play(story, "udp")
    answered(calls[0], 2)
    asked = [event.data for event in peers.live.told(MessageReceived) if b"-Authenticate: " in event.data]
    assert len(asked) >= 2
    assert all(b"algorithm=SHA-256" in data for data in asked)
    assert "BYE" in callee.messages


# -- in the dialog -------------------------------------------------------------------------------------------

UP = [hear_first(), *ACCEPTED]


@every_transport
@both_kinds
def test_requests_in_the_dialog(status: int, transport: Transport, peers: Peers) -> None:
    """Each with a nonce of its own, as a proxy asks that knows no dialogs: re-INVITE, INFO, BYE."""

    def asked(method: str, body: str = "") -> list[Step]:
        acknowledged = [hear("ACK")] if method == "INVITE" else []
        refusal = [
            hear(method),
            reply(status, headers=[challenge(status, method, stale=True)]),
            *acknowledged,
        ]
        return [*refusal, hear(method, proven(status, method)), reply(200, body), *acknowledged]

    async def act(call: Call) -> None:
        assert await call.settled() == "answered"
        await call.hold()
        await call.resume()
        await call.send_dtmf("5")
        await call.hang_up()

    steps = [
        *asked("INVITE", sdp("recvonly", 2)),
        *asked("INVITE", sdp(version=3)),
        *asked("INFO"),
        *asked("BYE"),
    ]
    answered(peers.place(transport, [*UP, *steps], act, {"account.1.dtmf.type": "2"}), 1)


@both_kinds
def test_a_bye_whose_credentials_are_refused_ends_the_call(status: int, peers: Peers) -> None:
    bye = [hear("BYE"), reply(status, headers=[challenge(status, "n1")])]
    again = [hear("BYE", proven(status, "n1")), reply(status, headers=[challenge(status, "n2")])]
    call = peers.place("udp", [*UP, *bye, *again], hang_up)
    assert call.state == "ended"


# -- REGISTER ------------------------------------------------------------------------------------------------

GRANTED = [answer(200, method="REGISTER", headers=["Expires: 3600"])]
GONE = [hear_first("REGISTER", Expires="^ *0$"), *GRANTED]


def register(
    peers: Peers, steps: Sequence[Step], transport: Transport = "udp", settings: dict[str, str] | None = None
) -> list[tuple[str, str]]:
    """Register and de-register at a far end that follows *steps*; role and outcome of each REGISTER."""
    peers.start(transport, steps)

    async def story() -> None:
        await peers.live.phone.register()

    peers.play(story, transport, settings)
    return outcomes(peers.live.registers)


def turned_down(status: int, *headers: str) -> Step:
    """The REGISTER is refused so."""
    return answer(status, method="REGISTER", headers=headers)


@every_transport
@both_kinds
def test_a_register(status: int, transport: Transport, peers: Peers) -> None:
    asked = [hear_first("REGISTER", CSeq="1 REGISTER"), turned_down(status, challenge(status, "n1"))]
    shown = [hear_first("REGISTER", CSeq="2 REGISTER", **proven(status, "n1")), *GRANTED]
    # The nonce is used again, and counted.
    gone = [hear_first("REGISTER", Expires="^ *0$", **{CREDENTIALS[status].replace("-", "_"): "nc=00000002"})]
    told = register(peers, [*asked, *shown, *gone, *GRANTED], transport)
    assert told == [("primary", "answered")] * 2


@both_kinds
def test_the_nonce_is_stale_when_the_phone_de_registers(status: int, peers: Peers) -> None:
    asked = [hear_first("REGISTER"), turned_down(status, challenge(status, "n1"))]
    shown = [hear_first("REGISTER", **proven(status, "n1")), *GRANTED]
    stale = [
        hear_first("REGISTER", **proven(status, "n1")),
        turned_down(status, challenge(status, "n2", stale=True)),
    ]
    again = [hear_first("REGISTER", Expires="^ *0$", **proven(status, "n2")), *GRANTED]
    assert register(peers, [*asked, *shown, *stale, *again]) == [("primary", "answered")] * 2


@both_kinds
def test_the_server_has_forgotten_the_nonce_when_the_phone_de_registers(status: int, peers: Peers) -> None:
    """A new nonce instead of the old one, not said to be stale: it is the first challenge of this request."""
    asked = [hear_first("REGISTER"), turned_down(status, challenge(status, "n1"))]
    shown = [hear_first("REGISTER", **proven(status, "n1")), *GRANTED]
    changed = [hear_first("REGISTER", **proven(status, "n1")), turned_down(status, challenge(status, "n2"))]
    again = [hear_first("REGISTER", Expires="^ *0$", **proven(status, "n2")), *GRANTED]
    assert register(peers, [*asked, *shown, *changed, *again]) == [("primary", "answered")] * 2


@both_kinds
def test_a_register_whose_credentials_are_refused(status: int, peers: Peers) -> None:
    """rule R10"""
    asked = [hear_first("REGISTER"), turned_down(status, challenge(status, "n1"))]
    wrong = [hear_first("REGISTER", **proven(status, "n1")), turned_down(status, challenge(status, "n2"))]
    assert register(peers, [*asked, *wrong]) == [("primary", "rejected")]


@every_transport
def test_a_proxy_and_the_registrar_ask(transport: Transport, peers: Peers) -> None:
    east, west = challenge(407, "n1", realm="east"), challenge(401, "n2", realm="west")
    both = proven(407, "n1", realm="east") | proven(401, "n2", realm="west")
    asked = [hear_first("REGISTER"), turned_down(407, east)]
    asked_again = [hear_first("REGISTER", **proven(407, "n1", realm="east")), turned_down(401, west)]
    shown = [hear_first("REGISTER", **both), *GRANTED]
    gone = [hear_first("REGISTER", Expires="^ *0$", **both), *GRANTED]
    told = register(peers, [*asked, *asked_again, *shown, *gone], transport)
    assert told == [("primary", "answered")] * 2


@every_transport
def test_an_interval_that_is_too_brief(transport: Transport, peers: Peers) -> None:
    """423 with Min-Expires: the REGISTER comes again with that (RFC 3261 section 10.2.8)."""
    brief = [hear_first("REGISTER", Expires="^ *60$"), turned_down(423, "Min-Expires: 1800")]
    longer = [hear_first("REGISTER", CSeq="2 REGISTER", Expires="^ *1800$"), *GRANTED]
    settings = {"account.1.sip_server.1.expires": "60"}
    told = register(peers, [*brief, *longer, *GONE], transport, settings)
    assert told == [("primary", "answered")] * 2


def test_an_interval_that_is_too_brief_after_a_challenge(peers: Peers) -> None:
    asked = [hear_first("REGISTER"), turned_down(401, challenge(401, "n1"))]
    brief = [hear_first("REGISTER", **proven(401, "n1")), turned_down(423, "Min-Expires: 7200")]
    longer = [hear_first("REGISTER", Expires="^ *7200$", **proven(401, "n1")), *GRANTED]
    assert register(peers, [*asked, *brief, *longer, *GONE]) == [("primary", "answered")] * 2


@pytest.mark.parametrize("header", ["Min-Expires: 10", "Min-Expires: soon", "Subject: none"])
def test_an_interval_that_is_too_brief_without_a_longer_one(header: str, peers: Peers) -> None:
    told = register(peers, [hear_first("REGISTER"), turned_down(423, header)])
    assert told == [("primary", "rejected")]
    states = [binding.state for binding in peers.live.phone.line().bindings]
    assert states == [RegistrationState.FAILED]
