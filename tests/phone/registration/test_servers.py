"""The servers of a line: who belongs to it, and how a REGISTER walks along them."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import AttemptProgressed, RegistrationChanged
from phone_emulator.phone import CallResult
from phone_emulator.redundancy import Silence
from phone_emulator.world.faults import Faulted
from tests.phone.stage import SUCCESSIVE, Stage, play, server_1, server_2

ONLY_1 = server_2(address="")
PROXY = {
    "account.1.outbound_proxy_enable": "1",
    "account.1.outbound_proxy.1.address": "192.168.1.20",
    "account.1.outbound_proxy.1.port": "5070",
}


def test_who_is_a_server_of_the_line_and_who_is_not() -> None:
    async def story(stage: Stage) -> None:
        servers = stage.phone.line(1).servers
        assert servers.are_at("192.168.1.15", 5062)  # as the file says, whether it was asked or not
        assert not servers.are_at("192.168.1.15", 5060)
        assert servers.are_at("192.168.1.15", None)
        assert not servers.are_at("192.168.1.13", None)  # its name was not looked up yet
        await stage.phone.register(1)
        for last in (13, 14):  # the secondary, too, which nobody has asked
            assert servers.are_at(f"192.168.1.{last}", 5060)
            assert not servers.are_at(f"192.168.1.{last}", 5061)
        assert not servers.are_at("192.168.1.16", None)

    play(story, server_2(port=5062))


def test_a_proxy_is_a_server_of_the_line_and_so_is_whom_it_stands_for() -> None:
    # rule O1
    async def story(stage: Stage) -> None:
        servers = stage.phone.line(1).servers
        assert servers.are_at("192.168.1.20", 5070)
        assert servers.are_at("192.168.1.15", 5060)  # without a port, the default one
        assert not servers.are_at("192.168.1.20", 5060)
        await asyncio.sleep(0)

    play(story, PROXY | server_2(port=0))


@pytest.mark.parametrize(
    ("silence", "switch"),
    [(Silence.AUTO, 7.5), (Silence.RETRY_COUNTS, 7.5), (Silence.ATTEMPTS, 3.5), (Silence.TIMER_B, 32.0)],
)
def test_a_silent_registrar_is_waited_for_as_the_user_reads_the_guide(
    silence: Silence, switch: float
) -> None:
    # rule C5
    # rule R2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.route(stage.registers()) == [
            ("primary", "no-response", 0.0, switch),
            ("secondary", "answered", switch, switch),
        ]

    play(story, ONLY_1, silence=silence, primary="silent")


@pytest.mark.parametrize(("silence", "waited"), [(Silence.AUTO, 7.5), (Silence.TIMER_B, 32.0)])
def test_so_is_one_that_gets_its_register_before_a_call(silence: Silence, waited: float) -> None:
    # rule C5
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503, secondary="silent")
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "unavailable", 0.0, 0.0),
            ("secondary", "no-response", 0.0, waited),
            ("target-3", "answered", waited, waited),
        ]

    zone = "".join(f"yealink.pbx.com. 300 IN A 192.168.1.{last}\n" for last in (13, 14, 15))
    play(story, ONLY_1 | server_1(port=5060, register_on_enable=1), zone=zone, silence=silence)


def test_an_answer_that_ends_the_search_is_acted_on_at_once() -> None:
    """``--reaction`` is the time until the next server is asked: where there is none, nothing waits."""

    # rule R1
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.world.now() == 0.0
        await stage.behave(primary=503, secondary=503, fallback=503)
        stage.mark()
        await stage.phone.register()
        assert stage.world.now() - stage.zero == pytest.approx(0.14)

    play(story, SUCCESSIVE, reaction=0.07)


def test_why_an_address_that_was_dialled_is_called() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("sip:1002@192.168.1.16")
        await call.settled()
        assert [attempt.why for attempt in call.route] == ["an address was dialled: it is called directly"]

    play(story)


@pytest.mark.parametrize("status", [300, 404])
def test_server_2_is_asked_as_soon_as_the_phone_acts_on_the_refusal_of_server_1(status: int) -> None:
    # rule R6
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.route(stage.registers()) == [
            ("primary", "rejected", 0.0, 0.0),
            ("fallback", "answered", 0.07, 0.07),
        ]

    settings = SUCCESSIVE | {"account.1.redundancy_with_reg_fail.enable": "1"}
    play(story, settings, primary={"REGISTER": status}, reaction=0.07)


def test_each_send_of_a_register_is_told() -> None:
    # rule R2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        told = [event for event in stage.events if isinstance(event, AttemptProgressed)]
        assert [(event.call, event.attempt.target.role, event.at) for event in told] == [
            *((None, "primary", at) for at in (0.0, 0.5, 1.5, 3.5)),
            *((None, "secondary", at) for at in (7.5, 7.5)),  # the second one answers its challenge
        ]

    play(story, ONLY_1 | {"account.1.subscribe_mwi": "0"}, primary="silent")


# -- successive: to server 2 and back ---------------------------------------------------------------------


def test_server_1_has_failed_where_server_2_takes_over() -> None:
    """It is not left to expire: that is what becomes of server 2, when server 1 works again."""

    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503, secondary=403)
        await asyncio.sleep(3541)
        first, second = stage.phone.line(1).bindings
        assert (str(first.state), first.target) == ("failed", None)
        assert first.reason.startswith("secondary: answered 403 Forbidden")
        assert str(second.state) == "registered"

    play(story, SUCCESSIVE | {"account.1.redundancy_with_reg_fail.enable": "1"})


def test_the_probe_goes_on_when_server_2_works_again() -> None:
    # rule R4
    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(fallback=503)
        await asyncio.sleep(250)  # the refresh at 240 s fails everywhere, and so do the probes
        assert stage.registered() == []
        await stage.behave(fallback="ok")
        await asyncio.sleep(30)
        assert stage.registered() == ["fallback"]
        await stage.behave(primary="ok")
        stage.mark()
        await asyncio.sleep(100)
        assert [attempt.target.role for attempt in stage.registers()] == ["primary"]
        assert stage.registered() == ["primary"]

    keys = {"account.1.fallback.timeout": "100", "account.1.reg_fail_retry_interval": "30"}
    play(story, SUCCESSIVE | server_2(expires=300) | keys, primary=503, secondary=503)


def test_a_probe_that_fails_by_a_fault_leaves_server_2_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # rule R4
    states: list[tuple[int, str]] = []

    async def story(stage: Stage) -> None:
        await stage.phone.register()

        def planted(*asked: object) -> str:
            raise LookupError("planted")

        monkeypatch.setattr(stage.phone.line(1).servers.rests, "why", planted)
        await asyncio.sleep(119)
        stage.mark()
        await asyncio.sleep(2)
        assert stage.registered() == ["fallback"]
        states.extend(
            (event.server, str(event.state))
            for event in stage.events
            if isinstance(event, RegistrationChanged)
        )

    with pytest.raises(Faulted, match="the probe of server 1 of line 1: LookupError: planted"):
        play(story, SUCCESSIVE, primary=503, secondary=503)
    assert states == [(1, "failed")]


def test_a_line_that_registers_anew_while_server_2_works_goes_on_probing() -> None:
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(50)
        await stage.phone.register()
        stage.mark()
        await asyncio.sleep(250)
        probes = [attempt.started - stage.zero for attempt in stage.registers() if attempt.n == 1]
        assert probes == [120.0, 240.0]

    play(story, SUCCESSIVE, primary=503, secondary=503)
