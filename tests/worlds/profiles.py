"""How many random worlds: 300; with ``CI=true`` 2,000.

``HYPOTHESIS_PROFILE=brief`` plays 40, ``HYPOTHESIS_PROFILE=deep`` 20,000 new ones. Of those in
which everything overlaps: 100, 20 and 5,000; ``WORLDS=500`` plays as many of these as it says, for slices.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_EVERYWHERE = settings(
    database=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
settings.register_profile("worlds-brief", _EVERYWHERE, max_examples=40, derandomize=True)
settings.register_profile("worlds-quick", _EVERYWHERE, max_examples=300, derandomize=True)
settings.register_profile("worlds-ci", _EVERYWHERE, max_examples=2000, derandomize=True)
settings.register_profile(
    "worlds-deep", _EVERYWHERE, max_examples=20_000, phases=[Phase.generate, Phase.shrink]
)


def worlds_profile() -> settings:
    """The profile that the environment asks for."""
    named = os.environ.get("HYPOTHESIS_PROFILE")
    if named in ("brief", "deep"):
        return settings.get_profile(f"worlds-{named}")
    return settings.get_profile("worlds-ci" if os.environ.get("CI") == "true" else "worlds-quick")


def overlapping_profile() -> settings:
    """The same for worlds in which everything overlaps: a few in every run, 5,000 new ones at night."""
    profile = worlds_profile()
    usual = {"brief": 20, "deep": 5000}.get(os.environ.get("HYPOTHESIS_PROFILE", ""), 100)
    return settings(profile, max_examples=int(os.environ.get("WORLDS", usual)))
