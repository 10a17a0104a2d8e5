from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

from phone_emulator.report.junit import junit_xml, write_junit
from phone_emulator.report.result import NotRun, ScenarioResult, StepFailure, Verdict


def test_a_case_per_scenario(result: ScenarioResult, tmp_path: Path) -> None:
    passed = replace(result, verdict=Verdict.PASSED, failures=[], scenario="fine")
    broken = replace(
        result, verdict=Verdict.ERROR, failures=[StepFailure("step 1 (call)", "bad \x00\x1b byte")]
    )
    write_junit(tmp_path / "r.xml", [result, passed, broken])
    suite = ET.parse(tmp_path / "r.xml").getroot()[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    failed, fine, error = suite
    assert failed.get("name") == "the <primary> is silent"
    assert failed.find("failure") is not None
    assert [child.tag for child in fine] == ["system-out"]
    out = fine.findtext("system-out") or ""
    assert out.startswith("line 1: Opus <is> enabled and cannot be spoken here\n")
    assert "no response within 64*T1 = 32.0 s" in out
    assert error.findtext("error") == "step 1 (call): bad \\x00\\x1b byte"


def test_no_scenario_is_a_report_too() -> None:
    assert ET.fromstring(junit_xml([]))[0].get("tests") == "0"


def test_what_was_not_run_is_skipped(result: ScenarioResult) -> None:
    suite = ET.fromstring(junit_xml([result], [NotRun("late", "late.yaml")]))[0]
    assert (suite.get("tests"), suite.get("skipped")) == ("2", "1")
    assert [(case.get("name"), case.find("skipped") is not None) for case in suite] == [
        (result.scenario, False),
        ("late", True),
    ]
