"""Sound that is kept: samples and how many of them a second takes."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field


@dataclass(slots=True)
class Sound:
    """One voice, 16 bit a sample."""

    rate: int
    """Samples a second."""
    samples: array[int] = field(default_factory=lambda: array("h"))

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate

    def piece(self, place: int, seconds: float) -> array[int]:
        """The *seconds* from the sample *place* on; behind its end there is silence."""
        count = round(self.rate * seconds)
        samples = self.samples[place : place + count]
        samples.frombytes(bytes(2 * (count - len(samples))))
        return samples
