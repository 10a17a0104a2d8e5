"""A registration over TCP or TLS whose connection is lost: renewed, and told until then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from phone_emulator.events import Address, RegistrationChanged
from phone_emulator.sip.framing import PING, PONG
from phone_emulator.sip.message import Request, Response, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.world.base import Stream
from phone_emulator.world.faults import Faulted
from tests.phone.stage import SERVERS, SUCCESSIVE, Stage, play, server_1, server_2

QUIET = {"account.1.nat.udp_update_enable": "0", "account.1.subscribe_mwi": "0"}
ALONE = {**QUIET, "account.1.sip_server.2.address": ""}
KEEPS = {"account.1.nat.udp_update_enable": "1", "account.1.nat.udp_update_time": "30"}
BY = {"tcp": 1, "tls": 2}
LEASE = 3600.0


def over(transport: str, **more: str) -> dict[str, str]:
    """The line over *transport* at both servers."""
    number = BY[transport]
    return {
        **server_1(port=0 if transport == "tls" else 5060, transport_type=number),
        **server_2(port=0 if transport == "tls" else 5060, transport_type=number),
        **QUIET,
        **more,
    }


def cut(stage: Stage, name: str, how: Callable[[Stream], None] = lambda stream: stream.close()) -> None:
    """End the connections that the server *name* has."""
    for stream in list(stage.world.network.host(SERVERS[name]).streams):
        how(stream)  # type: ignore[arg-type]


def reset(stream: Stream) -> None:
    stream.abort()


async def renewal(stage: Stage) -> None:
    """Wait until the next REGISTER has been answered."""
    due = stage.phone.line(1).bindings[1].next_at
    assert due is not None
    await asyncio.sleep(due - stage.world.now() + 0.001)


def told(stage: Stage, server: int = 1) -> list[tuple[str, bool]]:
    """How the registration at *server* stood, each time that it was told: and whether calls reach it."""
    changes = [
        event for event in stage.events if isinstance(event, RegistrationChanged) and event.server == server
    ]
    return [(str(event.state), not event.unreachable) for event in changes]


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("how", [lambda stream: stream.close(), reset])
def test_a_lost_connection_is_made_anew_within_two_seconds(
    transport: str, how: Callable[[Stream], None]
) -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(100)
        stage.mark()
        cut(stage, "primary", how)
        await asyncio.sleep(2.1)
        roles = [(attempt.target.role, str(attempt.outcome)) for attempt in stage.registers()]
        assert roles == [("primary", "answered")]
        assert 0.0 < stage.registers()[0].started - stage.zero <= 2.0
        assert told(stage) == [("registered", False), ("registered", True)]
        assert stage.registered() == ["primary", "fallback"]

    play(story, over(transport))


def test_the_line_says_until_then_that_it_may_be_unreachable() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(100)
        cut(stage, "primary", reset)
        await asyncio.sleep(0.001)
        health = stage.phone.line(1).health()
        lost = "the connection with primary 192.168.1.13:5060/tcp is lost (connection reset by peer)"
        assert health.unreachable == f"may be unreachable: {lost}"
        assert health.as_json()["unreachable"] == health.unreachable
        (first, *_) = health.next
        assert (first.server, first.at - stage.world.now() <= 2.0) == (1, True)
        assert first.why.startswith(f"{health.unreachable}; REGISTER again in ")
        await asyncio.sleep(2.1)
        assert stage.phone.line(1).health().as_json()["unreachable"] is None

    play(story, over("tcp"))


def test_each_server_loses_its_own() -> None:
    # rules R3, R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(100)
        stage.mark()
        cut(stage, "fallback")
        await asyncio.sleep(2.1)
        assert [attempt.target.role for attempt in stage.registers()] == ["fallback"]
        assert told(stage, 1) == []

    play(story, over("tcp"))


def test_a_dead_primary_is_left_by_the_walk_and_r7_goes_on_where_all_are_dead() -> None:
    # rules R1, R7, R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(100)
        for name in ("primary", "secondary"):
            await stage.behave(**{name: "refuse"})
        stage.mark()
        cut(stage, "primary", reset)
        await asyncio.sleep(35)
        began = [round(attempt.started - stage.zero) for attempt in stage.registers()]
        roles = [attempt.target.role for attempt in stage.registers()]
        assert roles == ["primary", "secondary"] * 2
        assert began[2] - began[0] == 30
        assert told(stage)[-1][0] == "failed"
        assert stage.phone.line(1).health().unreachable == ""

    play(story, over("tcp", **{"account.1.sip_server.2.address": ""}))


def test_a_successive_line_at_its_second_server_is_renewed_there() -> None:
    # rules R4, R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["fallback"]
        await asyncio.sleep(10)
        stage.mark()
        cut(stage, "fallback")
        await asyncio.sleep(2.1)
        assert [attempt.target.role for attempt in stage.registers()] == ["fallback"]
        assert stage.registered() == ["fallback"]

    play(story, over("tcp") | SUCCESSIVE, primary={"REGISTER": 503}, secondary={"REGISTER": 503})


def test_losses_in_a_row_are_mended_ever_later() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        pauses = []
        for _ in range(8):
            await asyncio.sleep(10)
            lost_at = stage.world.now()
            cut(stage, "primary")
            await asyncio.sleep(0.001)
            await renewal(stage)
            pauses.append(stage.phone.line(1).bindings.attempts[-1].started - lost_at)
        assert all(pause <= 2 ** (n + 1) for n, pause in enumerate(pauses))
        assert max(pauses) > 16

    play(story, over("tcp", **ALONE))


def test_a_refresh_that_is_due_before_comes_when_it_is_due() -> None:
    # rules R8, R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(3539.9999)
        stage.mark()
        cut(stage, "primary")
        await asyncio.sleep(0.001)
        assert [stage._since(attempt.started) for attempt in stage.registers()] == [0.0]

    play(story, over("tcp", **ALONE))


def test_a_line_that_is_registered_no_more_makes_nothing_anew() -> None:
    # rules R12, R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.phone.line(1).registrar.unregister()
        stage.mark()
        cut(stage, "primary")
        await asyncio.sleep(10)
        assert (stage.registers(), told(stage)) == ([], [])

    play(story, over("tcp"))


def test_over_udp_there_is_nothing_to_lose() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await asyncio.sleep(60)
        assert (stage.registers(), told(stage)) == ([], [])

    play(story, QUIET)


# -- keep-alives ---------------------------------------------------------------------------------------------


def test_a_keep_alive_finds_a_dead_connection() -> None:
    """RFC 5626 section 4.4.1: a peer that has answered keep-alives, and does not within 10 s, is gone."""
    # rule R14

    async def story(stage: Stage) -> None:
        await TcpRegistrar(stage, pongs=True).open()
        await stage.phone.register()
        await asyncio.sleep(65)  # two keep-alives are answered
        stage.mark()
        stage.world.network.host(SERVERS["primary"]).up = False
        await asyncio.sleep(24.999)  # the next one leaves at 90 s
        assert told(stage) == []
        await asyncio.sleep(10.1)
        assert told(stage) == [("registered", False)]
        why = "no answer to a keep-alive within 10 s"
        assert stage.phone.line(1).health().unreachable.endswith(f"is lost ({why})")
        await asyncio.sleep(2 + 7.6)
        assert stage.registered()[0] == "secondary"

    play(story, over("tcp", **ALONE) | KEEPS, actors={"primary": {}})


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_keep_alive_finds_a_server_of_the_lab_that_is_not_heard_any_more(transport: str) -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(65)  # two keep-alives are answered
        stage.mark()
        await stage.behave(primary="mute")
        await asyncio.sleep(34.9)  # the next one leaves at 90 s
        assert told(stage) == []
        await asyncio.sleep(0.2)
        why = "no answer to a keep-alive within 10 s"
        assert stage.phone.line(1).health().unreachable.endswith(f"is lost ({why})")
        await asyncio.sleep(2 + 32.1)
        assert stage.registered() == ["secondary"]

    play(story, over(transport, **ALONE) | KEEPS)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_server_of_the_lab_that_closes_is_registered_at_anew(transport: str) -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await stage.behave(primary="close-after 60s")
        await asyncio.sleep(62.1)
        assert told(stage) == [("registered", False), ("registered", True)]
        assert [attempt.target.role for attempt in stage.registers()] == ["primary"]
        await asyncio.sleep(64.1)  # the bound of the second loss is 4 s
        assert len(stage.registers()) == 2

    play(story, over(transport, **ALONE))


def test_a_peer_that_never_answers_keep_alives_is_not_dead_for_that() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        peer = await TcpRegistrar(stage).open()
        await stage.phone.register()
        await asyncio.sleep(300)
        assert (peer.connections, len(peer.heard)) == (1, 1)
        assert told(stage)[-1] == ("registered", True)

    play(story, over("tcp", **ALONE) | KEEPS, actors={"primary": {}})


# -- registrars that keep no connection ----------------------------------------------------------------------


class TcpRegistrar:
    """A registrar at the primary's address, which does with its connections what a test says.

    *challenges*: whether it wants credentials; *pongs*: whether it answers keep-alives; *close_after*:
    seconds behind each answer, None for never.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        challenges: bool = False,
        pongs: bool = False,
        close_after: float | None = None,
    ) -> None:
        self._stage = stage
        self._challenges = challenges
        self.pongs = pongs
        self.close_after = close_after
        self.connections = 0
        self.heard: list[Request] = []

    async def open(self) -> TcpRegistrar:
        await self._stage.world.listen(Address(SERVERS["primary"], 5060), self._accept)
        return self

    def _accept(self, stream: Stream) -> _Peer:
        self.connections += 1
        return _Peer(self, stream)

    def answer(self, request: Request, stream: Stream) -> None:
        self.heard.append(request)
        extra = [("Contact", f"{request.headers.get('Contact')};expires=3600")]
        status = 200
        if self._challenges and "Authorization" not in request.headers:
            status, extra = 401, [("WWW-Authenticate", 'Digest realm="pbx", nonce="n1", algorithm=MD5')]
        response: Response = response_to(request, status, to_tag="r", extra=extra)
        stream.send(response.to_bytes())
        if self.close_after == 0:
            stream.close()
        elif self.close_after is not None:
            world = self._stage.world
            world.call_at(world.now() + self.close_after, stream.close)


