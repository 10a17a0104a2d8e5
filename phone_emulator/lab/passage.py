"""What becomes of datagrams on their way: some get lost, come twice, or are overtaken."""

from __future__ import annotations

from phone_emulator.world.chance import Chance

OVERTAKEN = 0.05
"""Seconds by which a reordered datagram is late."""


def passages(chance: Chance, loss: float, duplicate: float, reorder: float) -> list[float]:
    """How late, in seconds, each copy of a datagram passes: none where it gets lost.

    What cannot happen throws no dice, so that a seeded run stays as it was.
    """

    def happens(share: float) -> bool:
        return share > 0 and chance.random() < share

    if happens(loss):
        return []
    copies = 2 if happens(duplicate) else 1
    return [OVERTAKEN if happens(reorder) else 0.0 for _ in range(copies)]
