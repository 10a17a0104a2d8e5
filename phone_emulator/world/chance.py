"""Where chance comes from: nothing else in the program asks for random numbers.

A world has two sources. `World.random` is for what may be known: orders, pauses, what a simulated network
loses. `World.unguessable` is for what keeps strangers out: branches, tags, Call-IDs, nonces, DNS ids, where
RTP begins. Whoever sees 624 numbers of a seeded generator knows all that follow, so in real worlds the second
is the system's own (RFC 3261 section 19.3, RFC 4086), unless the user gave a seed.
"""

from __future__ import annotations

import random

Chance = random.Random
"""A source of random numbers."""

SYSTEM: Chance = random.SystemRandom()
"""The system's own, which nobody can foretell."""


def seeded(seed: int | None) -> Chance:
    """The same numbers for the same *seed*; for None, other ones each time."""
    return random.Random(seed)
