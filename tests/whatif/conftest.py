"""Sites for what-ifs: the guide's example, with overrides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from phone_emulator.cli.options import Common
from phone_emulator.cli.site import site_of
from phone_emulator.config import load
from phone_emulator.whatif.stage import Site

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SiteOf = Callable[..., Site]


@pytest.fixture
def example() -> SiteOf:
    """The guide's example with cfg keys overridden, each ``KEY=VALUE``; its own zone, or a made-up one."""

    def make(*overrides: str, zone: Path | None = CONFIGS / "guide-example.zone") -> Site:
        config = load([CONFIGS / "guide-example.cfg"], overrides).config
        return site_of(config, Common(zone=zone))

    return make
