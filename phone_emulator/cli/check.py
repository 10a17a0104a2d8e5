"""``phone-emulator check``: what is wrong or surprising in cfg files."""

from __future__ import annotations

from collections import Counter

import click

from phone_emulator.config import Severity, examine
from phone_emulator.report.json import json_line

from .exits import Exit
from .options import Common, cfg_argument, common_options
from .talk import say


@click.command(epilog="Example: phone-emulator check common.cfg 001565aabbcc.cfg --strict")
@cfg_argument()
@click.option("--strict", is_flag=True, help="Warnings fail the check, too.")
@common_options("overrides", "format", "log_level", "model")
def check(common: Common, cfg: tuple[str, ...], strict: bool) -> int:
    """Say what is wrong or surprising in CFG files: ``file:line: severity: code: message``.

    Later files win, as on the phone. The exit status is 1 if there is an error, 2 if a file cannot be used.
    """
    found = examine(cfg, common.overrides, common.model)
    for diagnostic in found:
        click.echo(json_line(diagnostic.as_json()) if common.json else str(diagnostic))
    counts = Counter(diagnostic.severity for diagnostic in found)
    if not common.json:
        told = [f"{counts[each]} {each}{'s' * (counts[each] != 1)}" for each in Severity if counts[each]]
        say(", ".join(told) or "nothing to say against it")
    failed = counts[Severity.ERROR] or (strict and counts[Severity.WARNING])
    return Exit.FAILED if failed else Exit.OK
