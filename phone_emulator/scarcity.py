"""What a machine runs out of: descriptors, memory, room on a disk, threads.

That is no fault of this program, and none of the peer's: what was asked for is not to be had, the user is
told so, and the rest goes on. Stands beside the layers, as `numbers` does: whoever opens a file or a socket
meets it.
"""

from __future__ import annotations

import errno
from typing import TypeVar

OUT_OF_MEMORY = "out of memory"

_WORDS = {
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files on this machine",
    errno.ENOBUFS: "the machine has no buffer space left",
    errno.ENOMEM: OUT_OF_MEMORY,
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EADDRNOTAVAIL: "no free port is left",
    errno.EFBIG: "the file would be larger than files may be here",
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_THREAD = "can't start new thread"
"""What Python says, in a RuntimeError without a number."""


class MachineRefused(OSError):
    """The machine would not; the text says what was not to be had, and why.

    ``errno`` is the machine's own number where it named one, as in the other errors that `numbered` makes.
    """


_Error = TypeVar("_Error", bound=OSError)


def numbered(error: _Error, cause: BaseException) -> _Error:
    """*error*, which says in words what *cause* did, with its number."""
    error.errno = errno.ENOMEM if isinstance(cause, MemoryError) else getattr(cause, "errno", None)
    return error


def is_scarce(error: BaseException) -> bool:
    """Whether the machine has run short: there would be no answer but to wait, or to need less."""
    return bool(_of_its_number(error))


def is_full(error: BaseException) -> bool:
    """Whether there is no room for what was to be written."""
    return isinstance(error, OSError) and error.errno in _FULL


def shortage(error: BaseException) -> str:
    """What the machine would not give, in words; empty where *error* tells something else."""
    if isinstance(error, MachineRefused):
        return str(error)
    return _of_its_number(error)


def _of_its_number(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return "the machine starts no more threads"
    return _WORDS.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def raise_shortage(error: BaseException, what: str) -> None:
    """Raise MachineRefused, which names *what*, where the machine has run short; else do nothing."""
    if isinstance(error, MachineRefused):
        raise error
    if short := shortage(error):
        raise numbered(MachineRefused(f"{what}: {short}"), error) from None
