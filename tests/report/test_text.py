from __future__ import annotations

import io
from dataclasses import replace

import pytest

from phone_emulator.events import Attempt, AttemptEnded, AttemptStarted, Ended, EndedBy, Outcome
from phone_emulator.media.judgement import Stretch
from phone_emulator.report.html import html_page
from phone_emulator.report.result import ScenarioResult, Verdict
from phone_emulator.report.text import (
    RoutePrinter,
    attempt_line,
    call_lines,
    scenario_lines,
    silence_line,
    wants_colour,
)
from tests.scenario.playing import played


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_call_reads_as_a_table(result: ScenarioResult) -> None:
    assert call_lines(result.calls[0]) == [
        "call c1, line 1 to 1002: answered via secondary after 32.1 s",
        "  1  primary     192.168.1.13:5060/udp        no-response        32.0 s"
        "  no response within 64*T1 = 32.0 s",
        "  2  secondary   192.168.1.14:5060/udp        answered            0.1 s  200 OK",
    ]


@pytest.mark.parametrize(
    ("silences", "line"),
    [
        (None, ""),
        ([], "     sound went on"),
        ([(44.4, 4.12)], "     silence from 12.3 s for 4.1 s, counted from the answer"),
        (
            [(34.1, 0.5), (44.1, 4.0)],
            "     silence from 2.0 s for 0.5 s, 12.0 s for 4.0 s, counted from the answer",
        ),
        (
            [(33.1 + 2 * n, 1.0) for n in range(5)],
            "     silence from 1.0 s for 1.0 s, 3.0 s for 1.0 s, 5.0 s for 1.0 s and 2 times more, counted "
            "from the answer",
        ),
    ],
)
def test_what_was_heard_in_a_call(
    result: ScenarioResult, silences: list[tuple[float, float]] | None, line: str
) -> None:
    heard = None if silences is None else [Stretch(*each) for each in silences]
    result.calls[0].silences = heard
    assert silence_line(result.calls[0]) == line
    assert call_lines(result.calls[0])[3:] == ([line] if line else [])
    assert (line.strip() in html_page([result])) or not line
    told = result.calls[0].as_json().get("media", {})
    assert told == ({} if silences is None else {"silences": [{"at": at, "for": s} for at, s in silences]})


def test_a_call_that_came_in_has_a_caller(result: ScenarioResult) -> None:
    call = replace(result.calls[0], incoming=True, via=None, route=[])
    assert call_lines(call) == ["call c1, line 1 from 1002: answered after 32.1 s"]


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (None, ""),
        (Ended(40.1, EndedBy.US, "hung up", "BYE", True, status=200), ""),
        (Ended(40.1, EndedBy.US, "hung up", "BYE", True, status=481), ""),
        (
            Ended(40.1, EndedBy.US, "hung up; the BYE was refused: 403 Forbidden", "BYE", True, status=403),
            "     ended by this phone with BYE, 8.0 s after the answer:"
            " hung up; the BYE was refused: 403 Forbidden",
        ),
        (
            Ended(40.1, EndedBy.US, "hung up; the BYE was not answered: no response", "BYE", False),
            "     ended by this phone with BYE, 8.0 s after the answer:"
            " hung up; the BYE was not answered: no response",
        ),
        (
            Ended(33.1, EndedBy.THEM, "the far end hung up", "BYE", True),
            "     ended by the far end with BYE, 1.0 s after the answer: the far end hung up",
        ),
        (
            Ended(64.1, EndedBy.TIMEOUT, "no ACK", "BYE", True, status=200),
            "     ended by a time-out with BYE, 32.0 s after the answer: no ACK",
        ),
        (
            Ended(32.1, EndedBy.TRANSPORT, "no ACK can be sent"),
            "     ended by the transport, 0.0 s after the answer: no ACK can be sent",
        ),
    ],
)
def test_how_a_call_ended_stands_below_its_route(result: ScenarioResult, end: Ended, line: str) -> None:
    call = replace(result.calls[0], ended=end)
    assert call_lines(call)[3:] == ([line] if line else [])
    assert (line.strip() in html_page([replace(result, calls=[call])])) is True


