"""Where and when a line registers, on the wire."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from phone_emulator.events import Outcome, RegistrationChanged, RegistrationState
from phone_emulator.phone import CallResult
from phone_emulator.world.faults import Faulted
from tests.phone.stage import SERVERS, SUCCESSIVE, Answer, Line, Stage, play, server_1, server_2

ONLY_1 = server_2(address="")
WWW = 'Digest realm="{}", nonce="{}", algorithm=MD5, qop="auth"'


def contact(expires: int) -> list[tuple[str, str]]:
    return [("Contact", f"<sip:1001@192.168.1.21:5060>;expires={expires}")]


def started(stage: Stage) -> list[tuple[str, float]]:
    """Where and when each REGISTER attempt since the mark began."""
    return [(attempt.target.role, round(attempt.started - stage.zero, 3)) for attempt in stage.registers()]


def told(stage: Stage) -> list[RegistrationChanged]:
    """What was told of registrations since the mark began."""
    return [event for event in stage.events if isinstance(event, RegistrationChanged)]


# -- along the list of server 1 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [("503", "unavailable"), ("refuse", "icmp"), ("503 retry-after 300", "unavailable")],
)
def test_what_moves_a_register_on_at_once(behaviour: str, outcome: str) -> None:
    # rule R1
    # rule C2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.route(stage.registers()) == [
            ("primary", outcome, 0.0, 0.0),
            ("secondary", "answered", 0.0, 0.0),
        ]
        assert stage.registered() == ["secondary"]

    play(story, ONLY_1, primary=behaviour)


@pytest.mark.parametrize(
    ("keys", "switch", "detail"),
    [
        ({}, 7.5, "to 3 retransmissions (retry_counts = 3), given up at 7.5 s"),
        ({"retry_counts": 1}, 1.5, "to 1 retransmission (retry_counts = 1), given up at 1.5 s"),
        (
            {"invite_retry_counts": 1},
            7.5,
            "to 3 retransmissions (retry_counts = 3), given up at 7.5 s",
        ),
        (
            {"retry_counts": 5},
            15.5,
            "to 5 retransmissions (retry_counts = 5), given up at 15.5 s",
        ),
        ({"retry_counts": 20}, 32.0, "within 64*T1 = 32.0 s"),
    ],
)
def test_how_long_a_silent_target_is_waited_for(keys: dict[str, int], switch: float, detail: str) -> None:
    # rule R2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.route(stage.registers()) == [
            ("primary", "no-response", 0.0, switch),
            ("secondary", "answered", switch, switch),
        ]
        assert stage.registers()[0].detail == f"no response {detail}"

    play(story, ONLY_1 | server_1(**keys), primary="silent")


def test_the_same_register_along_the_list() -> None:
    # rule C7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        [first] = stage.requests("REGISTER", ".13")
        second, authorized = stage.requests("REGISTER", ".14")
        for request in (second, authorized):
            assert (request.uri, request.call_id, request.from_tag) == (
                first.uri,
                first.call_id,
                first.from_tag,
            )
        assert [r.cseq.number for r in (first, second, authorized)] == [1, 1, 2]

    play(story, ONLY_1, primary=503)


def test_in_mode_0_each_refresh_starts_at_the_primary() -> None:
    # rule R1
    # rule F0
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["secondary"]
        stage.mark()
        await stage.behave(primary="ok")
        await asyncio.sleep(3600)
        assert started(stage) == [("primary", 3540.0)]
        assert stage.registered() == ["primary"]

    play(story, ONLY_1, primary=503)


def test_a_refresh_that_fails_over_keeps_the_old_binding_until_then() -> None:
    # rule R1
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="silent")
        await asyncio.sleep(3545)
        assert stage.registered() == ["primary"]
        await asyncio.sleep(5)
        assert stage.registered() == ["secondary"]

    play(story, ONLY_1)


def test_what_is_told_of_a_registration() -> None:
    async def story(stage: Stage) -> None:
        assert not stage.phone.line(1).registrar.started
        assert stage.phone.line(1).servers.targets(1) == ()
        await stage.phone.register()
        assert stage.phone.line(1).registrar.started
        assert [target.role for target in stage.phone.line(1).servers.targets(1)] == ["primary", "secondary"]
        await asyncio.sleep(3000)
        await stage.behave(primary=503, secondary=403)
        await asyncio.sleep(541)
        await stage.behave(secondary="ok")
        await asyncio.sleep(30)
        await stage.phone.line(1).registrar.unregister()
        primary, secondary = "primary 192.168.1.13:5060/udp", "secondary 192.168.1.14:5060/udp"
        why = "primary 192.168.1.13: answered 503 Service Unavailable: the server is not available"
        denied = "secondary: answered 403 Forbidden: an answer, no other server is tried"
        assert [(str(event.state), event.expires_at, event.reason) for event in told(stage)] == [
            ("registering", None, f"REGISTER to {primary}"),
            ("registered", 3600.0, f"registered at {primary}"),
            ("failed", None, denied),
            ("failed", None, denied),
            ("registering", None, f"REGISTER to {primary}"),
            ("registering", None, f"REGISTER to {secondary}"),
            ("registered", 7170.0, f"registered at {secondary}: {why}"),
            ("unregistering", 7170.0, f"REGISTER with Expires: 0 to {primary}, {secondary}"),
            (
                "unregistered",
                None,
                f"not de-registered at {primary}: {why.partition(': ')[2]}; de-registered: 200 OK",
            ),
        ]

    play(story, ONLY_1)


# -- two servers ------------------------------------------------------------------------------------------


def test_concurrent_bindings_live_independently() -> None:
    # rule R3
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["primary", "fallback"]
        stage.mark()
        await stage.behave(primary={"REGISTER": 403})
        await asyncio.sleep(3545)
        assert sorted(started(stage)) == [("fallback", 3540.0), ("primary", 3540.0)]
        assert stage.registered() == ["fallback"]
        call = stage.phone.dial("1002")  # calls start at server 1 all the same
        assert await call.settled() is CallResult.ANSWERED
        assert call.via == "primary"

    play(story)


def test_each_server_has_a_lease_of_its_own() -> None:
    # rule R3
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await asyncio.sleep(600)
        assert started(stage) == [("fallback", at) for at in (240.0, 480.0)]

    play(story, server_2(expires=300))


def test_concurrent_and_server_1_exhausted() -> None:
    # rule R3
    async def story(stage: Stage) -> None:
        registering = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(0.1)
        assert stage.registered() == ["fallback"]
        await registering
        assert stage.world.now() == 39.5
        assert stage.registered() == ["fallback"]

    play(story, primary="silent", secondary="silent")


def test_successive_stays_at_server_1_alone() -> None:
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(4000)
        assert {line.where for line in stage.sent("REGISTER")} == {".13"}

    play(story, SUCCESSIVE)


@pytest.mark.parametrize("timeout", [10, 120, 600])
def test_the_probe_runs_every_fallback_timeout(timeout: int) -> None:
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await asyncio.sleep(3 * timeout + 1)
        assert [at for role, at in started(stage) if role == "primary"] == [
            timeout,
            2.0 * timeout,
            3.0 * timeout,
        ]
        assert stage.registered() == ["fallback"]

    settings = SUCCESSIVE | {"account.1.fallback.timeout": str(timeout)}
    play(story, settings, primary=503, secondary=503)


def test_a_probe_that_finds_the_secondary_returns_too() -> None:
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(secondary="ok")
        await asyncio.sleep(121)
        assert stage.registered() == ["secondary"]

    play(story, SUCCESSIVE, primary=503, secondary=503)


def test_while_on_server_2_its_binding_is_refreshed_there() -> None:
    # rule R4
    # rule R5
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await asyncio.sleep(700)
        assert [at for role, at in started(stage) if role == "fallback"] == [240.0, 480.0]
        assert stage.registered() == ["fallback"]

    play(story, SUCCESSIVE | server_2(expires=300), primary=503, secondary=503)


def test_back_on_server_1_the_other_binding_is_left_to_expire() -> None:
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="ok")
        await asyncio.sleep(121)
        assert stage.registered() == ["primary"]
        stage.mark()
        await asyncio.sleep(7300)
        assert {line.where for line in stage.sent("REGISTER")} == {".13"}
        assert started(stage) == [("primary", 3539.0), ("primary", 7079.0)]
        assert stage.registered() == ["primary"]

    play(story, SUCCESSIVE, primary=503, secondary=503)


def test_what_is_left_to_expire() -> None:
    """The registrar keeps it until its lease ends; the phone tells when that is, and does not renew it."""

    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="ok")
        stage.mark()
        await asyncio.sleep(121)
        [left] = [event for event in told(stage) if event.server == 2]
        assert (left.state, left.at, left.target) == (RegistrationState.UNREGISTERED, 120.0, None)
        assert (left.expires_at, left.next_at) == (3600.0, None)
        assert left.reason == "left to expire: server 1 is the working server again"
        fallback = stage.lab.servers["fallback"]
        await asyncio.sleep(3600 - 122)
        assert list(fallback.bindings) == ["1001"]
        await asyncio.sleep(2)
        assert not fallback.bindings

    play(story, SUCCESSIVE, primary=503, secondary=503)


def test_a_successive_line_renews_at_the_primary_in_mode_2() -> None:
    # rule F2
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await asyncio.sleep(3541)
        assert started(stage) == [("primary", 3540.0), ("secondary", 3540.0)]  # F5: it keeps the secondary
        await stage.behave(primary="ok")
        await asyncio.sleep(3000)
        call = stage.phone.dial("1002")
        await call.settled()
        assert [attempt.target.role for attempt in call.route] == ["secondary"]
        await call.hang_up()
        stage.mark()
        await asyncio.sleep(600)
        assert started(stage) == [("primary", 539.0)]
        assert stage.registered() == ["primary"]

    play(story, SUCCESSIVE | server_1(failback_mode=2), primary=503)


def test_server_2_fails_while_it_works() -> None:
    # rule R5
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(fallback=503)
        stage.mark()
        await asyncio.sleep(241)
        last = [(a.target.role, str(a.outcome)) for a in stage.registers() if a.started == 240.0]
        assert last[-3:] == [
            ("fallback", "unavailable"),
            ("primary", "unavailable"),
            ("secondary", "unavailable"),
        ]
        assert stage.registered() == []

    settings = SUCCESSIVE | server_2(expires=300) | {"account.1.fallback.timeout": "100"}
    play(story, settings, primary=503, secondary=503)


# -- after a failure --------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [1, 30, 1800])
def test_the_retry_interval(interval: int) -> None:
    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(2.5 * interval)
        assert started(stage) == [("primary", 0.0), ("primary", interval), ("primary", 2.0 * interval)]

    settings = ONLY_1 | {"account.1.reg_fail_retry_interval": str(interval)}
    play(story, settings, primary=403)


def test_the_retry_comes_after_everything_failed() -> None:
    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.world.now() == 71.5
        await asyncio.sleep(31)
        assert started(stage)[3:] == [("primary", 101.5)]

    play(story, SUCCESSIVE, primary="silent", secondary="silent", fallback="silent")


def test_an_interval_of_0_is_no_endless_loop() -> None:
    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(10)
        assert 5 <= len(stage.registers()) <= 100

    play(story, ONLY_1 | {"account.1.reg_fail_retry_interval": "0"}, primary=403)


def test_back_off() -> None:
    """W = min(100, 10 * 2^failures), and each wait lies between W/2 and W."""

    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(400)
        times = [at for _, at in started(stage)]
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        for wait, most in zip(waits, (20, 40, 80, 100, 100), strict=False):
            assert most / 2 <= wait <= most
        assert len({round(wait / most, 3) for wait, most in zip(waits, (20, 40, 80), strict=False)}) == 3

    settings = {"account.1.reg_failed_retry_min_time": "10", "account.1.reg_failed_retry_max_time": "100"}
    play(story, ONLY_1 | settings, primary=403)


def test_a_success_lets_the_back_off_begin_again() -> None:
    """Three waits of up to 20, 40 and 80 s, a success, and again one of up to 20 s, not of 160."""

    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(65)
        assert len(started(stage)) == 3
        await stage.behave(primary="ok")
        await asyncio.sleep(80)
        assert stage.registered() == ["primary"]
        await stage.behave(primary=403)
        stage.mark()
        await asyncio.sleep(300)
        refused, again = [at for _, at in started(stage)][:2]
        assert 10 <= again - refused <= 20

    settings = {"account.1.reg_failed_retry_min_time": "10", "account.1.reg_failed_retry_max_time": "1000"}
    play(story, ONLY_1 | settings | server_1(expires=300), primary=403)


def test_the_probe_stops_when_everything_fails() -> None:
    """From then on server 1 is asked as often as R7 says, not at the probe's times too."""

    # rule R4
    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(fallback=503)
        stage.mark()
        await asyncio.sleep(1000)
        assert [at for role, at in started(stage) if role == "primary"] == [100.0, 200.0, 240.0, 640.0]
        assert [at for role, at in started(stage) if role == "fallback"] == [240.0, 640.0]

    keys = {"account.1.fallback.timeout": "100", "account.1.reg_fail_retry_interval": "400"}
    play(story, SUCCESSIVE | server_2(expires=300) | keys, primary=503, secondary=503)


