"""One REGISTER of a binding at a time, and what becomes of those that are cut short."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Attempt, Outcome, RegistrationChanged, Wait
from phone_emulator.phone import CallResult
from phone_emulator.phone.registration.turn import Turns
from phone_emulator.world import SimulatedWorld
from tests.phone.stage import SUCCESSIVE, Answer, Line, Stage, play, server_1, server_2
from tests.redundancy.ladder import targets

ONLY_1 = server_2(address="")
ON = server_1(register_on_enable=1)
TCP = server_1(port=5060, transport_type=1)


def overlapping(stage: Stage) -> list[str]:
    """REGISTER attempts that went out while another one of their server was under way; none at best."""
    ended: dict[int, float] = {}
    found = []
    for attempt in stage.registers():
        if attempt.sends and attempt.sends[0] < ended.get(attempt.target.server, 0.0):
            found.append(f"{attempt.target.role} at {attempt.sends[0]}")
        assert attempt.ended is not None
        ended[attempt.target.server] = attempt.ended
    return found


# -- one at a time (R13) ----------------------------------------------------------------------------------


def test_a_call_shares_the_refresh_that_goes_to_the_same_target() -> None:
    """Over TCP a silent secondary costs the call what is left of the refresh's wait, not one of its own."""

    # rule R13
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503, secondary="silent")
        await asyncio.sleep(3540)
        stage.mark()
        await asyncio.sleep(14)
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        assert stage.route(call.route) == [
            ("primary", "unavailable", 14.0, 14.0),
            ("secondary", "no-response", 14.0, 32.0),
        ]
        assert [line for line in stage.sent("REGISTER") if line.where == ".14"] == [
            Line(0.0, ".14", "REGISTER")
        ]

    play(story, ONLY_1 | ON | TCP, zone=ZONE)


ZONE = "yealink.pbx.com. 300 IN A 192.168.1.13\nyealink.pbx.com. 300 IN A 192.168.1.14\n"


def test_a_call_shares_the_success_of_the_first_registration() -> None:
    # rule R13
    async def story(stage: Stage) -> None:
        registering = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(0.1)
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        await registering
        assert stage.sent("REGISTER") == [Line(0.0, ".13", "REGISTER"), Line(0.0, ".14", "REGISTER")]
        assert stage.requests("INVITE", ".14") != []

    script = {
        "REGISTER": [[Answer(0.4, 200)]],
        "INVITE": [[Answer(0.0, 200)]],
        "BYE": [[Answer(0.0, 200)]],
    }
    play(story, ONLY_1 | ON, primary=503, actors={"secondary": script})


def test_the_refresh_waits_for_the_register_of_a_call_and_counts_it() -> None:
    """The call registers at the secondary when the refresh is due: the binding is renewed by that."""

    # rule R13
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"INVITE": 503})
        await asyncio.sleep(3539.5)
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        await asyncio.sleep(3000)
        assert overlapping(stage) == []
        assert [(a.target.role, round(a.started - stage.zero, 3)) for a in stage.registers()] == [
            ("secondary", 0.0)
        ]
        assert stage.registered() == ["secondary"]

    script = {
        "REGISTER": [[], [Answer(0.6, 200)]],
        "INVITE": [[Answer(0.0, 200)]],
        "BYE": [[Answer(0.0, 200)]],
    }
    play(story, ONLY_1 | ON, actors={"secondary": script})


def test_a_probe_and_a_call_share_their_register() -> None:
    # rule R13
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["fallback"]
        await stage.behave(fallback={"INVITE": 503})
        await asyncio.sleep(120.1)
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [attempt.target.role for attempt in call.route] == ["fallback", "primary"]
        assert {line.where for line in stage.sent("REGISTER")} == {".13"}
        assert len({request.cseq.number for request in stage.requests("REGISTER")}) == 1
        assert overlapping(stage) == []

    script = {
        "REGISTER": [[Answer(0.0, 503)], [Answer(1.0, 200)]],
        "INVITE": [[Answer(0.0, 200)]],
        "BYE": [[Answer(0.0, 200)]],
    }
    play(story, SUCCESSIVE | ON, actors={"primary": script}, secondary=503)