class _Peer:
    def __init__(self, registrar: TcpRegistrar, stream: Stream) -> None:
        self._registrar, self._stream = registrar, stream

    def data_received(self, data: bytes) -> None:
        if data == PING and self._registrar.pongs:
            self._stream.send(PONG)
        elif data.strip():
            message = parse(data)
            assert isinstance(message, Request)
            self._registrar.answer(message, self._stream)

    def connection_lost(self, reason: str) -> None:
        pass


@pytest.mark.parametrize("challenges", [False, True])
def test_a_registrar_that_closes_behind_each_answer_is_told_once_and_not_asked_again(
    challenges: bool,
) -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        peer = await TcpRegistrar(stage, challenges=challenges, close_after=0).open()
        await stage.phone.register()
        await asyncio.sleep(3000)
        assert (len(peer.heard), peer.connections) == (2, 2)
        where = "the connection with primary 192.168.1.13:5060/tcp is closed behind each answer"
        line = stage.phone.line(1)
        assert line.health().unreachable == f"reachable by a new connection only: {where}"
        stage.mark()
        await asyncio.sleep(3600)  # a refresh
        assert len(peer.heard) == 3  # the nonce of the first challenge serves again
        assert told(stage) == [("registered", False)]  # of the refresh: what was told holds on

    play(story, over("tcp", **ALONE), actors={"primary": {}})


