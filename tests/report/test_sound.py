"""The numbers of a call's sound, as each report tells them."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from phone_emulator.cli.talk import event_log
from phone_emulator.events import HeardNumbers, MediaMeasured, MediaNumbers, SentNumbers
from phone_emulator.report.html import html_page
from phone_emulator.report.junit import junit_xml
from phone_emulator.report.result import CallReport, MediaReport, ScenarioResult
from phone_emulator.report.text import call_lines, sound_line
from phone_emulator.tui.rows.log import LogRow, log_rows
from tests.report.test_text import Terminal

CIPHER = "AES_CM_128_HMAC_SHA1_80"
HEARD = HeardNumbers(
    packets=1498,
    octets=239680,
    expected=1500,
    lost=2,
    late=0,
    duplicated=0,
    out_of_order=0,
    jitter=0.00119,
    longest_silence=0.04,
    silent_since=12.3,
)
NUMBERS = MediaNumbers(
    codec="g722",
    ptime=0.02,
    sent=SentNumbers(packets=1500, octets=240000, lost=1, jitter=0.0004),
    heard=HEARD,
    round_trip=0.0082,
    delay=0.1,
    r_factor=113.04,
    mos=4.3061,
    scale="wb",
)
SILENT = replace(HEARD, packets=0, octets=0, expected=0, lost=0, jitter=0.0, longest_silence=30.0)
UNRATED = replace(NUMBERS, round_trip=None, r_factor=None, mos=None, scale="")
NOTHING = replace(UNRATED, sent=SentNumbers(packets=0, octets=0), heard=SILENT)
MEDIA = MediaReport("G722", CIPHER, numbers=NUMBERS)
LINE = (
    "sound: G722 20 ms, SRTP, 1500 sent, 1498 heard, 2 lost (0.1 %), jitter 1.2 ms, round trip 8 ms, "
    "MOS 4.3 (R 113 wb)"
)


def heard(result: ScenarioResult, media: MediaReport) -> ScenarioResult:
    """*result* with that sound in its call."""
    return replace(result, calls=[replace(result.calls[0], media=media, digits="")])


def test_json() -> None:
    assert MEDIA.as_json() == {
        "codec": "G722",
        "srtp": CIPHER,
        "keys_in_clear": False,
        "sent": {"packets": 1500, "bytes": 240000, "lost": 1, "jitter_ms": 0.4},
        "received": {
            "packets": 1498,
            "bytes": 239680,
            "lost": 2,
            "late": 0,
            "duplicated": 0,
            "out_of_order": 0,
            "jitter_ms": 1.19,
        },
        "ptime_ms": 20.0,
        "round_trip_ms": 8.2,
        "r_factor": 113.0,
        "mos": 4.31,
        "scale": "wb",
        "longest_silence_ms": 40.0,
    }


def test_what_is_not_known_is_null() -> None:
    told = MediaReport("G722", None, numbers=NOTHING, flows=False).as_json()
    unknown = ("ptime_ms", "round_trip_ms", "r_factor", "mos", "scale", "longest_silence_ms")
    assert {told[name] for name in unknown} == {None}
    assert told["sent"] == {"packets": 0, "bytes": 0, "lost": None, "jitter_ms": None}
    assert (told["received"]["packets"], told["received"]["jitter_ms"]) == (0, None)
    assert MediaReport("G722", None, numbers=NOTHING).as_json()["longest_silence_ms"] == 30000.0


@pytest.mark.parametrize(
    ("numbers", "srtp", "line"),
    [
        (NUMBERS, CIPHER, LINE),
        (replace(UNRATED, heard=SILENT), None, "sound: G722, 1500 sent, nothing heard"),
        (
            replace(UNRATED, heard=replace(HEARD, lost=0, late=7, longest_silence=4.12)),
            None,
            "sound: G722 20 ms, 1500 sent, 1498 heard, 7 late, silent for 4.1 s, jitter 1.2 ms",
        ),
        (
            replace(NUMBERS, heard=replace(HEARD, lost=0), r_factor=91.2, mos=4.36, scale="nb"),
            None,
            "sound: G722 20 ms, 1500 sent, 1498 heard, jitter 1.2 ms, round trip 8 ms, MOS 4.4 (R 91)",
        ),
        (NOTHING, CIPHER, ""),
        (None, None, ""),
    ],
)
def test_one_line_for_people(
    result: ScenarioResult, numbers: MediaNumbers | None, srtp: str | None, line: str
) -> None:
    heard_so = heard(result, MediaReport("G722", srtp, numbers=numbers))
    [call] = heard_so.calls
    assert sound_line(call).strip() == line
    assert call_lines(call)[3:] == ([f"     {line}"] if line else [])
    assert ("sound: " in html_page([heard_so])) is bool(line)
    assert f"<p>{line}</p>" in html_page([heard_so]) or not line


def test_where_no_sound_flows_there_is_no_line(result: ScenarioResult) -> None:
    [call] = heard(result, replace(MEDIA, flows=False)).calls
    assert sound_line(call) == ""
    assert sound_line(replace(call, media=None)) == ""


def properties(*results: ScenarioResult) -> dict[str | None, str | None]:
    suite = ET.fromstring(junit_xml(results))[0]
    assert [child.tag for child in suite] == ["properties", *["testcase"] * len(results)]
    return {each.get("name"): each.get("value") for each in suite[0]}


def test_junit_has_what_is_known_as_properties(result: ScenarioResult) -> None:
    first, second = heard(result, MEDIA), heard(result, MediaReport("PCMU", None, numbers=NOTHING))
    told = properties(first, replace(second, scenario="another"))
    before, other = f"{result.scenario} / c1 / ", "another / c1 / "
    assert told[f"{before}mos"] == "4.31"
    assert told[f"{before}received.lost"] == "2"
    assert told[f"{before}keys_in_clear"] == "false"
    assert (told[f"{other}codec"], told[f"{other}sent.packets"]) == ("PCMU", "0")
    assert f"{other}mos" not in told
    assert f"{other}srtp" not in told


def test_junit_has_none_without_sound(result: ScenarioResult) -> None:
    assert isinstance(result.calls[0], CallReport)
    assert ET.fromstring(junit_xml([result])).find(".//properties") is None


def measured(*, last: bool) -> MediaMeasured:
    return MediaMeasured(
        at=35.0, line=1, call="c1", codec="G722", encrypted=CIPHER, numbers=NUMBERS, last=last
    )


@pytest.mark.parametrize(("level", "lines"), [("info", 1), ("debug", 2)])
def test_the_log_has_the_last_and_for_debugging_each(level: str, lines: int) -> None:
    stream = Terminal()
    log = event_log(level, stream)
    assert log is not None
    log(measured(last=False))
    log(measured(last=True))
    assert stream.getvalue().splitlines() == [f"    35.000  c1, line 1: {LINE}"] * lines


def test_the_log_pane_has_the_last() -> None:
    assert log_rows([measured(last=False)]) == []
    assert log_rows([measured(last=True)]) == [LogRow(35.0, "c1", LINE)]
