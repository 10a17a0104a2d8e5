"""What runs for one test."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.harness.net import Net
from tests.integration.harness.process import Process


@dataclass(slots=True)
class Stage:
    """The processes of one test; the fixtures put on it whatever they start."""

    net: Net
    directory: Path
    """Short enough for the paths of Unix sockets."""
    processes: list[Process] = field(default_factory=list)

    def folder(self, name: str) -> Path:
        """A new directory for the files of *name*."""
        folder = self.directory / name
        folder.mkdir()
        return folder
