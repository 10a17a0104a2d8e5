"""``phone-emulator params``: the reference of the cfg parameters."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import click

from phone_emulator.cleaning import clean_json
from phone_emulator.cli.exits import Exit
from phone_emulator.config.catalogue import Catalogue, Effect, Parameter, catalogue, suggestion


@click.command(epilog="Example: phone-emulator params 'account.*.sip_server.*'")
@click.argument("pattern", required=False)
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", help="What stdout gets."
)
@click.option(
    "--effect",
    type=click.Choice([each.replace(" ", "-") for each in Effect]),
    help="Only those that do this here.",
)
def params(pattern: str | None, form: str, effect: str | None) -> int:
    """Print the parameters that are known: what they take, their default, and what they do here.

    PATTERN is a part of the name, a whole key (account.1.label), or a name with * and ? for any characters.
    A capital letter between dots stands for a number. What "acts" changes what the phone does, what "shows
    only" what people see; what is "without effect" is read and known, and nothing looks at it.
    """
    known = catalogue()
    found = [each for each in known if effect is None or each.effect == effect.replace("-", " ")]
    if pattern:
        whole = [each for each in found if pattern in (each.name, *known.older_names(each.name))]
        found = whole or [each for each in found if _is_meant(known, each, pattern)]
    if not found:
        click.echo(f"{pattern}: no such parameter{suggestion(pattern or '')}", err=True)
        return Exit.FAILED
    found.sort(key=lambda each: each.name)
    if form == "json":
        click.echo("\n".join(clean_json(as_json(known, each)) for each in found))
    else:
        _table([("parameter", "value", "default", "since", "effect")] + [_row(each) for each in found])
    return Exit.OK


def as_json(known: Catalogue, parameter: Parameter) -> dict[str, Any]:
    """*parameter* as ``params --format json`` prints it."""
    from phone_emulator.config.effects import missed  # slow to import, and not needed for the table

    low, high = parameter.range or (None, None)
    return {
        "name": parameter.name,
        "type": parameter.type or None,
        "values": list(parameter.values) or None,
        "minimum": low,
        "maximum": high,
        "default": parameter.default or None,
        "since": f"V{parameter.since}" if parameter.since else None,
        "effect": parameter.effect,
        "missed": missed(parameter.name).sentence if parameter.effect is Effect.NONE else None,
        "older_names": known.older_names(parameter.name),
    }


def _is_meant(known: Catalogue, parameter: Parameter, pattern: str) -> bool:
    names = [parameter.name, *known.older_names(parameter.name)]
    if any(char in pattern for char in "*?["):
        return any(fnmatchcase(name, pattern) for name in names)
    whole = known.find(pattern) if re.search(r"\.[0-9]+(\.|$)", pattern) else None
    if whole is not None:
        return whole.name == parameter.name
    return any(pattern.lower() in name.lower() for name in names)


def _row(parameter: Parameter) -> tuple[str, ...]:
    value = "-" if not parameter.type else parameter.expected
    since = f"V{parameter.since}" if parameter.since else "-"
    return parameter.name, value, parameter.default or "-", since, parameter.effect


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [min(60, max(map(len, column))) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    click.echo("\n".join(line.rstrip() for line in lines))
