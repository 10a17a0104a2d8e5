"""What registrars hold: whose lease a 200 grants, and who is asked to forget it at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from phone_emulator.events import Address, MessageIgnored, Outcome, RegistrationChanged
from phone_emulator.phone.registration.lease import Grant, contact_of, granted, is_own
from phone_emulator.sip.message import Request, Response, response_to
from tests.phone.stage import SUCCESSIVE, Answer, Line, Stage, play, server_1, server_2

ONLY_1 = server_2(address="")
ON = server_1(register_on_enable=1)
OWN = "<sip:1001@192.168.1.21:5060>"


def removals(stage: Stage) -> list[str]:
    """Where a REGISTER with Expires 0 went since the mark."""
    return [
        host
        for host in (".13", ".14", ".15")
        if any(request.headers.get("Expires") == "0" for request in stage.requests("REGISTER", host))
    ]


def sent(stage: Stage) -> list[tuple[Line, Request]]:
    """Every REGISTER since the mark: when and where to, and what it was."""
    return list(zip(stage.sent("REGISTER"), stage.requests("REGISTER"), strict=True))


def held(stage: Stage) -> list[str]:
    """The lab's servers that hold a binding of anybody."""
    return [name for name, server in stage.lab.servers.items() if server.bindings]


# -- the end (R12) ----------------------------------------------------------------------------------------


def test_a_call_that_registered_elsewhere_leaves_no_binding_behind() -> None:
    # rule R12
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"INVITE": 503})
        await stage.phone.dial("1002").settled()
        assert held(stage) == ["primary", "secondary", "fallback"]
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert removals(stage) == [".13", ".14", ".15"]
        assert held(stage) == []
        why = {attempt.target.role: attempt.why for attempt in stage.registers()}
        assert why["primary"] == "the line is stopped: its lease was left there"
        assert why["secondary"] == "the line is stopped"

    play(story, ON)


@pytest.mark.parametrize("returned", [True, False])
def test_the_binding_of_server_2_is_removed_after_the_return_to_server_1(returned: bool) -> None:
    # rule R12
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="ok")
        if returned:
            await asyncio.sleep(121)
        stage.mark()
        await stage.phone.stop()
        assert removals(stage) == ([".13", ".15"] if returned else [".15"])
        assert held(stage) == []

    play(story, SUCCESSIVE, primary=503, secondary=503)


@pytest.mark.parametrize(("at", "expected"), [(3599, [".13", ".14"]), (3601, [".14"])])
def test_a_target_that_a_refresh_left_is_asked_until_its_lease_runs_out(at: int, expected: list[str]) -> None:
    # rule R12
    # rule R1
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary=503)
        await asyncio.sleep(at)
        await stage.behave(primary="ok")
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert removals(stage) == expected

    play(story, ONLY_1)


def test_a_cycle_that_failed_leaves_a_lease_all_the_same() -> None:
    """The registrar refuses the refresh; what it granted before has not run out."""

    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"REGISTER": 403})
        await asyncio.sleep(3541)
        assert stage.registered() == []
        await stage.behave(primary="ok")
        stage.mark()
        await stage.phone.stop()
        assert removals(stage) == [".13"]
        assert held(stage) == []

    play(story, ONLY_1)


def test_all_are_asked_at_once_and_no_dead_one_holds_the_others_up() -> None:
    # rule R12
    # rule R2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"INVITE": 503})
        await stage.phone.dial("1002").settled()
        await stage.behave(primary="silent", secondary="silent", fallback="silent")
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        first = {line.where for line in stage.sent("REGISTER") if line.at == 0.0}
        assert first == {".13", ".14", ".15"}
        assert stage.world.now() - stage.zero == 7.5
        told = [event.reason for event in stage.events if isinstance(event, RegistrationChanged)]
        assert any("not de-registered at primary 192.168.1.13:5060/udp: no response to 3" in t for t in told)
        assert stage.phone.left_behind()[0] == (
            "line 1 stays registered at primary 192.168.1.13:5060/udp, for 3592 s at most"
        )
        stage.mark()
        await stage.phone.stop()  # they were asked: once is enough
        assert stage.sent("REGISTER") == []

    play(story, ON)