def test_one_that_keeps_its_connection_after_all_is_reachable_again() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        peer = await TcpRegistrar(stage, close_after=0).open()
        await stage.phone.register()
        await asyncio.sleep(3)
        peer.close_after = None
        await asyncio.sleep(3540)  # a refresh, whose connection stays
        assert stage.phone.line(1).health().unreachable != ""
        await asyncio.sleep(3540)
        assert stage.phone.line(1).health().unreachable == ""

    play(story, over("tcp", **ALONE), actors={"primary": {}})


def test_one_that_closes_a_while_behind_its_answer_is_asked_ever_more_rarely() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        peer = await TcpRegistrar(stage, close_after=10.0).open()
        await stage.phone.register()
        await asyncio.sleep(3600)
        assert 8 < len(peer.heard) < 30

    play(story, over("tcp", **ALONE), actors={"primary": {}})


def test_a_phone_that_takes_no_connection_over_tls_says_so() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        cut(stage, "primary")
        await asyncio.sleep(0.001)
        await renewal(stage)
        cut(stage, "primary")
        await asyncio.sleep(0.1)
        said = stage.phone.line(1).health().unreachable
        assert said.startswith("reachable by a new connection only: ")
        assert said.endswith("is closed behind each answer, and this phone takes none over TLS")

    play(story, over("tls"))


