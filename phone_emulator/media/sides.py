"""The sides of a call in one file: left what was said, right what was heard."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from .recording import Recording
from .wav import write_wav

Side = Literal["both", "said", "heard"]


def write_sides(path: Path, side: Side, said: Recording, heard: Recording, start: float, end: float) -> None:
    """Write what was *said* and *heard* from *start* to *end*, in seconds of the world, to the file *path*.

    :raises OSError: when it cannot be written.
    """
    left, right = said.between(start, end), heard.between(start, end)
    if side == "both":
        write_wav(path, left, right)
    else:
        write_wav(path, left if side == "said" else right)