# -- leases -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("granted", "overlap", "refresh"),
    [(3600, -1, 3540), (600, -1, 540), (121, -1, 61), (120, -1, 60), (100, -1, 50), (600, 100, 500)],
)
def test_the_refresh_comes_before_the_granted_lease_ends(granted: int, overlap: int, refresh: float) -> None:
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(refresh + 1)
        assert started(stage) == [("primary", 0.0), ("primary", refresh)]

    script = {"REGISTER": [[Answer(0.0, 200, contact(granted))]]}
    settings = ONLY_1 | {"account.1.register_expires_overlap": str(overlap)}
    play(story, settings, actors={"primary": script})


@pytest.mark.parametrize(
    "extra",
    [
        [("Expires", "200")],
        [("Contact", "<sip:1001@192.168.1.21:5060>"), ("Expires", "200")],
        [("Contact", "<sip:1001@10.0.0.1:5060>;expires=7"), *contact(200), ("Expires", "9999")],
        [("Contact", '"A" <sip:1001@192.168.1.21:5060> ; expires = 200 ;q=0.5')],
        [("Contact", "<sip:1001@192.168.1.21:50600>;expires=7"), *contact(200)],
        [("Contact", "<sip:1001@192.168.1.21:5061>;expires=7, <sip:1001@192.168.1.21>;expires=200")],
        [("Contact", "<sip:1001@x;a=192.168.1.21:5060>;expires=7"), ("Contact", "<no"), *contact(200)],
    ],
)
def test_where_the_lease_stands(extra: list[tuple[str, str]]) -> None:
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(141)
        assert started(stage) == [("primary", 0.0), ("primary", 140.0)]

    play(story, ONLY_1, actors={"primary": {"REGISTER": [[Answer(0.0, 200, extra)]]}})


