"""Lines of stdin beside an event loop: from a terminal, a pipe or a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator

LONGEST = 64 * 1024
"""Bytes of one line; a longer one is cut in pieces."""


async def lines_of_stdin(prompt: str) -> AsyncIterator[str]:
    """Each line without its end, after *prompt* where stdin is a terminal; ends with stdin.

    A thread reads, which nobody needs to wait for: files cannot be polled, and terminals not everywhere.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    wanted = threading.Semaphore(0)

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            for line in _blocking_lines():
                wanted.acquire()
                loop.call_soon_threadsafe(lines.put_nowait, line)
            wanted.acquire()
            loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while True:
        if sys.stdin.isatty():
            sys.stdout.write(prompt)
            sys.stdout.flush()
        wanted.release()
        line = await lines.get()
        if line is None:
            return
        yield line


def _blocking_lines() -> Iterator[str]:
    """The lines of stdin, read past its buffer: a thread that waits in the buffer hinders the exit."""
    try:
        source = sys.stdin.fileno()
    except (OSError, ValueError):
        yield from (line.rstrip("\r\n") for line in sys.stdin)
        return
    rest = b""
    while data := os.read(source, LONGEST):
        *whole, rest = (rest + data).split(b"\n")
        if len(rest) > LONGEST:
            whole, rest = [*whole, rest], b""
        yield from (line.rstrip(b"\r").decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")
