"""What can be compiled stays so (docs/decisions/compiled.md); `make test-compiled` compiles it."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HATCH = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
MODULES: list[str] = HATCH["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]


@pytest.mark.parametrize("module", MODULES)
def test_what_is_compiled_awaits_nothing(module: str) -> None:
    """mypyc's coroutines throw into others by the signature that Python 3.12 deprecates."""
    awaiting = ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, awaiting)] == []