def test_whoever_shared_a_register_that_was_cut_short_sends_one_itself() -> None:
    # rule R13
    async def story(stage: Stage) -> None:
        first = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(1)
        again = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(1)
        await stage.behave(primary="ok")
        await asyncio.gather(first, again)
        assert overlapping(stage) == []
        assert stage.registered() == ["primary"]

    play(story, ONLY_1, primary="silent")


def test_who_hangs_up_leaves_the_register_to_the_line() -> None:
    """It has left: its answer counts, and is known at the end."""

    # rule R13
    # rule C9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"INVITE": 503})
        call = stage.phone.dial("1002")
        await asyncio.sleep(0.2)
        await call.hang_up()
        assert str(call.route[-1].outcome) == "cancelled"
        await asyncio.sleep(1)
        assert stage.registered() == ["secondary"]
        assert stage.requests("INVITE", ".14") == []

    play(story, ONLY_1 | ON, secondary="delay 300ms")


# -- the way back (R9, F5) --------------------------------------------------------------------------------


BACK = server_1(register_on_enable=1, failback_mode=3, failback_timeout=60)


async def failed_over(stage: Stage) -> None:
    """A call has made the secondary the current server; a minute later the failback is due."""
    await stage.phone.register()
    await stage.behave(primary={"INVITE": 503})
    call = stage.phone.dial("1002")
    assert await call.settled() is CallResult.ANSWERED
    await call.hang_up()
    await call.over()
    await asyncio.sleep(61)
    stage.mark()


def test_a_primary_that_was_left_gets_its_register_first_on_the_way_back() -> None:
    # rule R9
    # rule F3
    async def story(stage: Stage) -> None:
        await failed_over(stage)
        await stage.behave(primary="ok")
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.ladder("REGISTER", "INVITE")[:2] == [
            "0.000 >> REGISTER .13",
            "0.000 << 200 REGISTER .13",
        ]
        assert stage.route(call.route) == [("primary", "answered", 0.0, 0.0)]
        assert call.route[0].why == "primary again: the failback of mode 3 is due"
        assert stage.registered() == ["primary"]

    play(story, ONLY_1 | BACK)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "took"), [("403", "rejected", 0.0), ("503", "unavailable", 0.0)]
)
def test_a_primary_that_refuses_the_register_keeps_the_current_server(
    behaviour: str, outcome: str, took: float
) -> None:
    # rule R9
    # rule F5
    async def story(stage: Stage) -> None:
        await failed_over(stage)
        await stage.behave(primary=f"ok, REGISTER: {behaviour}")
        for expected in ([("primary", outcome), ("secondary", "answered")], [("secondary", "answered")]):
            call = stage.phone.dial("1002")
            assert await call.settled() is CallResult.ANSWERED
            assert [(a.target.role, str(a.outcome)) for a in call.route] == expected
            await call.hang_up()
            await call.over()
        assert stage.requests("INVITE", ".13") == []
        assert stage.registered() == ["secondary"]

    play(story, ONLY_1 | BACK)


def test_on_the_way_back_only_the_registered_server_is_asked_beside_it() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await failed_over(stage)
        await stage.behave(primary=503)
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [attempt.target.role for attempt in call.route] == ["primary", "secondary"]
        assert call.route[0].outcome is Outcome.UNAVAILABLE
        assert stage.sent("REGISTER")[0].where == ".13"
        assert stage.requests("INVITE", ".16") == []

    zone = "".join(f"yealink.pbx.com. 300 IN A 192.168.1.{last}\n" for last in (13, 14, 16))
    play(story, ONLY_1 | BACK | server_1(port=5060, only_signal_with_registered=1), zone=zone)


