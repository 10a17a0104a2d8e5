"""The worked timelines of the redundancy rules (section 8), to the millisecond."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import AttemptEnded, AttemptStarted, CallState, Outcome
from phone_emulator.phone import CallResult, OutgoingCall
from tests.phone.stage import SUCCESSIVE, Stage, play, server_1

TIMER_A = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
"""When an INVITE leaves that nobody answers, T1 = 0.5 s."""
FULL = "no response within 64*T1 = 32.0 s"
ANSWERED = [0.0, 0.0]
"""The INVITE, and again with credentials: the lab's servers ask for them."""


def after(start: float, times: list[float]) -> list[float]:
    return [start + time for time in times]


def test_the_primary_answers() -> None:
    # rule C1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [("primary", "answered", 0.0, 0.0)]
        assert stage.sends(call.route[0]) == ANSWERED
        assert (call.via, call.status, call.elapsed) == ("primary", 200, 0.0)
        assert call.route[0].detail == "200 OK"

    play(story)


@pytest.mark.parametrize("behaviour", ["503", "503 retry-after 30"])
def test_503_is_acknowledged_and_the_secondary_asked_at_once(behaviour: str) -> None:
    # rule C2
    # rule C8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.ladder("INVITE", "ACK")[:4] == [
            "0.000 >> INVITE .13",
            "0.000 << 503 INVITE .13",
            "0.000 >> ACK .13",
            "0.000 >> INVITE .14",
        ]
        assert stage.route(call.route) == [
            ("primary", "unavailable", 0.0, 0.0),
            ("secondary", "answered", 0.0, 0.0),
        ]
        first, second = call.route
        assert (first.status, first.sent, second.status) == (503, 1, 200)
        assert first.detail == "answered 503 Service Unavailable: the server is not available"
        assert second.why == f"primary 192.168.1.13: {first.detail}"
        # No quarantine: the next call asks the primary again.
        await call.hang_up()
        stage.mark()
        call = stage.phone.dial("1002")
        await call.settled()
        assert [attempt.target.role for attempt in call.route] == ["primary", "secondary"]

    play(story, primary=behaviour)


def test_a_closed_port_moves_on_at_once() -> None:
    # rule C2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [("primary", "icmp", 0.0, 0.0), ("secondary", "answered", 0.0, 0.0)]
        assert call.route[0].detail == "ICMP port unreachable"
        assert stage.sends(call.route[0]) == [0.0]

    play(story, primary="refuse")


def test_a_silent_primary_without_retry_keys_costs_64_t1() -> None:
    # rule C2
    # rule C5
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert call.route == []
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 32.0),
            ("secondary", "answered", 32.0, 32.0),
        ]
        assert stage.sends(call.route[0]) == TIMER_A
        assert call.route[0].detail == FULL
        assert (call.via, call.elapsed) == ("secondary", 32.0)
        assert [line for line in stage.sent("INVITE") if line.where == ".13"] == [
            (at, ".13", "INVITE") for at in TIMER_A
        ]
        assert stage.sent("INVITE")[len(TIMER_A)] == (32.0, ".14", "INVITE")

    play(story, primary="silent")


def test_two_silent_targets_then_the_fallback_server() -> None:
    # rule C1
    # rule C5
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 32.0),
            ("secondary", "no-response", 32.0, 64.0),
            ("fallback", "answered", 64.0, 64.0),
        ]
        assert stage.sends(call.route[1]) == after(32.0, TIMER_A)
        assert call.elapsed == 64.0

    play(story, primary="silent", secondary="silent")


def test_all_silent_fails_at_96_s_and_says_why_for_each() -> None:
    # rule C1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert [attempt.sent for attempt in call.route] == [7, 7, 7]
        assert stage.sends(call.route[2]) == after(64.0, TIMER_A)
        assert [attempt.detail for attempt in call.route] == [FULL] * 3
        assert call.elapsed == 96.0
        assert call.status is None
        assert (
            call.reason == f"every server is exhausted: primary: {FULL}; secondary: {FULL}; fallback: {FULL}"
        )
        await call.over()
        assert call.state is CallState.ENDED

    play(story, primary="silent", secondary="silent", fallback="silent")