def test_a_lease_of_a_second_counts_as_ten() -> None:
    """Half of it comes soon enough for the registrar, and no server makes the phone register without end."""

    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        binding = stage.phone.line(1).bindings[1]
        assert (binding.expires_at, binding.refresh_at) == (10.0, 5.0)
        await asyncio.sleep(11)
        assert started(stage) == [("primary", 0.0), ("primary", 5.0), ("primary", 10.0)]

    play(story, ONLY_1, actors={"primary": {"REGISTER": [[Answer(0.0, 200, contact(1))]]}})


@pytest.mark.parametrize("extra", [contact(0), [*contact(0), ("Expires", "3600")], [("Expires", "0")]])
def test_a_200_that_grants_no_time_is_no_registration(extra: list[tuple[str, str]]) -> None:
    # rule R8
    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        binding = stage.phone.line(1).bindings[1]
        assert (binding.state, binding.target) == (RegistrationState.FAILED, None)
        [attempt] = stage.registers()
        assert attempt.outcome is Outcome.REJECTED
        assert attempt.detail == "answered 200 OK, but it grants no time (expires=0)"
        await asyncio.sleep(31)
        assert started(stage) == [("primary", 0.0), ("primary", 30.0)]

    play(story, ONLY_1, actors={"primary": {"REGISTER": [[Answer(0.0, 200, extra)]]}})


