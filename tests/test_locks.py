"""The locks are of this pyproject.toml, for every machine: ``make lock`` writes them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
RUNS = [*PROJECT["project"]["dependencies"], *EXTRAS["fast"], *PROJECT["build-system"]["requires"]]
COMPILES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["dependencies"]
WANTED = {
    "run": RUNS,
    "dev": [*RUNS, *EXTRAS["test"], *EXTRAS["check"], *COMPILES],
    "opus": EXTRAS["opus"],
    "bench": EXTRAS["bench"],
    "peers": [*EXTRAS["bench"], "pjsua2-python>=2.15,<3"],
    "uv": ["uv"],
    "audit": ["pip-audit"],
}
PIN = re.compile(
    r"^([a-z0-9-]+)==(\S+)((?: ; .*?)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def pins(name: str) -> dict[str, str]:
    """The versions of a lock, by the names of the packages."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    found = {match[1]: match[2] for match in PIN.finditer(text)}
    rest = [line for line in PIN.sub("", text).splitlines() if not line.startswith("#")]
    assert not rest, "neither a pin with hashes nor a comment"
    return found


@pytest.mark.parametrize("name", WANTED)
def test_what_pyproject_asks_for_is_locked(name: str) -> None:
    found = pins(name)
    for wanted in map(Requirement, WANTED[name]):
        version = found.get(canonicalize_name(wanted.name))
        assert version, f"{wanted} is not in {name}.txt: make lock"
        assert version in wanted.specifier, f"{name}.txt has {wanted.name} {version}, not {wanted}: make lock"


@pytest.mark.parametrize("name", ["run", "bench", "peers"])
def test_the_locks_agree(name: str) -> None:
    dev = pins("dev")
    assert {package: dev.get(package, version) for package, version in pins(name).items()} == pins(name)


@pytest.mark.parametrize("name", WANTED)
def test_a_lock_names_no_index_and_no_machine(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert not re.search("/|@|index|find-links", text)
