"""The site of a what-if: somebody's phone, and a server at every target that its files lead to."""

from __future__ import annotations

from phone_emulator.config.model import PhoneConfig
from phone_emulator.lab.zone import read_zone
from phone_emulator.whatif.stage import Site, as_found

from .options import Common
from .places import guide_zone, places_of


def site_of(config: PhoneConfig, common: Common) -> Site:
    """Where *config* leads to in ``--zone``, or in a made-up zone; raises ZoneError."""
    zone = read_zone(common.zone) if common.zone is not None else guide_zone(config)
    found = places_of(config, zone)
    return as_found(
        Site(
            config=config,
            places=found.places,
            names=found.names,
            zone=zone,
            options=common.phone_options(),
            seed=common.seed or 0,
        )
    )