def test_423_asks_for_more() -> None:
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        first, second = stage.requests("REGISTER")
        assert (first.headers.get("Expires"), second.headers.get("Expires")) == ("60", "1800")
        assert second.cseq.number == first.cseq.number + 1
        assert second.call_id == first.call_id
        assert stage.registered() == ["primary"]

    script = {"REGISTER": [[Answer(0.0, 423, [("Min-Expires", "1800")])], [Answer(0.0, 200)]]}
    play(story, ONLY_1 | server_1(expires=60), actors={"primary": script})


def test_423_without_sense_is_a_refusal() -> None:
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert len(stage.requests("REGISTER")) == 1
        assert stage.registers()[0].status == 423

    play(story, ONLY_1, actors={"primary": {"REGISTER": [[Answer(0.0, 423, [("Min-Expires", "60")])]]}})


# -- registering before a request -------------------------------------------------------------------------

ON = server_1(register_on_enable=1)


def test_without_the_key_the_request_goes_straight_there() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.sent("REGISTER") == []
        assert stage.registered() == ["primary"]

    play(story, ONLY_1)


def test_register_first_then_the_request() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.sent("REGISTER", "INVITE") == [
            Line(0.0, ".13", "INVITE"),
            Line(0.0, ".14", "REGISTER"),
            Line(0.0, ".14", "REGISTER"),
            Line(0.0, ".14", "INVITE"),
            Line(0.0, ".14", "INVITE"),
        ]
        assert [attempt.method for attempt in call.route] == ["INVITE", "INVITE"]
        assert stage.registered() == ["secondary"]

    play(story, ONLY_1 | ON)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "took"),
    [
        ("403", Outcome.REJECTED, 0.0),
        ("503", Outcome.UNAVAILABLE, 0.0),
        ("silent", Outcome.NO_RESPONSE, 32.0),
    ],
)
def test_a_register_first_that_fails_is_a_failed_target(
    behaviour: str, outcome: Outcome, took: float
) -> None:
    """The secondary is the last of its list: a silent one gets 64*T1."""

    # rule R9
    # rule R2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503, secondary=f"ok, REGISTER: {behaviour}")
        stage.mark()
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert call.route[1].outcome is outcome
        assert call.route[1].detail.startswith("REGISTER first (register_on_enable = 1): ")
        assert stage.route(call.route)[2] == ("fallback", "answered", took, took)
        assert [line for line in stage.sent("INVITE") if line.where == ".14"] == []
        assert stage.registered() == ["primary", "fallback"]

    play(story, ON)


