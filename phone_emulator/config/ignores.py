"""Comments in cfg files that ask for silence: ``## phone-emulator: ignore CODE [CODE ...]``.

Directly above a setting, perhaps among other comments, it is for that setting alone. Among the comments that
begin the file (the header is one), or by itself before the first setting, it is for the whole file. Anywhere
else it is for nothing, and told. An error is never ignored: the phone could not start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from phone_emulator.cleaning import brief
from phone_emulator.config.diagnostic import CODES, Diagnostic, Findings, Severity

MARK = "phone-emulator:"
"""Files without it hold no such comment."""

_COMMENT = re.compile(r"#+[ \t]*phone-emulator:[ \t]*(.*)").match
_ORDER = re.compile(r"ignore((?:[ \t,]+[^ \t,]+)+)[ \t,]*").fullmatch


class Ignores:
    """What files ask not to be told, by place."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, int], set[str]] = {}
        """By file and line of the setting; line 0 is the whole file."""

    def read(self, name: str, text: str, findings: Findings) -> None:
        """Takes in the comments of the file *name*, which holds *text*; faults go to *findings*."""
        if MARK not in text:
            return
        block: list[tuple[int, list[str]]] = []
        """The orders of the comments that stand together, by line."""
        settings = 0
        begins = True
        for number, raw in enumerate([*text.split("\n"), ""], 1):
            line = raw.strip(" \t")
            if line.startswith("#"):
                comment = _COMMENT(line)
                if comment is not None:
                    block.append((number, self._codes_of(name, number, comment[1], findings)))
                continue
            if begins or (not line and not settings):
                self._add(name, 0, block)
            elif line:
                self._add(name, number, block)
            else:
                for at, _ in block:
                    message = "ignored: expected directly above a setting, or at the head of the file"
                    findings.add(name, at, "", Severity.WARNING, "bad-ignore", message)
            settings += bool(line)
            begins, block = False, []

    def covers(self, found: Diagnostic) -> bool:
        """Whether somebody asked for *found* not to be told."""
        if not self._codes or found.severity is Severity.ERROR:
            return False
        places = ((found.file, found.line), (found.file, 0))
        return any(found.code in self._codes.get(place, ()) for place in places)

    def without(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Those of *found* that are told."""
        return [each for each in found if not self.covers(each)]

    def reread(self, names: Iterable[str], now: Ignores) -> None:
        """What the files *names* ask is from here on what they ask in *now*; that of other files stays."""
        read = frozenset(names)
        kept = {place: codes for place, codes in self._codes.items() if place[0] not in read}
        self._codes = kept | now._codes

    def _add(self, name: str, line: int, block: list[tuple[int, list[str]]]) -> None:
        for _, codes in block:
            self._codes.setdefault((name, line), set()).update(codes)

    @staticmethod
    def _codes_of(name: str, number: int, said: str, findings: Findings) -> list[str]:
        order = _ORDER(said)
        if order is None:
            message = f"ignored: expected ignore CODE, found {brief(said)!r}"
            findings.add(name, number, "", Severity.WARNING, "bad-ignore", message)
            return []
        codes = re.split(r"[ \t,]+", order[1].strip(" \t,"))
        for code in codes:
            if code not in CODES:
                message = f"ignored: {unknown_code(code)}"
                findings.add(name, number, "", Severity.WARNING, "bad-ignore", message)
        return [code for code in codes if code in CODES]


def unknown_code(code: str) -> str:
    """A sentence that says that *code* is none, and which one is perhaps meant."""
    from difflib import get_close_matches  # slow to import, and seldom needed

    near = get_close_matches(code, sorted(CODES), n=1)
    return f"{brief(code)} is no code" + (f"; did you mean {near[0]}?" if near else "")
