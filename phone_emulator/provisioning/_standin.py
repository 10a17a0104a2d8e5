"""Until config/boot.py and config/crypt.py are there."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Include:
    target: str
    models: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Boot:
    includes: tuple[Include, ...]
    overwrite_mode: bool
    excluded_mode: bool
    faults: tuple[str, ...] = ()


def read_boot(text: str, name: str) -> Boot:
    inc, over, excl = [], False, False
    for n, line in enumerate(text.splitlines(), 1):
        if m := re.match(r'\s*(?:\[([^\]]*)\])?include:config\s+[<"]([^>"]*)[>"]', line):
            inc.append(Include(m[2], tuple(m[1].split(",")) if m[1] else (), n))
        elif m := re.match(r"\s*(overwrite_mode|specific_model.excluded_mode)\s*=\s*([01])", line):
            if m[1] == "overwrite_mode":
                over = m[2] == "1"
            else:
                excl = m[2] == "1"
    return Boot(tuple(inc), over, excl)


class crypt:  # noqa: N801
    @staticmethod
    def decrypt(data: bytes, *, common_key: str, mac_key: str) -> bytes:
        raise ValueError("no crypt yet")
