"""Files that the program writes: whole or not at all, and private where they hold what people said.

Stands beside the layers, as `numbers` does: sound, reports and commands write files.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_EVERYBODY = 0o666
"""Who may read a report, but for what the umask takes away."""


@contextlib.contextmanager
def saved(path: Path, *, private: bool) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of *path* once all is written; until then nothing is changed.

    What is no regular file (``/dev/stdout``, a pipe) is written to as it is; a link leads to its file.

    Args:
        path: the file.
        private: whether only its owner may read it; a report follows the umask, as other programs' do.

    Raises:
        OSError: it cannot be written; ``filename`` is *path*.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
            return
        prefix = f".{target.name[:100]}."
        with tempfile.NamedTemporaryFile(prefix=prefix, dir=target.parent, delete=False) as file:
            try:
                if not private:
                    os.chmod(file.name, _EVERYBODY & ~_umask())
                yield file
                file.close()
                os.replace(file.name, target)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(file.name)
                raise
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _umask() -> int:
    """Of this process; it can be read by setting it only."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
