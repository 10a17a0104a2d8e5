"""The further behaviours of a lab server: what is on the wire, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Address, ServerChanged, Transport
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.sip.digest import challenges
from phone_emulator.sip.framing import PING, PONG
from phone_emulator.sip.message import Request, response_to
from phone_emulator.world.base import TlsClient, TlsFailed, World
from tests.lab.peers import CALLEE, DOMAIN, PHONE, SERVER, TCP, TLS, UDP, Lab, Peer, ack_to, ladder, within

THEIRS = ("Contact", f"<sip:1002@{CALLEE}>")
each_transport = pytest.mark.parametrize("transport", [UDP, TCP])


def options(phone: Peer, number: int) -> Request:
    return phone.make("OPTIONS", f"sip:{DOMAIN}", cseq=number)


def behaves(*words: object) -> Behaviour:
    return Behaviour.parse(words[0])


def test_a_lease_that_is_too_brief_is_423_and_a_longer_one_is_granted() -> None:
    # rule R15, RFC 3261 section 10.3 step 7
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        register = phone.make(
            "REGISTER", f"sip:{DOMAIN}", to=f"<sip:1001@{DOMAIN}>", extra=[("Expires", "60")]
        )
        phone.send(await phone.authenticated(register))
        brief = await phone.response(423)
        assert brief.headers.get("Min-Expires") == "7200"
        assert lab.server.bindings == {}
        granted = await phone.register(expires=7200)
        assert "expires=7200" in (granted.headers.get("Contact") or "")
        await phone.register(expires=0, call_id="reg-2")
        phone.send(
            phone.make("SUBSCRIBE", f"sip:1001@{DOMAIN}", extra=[("Expires", "60"), ("Event", "dialog")])
        )
        assert (await phone.response(423)).headers.get("Min-Expires") == "7200"
        phone.send(options(phone, 9))
        await phone.response(200)

    ladder(story, behaviour=behaves({"status": 423, "min_expires": 7200}))


def test_a_challenge_without_end_says_stale_and_has_a_new_nonce_each_time() -> None:
    # rule R10
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = phone.make("REGISTER", f"sip:{DOMAIN}")
        nonces: list[str] = []
        for cseq in range(1, 5):
            request = await phone.authenticated(request)
            phone.send(request)
            await asyncio.sleep(0.1)
            [challenge] = challenges(await phone.response(401))
            assert challenge.stale
            nonces.append(challenge.nonce)
            request.headers.set("CSeq", f"{10 * cseq} REGISTER")
            request.headers.set("Via", f"{request.headers.get('Via')}x{cseq}")
        assert len(set(nonces)) == 4
        invite = phone.make("INVITE", cseq=90)
        phone.send(invite)
        phone.send(ack_to(invite, await phone.response(407)))
        phone.send(phone.make("CANCEL", cseq=90, branch=invite.branch or ""))
        await phone.nothing(1)  # it is passed on, not challenged (RFC 3261 section 22.1)

    ladder(story, behaviour=behaves("challenge-forever"))


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        ("no-nonce", 'Digest realm="yealink.pbx.com", algorithm=MD5, qop="auth"'),
        ("no-header", None),
        ("basic", 'Basic realm="yealink.pbx.com"'),
    ],
)
def test_challenges_that_nobody_can_answer(wrong: str, shown: str | None) -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(phone.make("REGISTER", f"sip:{DOMAIN}"))
        assert (await phone.response(401)).headers.get("WWW-Authenticate") == shown
        phone.send(phone.make("INVITE", cseq=2))
        assert (await phone.response(407)).headers.get("Proxy-Authenticate") == shown

    ladder(story, behaviour=behaves({"challenge-broken": wrong}))


def test_a_challenge_with_an_algorithm_that_nobody_speaks_by_method() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(phone.make("INVITE"))
        [challenge] = challenges(await phone.response(407))
        assert not challenge.supported
        await phone.register()

    ladder(story, behaviour=behaves("INVITE: challenge-broken unknown-algorithm"))


@each_transport
def test_mute_hears_and_is_not_heard(transport: Transport) -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(transport), await lab.callee()
        register = await phone.authenticated(
            phone.make("REGISTER", f"sip:{DOMAIN}", to=f"<sip:1001@{DOMAIN}>")
        )
        invite = await phone.authenticated(phone.make("INVITE", call_id="call-2"))
        await lab.server.behave(behaves("mute"))
        phone.send(register)
        phone.send(invite)
        offered = await callee.request()
        assert offered.method == "INVITE"
        callee.send(response_to(offered, 200, to_tag="to-1", extra=[THEIRS]))
        await phone.nothing()
        assert [*lab.server.bindings] == ["1001"]
        assert phone.icmp == phone.lost == []
        callee.send(callee.make("INVITE", f"sip:1001@{DOMAIN}", user="1005", call_id="back"))
        await phone.nothing(1)

    ladder(story)


def test_mute_for_one_method() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        await phone.register()
        phone.send(phone.make("INVITE", user="2001"))
        assert (await callee.request()).method == "INVITE"
        await phone.nothing()

    ladder(story, behaviour=behaves({"INVITE": "mute"}))


def test_the_next_three_requests_and_then_as_before() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        await lab.server.behave(behaves("delay 1s"))
        await lab.server.behave(behaves({"next": 3, "status": 503}))
        for number in (1, 2, 2, 1, 3):  # what is sent once more counts once, and gets the same
            phone.send(options(phone, number))
            assert (await phone.response(503)).cseq.number == number
        assert lab.world.now() == 0.0
        for number in (3, 1):
            phone.send(options(phone, number))
            await phone.response(503)
        phone.send(options(phone, 4))
        await phone.response(200)
        assert lab.world.now() == 1.0
        changes = [e.behaviour for e in lab.events if isinstance(e, ServerChanged)]
        assert changes == ["delay 1s", "503 next 3", "delay 1s"]

    ladder(story)


def test_what_is_left_of_a_count_is_told() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        assert str(lab.server.behaviour) == "503 next 2"
        phone.send(options(phone, 1))
        await phone.response(503)
        assert str(lab.server.behaviour) == "503 next 1"
        await lab.server.behave(behaves("next 5 486"))  # as before: as before the first count
        for number in range(2, 7):
            phone.send(options(phone, number))
            await phone.response(486)
        phone.send(options(phone, 7))
        await phone.response(200)
        assert str(lab.server.behaviour) == "ok"

    ladder(story, behaviour=behaves("next 2 503"))


def test_the_next_of_one_method_and_its_ack_and_what_is_sent_again() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        invite = phone.make("INVITE")
        for _ in range(3):
            phone.send(invite)
        await phone.nothing(10)  # one request, however often it is sent
        again = phone.make("INVITE", cseq=2)
        phone.send(again)
        phone.send(ack_to(again, await phone.response(407)))
        await phone.nothing(1)
        await phone.register()
        assert str(lab.server.behaviour) == "REGISTER: ok"

    ladder(story, behaviour=behaves({"REGISTER": "ok", "INVITE": {"next": 1, "status": "silent"}}))


def test_a_server_that_was_not_there_answers_twice_and_is_gone_again() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        await lab.server.behave(behaves("refuse"))
        await lab.server.behave(behaves({"next": 2, "status": 503, "delay": "1s"}))
        for number in (1, 2):
            phone.send(options(phone, number))
            await phone.response(503)
        await asyncio.sleep(0.1)
        phone.send(options(phone, 3))
        assert await phone.failure() == "ICMP port unreachable"
        assert str(lab.server.behaviour) == "refuse"

    ladder(story)


@pytest.mark.parametrize(("then", "over"), [("", 503), ("then 480 retry-after 7", 480)])
def test_more_than_it_can_take_in_a_second_is_refused(then: str, over: int) -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        for number in range(1, 6):
            phone.send(options(phone, number))
            refused = await phone.response(200 if number <= 3 else over)
        assert refused.headers.get("Retry-After") == ("7" if over == 480 else None)
        phone.send(options(phone, 1))  # the same once more is no further one
        await phone.response(200)
        await asyncio.sleep(1)
        for number in range(6, 10):
            phone.send(options(phone, number))
            await phone.response(200 if number <= 8 else over)

    ladder(story, behaviour=behaves(f"rate 3 {then}"))


def test_more_than_it_can_take_is_dropped_and_may_try_again() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(options(phone, 1))
        await phone.response(200)
        phone.send(options(phone, 2))
        await phone.nothing(1)
        phone.send(options(phone, 2))
        await phone.response(200)

    ladder(story, behaviour=behaves({"rate": 1, "then": "silent"}))


def test_more_than_it_can_take_waits_for_its_turn() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        for number in range(1, 6):
            phone.send(options(phone, number))
        answered = []
        for _ in range(5):
            response = await phone.response(200)
            answered.append((response.cseq.number, lab.world.now()))
        assert answered == [(1, 0.0), (2, 0.0), (3, 1.0), (4, 1.0), (5, 2.0)]

    ladder(story, behaviour=behaves({"rate": 2, "then": "slow"}))


def test_a_capacity_of_one_method_is_its_own() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(phone.make("REGISTER", f"sip:{DOMAIN}"))
        await phone.response(401)
        phone.send(phone.make("REGISTER", f"sip:{DOMAIN}", cseq=2))
        await phone.response(503)
        for number in range(3, 8):
            phone.send(options(phone, number))
            await phone.response(200)

    ladder(story, behaviour=behaves({"REGISTER": {"rate": 1, "then": 503}}))


@each_transport
def test_no_to_tag_both_ways_of_a_call(transport: Transport) -> None:
    # RFC 3261 section 12.1.2: a dialog with a null tag
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(transport), await lab.callee()
        phone.send(phone.make("REGISTER", f"sip:{DOMAIN}"))
        assert (await phone.response(401)).to_tag is None
        phone.send(await phone.authenticated(phone.make("INVITE", call_id="c")))
        offered = await callee.request()
        callee.send(response_to(offered, 180, to_tag="to-1"))
        callee.send(response_to(offered, 200, to_tag="to-1", extra=[THEIRS]))
        assert (await phone.response(180)).to_tag is None
        ok = await phone.response(200, "INVITE")
        assert ok.to_tag is None
        await lab.server.behave(behaves("ok"))  # what is up stays as it began
        phone.send(within(phone, "ACK", ok, cseq=2))
        assert (await callee.request()).to_tag == "to-1"
        phone.send(within(phone, "INFO", ok, cseq=3))
        info = await callee.request()
        assert (info.method, info.to_tag) == ("INFO", "to-1")
        callee.send(response_to(info, 200))
        assert (await phone.response(200, "INFO")).to_tag is None
        bye = callee.make("BYE", str(offered.contacts[0].uri), call_id="c", user="1002")
        bye.headers.set("From", f"<sip:1002@{DOMAIN}>;tag=to-1")
        bye.headers.set("To", f"<sip:1001@{DOMAIN}>;tag=from-1")
        for route in offered.headers.values("Record-Route"):
            bye.headers.add("Route", route)
        callee.send(bye)
        heard = await phone.request()
        assert (heard.method, heard.from_tag, heard.to_tag) == ("BYE", None, "from-1")
        phone.send(response_to(heard, 200))
        answered = await callee.response(200, "BYE")
        assert (answered.from_tag, answered.to_tag) == ("to-1", "from-1")

    ladder(story, behaviour=behaves("no-to-tag"))


@pytest.mark.parametrize("refused", [486, 422])
def test_no_to_tag_in_a_refusal_whose_ack_finds_its_way(refused: int) -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        invite = await phone.authenticated(phone.make("INVITE"))
        phone.send(invite)
        offered = await callee.request()
        callee.send(response_to(offered, refused, to_tag="to-1"))
        final = await phone.response(refused)
        assert final.to_tag is None
        phone.send(ack_to(invite, final))
        ack = await callee.request()
        assert (ack.method, ack.to_tag) == ("ACK", "to-1")
        # The next INVITE of that Call-ID begins anew: it is no request within anything.
        phone.send(await phone.authenticated(phone.make("INVITE", cseq=20)))
        assert (await callee.request()).to_tag is None

    ladder(story, behaviour=behaves("no-to-tag"))


def test_the_ack_to_an_answer_of_the_servers_own_ends_there() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        invite = phone.make("INVITE")
        phone.send(invite)
        final = await phone.response(486)
        assert final.to_tag is None
        phone.send(ack_to(invite, final))
        await callee.nothing(1)

    ladder(story, behaviour=behaves("486 no-to-tag"))


@each_transport
def test_rewrite_contact_passes_on_what_comes_to_its_own(transport: Transport) -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(transport), await lab.callee()
        phone.send(await phone.authenticated(phone.make("INVITE", call_id="c")))
        offered = await callee.request()
        theirs = offered.contacts[0].uri
        assert (theirs.host, theirs.port) == (SERVER.host, SERVER.port)
        callee.send(response_to(offered, 200, to_tag="to-1", extra=[THEIRS]))
        ok = await phone.response(200, "INVITE")
        assert (ok.contacts[0].uri.host, ok.contacts[0].uri.port) == (SERVER.host, SERVER.port)
        await lab.server.behave(behaves("ok"))
        phone.send(within(phone, "ACK", ok, cseq=2))
        ack = await callee.request()
        assert (ack.method, ack.uri) == ("ACK", f"sip:1002@{CALLEE}")
        bye = callee.make("BYE", str(theirs), call_id="c", user="1002")
        for route in offered.headers.values("Record-Route"):
            bye.headers.add("Route", route)
        callee.send(bye)
        heard = await phone.request()
        assert heard.uri == f"sip:1001@{phone.local};transport={transport}"

    ladder(story, behaviour=behaves("rewrite-contact"))


def test_rewrite_contact_of_a_registration_and_not_of_a_redirection() -> None:
    # rule R15
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        ok = await phone.register()
        uri = ok.contacts[0].uri
        assert (uri.user, uri.host, uri.port) == ("1001", SERVER.host, SERVER.port)
        assert "expires=600" in (ok.headers.get("Contact") or "")
        assert [each.uri for each in lab.server.bindings["1001"]] == [f"sip:1001@{PHONE};transport=udp"]
        phone.send(await phone.authenticated(phone.make("INVITE", call_id="c")))
        offered = await callee.request()
        callee.send(response_to(offered, 302, to_tag="to-1", extra=[("Contact", "<sip:1009@192.0.2.9>")]))
        assert (await phone.response(302)).headers.get("Contact") == "<sip:1009@192.0.2.9>"

    ladder(story, behaviour=behaves("rewrite-contact"))


@pytest.mark.parametrize("text", ["hides-zz", "hides-", "hides-4142", "hides-ff"])
def test_a_contact_that_hides_nothing_is_a_number_as_any(text: str) -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        phone.send(phone.make("MESSAGE", f"sip:{text}@{SERVER}"))
        assert (await callee.request()).uri == f"sip:{text}@{SERVER}"

    ladder(story)


def test_rewrite_to_changes_the_uri_and_keeps_the_tag() -> None:
    # RFC 3261 section 12.1.2: the remote URI is that of the request
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        phone.send(await phone.authenticated(phone.make("INVITE", call_id="c")))
        offered = await callee.request()
        assert "rewritten" not in (offered.headers.get("To") or "")
        callee.send(response_to(offered, 200, to_tag="to-1", extra=[THEIRS]))
        ok = await phone.response(200, "INVITE")
        assert ok.headers.get("To") == "<sip:rewritten@192.168.1.13:5060>;tag=to-1"
        phone.send(within(phone, "ACK", ok, cseq=2))
        assert (await callee.request()).to_tag == "to-1"

    ladder(story, behaviour=behaves("rewrite-to"))


class Pinging(Peer):
    """Hears every byte."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.bytes = b""

    def data_received(self, data: bytes) -> None:
        self.bytes += data