def test_where_it_registered_first_it_stays_registered() -> None:
    """The secondary grants 60 s only: its binding is refreshed in time, not when the primary's was due."""

    # rule R9
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        await stage.phone.dial("1002").settled()
        stage.mark()
        await asyncio.sleep(100)
        assert [line for line in stage.sent("REGISTER") if line.where == ".14"] == [
            (at, ".14", "REGISTER") for at in (30.0, 60.0, 90.0)
        ]
        assert stage.registered() == ["secondary"]

    script = {
        "REGISTER": [[Answer(0.0, 200, contact(60))]],
        "INVITE": [[Answer(0.0, 200)]],
        "BYE": [[Answer(0.0, 200)]],
    }
    play(story, ONLY_1 | ON, actors={"secondary": script})


def test_the_register_before_a_call_is_counted_on() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        await stage.phone.dial("1002").settled()
        await asyncio.sleep(4000)
        sent = stage.requests("REGISTER")
        assert len({request.call_id for request in sent}) == 1
        assert [request.cseq.number for request in sent] == [1, 2, 3, 4, 5, 5, 6]
        assert [line.where for line in stage.sent("REGISTER")] == [
            ".13",
            ".13",
            ".14",
            ".14",
            ".13",
            ".14",
            ".14",
        ]

    play(story, ONLY_1 | ON)


def test_a_register_before_a_call_while_the_refresh_waits() -> None:
    """The refresh waits for the primary; the call waits for that, and shares its next REGISTER."""

    # rule R9
    # rule R13
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(3540)
        await stage.behave(primary="silent")
        stage.mark()
        await asyncio.sleep(1)
        await (call := stage.phone.dial("1002")).settled()
        assert stage.sent("REGISTER", "INVITE") == [
            *(Line(at, ".13", "REGISTER") for at in (0.0, 0.5)),
            Line(1.0, ".13", "INVITE"),
            *(Line(at, ".13", "REGISTER") for at in (1.5,)),
            Line(1.5, ".13", "INVITE"),
            Line(3.5, ".13", "REGISTER"),
            *(Line(7.5, ".14", what) for what in ("REGISTER", "REGISTER", "INVITE", "INVITE")),
        ]
        assert stage.route(call.route)[1] == ("secondary", "answered", 2.5, 7.5)
        assert stage.registered() == ["secondary"]

    keys = server_1(register_on_enable=1, invite_retry_counts=1)
    play(story, ONLY_1 | keys)


def test_subscriptions_follow_a_register_before_a_call() -> None:
    # rule R9
    # rule F6
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(1)
        await stage.behave(primary=503)
        await stage.phone.dial("1002").settled()
        await asyncio.sleep(1)
        assert [request.uri for request in stage.requests("SUBSCRIBE", ".14")][:1] == [
            "sip:1001@yealink.pbx.com"
        ]

    keys = server_1(register_on_enable=1, failback_mode=3, **{"failback_subscribe.enable": 1})
    play(story, ONLY_1 | keys | {"account.1.subscribe_mwi": "1"})


