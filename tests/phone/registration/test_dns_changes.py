"""DNS changes under a line that has failed over: where its calls go, and where they find a registration."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.lab.zone import parse_zone
from phone_emulator.phone import CallResult, IncomingCall
from tests.phone.stage import Stage, play, server_1, server_2

ONLY_1 = server_2(address="")
MODES = pytest.mark.parametrize("mode", [1, 2, 3])


def zone(*lasts: int, ttl: int = 30) -> str:
    """The name of server 1 and its addresses, in order."""
    return "".join(f"yealink.pbx.com. {ttl} IN A 192.168.1.{last}\n" for last in lasts)


def over(mode: int, **settings: object) -> dict[str, str]:
    """A line that registers where a failover leads."""
    return ONLY_1 | server_1(
        port=5060, register_on_enable=1, failback_mode=mode, failback_timeout=3600, expires=3600, **settings
    )


async def registered_at_the_secondary(stage: Stage) -> None:
    """The REGISTER failed over; then the primary is well."""
    await stage.phone.register()
    assert stage.registered() == ["secondary"]
    await stage.behave(primary="ok")
    stage.mark()


async def change(stage: Stage, *lasts: int) -> None:
    """DNS names other addresses, and the phone looks again."""
    stage.lab.change_zone(parse_zone(zone(*lasts)))
    await asyncio.sleep(31)
    stage.mark()


async def called(stage: Stage) -> list[tuple[str, str]]:
    """Call, hang up: the route."""
    call = stage.phone.dial("1002")
    await call.settled()
    if call.result is CallResult.ANSWERED:
        await call.hang_up()
    await call.over()
    return [(attempt.target.address[-3:], str(attempt.outcome)) for attempt in call.route]


def sent(stage: Stage) -> list[tuple[str, str]]:
    """Method and target, each once in a row."""
    lines = [(line.what, line.where) for line in stage.sent("REGISTER", "INVITE")]
    return [line for place, line in enumerate(lines) if line not in lines[max(0, place - 1) : place]]


@MODES
def test_the_primary_gets_its_register_first_when_dns_drops_the_secondary(mode: int) -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 13)
        assert await called(stage) == [(".13", "answered")]
        assert sent(stage) == [("REGISTER", ".13"), ("INVITE", ".13")]
        assert stage.registered() == ["primary"]

    play(story, over(mode), zone=zone(13, 14), primary=503)


@MODES
def test_the_primary_that_refuses_its_register_is_asked_again(mode: int) -> None:
    """Nothing has worked among the new targets: the next call knows no more of the primary than this one."""

    # rule R9
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 13)
        await stage.behave(primary="ok, REGISTER: 403")
        assert [await called(stage) for _ in "12"] == [[(".13", "rejected")]] * 2
        assert stage.requests("INVITE") == []
        await stage.behave(primary="ok")
        assert await called(stage) == [(".13", "answered")]
        assert stage.registered() == ["primary"]

    play(story, over(mode), zone=zone(13, 14), primary=503)


@MODES
def test_every_new_target_gets_its_register_first(mode: int) -> None:
    """What only_signal_with_registered allows is none of them: the line registers along the new list."""

    # rule R9
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 13, 15)
        await stage.behave(primary=503)
        assert await called(stage) == [(".13", "unavailable"), (".15", "answered")]
        assert sent(stage) == [("REGISTER", ".13"), ("REGISTER", ".15"), ("INVITE", ".15")]
        assert stage.registered() == ["secondary"]

    play(story, over(mode, only_signal_with_registered=1), zone=zone(13, 14), primary=503)


@MODES
def test_the_route_says_that_dns_names_the_server_in_use_no_more(mode: int) -> None:
    # rule F4
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 13)
        call = stage.phone.dial("1002")
        await call.settled()
        assert call.route[0].why == (
            "primary first: DNS names secondary 192.168.1.14:5060/udp, in use since the failover, no more"
        )

    play(story, over(mode), zone=zone(13, 14), primary=503)


@pytest.mark.parametrize("mode", [2, 3])
def test_a_secondary_that_comes_back_is_the_one_in_use(mode: int) -> None:
    """A zone that is wrong for a while ends no failover."""

    # rule F4
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 13)
        await change(stage, 13, 14)
        assert (await called(stage))[-1] == (".14", "answered")
        assert stage.requests("INVITE", ".13") == []

    play(story, over(mode), zone=zone(13, 14), primary=503)


@MODES
def test_the_secondary_that_becomes_the_primary_is_called_where_the_line_is_registered(mode: int) -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 14, 13)
        assert await called(stage) == [(".14", "answered")]
        assert sent(stage) == [("INVITE", ".14")]

    play(story, over(mode), zone=zone(13, 14), primary=503)


@MODES
def test_a_primary_that_was_left_is_unknown_though_a_call_of_before_is_answered_there(mode: int) -> None:
    """The REGISTER has failed over while the call rang at the primary."""

    # rule R9
    # rule F4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="ok, REGISTER: 503, INVITE: delay 10s")
        early = stage.phone.dial("1003")
        await stage.phone.register()
        assert stage.registered() == ["secondary"]
        assert await early.settled() is CallResult.ANSWERED
        await early.hang_up()
        await early.over()
        await stage.behave(primary="ok")
        stage.mark()
        assert await called(stage) == [(".13", "answered")]
        assert sent(stage) == [("REGISTER", ".13"), ("INVITE", ".13")]

    play(story, over(mode), zone=zone(13, 14, ttl=3600))


def test_mode_0_calls_the_primary_unregistered() -> None:
    # rule F0
    # rule C10
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 13)
        assert await called(stage) == [(".13", "answered")]
        assert sent(stage) == [("INVITE", ".13")]

    play(story, over(0), zone=zone(13, 14), primary=503)


@MODES
def test_a_primary_that_dns_puts_in_the_place_of_another_is_no_failover(mode: int) -> None:
    # rule C10
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["primary"]
        await change(stage, 14)
        assert await called(stage) == [(".14", "answered")]
        assert sent(stage) == [("INVITE", ".14")]

    play(story, over(mode), zone=zone(13, 14))


def test_a_server_that_dns_names_no_more_is_served_and_told_of() -> None:
    # rule R17
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 13)
        await called(stage)
        assert stage.registered() == ["primary"]
        theirs = stage.lab.call_phone(stage.phone, server="secondary")  # it holds its lease
        assert theirs is not None
        await asyncio.sleep(1)
        call = stage.phone.calls[-1]
        assert isinstance(call, IncomingCall)
        assert call.left == "through secondary 192.168.1.14:5060/udp, which is not a server in use"
        await theirs.hang_up()

    play(story, over(3), zone=zone(13, 14), primary=503)


def test_every_registrar_is_asked_to_forget_what_dns_has_hidden() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await registered_at_the_secondary(stage)
        await change(stage, 13)
        await called(stage)
        stage.lab.change_zone(parse_zone("other.example. 30 IN A 192.168.1.99\n"))
        await asyncio.sleep(31)
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert sorted(attempt.target.address[-3:] for attempt in stage.registers()) == [".13", ".14"]
        assert [server.bindings for server in stage.lab.servers.values()] == [{}, {}, {}]

    play(story, over(3), zone=zone(13, 14), primary=503)


def by(transport: str) -> str:
    """The name of server 1, with a NAPTR record for *transport*."""
    service = f"SIP+D2{transport[0].upper()}"
    return f"""$ORIGIN yealink.pbx.com.
$TTL 30
@ NAPTR 1 1 "s" "{service}" "" _sip._{transport}
_sip._{transport} SRV 1 1 5060 a
a A 192.168.1.13
"""


@pytest.mark.parametrize(("before", "now"), [("udp", "tcp"), ("tcp", "udp")])
def test_a_registrar_holds_one_contact_when_dns_names_another_transport(before: str, now: str) -> None:
    """The REGISTER over the new one removes what was made over the other one (RFC 3261 section 10.3)."""

    # rule R12
    # rule D2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.lab.change_zone(parse_zone(by(now)))
        await asyncio.sleep(3600 - 59)
        (bindings,) = stage.lab.servers["primary"].bindings.values()
        assert [binding.uri.endswith(";transport=TCP") for binding in bindings] == [now == "tcp"]
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert [attempt.target.transport for attempt in stage.registers()] == [now]
        assert stage.lab.servers["primary"].bindings == {}

    play(story, ONLY_1 | server_1(transport_type=3, port=0), zone=by(before))
