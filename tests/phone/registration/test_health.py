"""How a line's servers have been doing, as it is told and as ``--format json`` prints it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import Attempt, Outcome, Source, Target, Transport, Wait, role_name
from phone_emulator.phone.registration.health import HealthRecord
from tests.phone.stage import Stage, play, server_1

ANSWERED, UNAVAILABLE = Outcome.ANSWERED, Outcome.UNAVAILABLE


def target(server: int, position: int, address: str = "192.168.1.13") -> Target:
    role = role_name(server, position)
    return Target(server, role, "pbx.test", address, 5060, Transport.UDP, Source.DNS)


def noted(*heard: tuple[Outcome | None, float], where: Target | None = None) -> HealthRecord:
    """What is known of one target after the attempts *heard*: how each ended, and when."""
    record = HealthRecord()
    for outcome, ended in heard:
        attempt = Attempt(1, "INVITE", where or target(1, 0), Wait(32.0, ""), "", 0.0)
        attempt.outcome, attempt.ended, attempt.detail = outcome, ended, f"{outcome} at {ended}"
        record.note(attempt)
    return record


@pytest.mark.parametrize(
    ("heard", "works", "worked", "failed", "why"),
    [
        ([(ANSWERED, 5.0)], True, 5.0, None, ""),
        ([(Outcome.REJECTED, 5.0)], True, 5.0, None, ""),
        ([(UNAVAILABLE, 5.0)], False, None, 5.0, "unavailable at 5.0"),
        ([(UNAVAILABLE, 5.0), (ANSWERED, 6.0)], True, 6.0, 5.0, "unavailable at 5.0"),
        ([(ANSWERED, 5.0), (UNAVAILABLE, 6.0)], False, 5.0, 6.0, "unavailable at 6.0"),
        ([(UNAVAILABLE, 5.0), (ANSWERED, 5.0)], False, 5.0, 5.0, "unavailable at 5.0"),
        (
            [(ANSWERED, 5.0), (Outcome.CANCELLED, 6.0), (Outcome.SKIPPED, 7.0), (None, 8.0)],
            True,
            5.0,
            None,
            "",
        ),
    ],
)
def test_what_the_attempts_tell(
    heard: list[tuple[Outcome | None, float]],
    works: bool,
    worked: float | None,
    failed: float | None,
    why: str,
) -> None:
    [known] = noted(*heard).targets
    assert (known.works, known.worked_at, known.failed_at, known.why) == (works, worked, failed, why)


def test_what_tells_nothing_makes_no_entry() -> None:
    assert noted((None, 1.0), (Outcome.CANCELLED, 2.0), (Outcome.SKIPPED, 3.0)).targets == ()


def test_in_the_order_of_their_roles() -> None:
    record = HealthRecord()
    for where in (
        target(2, 0, "192.168.1.1"),
        target(1, 10, "192.168.1.2"),
        target(1, 2, "192.168.1.3"),
        target(1, 1, "192.168.1.4"),
        target(1, 0, "192.168.1.5"),
        target(2, 1, "192.168.1.6"),
    ):
        attempt = Attempt(1, "INVITE", where, Wait(32.0, ""), "", 0.0)
        attempt.outcome, attempt.ended = ANSWERED, 1.0
        record.note(attempt)
    assert [(known.target.server, known.target.address[10:]) for known in record.targets] == [
        (1, "5"),
        (1, "4"),
        (1, "3"),
        (1, "2"),
        (2, "1"),
        (2, "6"),
    ]


def test_as_json() -> None:
    where = target(1, 0)
    [known] = noted((UNAVAILABLE, 1.00000049), (ANSWERED, 2.0000015), where=where).targets
    assert known.as_json() == {
        **where.as_json(),
        "works": True,
        "worked_at": 2.000002,
        "failed_at": 1.0,
        "why": "unavailable at 1.00000049",
    }
    [known] = noted((UNAVAILABLE, 1.0)).targets
    assert (known.as_json()["worked_at"], known.as_json()["works"]) == (None, False)
    [known] = noted((ANSWERED, 1.0)).targets
    assert (known.as_json()["failed_at"], known.as_json()["why"]) == (None, "")


def test_a_line_as_json() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(1)
        told: dict[str, Any] = stage.phone.line(1).health().as_json()
        assert (told["line"], told["registered"], told["registered_nowhere"]) == (
            1,
            ["secondary", "fallback"],
            False,
        )
        assert [(each["role"], each["works"]) for each in told["targets"]] == [
            ("primary", False),
            ("secondary", True),
            ("fallback", True),
        ]
        assert [(plan["server"], plan["at"]) for plan in told["next"]] == [(1, 540.0), (2, 3540.0)]
        assert all(plan["why"] for plan in told["next"])

    play(story, server_1(expires=600), primary=503)
