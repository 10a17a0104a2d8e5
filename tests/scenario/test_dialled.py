"""Numbers of scenarios, as people type them, and what is told of them."""

from __future__ import annotations

import json

from phone_emulator.report.result import ScenarioResult
from tests.scenario.playing import failures_of, played

CFG = """
config: []
set:
  account.1.enable: 1
  account.1.user_name: 1001
  account.1.password: s3cret#1
  account.1.sip_server.1.address: 192.168.1.13
servers:
  primary: {address: 192.168.1.13}
  door: {address: 192.168.1.50}
"""


def play(*steps: str, more: str = "") -> ScenarioResult:
    return played(
        CFG.replace("servers:", f"{more}servers:") + "steps:\n" + "".join(f"- {s}\n" for s in steps)
    )


def test_a_number_is_filtered() -> None:
    result = play("call: {to: '(030)1-2/3', id: c1}\n  expect: {result: answered, via: primary}")
    assert failures_of(result) == []
    assert [call.as_json()["to"] for call in result.calls] == ["030123"]


def test_a_number_that_the_filter_of_the_phone_leaves_undialable_fails_in_words() -> None:
    filtered = "  features.call_num_filter: '-'\n"
    result = play("call: {to: '030 123', id: c1}\n  expect: {result: answered}", more=filtered)
    assert any("'030 123' is no number to dial" in failure for failure in failures_of(result))


def test_a_direct_call_has_a_role_of_its_own() -> None:
    expected = "{result: rejected, status: 407, route: [{direct: rejected}]}"
    result = play(f"call: {{to: 1009@192.168.1.50, id: c1}}\n  expect: {expected}")
    assert failures_of(result) == []
    [attempt] = json.loads(json.dumps(result.calls[0].as_json()))["route"]
    assert (attempt["server"], attempt["role"], attempt["address"]) == (0, "direct", "192.168.1.50")


def test_a_direct_call_by_way_of_the_server() -> None:
    off = "  features.direct_ip_call_enable: 0\n"
    result = play("call: {to: 1009@192.168.1.50, id: c1}\n  expect: {route: [{primary: answered}]}", more=off)
    assert [call.as_json()["route"][0]["role"] for call in result.calls] == ["primary"]