def test_over_tcp_a_silent_server_is_given_up_as_soon() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.world.network.host("192.168.1.13").up = False
        await stage.phone.stop()
        assert stage.world.now() == 7.5

    play(story, ONLY_1 | server_1(port=5060, transport_type=1))


@pytest.mark.parametrize("latency", [0.02, 0.1])
def test_a_register_that_was_under_way_may_have_been_granted(latency: float) -> None:
    """The 200 is on its way when the phone stops: the registrar rings a phone that is gone."""

    # rule R12
    async def story(stage: Stage) -> None:
        stage.world.network.latency = latency
        registering = asyncio.create_task(stage.phone.register())
        while not held(stage):  # noqa: ASYNC110 (virtual time)
            await asyncio.sleep(latency / 4)
        assert stage.registered() == []
        stage.mark()
        await stage.phone.stop()
        await registering
        assert held(stage) == []
        [last] = stage.registers()
        why = "the line is stopped: a REGISTER was under way, and may have been granted"
        assert (last.why, last.outcome) == (why, Outcome.ANSWERED)

    play(story, ONLY_1)


def test_a_refresh_that_was_granted_and_not_heard_is_removed_long_after() -> None:
    """The secondary took over; the primary renewed its lease, but its answers were lost."""

    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(3539)
        primary = stage.actors["primary"]
        primary.script["REGISTER"] = [[]]  # hears, and is not heard
        await asyncio.sleep(1000)
        assert stage.registered() == ["secondary"]
        stage.mark()
        primary.script["REGISTER"] = [[Answer(0.0, 200)]]
        await stage.phone.line(1).registrar.unregister()
        assert removals(stage) == [".13", ".14"]

    script = {"REGISTER": [[Answer(0.0, 200, [("Contact", f"{OWN};expires=3600")])]]}
    play(story, ONLY_1, actors={"primary": script})


def test_a_server_that_was_silent_from_the_start_is_left_alone() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await stage.phone.stop()
        assert stage.world.now() == stage.zero
        assert removals(stage) == [".14"]

    play(story, ONLY_1, primary="silent")


def test_an_answer_that_comes_too_late_tells_of_a_lease() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.registered() == ["secondary"]
        await asyncio.sleep(20)
        ignored = [event.reason for event in stage.events if isinstance(event, MessageIgnored)]
        assert "too late: this server was given up before, and holds the registration for 900 s" in ignored
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert removals(stage) == [".13", ".14"]

    late = Answer(10.0, 200, [("Contact", f"{OWN};expires=900")])
    play(story, ONLY_1, actors={"primary": {"REGISTER": [[late], []]}})


def test_the_contact_that_is_removed_is_the_one_that_was_registered() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.phone.line(1).registrar.unregister()
        assert {request.headers.get("Contact") for request in stage.requests("REGISTER")} == {OWN}
        [line] = stage.phone.lines.values()
        assert [str(binding.state) for binding in line.bindings] == ["unregistered"]
        assert line.health().next == ()

    play(story, ONLY_1)


def test_a_restart_removes_the_bindings_of_the_lines_that_are_meant() -> None:
    # rule R12
    # rule R11
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await stage.phone.stop_to_restart()
        assert [request.from_address.uri.user for request in stage.requests("REGISTER")] == expected

    second = {"account.2.enable": "1", "account.2.user_name": "1002", "account.2.auth_name": "1002"}
    second |= {"account.2.password": "Line-2-Example", "account.2.sip_server.1.address": "192.168.1.15"}
    expected: list[str] = []
    play(story, ONLY_1 | second)
    expected = ["1002"]
    play(story, ONLY_1 | second | {"account.2.unregister_on_reboot": "1"})


