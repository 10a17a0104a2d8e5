"""The CI files of the forges do what `.ci/run` does, on every Python that the package is for; and audit."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = (".github/workflows/ci.yml", ".gitlab-ci.yml")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", name)
]


def steps(text: str) -> set[str]:
    """The scripts that *text* runs, and what it has make do; the name of either end of the ranges is both."""
    found = re.findall(r"\bmake ([a-z-]+(?:\$\S*(?: \S+ \}\})?)?)", text)
    ends = {"test-oldest", "test-newest"}
    targets = {each for name in found for each in (ends if name.startswith("test-$") else {name})}
    return targets | set(re.findall(r"\bscripts/.*", text))


@pytest.mark.parametrize("name", FILES)
def test_a_forge_does_the_steps_of_ci(name: str) -> None:
    text = "\n".join(
        line for line in (ROOT / name).read_text().splitlines() if not line.lstrip().startswith("#")
    )
    run = "\n".join(
        line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("step ")
    )
    assert steps(text) == steps(run) | {"audit"}  # which asks a service that not every machine reaches


def test_the_matrix_is_every_python_of_the_package() -> None:
    github, gitlab = (yaml.safe_load((ROOT / name).read_text()) for name in FILES)
    assert github["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS
    assert gitlab["test"]["parallel"]["matrix"] == [{"PYTHON": PYTHONS}]
    wheels = (ROOT / "scripts" / "wheels").read_text()
    assert f"for version in {' '.join(PYTHONS)}; do" in wheels


def test_the_hooks_run_what_make_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text()
    for hook in hooks:
        program, _, command = hook["entry"].partition(" ")
        known = f"\n{command}: " if program == "make" else f"$(BIN)/{program.removeprefix('.venv/bin/')} "
        assert known in makefile, hook["entry"]
