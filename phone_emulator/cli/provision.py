"""``--provision URL``: the phone fetches its files before a command starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from phone_emulator.config import PhoneConfig
from phone_emulator.events import Bus, Event, ProvisioningState, ProvisioningStep

from .certificates import pem_of
from .options import Common
from .talk import progress, say, tell_of

if TYPE_CHECKING:
    from phone_emulator.provisioning import Handset, Provisioner
    from phone_emulator.provisioning.fetching import Lookup


def provision(cfg: Sequence[str], common: Common) -> Provisioner:
    """Fetch the phone's files, told on stderr; raises CfgError.

    Args:
        cfg: files that the phone has already; those of the server win over them.
        common: with ``--provision`` or ``--pnp``.
    """
    from phone_emulator.provisioning import Provisioner, Ways, handset_of
    from phone_emulator.world.system_loop import run_on_a_loop

    bus = Bus()
    began = time.monotonic()
    bus.subscribe(lambda event: _show(event, common.log_level))
    device = common.phone_options().device
    handset = handset_of(device.model, device.firmware, device.mac, common.first_local_address)
    provisioner = Provisioner(
        _found_server(handset, common) if common.provision is None else common.provision,
        handset,
        bus=bus,
        now=lambda: time.monotonic() - began,
        own=cfg,
        overrides=common.overrides,
        ways=Ways(
            ca_pem=None if common.ca is None else pem_of(common.ca, "--ca"),
            local_host=common.first_local_address,
            lookup=_lookup(common) if common.dns else None,
        ),
    )
    run_on_a_loop(provisioner.run(), fast=False)
    return provisioner


def provisioned_config(provisioner: Provisioner, common: Common) -> PhoneConfig:
    """What was fetched, with its warnings told; raises CfgError."""
    loaded = provisioner.loaded()
    tell_of(loaded, common.log_level)
    return loaded.config


def _found_server(handset: Handset, common: Common) -> str:
    """The URL that PnP finds; raises ProvisioningError, WorldError."""
    from phone_emulator.provisioning.location import without_credentials
    from phone_emulator.provisioning.pnp import GROUP, find_server
    from phone_emulator.world import RealWorld
    from phone_emulator.world.system_loop import run_on_a_loop

    progress(f"provisioning: asking {GROUP} for a server")
    local = common.first_local_address or RealWorld().local_address_for(GROUP.host)
    url = run_on_a_loop(find_server(handset, local), fast=False)
    progress(f"provisioning: the server is {without_credentials(url)}")
    return url


def _lookup(common: Common) -> Lookup:
    """Names are looked up at the servers of ``--dns``, as those of the phone's SIP servers are."""

    async def lookup(host: str) -> list[str]:
        from phone_emulator.config.model import DnsConfig
        from phone_emulator.dns import ResolveFailed, Resolver
        from phone_emulator.dns.records import Answer, RdType
        from phone_emulator.provisioning.fetching import FetchError
        from phone_emulator.world import RealWorld

        world = RealWorld()
        resolver = Resolver(world, common.dns, DnsConfig(), bus=Bus(), source_host=common.first_local_address)
        try:
            result = await resolver.query(host, RdType.A)
        except ResolveFailed as error:
            raise FetchError(f"{host} cannot be looked up: {error}", passing=True) from None
        finally:
            await world.aclose()
        if not isinstance(result, Answer):
            raise FetchError(f"{host} has no address, says the DNS server")
        return list(result.addresses)

    return lookup


def _show(event: Event, log_level: str) -> None:
    if not isinstance(event, ProvisioningStep) or event.state is ProvisioningState.FAILED:
        return  # the end of the command says it
    text = f"provisioning: {event.state} {event.location}: {event.reason}"
    if event.state is ProvisioningState.RETRYING or log_level in ("info", "debug"):
        say(text)
    else:
        progress(text)
