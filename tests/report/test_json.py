from __future__ import annotations

import json
from dataclasses import replace

import pytest

from phone_emulator.events import Ended, EndedBy
from phone_emulator.report.json import json_line
from phone_emulator.report.result import ScenarioResult


def test_a_scenario_is_one_line_with_the_fixed_names(result: ScenarioResult) -> None:
    line = json_line(result)
    assert "\n" not in line
    told = json.loads(line)
    assert list(told) == [
        *(
            "schema",
            "scenario",
            "file",
            "verdict",
            "elapsed",
            "virtual",
            "failures",
            "calls",
            "registrations",
            "health",
            "addresses",
            "codecs_not_spoken",
        ),
    ]
    assert told["verdict"] == "failed"
    assert told["codecs_not_spoken"] == [
        {
            "line": 1,
            "codecs": ["Opus"],
            "offered": False,
            "reason": "Opus <is> enabled and cannot be spoken here",
        }
    ]
    assert told["failures"] == [
        {"step": "step 3 (call)", "message": "expected via <primary> & got 'secondary'"}
    ]


def test_a_call_has_the_fixed_names(result: ScenarioResult) -> None:
    call = json.loads(json_line(result.calls[0]))
    assert list(call) == [
        "id",
        "line",
        "direction",
        "to",
        "result",
        "status",
        "reason",
        "via",
        "started",
        "elapsed",
        "route",
        "ended",
        "tones",
    ]
    assert [attempt["role"] for attempt in call["route"]] == ["primary", "secondary"]
    assert call["route"][0]["outcome"] == "no-response"


def test_a_call_tells_who_called(result: ScenarioResult) -> None:
    [call] = result.calls
    assert call.as_json()["direction"] == "outgoing"
    assert replace(call, incoming=True).as_json()["direction"] == "incoming"


def test_how_a_call_ended(result: ScenarioResult) -> None:
    [call] = result.calls
    assert call.as_json()["ended"] is None
    end = Ended(40.1234567, EndedBy.THEM, "the far end hung up: Q.850 16", "BYE", True, reason="Q.850 16")
    assert replace(call, ended=end).as_json()["ended"] == {
        "at": 40.123457,
        "by": "them",
        "method": "BYE",
        "answered": True,
        "detail": "the far end hung up: Q.850 16",
        "reason": "Q.850 16",
        "last_heard": None,
    }


@pytest.mark.parametrize(
    ("epoch", "head"),
    [
        (0.0, {"schema": 1}),
        (1_700_000_000.25, {"schema": 1, "started_at": "2023-11-14T22:13:20.250Z"}),
    ],
)
def test_where_there_is_a_clock_it_is_told_when_it_began(
    result: ScenarioResult, epoch: float, head: dict[str, object]
) -> None:
    result.epoch = epoch
    told = json.loads(json_line(result))
    assert {key: told[key] for key in list(told)[: len(head)]} == head
    assert ("started_at" in told) is bool(epoch)
