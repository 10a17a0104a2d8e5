"""``address``: the phone's own address is another from now on, or has gone."""

from __future__ import annotations

from pydantic import field_validator

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Scenario, Step
from phone_emulator.scenario.schema import Model, Text
from phone_emulator.scenario.session import Session
from phone_emulator.scenario.worlds import LAB, SIMULATED, Where
from phone_emulator.world import SimulatedWorld
from phone_emulator.world.address import canonical, is_unicast

GONE = "gone"


class AddressStep(Model):
    """``address``: an IP address, or ``gone``."""

    to: Text

    @field_validator("to")
    @classmethod
    def _known(cls, to: str) -> str:
        if to != GONE and not is_unicast(to):
            raise ValueError(f"expected the IP address of a host, or {GONE}, got {to!r}")
        return to if to == GONE else canonical(to)


async def act(session: Session, step: Step, args: AddressStep) -> None:
    """Have the phone at another address; raises WorldError where the machine has no other."""
    assert session.lab is not None
    hosts = () if args.to == GONE else (session.lab.plan.placed(args.to, virtual=session.world.virtual),)
    if isinstance(session.world, SimulatedWorld):
        for before in session.phone.context.hosts:
            session.world.readdress(before, "")
        for host in hosts:
            session.world.readdress("", host)
    await session.phone.move(*hosts)


def amiss(scenario: Scenario, args: AddressStep) -> str:
    """Why the phone cannot have that address in *scenario*; empty where it can."""
    taken = next((spec.name for spec in scenario.servers.values() if spec.address == args.to), None)
    if taken is not None:
        return f"{args.to} is the address of the server {taken!r}"
    if scenario.world == LAB and ":" in args.to:
        return f"the lab world is on IPv4 loopback: the phone cannot have {args.to} there"
    return ""


KIND = StepKind(
    name="address",
    model=AddressStep,
    act=act,
    amiss=amiss,
    shorthand="to",
    where=Where(
        frozenset({SIMULATED, LAB}),
        "in the {world} world the phone has the addresses of its machine: change those, and it follows",
    ),
    says="The phone's own IP address is another from now on, as by DHCP or a VPN, or is `gone`; an address "
    "brings it back. Every line registers from there and removes what was registered from before, calls that "
    "are up go on with a re-INVITE; the step waits for that. In the lab world 192.168.1.22 is 127.0.0.22.",
    example="address: 192.168.1.22",
    every_line=True,
    ends_badly_by=("registered",),
)
