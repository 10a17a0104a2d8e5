"""The walk of one request along the targets of its servers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from phone_emulator.config.model import FailbackMode, FailoverConfig, TransportType
from phone_emulator.events import Outcome, Target, Transport, Wait
from phone_emulator.redundancy import Hop, Locate, Ordered, Try, Walk
from tests.redundancy.ladder import GUIDE, TIMERS, hop, play, targets

MOVING = [
    Outcome.UNAVAILABLE,
    Outcome.NO_RESPONSE,
    Outcome.ICMP,
    Outcome.CONNECT_FAILED,
    Outcome.TLS_FAILED,
    Outcome.SEND_FAILED,
]
SILENT = Outcome.NO_RESPONSE
BOTH = (hop(1), hop(2))


def invite(over: Sequence[Hop] = BOTH, **options: object) -> Walk:
    return Walk("INVITE", over, TIMERS, **options)  # type: ignore[arg-type]


def test_primary_secondary_fallback() -> None:
    # rule C1
    played = play(invite(), [SILENT, SILENT, SILENT])
    assert played.told == [
        ("primary", "no-response"),
        ("secondary", "no-response"),
        ("fallback", "no-response"),
    ]
    assert [step.hop.server for step in played.steps if isinstance(step, Locate)] == [1, 2]
    assert [attempt.n for attempt in played.route] == [1, 2, 3]
    assert [attempt.started for attempt in played.route] == [0.0, 32.0, 64.0]


def test_server_2_is_looked_up_only_when_it_is_needed() -> None:
    # rule C1
    played = play(invite(), [SILENT, 200])
    assert [type(step) for step in played.steps] == [Locate, Try, Try]


@pytest.mark.parametrize("outcome", MOVING)
def test_what_moves_on(outcome: Outcome) -> None:
    # rule C2
    assert play(invite(), [outcome, 200]).told == [("primary", str(outcome)), ("secondary", "answered")]


@pytest.mark.parametrize(
    "status", [200, 202, 302, 400, 401, 403, 404, 407, 408, 480, 486, 487, 500, 502, 504, 603]
)
def test_what_is_an_answer(status: int) -> None:
    # rule C3
    assert play(invite(), [status]).tried == ["primary"]


def test_every_outcome_either_moves_on_or_ends_the_walk() -> None:
    # rule C2
    ends = [Outcome.ANSWERED, Outcome.REJECTED, Outcome.CANCELLED]
    assert set(Outcome) == {*MOVING, *ends, Outcome.UNRESOLVED, Outcome.SKIPPED}
    for outcome in ends:
        assert play(invite(), [outcome]).tried == ["primary"]


def test_silence_after_a_provisional_response_never_moves_on() -> None:
    # rule C4
    walk = invite()
    assert walk.next(0.0) == Locate(BOTH[0])
    walk.located(GUIDE[1])
    step = walk.next(0.0)
    assert isinstance(step, Try)
    step.attempt.status, step.attempt.outcome = 100, SILENT
    walk.ended(step.attempt)
    assert walk.next(32.0) is None


def test_a_name_that_does_not_resolve_moves_to_the_next_server() -> None:
    # rule C2
    played = play(invite(), [200], {2: GUIDE[2]})
    assert played.told == [("primary", "unresolved"), ("fallback", "answered")]
    first, second = played.route
    assert (first.started, first.ended, first.sent, first.target.address) == (0.0, 9.0, 0, "")
    assert (first.detail, second.started) == ("yealink.pbx.com: no such name", 9.0)
    assert second.why == "primary yealink.pbx.com: yealink.pbx.com: no such name"


@pytest.mark.parametrize(
    ("kind", "transport"),
    [
        (TransportType.UDP, Transport.UDP),
        (TransportType.TCP, Transport.TCP),
        (TransportType.TLS, Transport.TLS),
        (TransportType.DNS_NAPTR, Transport.UDP),
    ],
)
def test_an_unresolved_server_is_told_with_its_transport(kind: TransportType, transport: Transport) -> None:
    # rule C2
    played = play(invite([hop(1, transport_type=kind)]), [], {})
    assert [attempt.target.transport for attempt in played.route] == [transport]


def test_nothing_resolves() -> None:
    # rule C1
    assert play(invite(), [], {}).told == [("primary", "unresolved"), ("fallback", "unresolved")]


@pytest.mark.parametrize("server", [1, 2])
def test_a_line_with_one_server_walks_a_list_of_one(server: int) -> None:
    # rule C12
    played = play(invite([hop(server)]), [SILENT], {1: targets(1, ".13"), 2: GUIDE[2]})
    assert [(a.target.server, a.wait.seconds) for a in played.route] == [(server, 32.0)]


def test_each_server_has_a_list_and_keys_of_its_own() -> None:
    # rule C5
    over = (hop(1, FailoverConfig(invite_retry_counts=1)), hop(2, FailoverConfig(invite_retry_counts=2)))
    where = {1: targets(1, ".13", ".14", ".16"), 2: targets(2, ".15", ".17")}
    played = play(invite(over), [SILENT] * 5, where)
    assert [(a.target.role, a.wait.seconds) for a in played.route] == [
        ("primary", 1.5),
        ("secondary", 1.5),
        ("target-3", 32.0),
        ("fallback", 3.5),
        ("fallback-2", 32.0),
    ]


def test_an_address_that_failed_is_passed_over() -> None:
    # rule D5
    where = {1: targets(1, ".13", ".13", ".14"), 2: targets(2, ".13")}
    played = play(invite(), [SILENT, SILENT], where)
    assert played.told == [
        ("primary", "no-response"),
        ("secondary", "skipped"),
        ("target-3", "no-response"),
        ("fallback", "skipped"),
    ]
    assert played.tried == ["primary", "target-3"]
    skipped = played.route[1]
    assert (skipped.started, skipped.ended, skipped.sent) == (32.0, 32.0, 0)
    assert skipped.detail == (
        "192.168.1.13 already failed in this route as primary (sip.skip_redundant_failover_addr = 1)"
    )
    # Why the third one: because of the target that was tried, not of the one passed over.
    assert played.route[2].why == "primary 192.168.1.13: no-response"


def test_a_skipped_target_names_the_attempt_that_failed_there() -> None:
    # rule D5
    where = {1: targets(1, ".13", ".14", ".14", ".13"), 2: targets(2, ".14")}
    played = play(invite(), [SILENT, SILENT], where)
    assert [attempt.detail.partition(" (")[0] for attempt in played.route[2:]] == [
        "192.168.1.14 already failed in this route as secondary",
        "192.168.1.13 already failed in this route as primary",
        "192.168.1.14 already failed in this route as secondary",
    ]


def test_with_the_key_0_every_target_is_tried() -> None:
    # rule D5
    where = {1: targets(1, ".13", ".13"), 2: targets(2, ".13")}
    played = play(invite(skip_redundant=False), [SILENT, SILENT, 200], where)
    assert played.tried == ["primary", "secondary", "fallback"]


@pytest.mark.parametrize("during", [1, 2, 3])
@pytest.mark.parametrize("outcome", [*MOVING, Outcome.CANCELLED])
def test_no_further_target_after_a_hang_up(outcome: Outcome, during: int) -> None:
    # rule C9
    played = play(invite(), [SILENT] * (during - 1) + [outcome], stop_after=during)
    assert len(played.route) == during


def test_a_hang_up_before_the_name_is_known() -> None:
    # rule C9
    walk = invite()
    walk.next(0.0)
    walk.stop()
    walk.located(GUIDE[1])
    assert walk.next(1.0) is None
    assert walk.route == []


def test_errors_move_to_the_next_server_where_they_are_told_to() -> None:
    # rule R6
    walk = Walk("REGISTER", BOTH, TIMERS, errors_move_on=True)
    assert play(walk, [403, 200]).tried == ["primary", "fallback"]
    walk = Walk("REGISTER", BOTH, TIMERS, errors_move_on=True)
    assert play(walk, [SILENT, 403, 403]).tried == ["primary", "secondary", "fallback"]
    walk = Walk("REGISTER", BOTH, TIMERS)
    assert play(walk, [403]).tried == ["primary"]


def test_an_address_that_answered_an_error_did_not_fail() -> None:
    # rule D5
    walk = Walk("REGISTER", BOTH, TIMERS, errors_move_on=True)
    assert play(walk, [403, 200], {1: GUIDE[1], 2: targets(2, ".13")}).tried == ["primary", "fallback"]


ON = FailoverConfig(register_on_enable=True)


def test_register_first_where_the_request_failed_over() -> None:
    # rule R9
    played = play(invite((hop(1, ON), hop(2, ON))), [SILENT] * 3)
    first = [step.register_first for step in played.steps if isinstance(step, Try)]
    assert first == [False, True, True]


def test_register_first_not_where_the_line_is_registered() -> None:
    # rule R9
    registered = [GUIDE[1][0], *GUIDE[2]]
    played = play(invite((hop(1, ON), hop(2, ON)), registered=lambda: registered), [SILENT] * 3)
    first = [step.register_first for step in played.steps if isinstance(step, Try)]
    assert first == [False, True, False]


def test_register_first_is_off_by_default_and_never_for_register() -> None:
    # rule R9
    # rule C10
    for walk in (invite(), Walk("REGISTER", (hop(1, ON), hop(2, ON)), TIMERS)):
        played = play(walk, [SILENT] * 3)
        assert not any(step.register_first for step in played.steps if isinstance(step, Try))


def test_an_order_of_its_own_and_why() -> None:
    # rule F4
    def secondary_first(over: Hop, found: Sequence[Target]) -> Ordered:
        return Ordered(list(reversed(found)), "the one in use" if over.server == 1 else "")

    played = play(invite(order=secondary_first), [SILENT] * 3)
    assert played.tried == ["secondary", "primary", "fallback"]
    assert [attempt.why for attempt in played.route] == [
        "the one in use",
        "secondary 192.168.1.14: no-response",
        "primary 192.168.1.13: no-response",
    ]
    # The last of the list as it is walked is the one that gets the full wait.
    keyed = FailoverConfig(invite_retry_counts=1)
    played = play(invite([hop(1, keyed)], order=secondary_first), [SILENT] * 2)
    assert [attempt.wait.seconds for attempt in played.route] == [1.5, 32.0]


def test_an_order_that_leaves_a_server_out_says_why() -> None:
    # rule R9
    def none_of_server_1(over: Hop, found: Sequence[Target]) -> Ordered:
        return Ordered([], "not registered there") if over.server == 1 else Ordered(list(found))

    played = play(invite(order=none_of_server_1), [200])
    assert played.told == [("primary", "skipped"), ("secondary", "skipped"), ("fallback", "answered")]
    assert played.tried == ["fallback"]
    assert played.route[0].detail == "not registered there"


def test_why_the_first_target() -> None:
    # rule C1
    assert play(invite(), [200]).route[0].why == "primary first: every new request starts there"
    for mode in (FailbackMode.DNS_TTL, FailbackMode.REGISTRATION, FailbackMode.DURATION):
        keys = FailoverConfig(failback_mode=mode)
        assert play(invite((hop(1, keys), hop(2))), [200]).route[0].why == (
            f"primary first: no failover is in effect (failback_mode = {int(mode)})"
        )


def test_why_server_2_goes_first() -> None:
    # rule R5
    # rule C12
    both = (hop(2), hop(1))
    registered = play(invite(both, registered=lambda: GUIDE[2]), [SILENT, 200]).route
    assert [attempt.why for attempt in registered] == [
        "fallback first: the line is registered there",
        "fallback 192.168.1.15: no-response",
    ]
    alone = play(invite((hop(2),)), [200]).route
    assert alone[0].why == "fallback first: every new request starts there"


def test_a_name_without_target_is_waited_for_by_dns_alone() -> None:
    # rule C2
    [attempt] = play(invite((hop(1),)), [], where={}).route
    assert attempt.wait == Wait(0.0, "")
    assert (attempt.n, attempt.method, attempt.started, attempt.ended) == (1, "INVITE", 0.0, 9.0)
    assert (attempt.target.address, attempt.target.port, attempt.target.ttl) == ("", 5060, None)


def test_only_the_first_target_is_the_way_back() -> None:
    # rule F5
    def back_to_the_primary(hop: Hop, targets: Sequence[Target]) -> Ordered:
        return Ordered(list(targets), "primary again", returning=hop.server == 1)

    walk, returning = invite(order=back_to_the_primary), {}
    while (step := walk.next(0.0)) is not None:
        if isinstance(step, Locate):
            walk.located(GUIDE[step.hop.server])
        else:
            returning[step.attempt.target.role] = walk.returns(step.attempt)
            step.attempt.outcome = SILENT
            walk.ended(step.attempt)
    assert returning == {"primary": True, "secondary": False, "fallback": False}


@pytest.mark.parametrize("errors_move_on", [False, True])
def test_a_register_that_is_refused_on_the_way_back_goes_to_the_one_in_use(*, errors_move_on: bool) -> None:
    # rule F5
    # rule R1
    def back_to_the_primary(hop: Hop, targets: Sequence[Target]) -> Ordered:
        return Ordered(list(targets), "primary again", returning=hop.server == 1)

    walk = Walk("REGISTER", BOTH, TIMERS, order=back_to_the_primary, errors_move_on=errors_move_on)
    played = play(walk, [403, 200])
    assert played.told == [("primary", "rejected"), ("secondary", "answered")]
    walk = Walk("REGISTER", BOTH, TIMERS, order=back_to_the_primary, errors_move_on=errors_move_on)
    assert play(walk, [403, 403, 200][: 3 if errors_move_on else 2]).tried == (
        ["primary", "secondary", *(["fallback"] if errors_move_on else [])]
    )


def test_an_invite_that_is_refused_on_the_way_back_is_answered() -> None:
    # rule C3
    def back_to_the_primary(hop: Hop, targets: Sequence[Target]) -> Ordered:
        return Ordered(list(targets), "primary again", returning=True)

    assert play(invite(order=back_to_the_primary), [403]).tried == ["primary"]


REMEMBERING = [FailbackMode.DNS_TTL, FailbackMode.REGISTRATION, FailbackMode.DURATION]


@pytest.mark.parametrize("mode", FailbackMode)
def test_register_first_at_whoever_was_left_by_a_failover(mode: FailbackMode) -> None:
    """DNS, or the order, has the primary first while the line is registered at another target."""
    # rule R9
    over = hop(1, FailoverConfig(register_on_enable=True, failback_mode=mode))
    played = play(invite([over], registered=lambda: [GUIDE[1][1]]), [200])
    assert [step.register_first for step in played.steps if isinstance(step, Try)] == [mode in REMEMBERING]


def test_register_first_not_where_another_primary_or_server_has_the_registration() -> None:
    # rule C10
    over = hop(1, FailoverConfig(register_on_enable=True, failback_mode=FailbackMode.DURATION))
    for there in (targets(1, ".16"), targets(2, ".15", ".16")[1:], []):
        played = play(invite([over], registered=lambda there=there: there), [200])
        assert [step.register_first for step in played.steps if isinstance(step, Try)] == [False]