@pytest.mark.parametrize("kind", [{}, SUCCESSIVE])
def test_subscriptions_use_server_1_only(kind: dict[str, str]) -> None:
    # rule F6
    # rule R3
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(100)
        assert "fallback" in stage.registered()
        assert stage.requests("SUBSCRIBE") == []
        await stage.behave(primary=503, secondary=503)
        await stage.phone.dial("1002").settled()
        await asyncio.sleep(1)
        assert stage.requests("SUBSCRIBE") == []

    keys = server_1(register_on_enable=1) | server_2(register_on_enable=1) | {"account.1.subscribe_mwi": "1"}
    play(story, kind | keys, primary=503, secondary=503)


def test_a_binding_beside_the_only_one_of_a_successive_line_is_left_to_expire() -> None:
    """A call has registered at server 2 first; with the next refresh at server 1 that binding has no use."""

    # rule R4
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503, secondary=503)
        await stage.phone.dial("1002").settled()
        assert stage.registered() == ["primary", "fallback"]
        await stage.behave(primary="ok", secondary="ok")
        stage.mark()
        await asyncio.sleep(3541)
        assert stage.registered() == ["primary"]
        [left] = [event for event in told(stage) if event.server == 2]
        assert (left.state, left.at, left.expires_at) == (RegistrationState.UNREGISTERED, 3540.0, 3600.0)
        assert left.reason == "left to expire: server 1 is the working server again"

    play(story, SUCCESSIVE | ON | server_2(register_on_enable=1))


def test_hanging_up_during_register_first() -> None:
    # rule R9
    # rule C9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503, secondary={"REGISTER": "silent"})
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        stage.mark()
        await call.hang_up()
        await call.over()
        assert stage.world.now() == 1.0
        assert [str(attempt.outcome) for attempt in call.route] == ["unavailable", "cancelled"]
        await asyncio.sleep(100)
        assert stage.sent("INVITE", "CANCEL") == []

    play(story, ON)


# -- credentials ------------------------------------------------------------------------------------------


def test_a_challenge_is_answered_on_the_same_target() -> None:
    # rule R10
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.ladder("REGISTER") == [
            "0.000 >> REGISTER .13",
            "0.000 << 401 REGISTER .13",
            "0.000 >> REGISTER .13",
            "0.000 << 200 REGISTER .13",
        ]
        first, second = stage.requests("REGISTER")
        assert "Authorization" not in first.headers
        assert (first.cseq.number, second.cseq.number) == (1, 2)
        assert first.call_id == second.call_id
        assert "guide-Example-7" not in second.to_bytes().decode()

    play(story, ONLY_1)


def test_a_wrong_password_is_an_answer() -> None:
    # rule R10
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.ladder("REGISTER") == [
            "0.000 >> REGISTER .13",
            "0.000 << 401 REGISTER .13",
            "0.000 >> REGISTER .13",
            "0.000 << 401 REGISTER .13",
        ]
        [attempt] = stage.registers()
        assert (attempt.outcome, attempt.status) == (Outcome.REJECTED, 401)
        assert "credentials" in attempt.detail
        assert stage.registered() == []

    challenge = [("WWW-Authenticate", WWW.format("pbx", "n1"))]
    again = [("WWW-Authenticate", WWW.format("pbx", "n2"))]
    script = {"REGISTER": [[Answer(0.0, 401, challenge)], [Answer(0.0, 401, again)]]}
    play(story, SUCCESSIVE, actors={"primary": script})


def test_a_stale_nonce_is_answered_again() -> None:
    # rule R10
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["primary"]
        nonces = [request.headers.get("Authorization") or "" for request in stage.requests("REGISTER")]
        assert ["n1" in nonces[1], "n2" in nonces[2]] == [True, True]

    challenge = [("WWW-Authenticate", WWW.format("pbx", "n1"))]
    stale = [("WWW-Authenticate", WWW.format("pbx", "n2") + ", stale=true")]
    script = {"REGISTER": [[Answer(0.0, 401, challenge)], [Answer(0.0, 401, stale)], [Answer(0.0, 200)]]}
    play(story, ONLY_1, actors={"primary": script})


def test_stale_without_end_is_an_answer_at_last() -> None:
    # rule R10
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert len(stage.requests("REGISTER")) <= 5
        assert stage.registers()[0].outcome is Outcome.REJECTED

    stale = [("WWW-Authenticate", WWW.format("pbx", "n2") + ", stale=true")]
    play(story, ONLY_1, actors={"primary": {"REGISTER": [[Answer(0.0, 401, stale)]]}})


