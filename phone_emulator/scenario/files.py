"""Text files that come in, with a size limit and faults in words."""

from __future__ import annotations

from pathlib import Path

from phone_emulator.scarcity import raise_shortage

from .faults import Faults
from .model import ZoneSource
from .tree import Node

MAX_BYTES = 1 << 20


def scalar_text(node: Node | None) -> str | None:
    """The text of a scalar as it was written; None for anything else and for blank text."""
    value = None if node is None else getattr(node.value, "raw", node.value)
    return value if isinstance(value, str) and value.strip() else None


def read_zone(node: Node | None, folder: Path, file: str, faults: Faults) -> ZoneSource | None:
    """The zone that *node* is, where it has several lines or reads like a record; else the file it names."""
    value = scalar_text(node)
    if value is None or node is None:
        return None
    path = folder / value.strip()
    if "\n" in value or (len(value.split()) > 2 and not path.exists()):
        return ZoneSource(value, file, node.text_line)
    text = read_text(path, node.line, "zone", faults)
    return None if text is None else ZoneSource(text, str(path), 1)


def read_text(path: Path, line: int, where: str, faults: Faults) -> str | None:
    """The text of *path*, or None and a fault on *line*.

    :param where: the key that names the path, which the fault then tells; empty for the scenario itself.
    """
    named = f"{where}: {path}: " if where else ""
    try:
        if path.is_dir():
            faults.add(line, f"{named}a folder, not a file")
            return None
        if path.exists() and not path.is_file():
            faults.add(line, f"{named}not a plain file")
            return None
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        faults.add(line, f"{named}no such file")
        return None
    except (OSError, ValueError) as error:
        raise_shortage(error, str(path))
        faults.add(line, f"{named}cannot be read: {getattr(error, 'strerror', None) or error}")
        return None
    if len(data) > MAX_BYTES:
        faults.add(line, f"{named}larger than {MAX_BYTES >> 20} MiB")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = data.count(b"\n", 0, error.start) + 1
        kind = " (it looks like UTF-16)" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        place = f"line {bad}: " if where else ""
        faults.add(line if where else bad, f"{named}{place}not UTF-8 text{kind}: save the file as UTF-8")
        return None
