"""A raising function in every background loop there is, in turn, and at every point at which it goes on.

The places are found in the source; stories come by all of them. One of them raises, and everything that waits
for it has to be settled, told in words, and the phone lives on.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable
from functools import cache, partial

import pytest

from tests.faults.elsewhere import ELSEWHERE, IN_THE_LAB, Told
from tests.faults.planting import Planting, Work
from tests.faults.sites import Site, is_beginning, sites, sources
from tests.faults.stories import WITH_THE_FAR_END
from tests.faults.theatre import InTheLab, WithTheFarEnd, told_rightly

MOST_POINTS = 3
"""At which a work that goes on for long raises, after its start."""
BY_OTHER_MEANS = frozenset(
    {"create_task", "ensure_future", "TaskGroup", "call_later", "call_soon", "run_in_executor", "Thread"}
)
"""How asyncio begins work that nobody owns."""
LOOKED_AT = {
    ("cli/stdin.py", "Thread"): "reads stdin; who waits for the lines waits for its end",
    ("tui/app.py", "call_later"): "Textual's own: a message to the app, which tells its faults",
    ("tui/screens/phone.py", "call_later"): "the same",
    ("testing/sip_lab.py", "Thread"): "runs a world, which tells its faults",
    ("testing/stepper.py", "Thread"): "runs a world, which tells its faults",
}

Run = partial[list[str]]


def with_the_far_end(number: int, planting: Planting) -> list[str]:
    return WithTheFarEnd(*WITH_THE_FAR_END[number], planting).run()


def in_the_lab(number: int, planting: Planting) -> list[str]:
    return InTheLab(*IN_THE_LAB[number], planting).run()


def elsewhere(story: Callable[[], Told], planting: Planting) -> list[str]:
    with planting.planted():
        told = story()
    return [] if told_rightly(told, planting) else [f"told: {told}, raised: {planting.raised}"]


RUNS: tuple[Run, ...] = (
    *(partial(with_the_far_end, number) for number in range(len(WITH_THE_FAR_END))),
    *(partial(in_the_lab, number) for number in range(len(IN_THE_LAB))),
    *(partial(elsewhere, story) for story in ELSEWHERE),
)


@cache
def census() -> dict[Site, dict[Work, list[tuple[int, Run]]]]:
    """What is done at each site: in which stories, and how often it goes on there."""
    found: dict[Site, dict[Work, list[tuple[int, Run]]]] = defaultdict(lambda: defaultdict(list))
    for run in RUNS:
        planting = Planting()
        assert run(planting) == [], run
        for work, points in planting.seen.items():
            if points >= 0:
                found[work.site][work].append((points, run))
    return found


def chosen(stories: list[tuple[int, Run]]) -> list[tuple[int, Run]]:
    """The first and the last of *stories*, and the one in which the work goes on most often.

    Of those that are told elsewhere less can be seen.
    """
    stories = [each for each in stories if each[1].func is not elsewhere] or stories
    most = max(stories, key=lambda each: each[0])
    return list(dict.fromkeys((stories[0], most, stories[-1])))


def test_every_place_is_reached_by_a_story() -> None:
    assert [str(site) for site in sites() if not census().get(site)] == []


def test_nobody_begins_work_by_other_means() -> None:
    found = []
    for file, tree in sources():
        for node in ast.walk(tree):
            name = getattr(node, "attr", None) or getattr(node, "id", "")
            if name in BY_OTHER_MEANS and (file, name) not in LOOKED_AT:
                found.append(f"{file}:{getattr(node, 'lineno', 0)} {name}")
            if (
                isinstance(node, ast.Attribute)
                and node.attr == "call_at"
                and "world" in ast.unparse(node.value)
            ):
                found.append(f"{file}:{node.lineno} {ast.unparse(node)}")
    assert found == []


def test_the_search_finds_what_hands_on() -> None:
    assert is_beginning("_call_at")
    assert not is_beginning("_spawn_loop")
    assert {site.where for site in sites()} >= {"_spawn_loop", "wake", "start"}


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
@pytest.mark.parametrize("site", sites(), ids=str)
def test_it_raises_there(site: Site, always: bool) -> None:
    wrong = []
    for work, stories in census()[site].items():
        for points, run in chosen(stories):
            for at in range(min(points, MOST_POINTS) + 1):
                planting = Planting(work, at, always=always)
                found = run(planting)
                assert planting.raised, f"{work} never came to {at}"
                wrong += [f"{work}, raising when it goes on for the {at}. time: {each}" for each in found]
    assert wrong == []
