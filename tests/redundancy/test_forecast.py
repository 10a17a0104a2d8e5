"""What a walk foretells: by itself, and only as far as it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from phone_emulator.config import load_text
from phone_emulator.events import Attempt, Outcome, Target
from phone_emulator.redundancy import Hop, Locate, Ordered, Silence, Try, Walk, call_foretold, foretold
from tests.redundancy.ladder import GUIDE, TIMERS, hop, play, targets

BOTH = (hop(1), hop(2))
SAME = {1: GUIDE[1], 2: targets(2, ".13")}


def told(attempts: Sequence[Attempt]) -> list[tuple[str, str | None]]:
    return [(each.target.role, None if each.outcome is None else str(each.outcome)) for each in attempts]


def ahead(walk: Walk, where: dict[int, list[Target]] = GUIDE) -> list[tuple[str, str | None]]:
    return told(foretold(walk, lambda hop: where.get(hop.server, []), 0.0))


def test_at_every_moment_the_rest_of_the_way() -> None:
    # rule C1
    walk = Walk("INVITE", BOTH, TIMERS)
    whole = [("primary", None), ("secondary", None), ("fallback", None)]
    assert ahead(walk) == whole
    assert isinstance(walk.next(0.0), Locate)
    assert ahead(walk) == whole  # while its name is looked up, too
    walk.located(GUIDE[1])
    assert ahead(walk) == whole
    step = walk.next(0.0)
    assert isinstance(step, Try)
    assert ahead(walk) == whole[1:]
    rest = foretold(walk, lambda hop: GUIDE[hop.server], 0.0)
    assert {(each.detail, each.ended) for each in rest} == {("", None)}  # nothing has happened yet
    assert (told(walk.route), step.attempt.detail) == ([("primary", None)], "")  # it stays as it is


def test_who_shares_an_address_will_be_passed_over() -> None:
    # rule D5
    walk = Walk("INVITE", BOTH, TIMERS)
    assert ahead(walk, SAME) == [("primary", None), ("secondary", None), ("fallback", "skipped")]
    last = foretold(walk, lambda hop: SAME[hop.server], 0.0)[-1]
    assert last.detail == (
        "192.168.1.13 already failed in this route as primary (sip.skip_redundant_failover_addr = 1)"
    )
    told_before, silent = last.detail, [Outcome.NO_RESPONSE, Outcome.NO_RESPONSE]
    assert play(walk, silent, SAME).route[-1].detail == told_before
    walk = Walk("INVITE", BOTH, TIMERS, skip_redundant=False)
    assert ahead(walk, SAME)[-1] == ("fallback", None)


def test_whom_the_order_leaves_out_will_be_passed_over() -> None:
    # rule R9
    def only_the_second(hop: Hop, targets: Sequence[Target]) -> Ordered:
        second = [each for each in targets if each.role != "primary"]
        return Ordered(second, "secondary first", left_out="the registered server only")

    walk = Walk("INVITE", BOTH, TIMERS, order=only_the_second)
    expected = [("secondary", None), ("primary", "skipped"), ("fallback", None)]
    assert ahead(walk) == expected
    assert foretold(walk, lambda hop: GUIDE[hop.server], 0.0)[1].detail == "the registered server only"
    played = play(walk, [Outcome.NO_RESPONSE, Outcome.NO_RESPONSE])
    assert [role for role, _ in played.told] == [role for role, _ in expected]
    assert str(played.route[1].outcome) == "skipped"


def test_a_name_that_is_not_looked_up_is_one_target_without_an_address() -> None:
    walk = Walk("INVITE", BOTH, TIMERS)
    first, second = foretold(walk, lambda hop: [], 0.0)
    assert (first.target.role, first.target.host, first.target.address) == ("primary", "yealink.pbx.com", "")
    assert (second.target.role, second.outcome) == ("fallback", None)
    assert second.why == "primary yealink.pbx.com: not looked up yet"


def test_an_outcome_that_the_walk_has_not_heard_of_yet() -> None:
    # rule D5
    walk = Walk("INVITE", BOTH, TIMERS)
    walk.next(0.0)
    walk.located(SAME[1])
    step = walk.next(0.0)
    assert isinstance(step, Try)
    step.attempt.outcome = Outcome.ICMP
    assert ahead(walk, SAME) == [("secondary", None), ("fallback", "skipped")]
    step.attempt.outcome = Outcome.ANSWERED
    assert ahead(walk, SAME) == []


def test_nothing_comes_after_an_answer_or_a_hang_up() -> None:
    # rule C4
    # rule C9
    walk = Walk("INVITE", BOTH, TIMERS)
    walk.next(0.0)
    walk.located(GUIDE[1])
    step = walk.next(0.0)
    assert isinstance(step, Try)
    step.attempt.status = 180
    assert ahead(walk) == []
    step.attempt.status = None
    walk.stop()
    assert ahead(walk) == []


def test_who_is_asked_now_counts_as_failed() -> None:
    # rule D5
    like_the_second = {1: GUIDE[1], 2: targets(2, ".14")}
    walk = Walk("INVITE", BOTH, TIMERS)
    walk.next(0.0)
    walk.located(GUIDE[1])
    first = walk.next(0.0)
    assert isinstance(first, Try)
    first.attempt.outcome = Outcome.NO_RESPONSE
    walk.ended(first.attempt)
    assert isinstance(walk.next(32.0), Try)
    (last,) = foretold(walk, lambda hop: like_the_second[hop.server], 32.0)
    assert (last.target.role, last.outcome) == ("fallback", Outcome.SKIPPED)
    assert "already failed in this route as secondary" in last.detail


def test_a_call_of_a_phone_that_was_just_switched_on() -> None:
    # rule C1
    # rule C5
    # rule D5
    config = load_text(
        """#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = 1001
account.1.sip_server.1.address = yealink.pbx.com
account.1.sip_server.2.address = 192.168.1.13
""",
        name="x.cfg",
    ).config

    def call(silence: Silence = Silence.AUTO, skip: bool = True) -> list[tuple[str, float, str | None]]:
        changed = replace(config, skip_redundant_failover_addr=skip)
        ahead = call_foretold(config.accounts[0], changed, lambda hop: SAME[hop.server], silence)
        assert {each.method for each in ahead} == {"INVITE"}
        return [(each.target.role, each.wait.seconds, each.outcome and str(each.outcome)) for each in ahead]

    assert call() == [("primary", 32.0, None), ("secondary", 32.0, None), ("fallback", 32.0, "skipped")]
    assert call(skip=False)[-1] == ("fallback", 32.0, None)
    assert [seconds for _, seconds, _ in call(Silence.RETRY_COUNTS)] == [7.5, 32.0, 32.0]


def test_whom_the_order_left_out_has_not_failed() -> None:
    # rule D5
    # rule R9
    def only_the_primary(hop: Hop, targets: Sequence[Target]) -> Ordered:
        return Ordered(list(targets)[:1], left_out="the registered server only")

    like_the_second = {1: GUIDE[1], 2: targets(2, ".14")}
    walk = Walk("INVITE", BOTH, TIMERS, order=only_the_primary)
    walk.next(0.0)
    walk.located(GUIDE[1])
    step = walk.next(0.0)
    assert isinstance(step, Try)
    step.attempt.outcome = Outcome.UNAVAILABLE
    walk.ended(step.attempt)
    assert isinstance(walk.next(0.0), Locate)
    assert told(walk.route) == [("primary", "unavailable"), ("secondary", "skipped")]
    assert ahead(walk, like_the_second) == [("fallback", None)]
