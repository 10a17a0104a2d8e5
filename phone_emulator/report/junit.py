"""JUnit XML: a test case per scenario, its routes in the output; the numbers of its sound as properties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from phone_emulator.cleaning import clean_lines
from phone_emulator.saving import saved

from .result import NotRun, ScenarioResult, Verdict
from .text import route_lines


def junit_xml(results: Sequence[ScenarioResult], not_run: Sequence[NotRun] = ()) -> bytes:
    """The report as bytes in UTF-8. ``time`` is in seconds of each scenario's own clock.

    What is *not_run* is skipped, so that a report of what went well does not look like all of it.
    """
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", _counts(results, not_run), name="phone-emulator")
    _add_properties(suite, results)
    for result in results:
        case = _case(suite, result, result.elapsed)
        if result.verdict is not Verdict.PASSED:
            kind = "failure" if result.verdict is Verdict.FAILED else "error"
            told = [f"{failure.step}: {failure.message}" for failure in result.failures]
            found = ET.SubElement(case, kind, message=clean_lines(told[0] if told else str(result.verdict)))
            where = [fault.traceback for fault in result.faults]
            found.text = clean_lines("\n".join([*told, *where]))
        lines = [f"line {each.line}: {each.reason}" for each in result.unspoken] + route_lines(result)
        if lines:
            ET.SubElement(case, "system-out").text = clean_lines("\n".join(lines))
    for each in not_run:
        ET.SubElement(_case(suite, each, 0.0), "skipped", message="not run")
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def write_junit(path: str | Path, results: Sequence[ScenarioResult], not_run: Sequence[NotRun] = ()) -> None:
    """Write the report. :raises OSError: when the file cannot be written."""
    with saved(Path(path), private=False) as file:
        file.write(junit_xml(results, not_run))


def _case(suite: ET.Element, of: ScenarioResult | NotRun, elapsed: float) -> ET.Element:
    name, file = clean_lines(of.scenario), clean_lines(of.file)
    return ET.SubElement(suite, "testcase", name=name, classname=file, file=file, time=f"{elapsed:.3f}")


def _add_properties(suite: ET.Element, results: Sequence[ScenarioResult]) -> None:
    """What is known of the sound of each call: ``SCENARIO / CALL / received.lost``.

    They are the suite's, since Jenkins' schema has none of a test case.
    """
    found = [
        (f"{result.scenario} / {call.id} / {name}", value)
        for result in results
        for call in result.calls
        if call.media is not None
        for name, value in _known("", call.media.as_json())
    ]
    if found:
        properties = ET.SubElement(suite, "properties")
        for name, value in found:
            ET.SubElement(properties, "property", name=clean_lines(name), value=clean_lines(value))


def _known(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is not null in *values*, by dotted names."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _known(f"{prefix}{name}.", value)
        elif isinstance(value, bool):
            yield f"{prefix}{name}", str(value).lower()
        elif value is not None:
            yield f"{prefix}{name}", str(value)


def _counts(results: Sequence[ScenarioResult], not_run: Sequence[NotRun]) -> dict[str, str]:
    return {
        "tests": str(len(results) + len(not_run)),
        "failures": str(sum(result.verdict is Verdict.FAILED for result in results)),
        "errors": str(sum(result.verdict is Verdict.ERROR for result in results)),
        "skipped": str(len(not_run)),
        "time": f"{sum(result.elapsed for result in results):.3f}",
    }
