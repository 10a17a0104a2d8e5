"""What a command writes is nothing that it reads, and each file is another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from .exits import in_words
from .options import Common
from .talk import say


def write_all(*files: Callable[[], None]) -> None:
    """Write each of *files*, though another one cannot be written; raises the first OSError.

    The others are said.
    """
    first: OSError | None = None
    for write in files:
        try:
            write()
        except OSError as error:
            if first is None:
                first = error
            else:
                say(in_words(error))
    if first is not None:
        raise first


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
        for each in (*inputs, *common.read_from, common.zone, common.ca, common.client_cert)
        if each
    }
    for option, path in {**outputs, "--pcap": common.pcap}.items():
        if path is None:
            continue
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise click.UsageError(f"{other} and {option} name the same file, {path}")