@pytest.mark.parametrize("behaviour", ["403", "refuse"])
def test_a_line_that_is_registered_nowhere_plans_nothing_any_more(behaviour: str) -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.phone.line(1).registrar.unregister()
        binding = stage.phone.line(1).bindings[1]
        assert (str(binding.state), binding.next_at) == ("failed", None)
        assert stage.phone.line(1).health().next == ()
        stage.mark()
        await asyncio.sleep(1000)
        assert stage.sent("REGISTER") == []

    play(story, ONLY_1, primary=behaviour, secondary=behaviour)


def test_a_line_that_had_not_come_far_is_unregistered_at_once() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        stage.world.network.host("192.168.1.13").up = False
        registering = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(0.5)  # no connection yet: nothing has left
        await stage.phone.line(1).registrar.unregister()
        await registering
        assert stage.world.now() == 0.5
        binding = stage.phone.line(1).bindings[1]
        assert (str(binding.state), binding.reason) == ("unregistered", "the line was unregistered")

    play(story, ONLY_1 | server_1(port=5060, transport_type=1))


def test_registering_while_the_removal_waits() -> None:
    """R13: the removal ends first, then the binding is made again."""

    # rule R13
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="silent")
        stage.mark()
        leaving = asyncio.create_task(stage.phone.line(1).registrar.unregister())
        await asyncio.sleep(1)
        await stage.behave(primary="ok")
        await stage.phone.register()
        await leaving
        assert [(line.at, r.headers.get("Expires")) for line, r in sent(stage)] == [
            (0.0, "0"),
            (0.5, "0"),
            (1.5, "0"),
            (1.5, "3600"),
        ]
        assert stage.registered() == ["primary"]

    play(story, ONLY_1)


# -- whose lease (R15) ------------------------------------------------------------------------------------


def response(*contacts: str, expires: str = "") -> Response:
    """A 200 with these Contacts."""
    made = Response(200, "OK")
    for contact in contacts:
        made.headers.add("Contact", contact)
    if expires:
        made.headers.add("Expires", expires)
    return made


STRANGER = "<sip:1001@10.9.9.9>;expires=3600"
REWRITTEN = "<sip:1001@203.0.113.5:33333>;expires=180"


@pytest.mark.parametrize(
    ("contacts", "expires", "grant"),
    [
        ([STRANGER, REWRITTEN], "", Grant(180, guessed=True)),
        ([STRANGER], "", Grant(3600, guessed=True)),
        (["<sip:1001@10.9.9.9>;expires=7200"], "", Grant(3600, guessed=True)),  # what was asked for
        ([STRANGER], "90", Grant(90, guessed=True)),
        (["<sip:1001@10.9.9.9>"], "90", Grant(90, guessed=True)),
        (["<sip:1001@10.9.9.9>;expires=0", REWRITTEN], "", Grant(180, guessed=True)),
        ([STRANGER, f"{OWN};expires=600", REWRITTEN], "90", Grant(600, guessed=False)),
        ([f"{OWN};expires=0", STRANGER], "3600", Grant(0, guessed=False)),
        ([OWN, REWRITTEN], "90", Grant(90, guessed=False)),
        ([OWN, REWRITTEN], "", Grant(3600, guessed=False)),
        # Another user's binding at this very address is not this line's.
        (["<sip:1002@192.168.1.21:5060>;expires=60"], "", Grant(3600, guessed=False)),
        ([], "7200", Grant(7200, guessed=False)),
        # Of two at one address, that over its own transport.
        ([f"{OWN[:-1]};transport=TCP>;expires=60", f"{OWN};expires=600"], "", Grant(600, guessed=False)),
    ],
)
def test_what_a_200_grants(contacts: Sequence[str], expires: str, grant: Grant) -> None:
    # rule R15
    assert granted(response(*contacts, expires=expires), OWN, 3600) == grant


