"""Who holds a port of this machine, as far as Linux lets it be seen (``man 5 proc``)."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from phone_emulator.cleaning import brief
from phone_emulator.events import Address

PROC = Path("/proc")
ANOTHER = "another program"
_ANYWHERE = ("0.0.0.0", "::")


class _Taken(NamedTuple):
    inode: str
    uid: int


def holder_of(local: Address, protocol: str) -> str:
    """Whoever holds *local* (*protocol*: ``udp``, else TCP), for people: ``asterisk (process 812)``."""
    found = list(_taken(local, "udp" if protocol == "udp" else "tcp"))
    links = {f"socket:[{each.inode}]" for each in found}
    for process in _processes() if links else ():
        if _holds(process, links):
            return "this program itself" if process == str(os.getpid()) else _named(process)
    return f"{ANOTHER}{_owned(found[0].uid) if found else ''}"


def _taken(local: Address, table: str) -> Iterator[_Taken]:
    """The sockets that keep others from *local*."""
    for name in (table, f"{table}6"):
        with suppress(OSError, ValueError, IndexError):
            for line in (PROC / "net" / name).read_text().splitlines()[1:]:
                words = line.split()
                host, port = words[1].split(":")
                if int(port, 16) != local.port or words[9] == "0":  # of no inode: it waits for its end
                    continue
                where = _address(host)
                if where == local.host or where in _ANYWHERE or local.host in _ANYWHERE:
                    yield _Taken(words[9], int(words[7]))


def _address(text: str) -> str:
    """An address as the kernel writes it: words of 32 bits, each in the order of the processor."""
    words = (bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8))
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    found = socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
    return found.removeprefix("::ffff:")


def _processes() -> list[str]:
    try:
        return [name for name in os.listdir(PROC) if name[0] in "123456789"]
    except OSError:
        return []


def _holds(process: str, links: set[str]) -> bool:
    """Whether one of the descriptors of *process* is one of *links*; False where nobody may look."""
    folder = PROC / process / "fd"
    try:
        descriptors = os.listdir(folder)
    except OSError:
        return False
    for descriptor in descriptors:
        with suppress(OSError):
            if os.readlink(folder / descriptor) in links:
                return True
    return False


def _named(process: str) -> str:
    try:
        name = (PROC / process / "comm").read_text(errors="replace").strip()
    except OSError:
        name = ANOTHER
    return f"{brief(name)} (process {process})"


def _owned(uid: int) -> str:
    """Whose the program is, where that is not this user."""
    if sys.platform != "win32" and uid != os.getuid():
        import pwd

        with suppress(KeyError):
            return f" (of user {brief(pwd.getpwuid(uid).pw_name)})"
    return ""
