"""What a command writes is nothing that it reads, and each file is another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import click

from phone_emulator.report.result import Message
from phone_emulator.report.spool import MediaSpool

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
        outputs: by option; ``--pcap`` and ``--pcap-media`` are added.
        inputs: what is read; what *common* names is added.
    """
    taken = {
        Path(each).resolve(): "what is read"
        for each in (*inputs, *common.read_from, common.zone, common.ca, common.client_cert)
        if each
    }
    captures = {"--pcap": common.pcap, "--pcap-media": common.keys_file}
    for option, path in {**outputs, **captures}.items():
        if path is None:
            continue
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise click.UsageError(f"{other} and {option} name the same file, {path}")


def make_spool(common: Common) -> MediaSpool | None:
    """What keeps the sound for ``--pcap-media``, where it is given; raises OSError."""
    if common.pcap is None or not common.pcap_media:
        return None
    return MediaSpool(common.pcap, keys=not common.mask)


def write_captures(
    common: Common,
    captures: Sequence[tuple[str, Sequence[Message]]],
    spool: MediaSpool | None = None,
    epoch: float = 0.0,
) -> None:
    """Write to ``--pcap``, where it is given; raises the first OSError, the others are said.

    Args:
        common: the options.
        captures: what was sent and heard, each with its name.
        spool: the sound of each of them.
        epoch: seconds since 1970 of the instant 0.
    """
    if common.pcap is None:
        return
    from phone_emulator.report.pcapng import Capture, write_keys, write_pcapng

    pcap, sound = common.pcap, [] if spool is None else spool.parts()
    parts = [Capture(*each) for each in captures]
    for place, (packets, streams) in enumerate(sound[: len(parts)]):
        parts[place] = parts[place]._replace(sound=packets, streams=streams)
    files = [lambda: write_pcapng(pcap, parts, epoch=epoch, mask=common.mask)]
    keys = [stream for part in parts for stream in part.streams]
    if common.keys_file is not None and keys:
        files.append(partial(write_keys, common.keys_file, keys, epoch=epoch))
    if spool is not None:
        files.append(spool.check)
    try:
        write_all(*files)
    finally:
        if spool is not None:
            spool.close()