def test_the_register_first_that_fails_is_told_by_what_it_was() -> None:
    # rule R16
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503, secondary={"REGISTER": 403})
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.FAILED
        told = call.route[1]
        assert (told.outcome, told.status, told.sent) == (Outcome.REJECTED, 403, 0)
        assert told.detail == (
            "REGISTER first (register_on_enable = 1): answered 403 Forbidden: an answer, but no registration"
        )
        assert call.reason.startswith("every server is exhausted: primary: answered 503")
        health = {each.target.role: each for each in stage.phone.line(1).health().targets}
        assert health["secondary"].works  # it has answered

    play(story, ONLY_1 | ON)


def test_a_register_first_that_is_answered_100_and_no_more_is_a_failed_target() -> None:
    # rule R9
    # rule C4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [(a.target.role, str(a.outcome)) for a in call.route] == [
            ("primary", "unavailable"),
            ("secondary", "no-response"),
            ("fallback", "answered"),
        ]

    play(story, ON, actors={"secondary": {"REGISTER": [[Answer(0.0, 100)]]}})


# -- cut short (R16) --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("unregister", "the line was unregistered"),
        ("register", "a newer registration took its place"),
        ("stop", "the phone was stopped"),
        ("power", "the phone was stopped"),
    ],
)
def test_an_attempt_that_is_cut_short_says_by_what(how: str, why: str) -> None:
    # rule R16
    async def story(stage: Stage) -> None:
        first = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(2)
        again: asyncio.Task[None] | None = None
        if how == "unregister":
            await stage.phone.line(1).registrar.unregister()
        elif how == "register":
            again = asyncio.create_task(stage.phone.register())
        else:
            await stage.phone.stop(unregister=how == "stop")
        await first
        cut = stage.registers()[0]
        assert (cut.outcome, cut.detail, cut.ended) == (Outcome.CANCELLED, f"cut short: {why}", 2.0)
        if again is not None:
            again.cancel()

    play(story, ONLY_1, primary="silent")


def test_a_register_first_that_the_unregistration_cuts_short_ends_the_call() -> None:
    # rule R16
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"INVITE": 503}, secondary="silent")
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await stage.phone.line(1).registrar.unregister()
        assert await call.settled() is CallResult.FAILED
        assert [str(attempt.outcome) for attempt in call.route] == ["unavailable", "cancelled"]
        assert call.route[1].detail.endswith("cut short: the line was unregistered")
        stage.mark()
        await asyncio.sleep(1000)
        assert stage.sent("REGISTER") == []

    play(story, ON)


def test_registrations_are_told_in_order_of_time() -> None:
    """The name of server 1 does not resolve: that attempt is told when it is over, after others."""

    # rule R16
    async def story(stage: Stage) -> None:
        await stage.lab.dns_behave("silent")
        await stage.phone.register()
        attempts = stage.phone.line(1).bindings.attempts
        assert [attempt.started for attempt in attempts] == sorted(attempt.started for attempt in attempts)
        assert str(attempts[1].outcome) == "unresolved"
        assert len(attempts) > 5
        assert {attempt.as_json()["line"] for attempt in attempts} == {1}

    play(story, {"account.1.reg_fail_retry_interval": "1"}, fallback=403)