def test_a_contact_that_was_there_before_is_a_strangers() -> None:
    # rule R15
    known = contact_of(REWRITTEN)
    assert known is not None
    assert granted(response(REWRITTEN, STRANGER), OWN, 3600, {known}) == Grant(3600, guessed=True)


@pytest.mark.parametrize(
    ("contact", "own", "same"),
    [
        ("<sip:1001@192.168.1.21>", OWN, True),
        ("<SIP:1001@192.168.1.21:5060;x=y>", OWN, True),
        ("<sip:%31001@192.168.1.21>", OWN, True),
        ("<sip:1001@192.168.1.21;transport=tcp>", OWN, True),  # one of both has none: passed over
        ("<sip:1001@192.168.1.21:5060;transport=udp>", f"{OWN[:-1]};transport=TCP>", False),
        ("<sip:1001@192.168.1.21:5060;line=abc>", f"{OWN[:-1]};line=def>", False),
        ("<sip:1002@192.168.1.21>", OWN, False),
        ("<sip:192.168.1.21>", OWN, False),
        ("<sip:1001@[FD00:0::21]:5060>", "<sip:1001@[fd00::21]:5060>", True),
        ("<tel:1001>", OWN, False),
        ("<no", OWN, False),
    ],
)
def test_which_contacts_are_equal(contact: str, own: str, *, same: bool) -> None:
    """RFC 3261 section 19.1.4; an absent port counts as the default one."""
    # rule R15
    assert is_own(contact, own) is same


@pytest.mark.parametrize(("guess", "refresh"), [(180, 120.0), (40, 30.0), (10, 30.0), (1, 30.0)])
def test_a_refresh_that_follows_from_a_guess_is_in_no_hurry(guess: int, refresh: float) -> None:
    # rule R15
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        binding = stage.phone.line(1).bindings[1]
        assert binding.refresh_at == refresh
        assert binding.expires_at == max(refresh, guess)
        # The registrar may have granted as much as was asked for.
        await asyncio.sleep(refresh - 1)
        [lease] = stage.phone.line(1).registrar.left()
        assert lease.expires_at == 3600.0

    contact = f"<sip:1001@203.0.113.5:33333>;expires={guess}"
    script = {"REGISTER": [[Answer(0.0, 200, [("Contact", contact)])]]}
    play(story, ONLY_1, actors={"primary": script})


def test_what_was_left_after_the_removal_is_a_strangers() -> None:
    # rule R15
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.phone.line(1).bindings[1].expires_at == 60.0
        await stage.phone.line(1).registrar.unregister()
        await stage.phone.register()
        assert stage.phone.line(1).bindings[1].expires_at == 180.0

    stranger = ("Contact", "<sip:1001@10.9.9.9>;expires=60")
    both = [stranger, ("Contact", REWRITTEN)]
    script = {"REGISTER": [[Answer(0.0, 200, extra)] for extra in (both, [stranger], both)]}
    play(story, ONLY_1, actors={"primary": script})


def test_the_longest_time_that_was_wanted_is_asked_for_from_then_on() -> None:
    # rule R15
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(241)
        await stage.phone.line(1).registrar.unregister()
        await stage.phone.register()
        asked = [request.headers.get("Expires") for request in stage.requests("REGISTER")]
        assert asked == ["60", "300", "300", "0", "300"]

    answers = [Answer(0.0, 423, [("Min-Expires", "300")]), Answer(0.0, 200)]
    script = {"REGISTER": [[answer] for answer in answers]}
    play(story, ONLY_1 | server_1(expires=60), actors={"primary": script})


def test_what_one_target_wanted_is_asked_for_at_the_next() -> None:
    # rule R15
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert [r.headers.get("Expires") for r in stage.requests("REGISTER", ".13")] == ["60", "300"]
        assert {r.headers.get("Expires") for r in stage.requests("REGISTER", ".14")} == {"300"}

    script = {"REGISTER": [[Answer(0.0, 423, [("Min-Expires", "300")])], [Answer(0.0, 503)]]}
    play(story, ONLY_1 | server_1(expires=60), actors={"primary": script})


