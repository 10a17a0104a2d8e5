"""The options about what calls say and what of them is written: ``--play``, ``--record``, and how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PLAY = click.option(
    "--play",
    type=click.Path(path_type=Path),
    metavar="WAV",
    help="Say this in each call, of any rate and width; a call of its own stays up until it has been said.",
)
REPEAT = click.option("--repeat", is_flag=True, help="Say what --play names over and over.")
SIDE = click.option(
    "--record-side",
    type=click.Choice(("both", "said", "heard")),
    default=None,
    help="What --record writes: both (in stereo, what is said is left), or one of them [default: both].",
)


def check_sides(play: Path | None, repeat: bool, record: Path | None, side: str | None) -> None:
    """Raise click.UsageError for what means nothing without the option that it is about."""
    if repeat and play is None:
        raise click.UsageError("--repeat is about --play, which is not given")
    if side is not None and record is None:
        raise click.UsageError("--record-side is about --record, which is not given")


def sides_options(record: Callable[..., Any]) -> Callable[[Any], Any]:
    """``--play``, ``--repeat``, the command's own ``--record``, and ``--record-side``."""

    def decorate(command: Any) -> Any:
        for option in (SIDE, record, REPEAT, PLAY):
            command = option(command)
        return command

    return decorate