@pytest.mark.parametrize(
    ("answers", "outcome", "state", "where"),
    [
        ([Answer(1.0, 200)], "answered", "registered", ["primary"]),
        ([], "no-response", "failed", ["fallback"]),
    ],
)
def test_a_probe_takes_over_what_becomes_of_the_register_of_a_call(
    answers: list[Answer], outcome: str, state: str, where: list[str]
) -> None:
    # rule R13
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(fallback={"INVITE": 503})
        await asyncio.sleep(119.5)
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(60)
        at_primary = [each for each in stage.registers() if each.target.role == "primary"]
        (probe,) = [each for each in at_primary if each.started == 120.0]
        assert str(probe.outcome) == outcome
        assert probe.detail.endswith("(of the REGISTER that was under way there)")
        binding = stage.phone.line(1).bindings[1]
        assert (str(binding.state), stage.registered()) == (state, where)
        assert overlapping(stage) == []

    script = {
        "REGISTER": [[Answer(0.0, 503)], answers],
        "INVITE": [[Answer(0.0, 200)]],
        "BYE": [[Answer(0.0, 200)]],
    }
    play(story, SUCCESSIVE | ON, actors={"primary": script}, secondary=503)


def test_one_that_was_cut_short_has_no_outcome_to_share() -> None:
    # rule R13
    # rule R16
    (target,) = targets(1, ".13")
    (elsewhere,) = targets(1, ".14")

    async def main() -> list[tuple[str, bool]]:
        turns, found = Turns(), []
        for outcome in (Outcome.ANSWERED, Outcome.REJECTED, Outcome.CANCELLED, None):
            under_way = Attempt(1, "REGISTER", target, Wait(7.5, ""), "", 0.0)
            with turns.taken(under_way):
                waiting = [asyncio.create_task(turns.at(each)) for each in (target, elsewhere)]
                await asyncio.sleep(1)
                under_way.outcome = outcome
            shared, of_another = await asyncio.gather(*waiting)
            assert of_another is None
            found.append((str(outcome), shared is under_way))
        return found

    assert SimulatedWorld().run(main()) == [
        ("answered", True),
        ("rejected", True),
        ("cancelled", False),
        ("None", False),
    ]


def test_a_register_before_a_call_is_the_first_of_its_own() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"INVITE": 503})
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        (attempt,) = stage.registers()
        assert (attempt.n, attempt.why) == (1, "register_on_enable = 1: REGISTER first")
        assert stage.phone.line(1).bindings[1].reason == f"registered at {attempt.target}"

    play(story, ONLY_1 | ON)


def test_a_register_before_a_call_that_never_had_its_turn_is_cancelled() -> None:
    """The refresh waits for a silent primary; the call, at the secondary by then, waits for that."""

    # rule R13
    # rule R16
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"REGISTER": "silent", "INVITE": 503})
        await asyncio.sleep(3541)
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await stage.phone.line(1).registrar.unregister()
        assert await call.settled() is CallResult.FAILED
        attempt = call.route[-1]
        assert (attempt.target.role, attempt.outcome) == ("secondary", Outcome.CANCELLED)
        assert attempt.detail == (
            "REGISTER first (register_on_enable = 1): cut short: the line is to be registered no more"
        )
        assert stage.requests("REGISTER", ".14") == []

    play(story, ONLY_1 | ON)


def test_a_lease_that_nobody_keeps_does_not_end_under_a_register() -> None:
    """A call's REGISTER may renew it: until that has ended, the line is not registered nowhere."""

    # rule R13
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.behave(primary=503)
        first = stage.phone.dial("1002")
        assert await first.settled() is CallResult.ANSWERED
        await first.hang_up()
        assert stage.registered() == ["secondary"]
        await stage.behave(secondary=503, fallback={"REGISTER": "delay 500ms"})
        await asyncio.sleep(59.8 - stage.world.now())
        stage.mark()
        second = stage.phone.dial("1003")
        assert await second.settled() is CallResult.ANSWERED
        assert (stage.world.now() - stage.zero) > 0.5  # beyond the end of the first lease
        states = [str(event.state) for event in stage.events if isinstance(event, RegistrationChanged)]
        assert states == ["registered"]
        assert stage.registered() == ["target-3"]

    zone = "".join(f"yealink.pbx.com. 300 IN A 192.168.1.{last}\n" for last in (13, 14, 15))
    play(story, ONLY_1 | ON | server_1(port=5060, expires=60), zone=zone)
