"""What the scripts share that write pages of docs/ from the program."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def write_or_check(pages: Mapping[Path, str], arguments: list[str], command: str, usage: str | None) -> int:
    """Write *pages*, or with ``--check`` say which are out of date.

    Args:
        pages: what each is to hold.
        arguments: of the command line.
        command: what writes them, for people.
        usage: what is said to any other arguments.

    Returns:
        The exit status: 1 where a page is out of date, 2 where the arguments cannot be used.
    """
    if arguments == ["--check"]:
        old = [path for path, page in pages.items() if not path.exists() or path.read_text("utf-8") != page]
        for path in old:
            print(f"{path} is out of date: run {command}", file=sys.stderr)
        return 1 if old else 0
    if arguments:
        print(usage, file=sys.stderr)
        return 2
    for path, page in pages.items():
        path.write_text(page, encoding="utf-8")
    return 0