# -- a server that asks for time --------------------------------------------------------------------------


def test_a_503_with_retry_after_keeps_registers_away_and_no_calls() -> None:
    """RFC 3261 section 20.33, for REGISTER only."""

    # rule C2
    # rule R1
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        detail = "answered 503 Service Unavailable: the server is not available; "
        assert stage.registers()[0].detail == f"{detail}no REGISTER there for 300 s (Retry-After)"
        stage.mark()
        call = stage.phone.dial("1002")
        await call.settled()
        assert [attempt.target.role for attempt in call.route] == ["primary"]
        await asyncio.sleep(301)
        # The refresh of 60 s passes the primary over until its time is over.
        registers = [(a.target.role, str(a.outcome), a.started) for a in stage.registers()]
        assert registers[:2] == [("primary", "skipped", 30.0), ("secondary", "answered", 30.0)]
        assert ("primary", "skipped", 270.0) in registers
        assert registers[-1] == ("primary", "answered", 300.0)
        why = "its 503 to a REGISTER asked for time (Retry-After): 270 s more"
        assert stage.registers()[0].detail == why

    # Calls are taken there all the same.
    behaviour = {"REGISTER": "503 retry-after 300"}

    async def mended(stage: Stage) -> None:
        async def mend() -> None:
            await asyncio.sleep(299)
            await stage.behave(primary="ok")

        mending = asyncio.create_task(mend())
        await story(stage)
        await mending

    play(mended, ONLY_1 | server_1(expires=60), primary=behaviour)


@pytest.mark.parametrize(("named", "due"), [(5, 30.0), (120, 120.0), (86400, 600.0)])
def test_where_every_target_asks_for_time_it_is_given(named: int, due: float) -> None:
    """Ten minutes at most."""

    # rule R7
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert stage.phone.line(1).bindings[1].next_at == due
        if named > due:
            said = "no REGISTER there for 600 s (Retry-After = 86400, but 10 minutes at most)"
            assert said in stage.registers()[0].detail
        await asyncio.sleep(due + 1)
        assert [a.started for a in stage.registers() if a.target.role == "primary"] == [0.0, due]

    busy = f"503 retry-after {named}"
    play(story, ONLY_1, primary=busy, secondary=busy)


def test_a_call_that_would_register_first_passes_such_a_target_over() -> None:
    # rule R9
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(secondary={"REGISTER": "503 retry-after 300"}, primary=503)
        await stage.phone.dial("1002").settled()
        stage.mark()
        call = stage.phone.dial("1002")
        await call.settled()
        assert [str(a.outcome) for a in call.route] == ["unavailable", "skipped", "answered"]
        assert "asked for time (Retry-After): 300 s more" in call.route[1].detail
        assert stage.sent("REGISTER") == []

    play(story, ON)


def test_the_end_asks_a_server_that_wanted_time_too() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="503 retry-after 300")
        await asyncio.sleep(3541)
        await stage.behave(primary="ok")
        stage.mark()
        await stage.phone.stop()
        assert removals(stage) == [".13", ".14"]

    play(story, ONLY_1)


def test_server_2_is_waited_for_by_its_own_key_at_the_end() -> None:
    # rule R12
    # rule R2
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="silent", fallback="silent")
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        ends = {role: ended for role, _, _, ended in stage.route(stage.registers())}
        assert ends == {"primary": 3.5, "fallback": 1.5}

    play(story, server_1(retry_counts=2) | server_2(retry_counts=1))