def test_a_call_that_was_never_up_tells_its_end_once(result: ScenarioResult) -> None:
    refused = Ended(32.1, EndedBy.THEM, "answered 486 Busy Here")
    assert len(call_lines(replace(result.calls[0], result="rejected", ended=refused))) == 3


def test_a_status_stands_with_its_outcome(result: ScenarioResult) -> None:
    attempt = replace(result.calls[0].route[0], outcome=Outcome.UNAVAILABLE, status=503)
    assert "unavailable 503" in attempt_line(attempt)


def test_a_failure_tells_its_step_and_route(result: ScenarioResult) -> None:
    lines = scenario_lines(result)
    assert lines[0] == "failed  the <primary> is silent (32.1 s, virtual)"
    assert lines[1] == "        a.yaml: step 3 (call): expected via <primary> & got 'secondary'"
    assert len(lines) == 5
    assert len(scenario_lines(replace(result, verdict=Verdict.PASSED, failures=[]))) == 1


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_only_where_it_is_wanted(stream: io.StringIO, environ: dict[str, str], wanted: bool) -> None:
    assert wants_colour(stream, environ) is wanted


def tell(printer: RoutePrinter, attempt: Attempt) -> None:
    waiting = replace(attempt, outcome=None, ended=None)
    printer(AttemptStarted(at=attempt.started, line=1, call="c1", attempt=waiting))
    printer(AttemptEnded(at=attempt.ended or 0, line=1, call="c1", attempt=attempt))


def test_the_route_grows_by_a_line_an_attempt(result: ScenarioResult) -> None:
    stream = io.StringIO()
    printer = RoutePrinter(stream)
    for attempt in result.calls[0].route:
        tell(printer, attempt)
    assert stream.getvalue().splitlines() == call_lines(result.calls[0])[1:]


def test_a_skipped_target_is_printed_once(result: ScenarioResult) -> None:
    skipped = replace(result.calls[0].route[0], outcome=Outcome.SKIPPED)
    stream = io.StringIO()
    printer = RoutePrinter(stream)
    printer(AttemptStarted(at=0, line=1, call="c1", attempt=skipped))
    printer(AttemptEnded(at=0, line=1, call="c1", attempt=skipped))
    assert stream.getvalue().count("skipped") == 1


def test_a_terminal_shows_what_is_waited_for(result: ScenarioResult) -> None:
    stream = Terminal()
    tell(RoutePrinter(stream, environ={"NO_COLOR": "1"}), result.calls[0].route[0])
    waiting, _, ended = stream.getvalue().partition("\r\x1b[K")
    assert "…" in waiting
    assert ended == call_lines(result.calls[0])[1] + "\n"


def test_registrations_are_for_another_printer(result: ScenarioResult) -> None:
    stream = io.StringIO()
    tell(RoutePrinter(stream, calls=False), result.calls[0].route[0])
    assert stream.getvalue() == ""


def test_nothing_steers_the_terminal(result: ScenarioResult) -> None:
    attempt = replace(result.calls[0].route[0], detail="\x1b[2Jboo\x07")
    assert "\x1b" not in attempt_line(attempt)
    assert "\\x1b[2Jboo\\x07" in attempt_line(attempt)


def test_a_line_that_has_lost_its_connection_is_told_below_the_verdict() -> None:
    # rule R14
    told = scenario_lines(
        played(
            "name: t\n"
            "set:\n  account.1.enable: 1\n  account.1.user_name: 2001\n  account.1.password: secret-1\n"
            "  account.1.sip_server.1.address: 192.168.1.13\n  account.1.sip_server.1.transport_type: 1\n"
            "servers: {primary: 192.168.1.13}\n"
            "steps:\n- register:\n- server: {name: primary, behaviour: refuse}\n- wait: 1ms\n"
        )
    )
    lost = "the connection with primary 192.168.1.13:5060/tcp is lost (connection reset by peer)"
    assert told == ["passed  t (0.0 s, virtual)", f"        line 1: may be unreachable: {lost}"]
