"""Where a lab's servers stand: at the files' own addresses, on loopback, or all on one address."""

from __future__ import annotations

import pytest

from phone_emulator.config.model import PhoneConfig
from phone_emulator.events import Address, Bus, Outcome
from phone_emulator.lab import plans
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.phone import CallResult, Phone, PhoneOptions
from phone_emulator.world import RealWorld, SimulatedWorld, WorldError
from tests.patience import patient


def example() -> PhoneConfig:
    return plans.example_config()


def test_the_simulated_world_keeps_the_addresses_of_the_files() -> None:
    stage = plans.simulated(example(), plans.EXAMPLE_PLACES, plans.example_zone())
    assert [place.address for place in stage.plan.places] == ["192.168.1.13", "192.168.1.14", "192.168.1.15"]
    assert stage.config == example()
    assert stage.plan.phone == Address("192.168.1.21", 5060)


def test_nobody_stands_where_a_server_is() -> None:

    places = [Place(name="primary", address="192.168.1.21"), Place(name="x", address="192.0.2.100")]
    stage = plans.simulated(example(), places, plans.example_zone())
    assert stage.plan.phone.host == "192.168.1.22"
    assert stage.plan.callee.host == "192.0.2.101"


def test_dns_stands_where_the_cfg_says() -> None:
    config = plans.example_config(["static.network.primary_dns=10.0.0.53"])
    stage = plans.simulated(config, plans.EXAMPLE_PLACES, plans.example_zone())
    assert stage.plan.nameservers == (Address("10.0.0.53", 53),)


def test_on_loopback_each_server_gets_an_address_of_its_own() -> None:
    stage = plans.loopback(
        example(), plans.EXAMPLE_PLACES, plans.example_zone(), phone_host="127.0.9.21", single=False
    )
    assert [place.address for place in stage.plan.places] == ["127.0.9.13", "127.0.9.14", "127.0.9.15"]
    assert stage.plan.zone.addresses() == ["127.0.9.13", "127.0.9.14"]
    [account] = stage.config.accounts
    assert [server.address for server in account.servers] == ["yealink.pbx.com", "127.0.9.15"]
    assert stage.config.skip_redundant_failover_addr


@pytest.mark.parametrize(
    ("single", "asked", "port"), [(False, None, None), (True, None, 5062), (True, 5070, 5070), (False, 0, 0)]
)
def test_the_lab_moves_the_phone_only_where_they_share_an_address(
    single: bool, asked: int | None, port: int | None
) -> None:
    stage = plans.loopback(example(), plans.EXAMPLE_PLACES, plans.example_zone(), single=single)
    lab = Lab(SimulatedWorld(), stage.plan, stage.config, Bus())
    assert lab.phone_options(PhoneOptions(local_port=asked)).local_port == port


def test_servers_with_the_same_last_number_do_not_collide() -> None:

    places = [Place(name="a", address="10.0.0.13"), Place(name="b", address="10.0.1.13")]
    stage = plans.loopback(example(), places, plans.example_zone(), phone_host="127.0.9.21", single=False)
    assert [place.address for place in stage.plan.places] == ["127.0.9.13", "127.0.9.14"]


def test_where_there_is_only_one_address_ports_tell_the_servers_apart() -> None:
    stage = plans.loopback(example(), plans.EXAMPLE_PLACES, plans.example_zone(), single=True)
    assert [(place.address, place.port, place.tls_port) for place in stage.plan.places] == [
        ("127.0.0.1", 5070, 5071),
        ("127.0.0.1", 5080, 5081),
        ("127.0.0.1", 5090, 5091),
    ]
    [account] = stage.config.accounts
    assert (account.servers[1].address, account.servers[1].port) == ("127.0.0.1", 5090)
    # One address stands for three machines: D5 would pass over all but the first.
    assert not stage.config.skip_redundant_failover_addr


@pytest.mark.parametrize("real", [False, True], ids=["simulated", "real"])
def test_a_call_fails_over_on_one_address(real: bool) -> None:
    stage = plans.loopback(example(), plans.EXAMPLE_PLACES, plans.example_zone(), single=True)
    world = RealWorld(1) if real else SimulatedWorld(1, phone_host="127.0.0.1")
    bus = Bus()
    lab = Lab(world, stage.plan, stage.config, bus)
    phone = Phone(stage.config, world, bus, lab.phone_options(PhoneOptions()))

    async def main() -> list[tuple[str, int, Outcome | None]]:
        await lab.start()
        try:
            await phone.start()
            await lab.behave("primary", Behaviour.parse(503))
            await lab.behave("secondary", Behaviour.parse("refuse"))
            await phone.register()
            call = phone.dial("1002")
            assert await patient(call.settled()) is CallResult.ANSWERED
            return [(each.target.role, each.target.port, each.outcome) for each in call.route]
        finally:
            await phone.stop()
            await lab.stop()

    assert world.run(main()) == [
        ("primary", 5070, Outcome.UNAVAILABLE),
        ("secondary", 5080, Outcome.ICMP),
        ("fallback", 5090, Outcome.ANSWERED),
    ]


@pytest.mark.parametrize("address", ["::1", "192.168.1.21"])
def test_the_lab_is_on_loopback_only(address: str) -> None:
    with pytest.raises(WorldError, match="the lab is on IPv4 loopback"):
        plans.loopback(example(), plans.EXAMPLE_PLACES, plans.example_zone(), phone_host=address)
