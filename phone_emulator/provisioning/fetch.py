"""One file, by whatever protocol its location asks for."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from phone_emulator.provisioning.fetching import MOST_BYTES, MOST_SECONDS, FetchError, Manner, NotThere
from phone_emulator.provisioning.location import Location, Scheme
from phone_emulator.scarcity import raise_shortage
from phone_emulator.world import reasons


async def fetch(location: Location, manner: Manner) -> bytes:
    """What is at *location*; raises FetchError, NotThere."""
    try:
        async with asyncio.timeout(MOST_SECONDS):
            return await _fetcher(location.scheme)(location, manner)
    except TimeoutError:
        raise FetchError(f"the transfer took longer than {MOST_SECONDS:g} s") from None


def _fetcher(scheme: Scheme) -> Callable[[Location, Manner], Awaitable[bytes]]:
    """Imported when it is needed: most phones know one protocol."""
    match scheme:
        case Scheme.HTTP | Scheme.HTTPS:
            from phone_emulator.provisioning.http import fetch_http

            return fetch_http
        case Scheme.FTP:
            from phone_emulator.provisioning.ftp import fetch_ftp

            return fetch_ftp
        case Scheme.TFTP:
            from phone_emulator.provisioning.tftp import fetch_tftp

            return fetch_tftp
        case Scheme.FILE:
            return _fetch_here


async def _fetch_here(location: Location, manner: Manner) -> bytes:
    """A file of this machine."""
    return await asyncio.to_thread(_read, location)


def _read(location: Location) -> bytes:
    path = Path(location.path)
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise FetchError("is not a regular file")
        if facts.st_size > MOST_BYTES:
            raise FetchError(f"is larger than {MOST_BYTES >> 20} MiB, no cfg file is")
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise NotThere("no such file") from None
    except (OSError, ValueError) as error:
        raise_shortage(error, "cannot be read")
        raise FetchError(f"cannot be read: {reasons.in_words(error)}") from None
