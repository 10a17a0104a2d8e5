"""What a command writes is nothing that it reads, and each file is another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from .options import Common


def check_outputs(
    outputs: Mapping[str, Path | None], inputs: Iterable[Path | str | None], common: Common
) -> None:
    """Refuse to write two things into one file, or over what is read; raises click.UsageError.

    Args:
        outputs: by option; ``--pcap`` is added.
        inputs: what is read; what *common* names is added.
    """
    taken = {
        Path(each).resolve(): "what is read"
        for each in (*inputs, common.zone, common.ca, common.client_cert)
        if each
    }
    for option, path in {**outputs, "--pcap": common.pcap}.items():
        if path is None:
            continue
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise click.UsageError(f"{other} and {option} name the same file, {path}")