def test_a_refresh_after_the_nonce_is_stale() -> None:
    """The first one still carries the old nonce, and is challenged anew: no wrong password."""

    # rule R10
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(4000)
        assert stage.registered() == ["primary"]
        assert all(attempt.outcome is Outcome.ANSWERED for attempt in stage.registers())

    play(story, ONLY_1)


# -- the end ----------------------------------------------------------------------------------------------


def test_stopping_removes_every_binding() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await stage.phone.stop()
        gone = stage.requests("REGISTER")
        assert {request.headers.get("Expires") for request in gone} == {"0"}
        assert {line.where for line in stage.sent("REGISTER")} == {".13", ".15"}
        assert all(server.bindings == {} for server in stage.lab.servers.values())
        states = [event.state for event in stage.events if isinstance(event, RegistrationChanged)]
        assert states[-1] is RegistrationState.UNREGISTERED

    play(story)


def test_stopping_without_telling() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await stage.phone.stop(unregister=False)
        assert stage.sent("REGISTER") == []

    play(story)


def test_stopping_while_it_registers() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        registering = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(1)
        await stage.phone.stop()
        # The primary may have heard it, and is asked twice to forget it; the fallback server answers at once.
        assert stage.world.now() == 2.5
        await asyncio.wait_for(registering, 5)
        stage.mark()
        await asyncio.sleep(100)
        assert stage.sent("REGISTER") == []

    play(story, primary="silent")


def test_a_dead_server_does_not_hold_the_stop_up() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="silent", fallback="silent")
        await stage.phone.stop()
        assert stage.world.now() == 7.5

    play(story)


def test_registering_again_takes_the_place_of_the_first() -> None:
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(100)
        stage.mark()
        await stage.phone.register()
        await asyncio.sleep(3600)
        assert started(stage) == [("primary", 0.0), ("primary", 3540.0)]

    play(story, ONLY_1)


def test_a_registrar_that_is_cancelled_sends_nothing_more() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        stage.phone.line(1).registrar.cancel()
        await asyncio.sleep(10_000)
        assert stage.requests("REGISTER") == []

    play(story, ONLY_1)


def test_a_binding_that_nobody_renews_ends_with_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[float, str, float | None, list[str]]] = []

    async def story(stage: Stage) -> None:
        await stage.phone.register()

        def planted(group: object) -> None:
            raise LookupError("planted")

        monkeypatch.setattr(stage.phone.line(1).registrar, "_in_order", planted)
        await asyncio.sleep(1)
        stage.mark()
        await asyncio.sleep(3598)
        held = stage.registered()
        await asyncio.sleep(2)
        for event, roles in zip(told(stage), [held, stage.registered()], strict=True):
            found.append((event.at, str(event.state), event.expires_at, roles))

    with pytest.raises(Faulted, match="the registration at server 1 of line 1: LookupError: planted"):
        play(story, ONLY_1)
    assert found == [(3540.0, "failed", 3600.0, ["primary"]), (3600.0, "failed", None, [])]


# -- failback ---------------------------------------------------------------------------------------------


def test_mode_1_returns_when_the_address_record_has_run_out() -> None:
    # rule F1
    # rule F5
    async def story(stage: Stage) -> None:
        routes = {}
        for at in (0, 299, 301, 599, 602):
            await asyncio.sleep(at - stage.world.now())
            call = stage.phone.dial("1002")
            assert await call.settled() is CallResult.ANSWERED
            routes[at] = [attempt.target.role for attempt in call.route]
            await call.hang_up()
        both = ["primary", "secondary"]
        assert routes == {0: both, 299: ["secondary"], 301: both, 599: ["secondary"], 602: both}

    zone = "yealink.pbx.com. 300 IN A 192.168.1.13\nyealink.pbx.com. 300 IN A 192.168.1.14\n"
    play(story, server_1(failback_mode=1, port=5060), zone=zone, primary=503)


def test_mode_2_returns_with_the_renewal() -> None:
    # rule F2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["secondary"]
        await stage.behave(primary="ok")
        await asyncio.sleep(3000)
        call = stage.phone.dial("1002")
        await call.settled()
        assert [attempt.target.role for attempt in call.route] == ["secondary"]
        await call.hang_up()
        stage.mark()
        await asyncio.sleep(600)
        assert started(stage) == [("primary", 540.0)]
        assert stage.registered() == ["primary"]

    play(story, ONLY_1 | server_1(failback_mode=2), primary=503)


