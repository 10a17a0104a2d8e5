"""``phone-emulator route``: which servers a call would go to, in order, and how long each is waited for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from phone_emulator.cleaning import clean
from phone_emulator.cli.desk import load_cfg
from phone_emulator.cli.exits import Exit
from phone_emulator.cli.options import FORECAST, Common, cfg_argument, common_options
from phone_emulator.cli.talk import event_log, progress, tell_of_seed
from phone_emulator.cli.targets import HopTargets, targets_of_lines
from phone_emulator.config.model import AccountConfig, PhoneConfig, TimerConfig
from phone_emulator.dns import Resolver, dns_servers
from phone_emulator.events import Address, Attempt, Bus, Outcome, Target
from phone_emulator.lab.nameserver import NameServer
from phone_emulator.lab.plans import SIMULATED_DNS
from phone_emulator.lab.zone import read_zone
from phone_emulator.redundancy import Silence, call_foretold, wait_for
from phone_emulator.redundancy.readings import other_waits, told_of_waits
from phone_emulator.report.json import json_line
from phone_emulator.world import RealWorld, SimulatedWorld


@click.command(epilog="Example: phone-emulator route phone.cfg --dns 192.0.2.53")
@cfg_argument()
@common_options(*FORECAST, "dns")
def route(common: Common, cfg: tuple[str, ...]) -> int:
    """Ask DNS where the servers of each line are; print the targets in the order in which a call tries them.

    For each target: how long it is waited for when it is silent, and why, and how long by other readings of
    the guides; or that it is passed over when those before it have failed. No SIP is sent. With --zone, the
    names are looked up in that file instead of the network. The exit status is 1 if a server has no target.
    """
    if common.zone is not None and common.dns:
        raise click.UsageError("--zone is asked instead of a DNS server: leave out --dns")
    config = load_cfg(cfg, common)
    found = _locate(config, common)
    silence = Silence(common.silence)
    for account in config.lines:
        own = [each for each in found if each.account is account]
        if common.json:
            click.echo(json_line({"line": account.index, "targets": _rows(account, own, config, silence)}))
        else:
            click.echo(f"line {account.index} ({clean(account.shown_label)})")
            for row in _rows(account, own, config, silence):
                click.echo(_line(row))
    return Exit.OK if all(each.targets for each in found) else Exit.FAILED


def _locate(config: PhoneConfig, common: Common) -> list[HopTargets]:
    """Look every server up; raises ZoneError, WorldError."""
    bus = Bus()
    log = event_log(common.log_level, sys.stderr)
    if log is not None:
        bus.subscribe(log)
    if common.zone is not None:
        return _locate_in_zone(config, common, bus)
    tell_of_seed(common.seed)
    world = RealWorld(common.seed)
    servers = list(common.dns) or dns_servers(config.dns, world)
    resolver = Resolver(world, servers, config.dns, bus=bus, source_host=common.first_local_address)
    progress(f"asking {', '.join(map(str, servers)) or 'nobody: there is no DNS server'} …")
    return world.run(targets_of_lines(config, resolver, sources=common.local_addresses))


def _locate_in_zone(config: PhoneConfig, common: Common, bus: Bus) -> list[HopTargets]:
    assert common.zone is not None
    address = Address(SIMULATED_DNS, 53)
    world = SimulatedWorld(common.seed or 0, [address])
    nameserver = NameServer(world, address, read_zone(common.zone))

    async def ask() -> list[HopTargets]:
        await nameserver.start()
        resolver = Resolver(world, [address], config.dns, bus=bus)
        return await targets_of_lines(config, resolver, sources=common.local_addresses)

    return world.run(ask())


def _rows(
    account: AccountConfig, found: Sequence[HopTargets], config: PhoneConfig, silence: Silence
) -> list[dict[str, Any]]:
    """The targets of one line, as the JSON has them, in the order in which a new call walks along them."""
    located = {each.hop.server: each for each in found}
    rows = []
    for attempt in call_foretold(account, config, lambda hop: located[hop.server].targets, silence):
        each = located[attempt.target.server]
        if not attempt.target.address:
            rows.append(_row(attempt.target, 0.0, f"unresolved: {each.problem}"))
        elif attempt.outcome is Outcome.SKIPPED:
            rows.append(_row(attempt.target, 0.0, f"passed over: {attempt.detail}", passed_over=True))
        else:
            rows.append(_waited_for(attempt, each, config.timers, silence))
    return rows


def _waited_for(attempt: Attempt, found: HopTargets, timers: TimerConfig, silence: Silence) -> dict[str, Any]:
    target, wait, failover = attempt.target, attempt.wait, found.hop.failover
    why = wait.why if wait.connect is None else f"connect {wait.connect_why}; an answer {wait.why}"
    if wait != wait_for("INVITE", failover, timers, target.transport, last=False, silence=silence):
        why += f": the last target of server {target.server} gets the full wait"
    last = target == found.targets[-1]
    others = other_waits("INVITE", failover, timers, target.transport, last=last, silence=silence)
    return _row(target, wait.seconds, why, others)


def _row(
    target: Target,
    wait: float,
    why: str,
    others: Mapping[str, float] | None = None,
    *,
    passed_over: bool = False,
) -> dict[str, Any]:
    return {
        **target.as_json(),
        "wait": wait,
        "why": why,
        "ttl": target.ttl,
        "source": str(target.source),
        "other_waits": dict(others or {}),
        "passed_over": passed_over,
    }


def _line(row: dict[str, Any]) -> str:
    """One target for people."""
    if row["address"] is None:
        return f"  {row['role']:<10}  {clean(row['host']):<27}  {clean(row['why'])}"
    place = f"{Address(row['address'], row['port'])}/{row['transport']}"
    life = "" if row["ttl"] is None else f", {row['ttl']:.0f} s to live"
    others = f"; {told_of_waits(row['other_waits'])}" if row["other_waits"] else ""
    why = f"{row['why']}{others}"
    return f"  {row['role']:<10}  {place:<27}  {row['wait']:>5.1f} s  {why} ({row['source']}{life})"
