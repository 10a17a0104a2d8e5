"""Registering after a reboot, signalling only where registered, and through outbound proxies."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import CallChanged, CallState
from phone_emulator.phone import CallResult, IncomingCall
from tests.phone.stage import SUCCESSIVE, Stage, play, server_1, server_2

ONLY_1 = server_2(address="")


def test_a_surge_is_prevented_before_the_first_registration_only() -> None:
    # rule R11
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.world.now() == 20.0
        assert stage.sent("REGISTER")[0].at == 20.0
        stage.mark()
        await stage.phone.register()
        assert stage.world.now() == 20.0
        assert stage.sent("REGISTER")[0].at == 0.0

    play(story, {"sip.reg_surge_prevention": "20"})


def test_old_bindings_are_removed_before_the_first_register() -> None:
    # rule R11
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        requests = stage.requests("REGISTER")
        said = [(r.headers.get("Contact"), r.headers.get("Expires")) for r in requests]
        own = "<sip:1001@192.168.1.21:5060>"
        assert said == [("*", "0"), ("*", "0"), (own, "3600")]
        registering, clearing = stage.registers()
        assert (clearing.method, clearing.n, clearing.sent) == ("REGISTER", 1, 2)
        assert clearing.why == "unregister_on_reboot = 1: bindings of before the reboot are removed first"
        assert (registering.method, registering.n, registering.sent) == ("REGISTER", 1, 1)
        first = requests[0].cseq.number
        assert [request.cseq.number for request in requests] == [first, first + 1, first + 2]
        assert len({request.call_id for request in requests}) == 1
        assert stage.registered() == ["primary"]
        stage.mark()
        await asyncio.sleep(3541)  # the refresh removes nothing
        assert {request.headers.get("Contact") for request in stage.requests("REGISTER")} == {own}

    play(story, ONLY_1 | {"account.1.unregister_on_reboot": "1"})


def test_a_target_that_does_not_respond_to_the_removal_is_given_up() -> None:
    # rule R11
    # rule R2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["secondary"]
        assert stage.world.now() == 7.5
        assert {request.headers.get("Contact") for request in stage.requests("REGISTER", ".13")} == {"*"}
        assert stage.requests("REGISTER", ".14")[0].headers.get("Contact") == "*"

    play(story, ONLY_1 | {"account.1.unregister_on_reboot": "1"}, primary="silent")


ONLY = server_1(register_on_enable=1, only_signal_with_registered=1, failback_mode=3)


def test_while_failed_over_only_the_registered_server_is_asked() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        first = stage.phone.dial("1002")
        await first.settled()
        assert [attempt.target.role for attempt in first.route] == ["primary", "secondary"]
        await first.hang_up()
        await stage.behave(primary="ok", secondary={"INVITE": 503})
        second = stage.phone.dial("1002")
        assert await second.settled() is CallResult.FAILED
        told = [(attempt.target.role, str(attempt.outcome)) for attempt in second.route]
        assert told == [("secondary", "unavailable"), ("primary", "skipped")]
        assert second.route[0].why == "only_signal_with_registered = 1: the registered server only"

    play(story, ONLY_1 | ONLY)


def test_whom_only_signal_with_registered_passes_over_is_foretold() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        await (first := stage.phone.dial("1002")).settled()
        await first.hang_up()
        await stage.behave(secondary="silent")
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        told = [(each.target.role, each.outcome and str(each.outcome), each.detail) for each in call.to_come]
        assert told == [("primary", "skipped", "only_signal_with_registered = 1: the registered server only")]
        assert await call.settled() is CallResult.FAILED
        assert [(each.target.role, str(each.outcome), each.detail) for each in call.route[1:]] == told
        assert call.to_come == []

    play(story, ONLY_1 | ONLY)


@pytest.mark.parametrize("keys", [{}, {"only_signal_with_registered": 0}])
def test_a_server_that_was_left_is_served(keys: dict[str, int]) -> None:
    """A call from there and the requests within it are answered, and it is told where it came from."""

    # rule R17
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"INVITE": 503, "REGISTER": 503})
        await (away := stage.phone.dial("1002")).settled()
        await away.hang_up()
        assert stage.registered() == ["secondary"]
        await stage.behave(primary="ok")
        stage.mark()
        theirs = stage.lab.call_phone(stage.phone, server="primary")
        assert theirs is not None
        await asyncio.sleep(1)
        call = stage.phone.calls[-1]
        assert isinstance(call, IncomingCall)
        through = "through primary 192.168.1.13:5060/udp, which is not a server in use"
        rung = next(event for event in stage.events if isinstance(event, CallChanged))
        assert rung.reason == f"1002 calls, {through}"
        call.answer()
        assert await call.settled() is CallResult.ANSWERED
        assert call.reason == f"answered by this phone; it came {through}"
        await theirs.settled()
        await theirs.hold()
        assert call.far_held
        await theirs.hang_up()
        await call.over()
        assert [line.partition(" ")[2] for line in stage.ladder("BYE")] == ["<< BYE .13", ">> 200 BYE .13"]
        stage.lab.call_phone(stage.phone, server="secondary")
        await asyncio.sleep(1)
        again = stage.phone.calls[-1]
        assert isinstance(again, IncomingCall)
        assert again.left == ""

    play(story, ONLY_1 | ONLY | server_1(**keys))


def test_registered_nowhere_no_server_is_asked() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        await (first := stage.phone.dial("1002")).settled()
        await first.hang_up()
        await stage.phone.line(1).registrar.unregister()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert [str(attempt.outcome) for attempt in call.route] == ["skipped", "skipped"]
        assert "the line is registered at none of its targets" in call.reason

    play(story, ONLY_1 | ONLY)


@pytest.mark.parametrize(
    "keys",
    [
        {"failback_mode": 0},
        {"register_on_enable": 0},
        {"only_signal_with_registered": 0},
    ],
)
def test_the_key_needs_the_others(keys: dict[str, int]) -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        await (first := stage.phone.dial("1002")).settled()
        await first.hang_up()
        await stage.behave(primary="ok", secondary={"INVITE": 503})
        second = stage.phone.dial("1002")
        assert await second.settled() is CallResult.ANSWERED
        assert second.via == "primary"

    play(story, ONLY_1 | ONLY | server_1(**keys))


def test_a_dialog_of_another_server_is_ended_when_it_would_need_signalling() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        old = stage.phone.dial("1002")
        await old.settled()
        await stage.behave(primary=503)
        new = stage.phone.dial("1003")
        assert await new.settled() is CallResult.ANSWERED
        assert (new.via, stage.registered()) == ("secondary", ["secondary"])
        stage.mark()
        await old.hang_up()
        await old.over()
        assert old.state is CallState.ENDED
        assert stage.sent("BYE") == []
        await new.hang_up()
        assert [line.where for line in stage.sent("BYE")] == [".14"]

    play(story, ONLY_1 | ONLY)


# -- outbound proxies -------------------------------------------------------------------------------------

PROXIES = {
    "account.1.outbound_proxy_enable": "1",
    "account.1.outbound_proxy.1.address": "192.168.1.14",
    "account.1.outbound_proxy.1.port": "5060",
    "account.1.outbound_proxy.2.address": "192.168.1.15",
    "account.1.outbound_proxy.2.port": "5060",
    "account.1.outbound_proxy_fallback_interval": "100",
}


def test_the_proxy_is_the_next_hop_and_nothing_else() -> None:
    # rule O1
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        register = stage.requests("REGISTER")[0]
        assert stage.sent("REGISTER")[0].where == ".14"
        assert register.uri.startswith("sip:yealink.pbx.com")
        assert register.to_address.uri.host == "yealink.pbx.com"
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert call.route[0].target.address == "192.168.1.14"
        invite = stage.requests("INVITE")[0]
        assert invite.uri == "sip:1002@yealink.pbx.com"
        assert invite.from_address.uri.host == "yealink.pbx.com"

    play(story, ONLY_1 | PROXIES)


def test_the_second_proxy_gets_the_call_when_the_first_is_dead() -> None:
    # rule O1
    # rule O2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 32.0),
            ("fallback", "answered", 32.0, 32.0),
        ]
        assert {r.uri for r in stage.requests("INVITE")} == {"sip:1002@yealink.pbx.com"}

    settings = ONLY_1 | PROXIES | {"account.1.outbound_proxy.1.invite_retry_counts": "1"}
    play(story, settings, secondary="silent")


@pytest.mark.parametrize("kind", ["0", "1"])
def test_between_two_proxies_registration_is_successive(kind: str) -> None:
    # rule O3
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert [attempt.target.address for attempt in stage.registers()] == ["192.168.1.14", "192.168.1.15"]
        stage.mark()
        await asyncio.sleep(201)
        probes = [a.started for a in stage.registers() if a.target.address == "192.168.1.14"]
        assert probes == [100.0, 200.0]
        await stage.behave(secondary="ok")
        await asyncio.sleep(100)
        [target] = stage.phone.line(1).bindings.targets
        assert target.address == "192.168.1.14"

    settings = ONLY_1 | PROXIES | {"account.1.fallback.redundancy_type": kind}
    play(story, settings, secondary=503)


def test_successive_with_a_refused_register_and_reg_fail() -> None:
    """Back on server 1 only when it accepts the REGISTER."""

    # rule R6
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["fallback"]
        await asyncio.sleep(121)
        assert stage.registered() == ["fallback"]
        await stage.behave(primary="ok")
        await asyncio.sleep(120)
        assert stage.registered() == ["primary"]

    settings = SUCCESSIVE | {"account.1.redundancy_with_reg_fail.enable": "1"}
    play(story, settings, primary={"REGISTER": 403})


def test_an_interval_of_0_never_asks_the_first_proxy_by_itself() -> None:
    """Only a second proxy that fails brings the first one back."""

    # rule O3
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(secondary="ok")
        stage.mark()
        await asyncio.sleep(3000)
        assert stage.registers() == []
        await stage.behave(fallback=503)
        await asyncio.sleep(600)
        assert [attempt.target.address for attempt in stage.registers()] == ["192.168.1.15", "192.168.1.14"]
        [target] = stage.phone.line(1).bindings.targets
        assert target.address == "192.168.1.14"

    never = {"account.1.outbound_proxy_fallback_interval": "0", "account.1.subscribe_mwi": "0"}
    play(story, ONLY_1 | PROXIES | never, secondary=503)