def test_a_server_that_closes_behind_its_challenge_is_asked_over_a_new_connection() -> None:
    """The server has answered: it is there, and the search does not move on (C3)."""
    # rules C3, R14

    async def story(stage: Stage) -> None:
        peer = await TcpRegistrar(stage, challenges=True, close_after=0).open()
        await stage.phone.register()
        assert [attempt.target.role for attempt in stage.registers()] == ["primary"]
        assert stage.registered() == ["primary"]
        assert peer.connections == 2

    play(story, over("tcp", **ALONE), actors={"primary": {}})


def test_the_line_says_when_it_will_register_again() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(100)
        stage.mark()
        cut(stage, "primary")
        await asyncio.sleep(0.001)
        (lost,) = [event for event in stage.events if isinstance(event, RegistrationChanged)]
        due = stage.phone.line(1).bindings[1].next_at
        assert due is not None
        assert lost.next_at == due
        assert lost.reason.endswith(
            f"is lost (closed by the far end); REGISTER again in {due - lost.at:.1f} s"
        )
        assert 0.0 < due - lost.at <= 2.0

    play(story, over("tcp", **ALONE))


def test_a_lease_that_runs_out_while_nobody_can_be_reached_is_over_at_the_end() -> None:
    """The connection is lost, and a new one cannot be made before the lease is over: nobody to ask."""

    # rules R12, R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(29)
        cut(stage, "primary", reset)
        await asyncio.sleep(0.001)
        for name in ("primary", "secondary"):
            stage.world.network.host(SERVERS[name]).up = False
        await asyncio.sleep(33)
        assert stage.registered() == ["primary"]  # the search goes on
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert (stage.world.now() - stage.zero, stage.registers()) == (0.0, [])
        assert stage.registered() == []
        assert told(stage) == [("unregistered", True)]

    play(story, over("tcp", **ALONE, **server_1(expires=60)))


def test_a_line_that_nobody_keeps_registered_promises_no_register(monkeypatch: pytest.MonkeyPatch) -> None:
    # rule R14
    said: list[str] = []

    async def story(stage: Stage) -> None:
        await stage.phone.register()

        def planted(group: object) -> None:
            raise LookupError("planted")

        monkeypatch.setattr(stage.phone.line(1).registrar, "_in_order", planted)
        await asyncio.sleep(3550)  # the refresh has failed so
        stage.mark()
        cut(stage, "primary")
        await asyncio.sleep(10)
        said.extend(event.reason for event in stage.events if isinstance(event, RegistrationChanged))
        assert stage.registers() == []

    with pytest.raises(Faulted, match="planted"):
        play(story, over("tcp", **ALONE))
    lost = "the connection with primary 192.168.1.13:5060/tcp is lost (closed by the far end)"
    assert said == [f"may be unreachable: {lost}"]


def test_a_call_of_an_unregistered_line_registers_and_keeps_nothing_up() -> None:
    """The REGISTER was for the call (R9): when its connection is lost, none is made anew, or promised."""

    # rules R9, R14
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        await call.hang_up()
        assert stage.registered() == ["secondary"]
        await asyncio.sleep(100)
        stage.mark()
        cut(stage, "secondary", reset)
        await asyncio.sleep(3000)
        assert (stage.registers(), told(stage)) == ([], [])

    play(story, over("tcp", **ALONE, **server_1(register_on_enable=1)), primary=503)
