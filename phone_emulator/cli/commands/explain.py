"""``phone-emulator explain``: what will happen when servers fail, in plain sentences."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import click

from phone_emulator.cleaning import clean
from phone_emulator.cli.desk import check_line, load_cfg
from phone_emulator.cli.options import LINE, REHEARSAL, Common, cfg_argument, common_options
from phone_emulator.cli.site import site_of
from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import AccountConfig
from phone_emulator.events import Outcome
from phone_emulator.redundancy import call_foretold, hops
from phone_emulator.redundancy.readings import Reading, open_readings, reaction_reading
from phone_emulator.report.json import json_line
from phone_emulator.whatif.explain import Case
from phone_emulator.whatif.explain import explain as explained
from phone_emulator.whatif.orders import OrderError, check_destination
from phone_emulator.whatif.stage import Site
from phone_emulator.whatif.words import sentence

WIDTH = 100


@click.command(
    epilog="Example: phone-emulator explain configs/guide-example.cfg --zone configs/guide-example.zone",
)
@cfg_argument()
@click.option("--call", "destination", default="1002", show_default=True, metavar="DESTINATION")
@click.option("--line", type=LINE, metavar="N", help="Of this line only [default: of each].")
@common_options(*REHEARSAL)
def explain(common: Common, cfg: tuple[str, ...], destination: str, line: int | None) -> None:
    """What will happen to calls and registrations of each line when servers fail, in plain sentences.

    Everything is rehearsed in virtual time, with a server at every target that CFG leads to in ZONE and at
    every literal server address. With --format json: one object for each line.
    """
    try:
        check_destination(destination)
    except OrderError as error:
        raise click.UsageError(str(error)) from None
    config = load_cfg(cfg, common)
    if not config.lines:
        raise click.UsageError("no account is enabled: there is nothing to explain")
    check_line(config, line)
    site = site_of(config, common)
    told = [account for account in config.lines if line in (None, account.index)]
    for number, account in enumerate(told):
        cases = explained(site, account, destination)
        readings = _readings(site, account)
        if common.json:
            told_of = {"readings": [reading.as_json() for reading in readings]}
            click.echo(json_line(_json(site, account, common, list(cases)) | told_of))
            continue
        if number:
            click.echo()
        for text in _heading(site, account, common):
            click.echo(text)
        for case in cases:
            for text in _text(case.title, case.sentences):
                click.echo(text)
        if readings:
            otherwise = [sentence(reading.message) for reading in readings]
            for text in _text("What public sources leave open of a real phone", otherwise):
                click.echo(text)


def _readings(site: Site, account: AccountConfig) -> list[Reading]:
    """Where a figure of the cases hangs on how the guides are read."""
    options = site.options
    return [
        *open_readings(account, site.config.timers, options.silence),
        *reaction_reading(account, options.reaction),
    ]


def _names(account: AccountConfig) -> list[str]:
    return list(dict.fromkeys(hop.host for hop in hops(account) if not is_ip(hop.host)))


def _servers(site: Site, account: AccountConfig) -> list[dict[str, Any]]:
    """Where the line's servers stand, in order."""
    return [target.as_json() for target in site.targets[account.index]]


def _passed_over(site: Site, account: AccountConfig) -> dict[str, str]:
    """Why a call passes over which roles, where those before them have failed."""
    found = site.targets[account.index]
    known = {server: [each for each in found if each.server == server] for server in (1, 2)}
    ahead = call_foretold(account, site.config, lambda hop: known[hop.server])
    return {each.target.role: each.detail for each in ahead if each.outcome is Outcome.SKIPPED}


def _zone(account: AccountConfig, common: Common) -> str | None:
    """Where the line's names come from: the zone's file, ``made-up``, or None without names."""
    if not _names(account):
        return None
    return "made-up" if common.zone is None else str(common.zone)


def _json(site: Site, account: AccountConfig, common: Common, cases: list[Case]) -> dict[str, Any]:
    return {
        "line": account.index,
        "label": account.shown_label,
        "zone": _zone(account, common),
        "servers": _servers(site, account),
        "cases": [case.as_json() for case in cases],
    }


def _heading(site: Site, account: AccountConfig, common: Common) -> Iterator[str]:
    yield f"line {account.index} ({clean(account.shown_label)})"
    passed_over = _passed_over(site, account)
    for target in site.targets[account.index]:
        why = passed_over.get(target.role, "")
        row = f"  {target.role:<10}  {target.remote}/{target.transport}{why and f'  passed over: {why}'}"
        yield from _wrapped(row, " " * 14)
    if not site.targets[account.index]:
        yield "  no server: the zone knows none of its names"
    if _zone(account, common) == "made-up":
        names = ", ".join(map(clean, _names(account)))
        yield f"  The addresses behind {names} are made up; --zone FILE gives the real ones."


def _text(title: str, sentences: Sequence[str]) -> Iterator[str]:
    yield ""
    yield f"  {clean(title)}"
    for each in sentences:
        yield from _wrapped(f"    {clean(each)}", " " * 6)


def _wrapped(text: str, indent: str) -> list[str]:
    """*text* in lines of the page; *indent* goes before all but the first."""
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
