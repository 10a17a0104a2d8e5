"""What can be asked of a running lab at its prompt, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click

from phone_emulator.cleaning import clean
from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.lab import Lab, served_domains
from phone_emulator.lab.plans import Stage
from phone_emulator.lab.vocabulary import CALLEE, SERVER, offers
from phone_emulator.phone import CallError
from phone_emulator.world import WorldError

HELP_WIDTH = 28


def help_lines() -> list[str]:
    """What can be said at the prompt."""
    return [
        "NAME                  how a server behaves",
        "NAME BEHAVIOUR        ... and from now on; INVITE=503 is about that request only:",
        *(_help_line(text, means) for text, means in offers(SERVER)),
        "callee                what the called user does",
        "callee BEHAVIOUR      ... and from now on:",
        *(_help_line(text, means) for text, means in offers(CALLEE)),
        "call [USER]           the called user calls a phone that is registered here",
        "status                the servers, who is registered where, live calls",
        "help                  this list",
        "quit                  stop the lab",
    ]


def _help_line(text: str, means: str) -> str:
    return (
        f"  {text:<{HELP_WIDTH}} {means}"
        if len(text) <= HELP_WIDTH
        else f"  {text}\n  {'':<{HELP_WIDTH}} {means}"
    )


class LabPrompt:
    """The orders of the prompt.

    Args:
        config: of the phone that the lab is for.
    """

    def __init__(self, config: PhoneConfig) -> None:
        self.config = config
        self._orders: dict[str, Callable[[Lab, str], Awaitable[None]]] = {
            "callee": self._callee,
            "call": self._call,
            "status": self._status,
            "help": self._help,
        }

    async def obey(self, lab: Lab, line: str) -> bool:
        """Do what *line* says, or say why not; False to stop the lab."""
        word, _, rest = line.strip().partition(" ")
        if not word:
            return True
        if word in ("quit", "exit"):
            return False
        order = self._orders.get(word)
        try:
            if order is not None:
                await order(lab, rest.strip())
            elif word in lab.servers:
                await self._server(lab, word, rest.strip())
            else:
                known = ", ".join([*lab.servers, *self._orders, "quit"])
                click.echo(f"there is no {clean(word)!r} here: {known}", err=True)
        except (ValueError, CallError, WorldError) as error:
            click.echo(str(error), err=True)
        return True

    async def _server(self, lab: Lab, name: str, behaviour: str) -> None:
        if behaviour:
            await lab.behave(name, Behaviour.parse(behaviour))
        click.echo(f"{name}: {lab.servers[name].behaviour}")

    async def _callee(self, lab: Lab, behaviour: str) -> None:
        if behaviour:
            lab.callee.behaviour = CalleeBehaviour.parse(behaviour)
        click.echo(f"callee: {clean(str(lab.callee.behaviour))}")

    async def _call(self, lab: Lab, user: str) -> None:
        bound = [
            (name, who)
            for name, server in lab.servers.items()
            for who in server.bindings
            if who == user or not user
        ]
        if not bound:
            raise CallError(f"{user} is registered at no server" if user else "no phone is registered here")
        name, who = bound[0]
        call = lab.callee.call(who, served_domains(self.config)[0], name)
        click.echo(f"{call.id}: calling {who} through {name}")

    async def _status(self, lab: Lab, rest: str) -> None:
        for line in status_lines(lab):
            click.echo(line)

    async def _help(self, lab: Lab, rest: str) -> None:
        click.echo("\n".join(help_lines()))


def status_lines(lab: Lab) -> list[str]:
    """The lab as it is now."""
    lines = []
    for name, server in lab.servers.items():
        users = ", ".join(server.bindings) or "nobody"
        lines.append(f"{name:<12} {server.address!s:<22} {server.behaviour!s:<12} registered: {users}")
    callee, does = lab.callee, clean(str(lab.callee.behaviour))
    lines.append(f"{'callee':<12} {callee.address!s:<22} {does:<12} live calls: {callee.live_calls}")
    return lines


def lab_lines(stage: Stage, *, example: bool) -> list[str]:
    """Where everything is, and the cfg of a phone that fits.

    Args:
        stage: the lab's plan, and the phone that it is for.
        example: whether that is the guide's example, whose password everybody may see.
    """
    plan = stage.plan
    lines = ["SIP servers:"]
    for place in plan.places:
        ports = ", ".join(f"{transport} {place.port_for(transport)}" for transport in place.transports)
        lines.append(f"  {place.name:<12} {place.address}  {ports}  ({place.behaviour})")
    lines += [f"DNS server:   {address}" for address in plan.nameservers]
    lines.append(f"called user:  any number, at {plan.callee}")
    lines.append("cfg of a phone that fits:" if example else "what the cfg of a phone must say here:")
    for account in stage.config.lines:
        lines += [f"  {line}" for line in cfg_lines(account, with_user=example)]
    dns = "".join(f" --dns {address}" for address in plan.nameservers)
    lines.append(f"call with it: phone-emulator call lab.cfg 1002{dns} --local-address {plan.phone.host}")
    return lines


def cfg_lines(account: AccountConfig, *, with_user: bool) -> list[str]:
    """The cfg lines of *account*: its servers, and with *with_user* who it is, its password in the clear."""
    own = f"account.{account.index}"
    lines = []
    if with_user:
        lines += [
            "#!version:1.0.0.1",
            f"{own}.enable = 1",
            f"{own}.user_name = {account.user_name}",
            f"{own}.auth_name = {account.digest_user}",
            f"{own}.password = {account.password.reveal()}",
        ]
    for server in account.servers:
        lines += [
            f"{own}.sip_server.{server.number}.address = {server.address}",
            f"{own}.sip_server.{server.number}.port = {server.port}",
            f"{own}.sip_server.{server.number}.transport_type = {int(server.transport_type)}",
        ]
    return lines
