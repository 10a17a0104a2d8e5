from __future__ import annotations

import json
from dataclasses import replace

from phone_emulator.report.json import json_line
from phone_emulator.report.result import ScenarioResult


def test_a_scenario_is_one_line_with_the_fixed_names(result: ScenarioResult) -> None:
    line = json_line(result)
    assert "\n" not in line
    told = json.loads(line)
    assert list(told) == [
        *(
            "scenario",
            "file",
            "verdict",
            "elapsed",
            "virtual",
            "failures",
            "calls",
            "registrations",
            "health",
        ),
    ]
    assert told["verdict"] == "failed"
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
    ]
    assert [attempt["role"] for attempt in call["route"]] == ["primary", "secondary"]
    assert call["route"][0]["outcome"] == "no-response"


def test_a_call_tells_who_called(result: ScenarioResult) -> None:
    [call] = result.calls
    assert call.as_json()["direction"] == "outgoing"
    assert replace(call, incoming=True).as_json()["direction"] == "incoming"
