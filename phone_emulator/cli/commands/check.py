"""``phone-emulator check``: what is wrong or surprising in cfg files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import click

from phone_emulator.cleaning import clean, clean_json
from phone_emulator.cli.exits import Exit
from phone_emulator.cli.options import PROVISIONING, Common, cfg_argument, common_options, need_files
from phone_emulator.config import CfgError, Diagnostic, Severity, examine, examine_reading
from phone_emulator.config.diagnostic import CODES
from phone_emulator.config.ignores import unknown_code
from phone_emulator.redundancy.surprises import RULES


def _code(text: str) -> str:
    """A code of findings; raises click.BadParameter."""
    if text not in CODES:
        raise click.BadParameter(unknown_code(text))
    return text


@click.command(epilog="Example: phone-emulator check common.cfg 001565aabbcc.cfg --strict")
@cfg_argument()
@click.option("--strict", is_flag=True, help="Warnings fail the check, too.")
@click.option("--each", is_flag=True, help="Each file is the whole of a phone, instead of all together.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "sarif")),
    default="text",
    help="What stdout gets; sarif is for code-review tools.",
)
@click.option(
    "--only", type=_code, multiple=True, metavar="CODE", help="Tell this and errors. May be repeated."
)
@click.option(
    "--ignore", type=_code, multiple=True, metavar="CODE", help="Do not tell this. May be repeated."
)
@common_options("overrides", *PROVISIONING)
def check(
    common: Common,
    cfg: tuple[str, ...],
    strict: bool,
    each: bool,
    form: str,
    only: tuple[str, ...],
    ignore: tuple[str, ...],
) -> int:
    """Say what is wrong or surprising in CFG files: ``file:line: severity: code: message``.

    Later files win, as on the phone. The exit status is 1 if there is an error, 2 if a file cannot be used.

    What --only and --ignore leave out is as if it were not there, but an error is always told. In a file, a
    comment "## phone-emulator: ignore CODE" does so for the setting beneath it, or at the head for the file.
    """
    need_files(cfg, common)
    counts: Counter[Severity] = Counter()
    left_out = 0
    faults: list[str] = []
    kept: list[Diagnostic] = []
    for diagnostic in _examined([(name,) for name in cfg] if each and cfg else [cfg], common, faults):
        told = diagnostic.code not in ignore and (not only or diagnostic.code in only)
        if not told and diagnostic.severity is not Severity.ERROR:
            left_out += 1
            continue
        counts[diagnostic.severity] += 1
        if form == "sarif":
            kept.append(diagnostic)
        else:
            click.echo(_line(diagnostic, form))
    if form == "sarif":
        from phone_emulator.config.sarif import sarif

        click.echo(clean_json(sarif(kept), indent=2))
    if faults:
        raise CfgError(faults)
    if form == "text":
        sums = [f"{counts[each]} {each}{'s' * (counts[each] != 1)}" for each in Severity if counts[each]]
        said = ", ".join(sums) or "nothing to say against it"
        click.echo(f"{said} ({left_out} left out)" if left_out else said, err=True)
    failed = counts[Severity.ERROR] or (strict and counts[Severity.WARNING])
    return Exit.FAILED if failed else Exit.OK


def _examined(phones: list[tuple[str, ...]], common: Common, faults: list[str]) -> Iterator[Diagnostic]:
    """What is said of each phone; what cannot be used goes to *faults*."""
    for files in phones:
        try:
            yield from _of_one(files, common)
        except CfgError as error:
            faults += error.faults


def _of_one(files: tuple[str, ...], common: Common) -> list[Diagnostic]:
    """What is said of one phone, its provisioning server's files included; raises CfgError."""
    firmware = common.firmware or ""
    if not common.provisioned:
        return examine(files, common.overrides, common.model, firmware=firmware, more=RULES)
    from phone_emulator.cli.provision import provision

    provisioner = provision(files, common)
    told = examine_reading(provisioner.reading(), firmware=firmware, more=RULES)
    return [*provisioner.boot_said, *told]


def _line(diagnostic: Diagnostic, form: str) -> str:
    return clean_json(diagnostic.as_json()) if form == "json" else clean(str(diagnostic))
