"""``phone-emulator run``: scenario files, one after the other; the exit status is the verdict."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import click

from phone_emulator.cli.certificates import with_certificates
from phone_emulator.cli.desk import INTERRUPTED, refuse_elsewhere
from phone_emulator.cli.exits import Exit, tell_faults
from phone_emulator.cli.options import OUTPUT, SCENARIO, SOUND, TLS, Common, common_options, complete_files
from phone_emulator.cli.outputs import check_outputs, make_spool, write_all, write_captures
from phone_emulator.cli.sides import check_sides, sides_options
from phone_emulator.cli.talk import Progress, event_log, say, tell_of_seed, tell_without_effect
from phone_emulator.media.sides import Side
from phone_emulator.media.wav import read_wav
from phone_emulator.report.html import write_html
from phone_emulator.report.json import json_line
from phone_emulator.report.junit import write_junit
from phone_emulator.report.result import NotRun, ScenarioResult, StepFailure, Verdict
from phone_emulator.report.spool import MediaSpool
from phone_emulator.report.text import scenario_lines, wants_colour
from phone_emulator.scenario.model import Scenario, ScenarioError
from phone_emulator.scenario.reader import find_scenarios, read_scenarios
from phone_emulator.scenario.runner import Interrupted
from phone_emulator.scenario.runner import run as run_scenario
from phone_emulator.scenario.schema import WorldName
from phone_emulator.scenario.session import Prepared, RunOptions, prepare


@click.command(epilog="Example: phone-emulator run configs/ --junit report.xml --html report.html")
@click.argument("scenario", nargs=-1, required=True, metavar="SCENARIO...", shell_complete=complete_files)
@click.option("--junit", type=OUTPUT, metavar="FILE.xml", help="Write a test case per scenario.")
@click.option("--html", type=OUTPUT, metavar="FILE.html", help="Write one page: verdicts, routes, ladders.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first expectation that does not hold.")
@click.option("--routes", is_flag=True, help="Print the routes of scenarios that passed, too.")
@sides_options(
    click.option(
        "--record",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        help="Write what each call says and hears into a WAV file there, its last ten minutes.",
    )
)
@common_options(*SCENARIO, *TLS, *SOUND)
def run(
    common: Common,
    scenario: tuple[str, ...],
    junit: Path | None,
    html: Path | None,
    fail_fast: bool,
    routes: bool,
    play: Path | None,
    repeat: bool,
    record: Path | None,
    record_side: Side | None,
) -> int:
    """Run scenario files, and every scenario (*.yaml) in folders; the exit status is the verdict.

    All files are read and checked first: if one of them cannot be used, nothing is started.
    """
    check_sides(play, repeat, record, record_side)
    log = event_log(common.log_level, sys.stderr)
    options = RunOptions(
        play=None if play is None else read_wav(play),
        repeat=repeat,
        record=record,
        side=record_side or "both",
        overrides=common.overrides,
        phone=common.phone_options(),
        seed=common.seed,
        listeners=(log,) if log is not None else (),
        fail_fast=fail_fast,
        on_interrupt=lambda: say(INTERRUPTED),
        keep_messages=bool(html or common.pcap),
    )
    prepared = _read(scenario, common, options)
    reports = {"--junit": junit, "--html": html}
    check_outputs(reports, (name for ready, _ in prepared for name in ready.scenario.files), common)
    if record is not None:
        record.mkdir(exist_ok=True)
    if record is not None:
        record.mkdir(exist_ok=True)
    results: list[ScenarioResult] = []
    spool = make_spool(common)
    try:
        _run_all(prepared, common, routes, results, spool)
    finally:
        not_run = [NotRun(each.scenario.name, each.scenario.file) for each, _ in prepared[len(results) :]]
        captures = [(result.scenario, result.messages) for result in results]
        write_all(
            lambda: None if junit is None else write_junit(junit, results, not_run),
            lambda: None if html is None else write_html(html, results, not_run),
            lambda: write_captures(common, captures, spool),
        )
    passed = sum(result.verdict is Verdict.PASSED for result in results)
    if not common.json:
        rest = f", {len(not_run)} not run" if not_run else ""
        say(f"{passed} of {len(results)} scenarios passed{rest}")
    if any(result.faults for result in results):
        return Exit.FAULT
    return Exit.OK if passed == len(prepared) else Exit.FAILED


def _read(paths: Sequence[str], common: Common, options: RunOptions) -> list[tuple[Prepared, RunOptions]]:
    """Every scenario with all its files, and how it runs: its cfg files may name certificates.

    Raises ScenarioError with the faults of all of them; click.UsageError for a certificate.
    """
    scenarios = read_scenarios(find_scenarios(paths), world=cast("WorldName | None", common.world))
    prepared: list[tuple[Prepared, RunOptions]] = []
    faults: list[str] = []
    for scenario in scenarios:
        refuse_elsewhere(common, scenario.world, whose=scenario.file)
        try:
            ready = prepare(scenario, options)
        except ScenarioError as error:
            faults += error.faults
        else:
            phone = with_certificates(options.phone, ready.config, fetch=scenario.world != "simulated")
            named = None if options.record is None else options.record / _prefix(scenario.file, scenarios)
            prepared.append((ready, dataclasses.replace(options, phone=phone, record=named)))
    if faults:
        raise ScenarioError(list(dict.fromkeys(faults)))
    if any(scenario.world != "simulated" for scenario in scenarios):
        tell_of_seed(common.seed)
    if common.log_level != "error":
        for warning in dict.fromkeys(found for ready, _ in prepared for found in ready.warnings):
            say(warning)
        tell_without_effect(dict.fromkeys(found for ready, _ in prepared for found in ready.without_effect))
    return prepared


def _prefix(file: str, scenarios: Sequence[Scenario]) -> str:
    """What the recordings of *file* begin with: its name, and a number where other scenarios have that."""
    stem = Path(file).stem
    same = [each.file for each in scenarios if Path(each.file).stem == stem]
    return f"{stem}." if len(same) == 1 else f"{stem}.{same.index(file) + 1}."


def _not_finished(prepared: Prepared, error: Exception) -> ScenarioResult:
    """What reports tell of a scenario that *error* has ended, which ends the run too."""
    scenario = prepared.scenario
    failures = [StepFailure("the scenario", f"{type(error).__name__}: {error}")]
    virtual = scenario.world == "simulated"
    return ScenarioResult(scenario.name, scenario.file, Verdict.ERROR, 0.0, virtual, failures)


def _run_all(
    prepared: Sequence[tuple[Prepared, RunOptions]],
    common: Common,
    routes: bool,
    results: list[ScenarioResult],
    spool: MediaSpool | None,
) -> None:
    """Run them in order; each result is told, and put into *results*, as soon as it is there."""
    colour = wants_colour(sys.stdout)
    progress = Progress()
    for number, (each, options) in enumerate(prepared, 1):
        progress.show(f"[{number}/{len(prepared)}] {each.scenario.name} …")
        if spool is not None:
            spool.begin()
        try:
            result = run_scenario(each, dataclasses.replace(options, tap=spool))
        except Interrupted as stop:
            results.append(stop.result)
            for text in stop.left:
                say(text)
            raise
        except Exception as error:
            results.append(_not_finished(each, error))
            raise
        finally:
            progress.clear()
        results.append(result)
        if common.json:
            click.echo(json_line(result))
        else:
            for line in scenario_lines(result, colour=colour, routes=routes):
                click.echo(line, color=colour)
        tell_faults((fault.traceback, str(fault)) for fault in result.faults)
        if options.fail_fast and result.verdict is not Verdict.PASSED:
            return
