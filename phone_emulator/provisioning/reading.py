"""Fetched files as settings, and as a phone's configuration."""

from __future__ import annotations

from collections.abc import Sequence

from phone_emulator.config import Loaded, reader
from phone_emulator.config import _loaded as loaded_of
from phone_emulator.config.reader import Reading

Source = tuple[str, bytes | None]
"""A file's name and what it holds; None for a file of this machine."""


def read_files(sources: Sequence[Source], overrides: Sequence[str], model: str) -> Reading:
    """The settings of *sources*, later ones winning, then of *overrides*; raises CfgError."""
    return reader._read(sources, overrides, model)


def load_files(
    sources: Sequence[Source], overrides: Sequence[str], model: str, *, strict: bool = True
) -> Loaded:
    """As `phone_emulator.config.load`, of files in memory."""
    return loaded_of(read_files(sources, overrides, model), strict)
