"""Samples on their way between the event loop and the thread of a sound device."""

from __future__ import annotations

import threading
from array import array


class Frames:
    """A queue that neither end waits at: what nobody fetches in time is lost, the oldest first.

    Args:
        most: samples that it holds.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._samples = array("h")
        self._lock = threading.Lock()
        self.lost = 0
        """Samples that nobody has fetched in time."""

    def put(self, samples: array[int]) -> None:
        """Add *samples*."""
        with self._lock:
            self._samples.extend(samples)
            surplus = len(self._samples) - self._most
            if surplus > 0:
                del self._samples[:surplus]
                self.lost += surplus

    def take(self, count: int) -> array[int]:
        """The next *count* samples; silence where there are none."""
        with self._lock:
            taken = self._samples[:count]
            del self._samples[:count]
        taken.frombytes(bytes(2 * (count - len(taken))))
        return taken

    def take_all(self) -> array[int]:
        """Whatever is there."""
        with self._lock:
            taken, self._samples = self._samples, array("h")
        return taken

    def clear(self) -> None:
        """Forget what is there."""
        with self._lock:
            self._samples = array("h")
