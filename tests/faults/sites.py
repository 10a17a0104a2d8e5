"""Where work in the background begins, found in the source: every call of ``spawn`` and of ``call_at``."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

import phone_emulator

ROOT = Path(phone_emulator.__file__).parent
BEGINNINGS = frozenset({"spawn", "call_at"})
WORLD = "world"
"""The package that makes tasks and timers; everybody else asks for them."""


@dataclass(frozen=True)
class Site:
    """One call that begins work in the background."""

    file: str
    """Below the package."""
    first: int
    last: int
    """Its lines."""
    where: str
    """The function that it is in."""

    def __str__(self) -> str:
        return f"{self.file}:{self.first} {self.where}"


def is_beginning(name: str) -> bool:
    """Whether a function of that name begins work, or hands it on to one that does."""
    return name.strip("_") in BEGINNINGS


@cache
def sources() -> list[tuple[str, ast.Module]]:
    """The modules that may only ask for work: all but the world's own."""
    paths = sorted(ROOT.rglob("*.py"))
    files = [(str(path.relative_to(ROOT)), path) for path in paths if path.parent != ROOT / WORLD]
    return [(file, ast.parse(path.read_text(), file)) for file, path in files]


@cache
def sites() -> tuple[Site, ...]:
    """All of them, but those that only hand on what their own caller begins."""
    found: list[Site] = []
    for file, tree in sources():
        _search(tree, file, "", found)
    return tuple(found)


def _search(node: ast.AST, file: str, where: str, found: list[Site]) -> None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        where = node.name
    if isinstance(node, ast.Call) and is_beginning(_called(node)) and not is_beginning(where):
        found.append(Site(file, node.lineno, node.end_lineno or node.lineno, where))
    for child in ast.iter_child_nodes(node):
        _search(child, file, where, found)


def _called(call: ast.Call) -> str:
    """The name of the method that is called; empty where it is none."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def site_of(frame: FrameType | None) -> Site | None:
    """The site that *frame*, or who has called it to hand work on, is at; None for a test."""
    while frame is not None and is_beginning(frame.f_code.co_name):
        frame = frame.f_back
    if frame is None:
        return None
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(ROOT):
        return None
    file, line = str(path.relative_to(ROOT)), frame.f_lineno
    return next((site for site in sites() if site.file == file and site.first <= line <= site.last), None)
