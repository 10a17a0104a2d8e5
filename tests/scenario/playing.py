"""Scenarios played from their text, and how they failed."""

from __future__ import annotations

from phone_emulator.report.result import ScenarioResult
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.runner import run
from phone_emulator.scenario.session import RunOptions, prepare


def played(text: str, options: RunOptions | None = None) -> ScenarioResult:
    """What becomes of the scenario *text*."""
    options = options or RunOptions()
    return run(prepare(parse_scenario(text, "t.yaml"), options), options)


def failures_of(result: ScenarioResult) -> list[str]:
    """What did not hold, each with its step."""
    return [f"{failure.step}: {failure.message}" for failure in result.failures]