@pytest.mark.parametrize(
    ("behaviour", "heard"), [("ok", PONG), ("503", PONG), ("silent", PONG), ("delay 1s", PONG), ("mute", b"")]
)
@pytest.mark.parametrize("transport", [TCP, TLS])
def test_keep_alives_on_connections_are_answered_by_the_sockets(
    transport: Transport, behaviour: str, heard: bytes
) -> None:
    """RFC 5626 section 4.4.1."""

    async def story(lab: Lab) -> None:
        await lab.server.behave(behaves(behaviour))
        port = lab.server.ports[transport]
        phone = await Pinging(lab.world).connect(Address(SERVER.host, port), transport)
        phone.raw(PING)
        await asyncio.sleep(10)
        assert phone.bytes == heard
        assert lab.ignored == []

    ladder(story, transports=(TCP, TLS))


def test_close_after_ends_each_connection_in_order() -> None:
    async def story(lab: Lab) -> None:
        phone, datagrams = await lab.phone(TCP), await lab.phone()
        await asyncio.sleep(9)
        assert phone.lost == []
        await asyncio.sleep(2)
        assert phone.lost == [""]
        late = await lab.phone(TCP)
        await lab.server.behave(behaves("close-after 3s"))
        await asyncio.sleep(2)
        assert late.lost == []
        await asyncio.sleep(2)
        assert late.lost == [""]
        kept = await lab.phone(TCP)
        await lab.server.behave(behaves("ok"))
        await asyncio.sleep(20)
        assert kept.lost == []
        datagrams.send(options(datagrams, 1))
        await datagrams.response(200)
        with pytest.raises(ValueError, match="server primary: certificate is about TLS connections"):
            await lab.server.behave(behaves("certificate expired"))

    ladder(story, behaviour=behaves("close-after 10s"))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("expired", "certificate has expired"),
        ("wrong-name", "certificate is for wrong-name.invalid, not yealink.pbx.com"),
        ("unknown-ca", "certificate is signed by an unknown authority"),
    ],
)
def test_certificates_that_no_client_should_take(wrong: str, why: str) -> None:
    # RFC 5922
    async def story(lab: Lab) -> None:
        phone = await lab.phone(TLS)
        await lab.server.behave(behaves({"certificate": wrong}))
        await asyncio.sleep(1)
        assert phone.lost == [""]
        remote = Address(SERVER.host, lab.server.ports[TLS])
        with pytest.raises(TlsFailed, match=why):
            await lab.phone(TLS)
        with pytest.raises(TlsFailed):
            await Peer(lab.world).connect(remote, TLS, tls=TlsClient("other.example"))
        unchecked = await Peer(lab.world).connect(remote, TLS, tls=TlsClient(DOMAIN, verify=False))
        unchecked.send(options(unchecked, 1))
        await unchecked.response(200)
        await lab.server.behave(behaves("ok"))
        again = await lab.phone(TLS)
        again.send(options(again, 1))
        await again.response(200)

    ladder(story, transports=(UDP, TCP, TLS))