def test_invite_retry_counts_3() -> None:
    # rule C5
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 7.5),
            ("secondary", "no-response", 7.5, 39.5),
            ("fallback", "no-response", 39.5, 71.5),
        ]
        assert stage.sends(call.route[0]) == [0.0, 0.5, 1.5, 3.5]
        assert stage.sends(call.route[1]) == after(7.5, TIMER_A)
        assert stage.sends(call.route[2]) == after(39.5, TIMER_A)
        assert call.route[0].detail == (
            "no response to 3 retransmissions (invite_retry_counts = 3), given up at 7.5 s"
        )
        assert call.elapsed == 71.5

    play(story, server_1(invite_retry_counts=3), primary="silent", secondary="silent", fallback="silent")


@pytest.mark.parametrize(
    ("settings", "switch"),
    [
        ({"retry_counts": 3}, 7.5),
        ({"retry_counts": 0}, 0.5),
        ({"retry_counts": 20}, 32.0),
        ({"retry_counts": 0, "invite_retry_counts": 1}, 1.5),
        ({"invite_retry_counts": 5}, 31.5),
        ({"invite_retry_counts": 10}, 32.0),
    ],
)
def test_the_keys_decide_when_the_secondary_is_asked(settings: dict[str, int], switch: float) -> None:
    # rule C5
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route)[0] == ("primary", "no-response", 0.0, switch)
        assert stage.sends(call.route[0]) == [at for at in TIMER_A if at < switch]

    play(story, server_1(**settings), primary="silent")


def test_mode_0_pays_the_wait_again() -> None:
    # rule F0
    async def story(stage: Stage) -> None:
        await (await _answered(stage)).hang_up()
        await asyncio.sleep(60)
        stage.mark()
        call = await _answered(stage)
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 32.0),
            ("secondary", "answered", 32.0, 32.0),
        ]

    play(story, primary="silent")


def test_mode_3_remembers_the_secondary_for_failback_timeout() -> None:
    # rule F3
    # rule F4
    async def story(stage: Stage) -> None:
        await (await _answered(stage)).hang_up()  # the switch: 32.0 s
        await asyncio.sleep(59.5)
        stage.mark()
        call = await _answered(stage)
        assert stage.route(call.route) == [("secondary", "answered", 0.0, 0.0)]
        assert call.route[0].why == (
            "secondary first: it is the one in use since the failover (failback_mode = 3)"
        )
        await asyncio.sleep(0.5)  # due, but the line is not idle: a second call stays at the secondary
        busy = await _answered(stage)
        assert [attempt.target.role for attempt in busy.route] == ["secondary"]
        await call.hang_up()
        await busy.hang_up()
        stage.mark()
        last = await _answered(stage)
        assert stage.route(last.route) == [
            ("primary", "no-response", 0.0, 32.0),
            ("secondary", "answered", 32.0, 32.0),
        ]
        assert last.route[0].why == "primary again: the failback of mode 3 is due"

    play(story, server_1(failback_mode=3, failback_timeout=60), primary="silent")


@pytest.mark.parametrize("status", [400, 403, 404, 408, 480, 486, 500, 501, 504, 600, 603])
def test_an_answer_ends_the_call(status: int) -> None:
    # rule C3
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.REJECTED
        assert call.status == status
        assert stage.route(call.route) == [("primary", "rejected", 0.0, 0.0)]
        assert f"answered {status} " in call.reason
        assert stage.ladder("INVITE", "ACK") == [
            "0.000 >> INVITE .13",
            f"0.000 << {status} INVITE .13",
            "0.000 >> ACK .13",
        ]

    play(story, primary=status)


