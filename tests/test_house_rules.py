"""What the code of the package never does, whoever writes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "phone_emulator"
HOME = PACKAGE / "numbers.py"
BANNED = {"isdigit", "isdecimal", "isnumeric"}
"""They take more than the ten digits of ASCII, and some of what they take no `int` does."""


def readers(source: str) -> list[tuple[int, str]]:
    """The lines of *source* where digits are looked for by hand, and with what."""
    return sorted(_readers(ast.parse(source)))


def _readers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in BANNED:
            yield node.lineno, f".{node.attr}"
        elif isinstance(node, ast.Constant) and r"\d" in str(node.value):
            yield node.lineno, r"\d"


def test_numbers_are_read_by_one_reader() -> None:
    """A number is read by phone_emulator.numbers; an expression that looks for digits says ``[0-9]``."""
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {what}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != HOME
        for line, what in readers(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_rule_sees_what_it_forbids() -> None:
    source = 'a.isdigit()\nmap(str.isdecimal, b)\nf = x.isnumeric\nre.compile(r"\\d+")\nre.compile(rb"\\d")\n'
    assert [line for line, _ in readers(source)] == [1, 2, 3, 4, 5]
    assert readers('"3 is a digit"\nre.compile("[0-9]+")\nx.isalnum()\n') == []