def test_a_lease_that_is_longer_than_what_was_asked_for_is_remembered_to_its_end() -> None:
    """The registrar granted 7200 s; the next REGISTER asks for 3600 s, and its answer is lost."""

    # rule R12
    # rule R8
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        primary = stage.actors["primary"]
        primary.script["REGISTER"] = [[]]  # hears, and is not heard
        await stage.phone.register()
        assert stage.registered() == ["secondary"]
        (longest, _) = stage.phone.left_behind()
        assert longest.startswith("line 1 stays registered at primary 192.168.1.13:5060/udp, for 719")

    script = {"REGISTER": [[Answer(0.0, 200, [("Contact", f"{OWN};expires=7200")])]]}
    play(story, ONLY_1, actors={"primary": script})


@pytest.mark.parametrize(
    "late",
    [
        Answer(10.0, 403),
        Answer(10.0, 200, [("Contact", "<sip:1001@10.9.9.9>;expires=900")]),
        Answer(10.0, 200, [("Contact", f"{OWN};expires=0")]),
    ],
)
def test_a_late_answer_that_grants_nothing_tells_of_no_lease(late: Answer) -> None:
    # rule R12
    # rule R15
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(20)
        (stray,) = [event.reason for event in stage.events if isinstance(event, MessageIgnored)]
        assert stray == "it answers no request that still waits for an answer"
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert removals(stage) == [".14"]

    play(story, ONLY_1, actors={"primary": {"REGISTER": [[late], []]}})


@pytest.mark.parametrize("stranger", ["call-id", "server"])
def test_a_stray_answer_that_nobody_asked_for_tells_of_no_lease(stranger: str) -> None:
    """A 200 to a REGISTER of somebody else, or from a server that was never asked."""

    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        [register] = stage.requests("REGISTER")
        if stranger == "call-id":
            register.headers.set("Call-ID", "of-somebody-else")
        register.headers.set("Via", "SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bKstray")
        contact = ("Contact", f"{OWN};expires=900")
        actor = stage.actors["primary" if stranger == "call-id" else "fallback"]
        actor.send(response_to(register, 200, to_tag="x", extra=[contact]), Address("192.168.1.21", 5060))
        await asyncio.sleep(1)
        assert [event.reason for event in stage.events if isinstance(event, MessageIgnored)] == [
            "it answers no request that still waits for an answer"
        ]
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert removals(stage) == [".13"]

    granted = {"REGISTER": [[Answer(0.0, 200, [("Contact", f"{OWN};expires=3600")])]]}
    play(story, ONLY_1, actors={"primary": granted, "fallback": {}})


def test_an_end_that_is_cut_short_says_who_has_not_answered() -> None:
    """A second interrupt leaves at once."""

    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="silent")
        stage.mark()
        leaving = asyncio.create_task(stage.phone.line(1).registrar.unregister())
        await asyncio.sleep(1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        last = [event for event in stage.events if isinstance(event, RegistrationChanged)][-1]
        assert (str(last.state), last.reason, last.at - stage.zero) == (
            "unregistered",
            "cut short: no answer from primary 192.168.1.13:5060/udp",
            1.0,
        )
        assert stage.registered() == []
        assert len(stage.phone.left_behind()) == 1

    play(story, ONLY_1)


def test_who_was_asked_to_forget_is_asked_again_after_a_new_register() -> None:
    """Once is enough, but a REGISTER that was not heard may have renewed what it was asked to remove."""

    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        primary = stage.actors["primary"]
        primary.script["REGISTER"] = [[]]  # hears, and is not heard
        await stage.phone.line(1).registrar.unregister()
        await stage.phone.register()
        assert stage.registered() == ["secondary"]
        primary.script["REGISTER"] = [[Answer(0.0, 200)]]
        stage.mark()
        await stage.phone.line(1).registrar.unregister()
        assert removals(stage) == [".13", ".14"]
        assert stage.phone.left_behind() == []

    script = {"REGISTER": [[Answer(0.0, 200, [("Contact", f"{OWN};expires=3600")])]]}
    play(story, ONLY_1, actors={"primary": script})