def test_100_then_nothing_is_no_reason_to_switch() -> None:
    # rule C4
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(179.9)
        assert (call.result, call.state) == (None, CallState.CALLING)
        assert call.route[0].give_up_at is None
        assert await call.settled() is CallResult.FAILED
        assert call.elapsed == 180.0
        await call.over()
        assert [attempt.target.role for attempt in call.route] == ["primary"]
        assert call.route[0].outcome is Outcome.NO_RESPONSE
        assert stage.sent("INVITE") == [(0.0, ".13", "INVITE")]
        assert stage.sent("CANCEL")[0] == (180.0, ".13", "CANCEL")

    play(story, primary="trying")


def test_three_503s_are_three_attempts_with_their_reasons() -> None:
    # rule C1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert stage.ladder() == [
            line
            for host in (".13", ".14", ".15")
            for line in (
                f"0.000 >> INVITE {host}",
                f"0.000 << 503 INVITE {host}",
                f"0.000 >> ACK {host}",
            )
        ]
        assert call.status == 503
        assert call.reason.count("answered 503 Service Unavailable") == 3
        assert stage.told(AttemptStarted) == stage.told(AttemptEnded) == call.route

    play(story, primary=503, secondary=503, fallback=503)


def test_successive_register_falls_back_and_probes() -> None:
    # rule R1
    # rule R2
    # rule R4
    # rule R5
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.route(stage.registers()) == [
            ("primary", "no-response", 0.0, 7.5),
            ("secondary", "no-response", 7.5, 39.5),
            ("fallback", "answered", 39.5, 39.5),
        ]
        first, second, _ = stage.registers()
        assert stage.sends(first) == [0.0, 0.5, 1.5, 3.5]
        # Timer E: doubled up to T2 = 4 s.
        assert stage.sends(second) == after(7.5, [0.0, 0.5, 1.5, 3.5, *(7.5 + 4 * n for n in range(7))])
        assert first.detail == "no response to 3 retransmissions (retry_counts = 3), given up at 7.5 s"
        assert second.detail == FULL
        assert stage.registered() == ["fallback"]
        await asyncio.sleep(5)
        # Requests go to the working server first ...
        call = await _answered(stage)
        assert [attempt.target.role for attempt in call.route] == ["fallback"]
        await call.hang_up()
        # ... and server 1 is asked again every 120 s.
        await asyncio.sleep(400)
        probes = [attempt for attempt in stage.registers() if attempt.target.role == "primary"]
        assert [round(attempt.started, 3) for attempt in probes] == [0.0, 159.5, 279.5, 399.5]
        await stage.behave(primary="ok")
        await asyncio.sleep(120)
        assert stage.registers()[-1].started == 519.5
        assert stage.registered() == ["primary"]
        stage.mark()
        await asyncio.sleep(3000)
        assert stage.registers() == []  # no probe any more, and server 2's binding is left to expire

    play(story, SUCCESSIVE, primary="silent", secondary="silent")


def test_concurrent_register_goes_to_both_servers_at_once() -> None:
    # rule R3
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        started = {(attempt.target.role, attempt.started) for attempt in stage.registers()}
        assert started == {("primary", 0.0), ("fallback", 0.0)}
        assert stage.registered() == ["primary", "fallback"]
        call = await _answered(stage)
        assert [attempt.target.role for attempt in call.route] == ["primary"]

    play(story)


def test_403_to_register_stays_with_server_1() -> None:
    # rule R6
    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == []
        await asyncio.sleep(65)
        assert stage.route(stage.registers()) == [("primary", "rejected", at, at) for at in (0.0, 30.0, 60.0)]

    play(story, SUCCESSIVE, primary={"REGISTER": 403})


def test_403_to_register_with_reg_fail_goes_to_server_2() -> None:
    # rule R6
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.route(stage.registers()) == [
            ("primary", "rejected", 0.0, 0.0),
            ("fallback", "answered", 0.0, 0.0),
        ]
        assert stage.registered() == ["fallback"]

    settings = SUCCESSIVE | {"account.1.redundancy_with_reg_fail.enable": "1"}
    play(story, settings, primary={"REGISTER": 403})


async def _answered(stage: Stage) -> OutgoingCall:
    call = stage.phone.dial("1002")
    assert await call.settled() is CallResult.ANSWERED
    return call