@pytest.mark.parametrize("refused", ["503", "403"])
def test_mode_2_keeps_the_secondary_when_the_renewal_fails_at_the_primary(refused: str) -> None:
    """An error is an answer (C3), but no registration: the primary works again when it takes one (R1)."""

    # rule F2
    # rule F5
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["secondary"]
        await stage.behave(primary=f"ok, REGISTER: {refused}")
        stage.mark()
        await asyncio.sleep(3600)
        assert started(stage) == [("primary", 3540.0), ("secondary", 3540.0)]
        assert stage.registered() == ["secondary"]
        assert "no other server" not in stage.registers()[-1].why
        call = stage.phone.dial("1002")
        await call.settled()
        assert [attempt.target.role for attempt in call.route] == ["secondary"]

    play(story, ONLY_1 | server_1(failback_mode=2), primary=503)


def test_modes_3_and_1_renew_where_they_are() -> None:
    # rule F3
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await asyncio.sleep(3600)
        assert started(stage) == [("secondary", 3540.0)]

    play(story, ONLY_1 | server_1(failback_mode=3, failback_timeout=0), primary=503)


def test_a_due_failback_of_the_registration_waits_for_the_end_of_the_call() -> None:
    # rule F2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="ok")
        call = stage.phone.dial("1002")
        await call.settled()
        stage.mark()
        await asyncio.sleep(3600)
        assert started(stage) == [("secondary", 3540.0)]  # the line is not idle: renewed where it is
        await call.hang_up()
        await asyncio.sleep(3600)
        assert stage.registered() == ["primary"]

    play(story, ONLY_1 | server_1(failback_mode=2), primary=503)


def test_a_call_that_failed_over_makes_the_secondary_the_current_one() -> None:
    # rule F4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        first = stage.phone.dial("1002")
        await first.settled()
        await first.hang_up()
        second = stage.phone.dial("1002")
        await second.settled()
        assert [attempt.target.role for attempt in second.route] == ["secondary"]
        assert stage.registered() == ["primary"]

    play(story, ONLY_1 | server_1(failback_mode=3))


def test_the_secondary_fails_while_it_is_the_current_one() -> None:
    # rule F3
    # rule R1
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="ok", secondary=503)
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [attempt.target.role for attempt in call.route] == ["secondary", "primary"]
        await call.hang_up()
        call = stage.phone.dial("1002")
        await call.settled()
        assert [attempt.target.role for attempt in call.route] == ["primary"]

    play(story, ONLY_1 | server_1(failback_mode=3, failback_timeout=0), primary=503)


def test_a_failback_that_fails_everywhere_keeps_the_secondary() -> None:
    # rule F5
    async def story(stage: Stage) -> None:
        routes = []
        for secondary in ("ok", 503, 503):
            await stage.behave(secondary=secondary)
            call = stage.phone.dial("1002")
            await call.settled()
            routes.append([attempt.target.role for attempt in call.route])
            await call.hang_up()
            await asyncio.sleep(61 if len(routes) == 1 else 1)
        assert routes == [
            ["primary", "secondary"],
            ["primary", "secondary", "fallback"],  # the failback was due, and failed
            ["secondary", "primary", "fallback"],  # so its time starts again
        ]

    play(story, server_1(failback_mode=3, failback_timeout=60), primary=503)


# -- unresolved -------------------------------------------------------------------------------------------


def test_a_server_without_address_is_a_failed_attempt() -> None:
    # rule C2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.route(stage.registers()) == [
            ("primary", "unresolved", 0.0, 9.0),
            ("fallback", "answered", 9.0, 9.0),
        ]

    async def silent(stage: Stage) -> None:
        await stage.lab.dns_behave("silent")
        await story(stage)

    play(silent, SUCCESSIVE)


def test_tcp_registrations_use_one_connection() -> None:
    # rule C6
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["primary"]
        stage.world.network.host(SERVERS["primary"]).up = False
        stage.mark()
        await asyncio.sleep(3600)
        # The connection is up as far as anyone knows: Timer F decides, not the connect.
        assert stage.route(stage.registers())[0] == ("primary", "no-response", 3540.0, 3572.0)

    play(story, ONLY_1 | server_1(port=5060, transport_type=1))
