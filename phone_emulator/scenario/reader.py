"""Scenario files in: found, read, and every fault told at once with its line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import meaning
from .faults import Faults
from .files import read_text
from .model import Scenario, ScenarioError
from .schema import WorldName
from .tree import TreeError, build

_SUFFIXES = (".yaml", ".yml")


def find_scenarios(paths: Iterable[str | Path]) -> list[Path]:
    """The scenario files that *paths* name: files as they are, folders with every YAML file below them.

    Hidden folders are passed over. The files of a folder come in the order of their names.

    :raises ScenarioError: for a path that does not exist and a folder without scenarios.
    """
    found: list[Path] = []
    faults: list[str] = []
    for given in paths:
        path = Path(given)
        if not path.is_dir():
            found.append(path)
            if not path.exists():
                faults.append(f"{path}:1: no such file or folder")
            continue
        below = sorted(_yaml_files(path))
        found += below
        if not below:
            faults.append(f"{path}:1: the folder holds no scenario (*.yaml)")
    if faults:
        raise ScenarioError(faults)
    return list(dict.fromkeys(found))


def _yaml_files(folder: Path) -> Iterable[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.endswith(_SUFFIXES) and not name.startswith("."):
                yield Path(parent, name)


def read_scenarios(files: Sequence[str | Path], *, world: WorldName | None = None) -> list[Scenario]:
    """Read *files*. :raises ScenarioError: with the faults of all of them."""
    scenarios: list[Scenario] = []
    faults: list[str] = []
    for file in files:
        try:
            scenarios.append(read_scenario(file, world=world))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    return scenarios


def read_scenario(file: str | Path, *, world: WorldName | None = None) -> Scenario:
    """Read one scenario file.

    :param world: takes the place of the file's own ``world``.
    :raises ScenarioError: with every fault of the file.
    """
    faults = Faults(str(file))
    text = read_text(Path(file), 1, "", faults)
    if text is None:
        raise ScenarioError(faults.told())
    return parse_scenario(text, file, world=world)


def parse_scenario(text: str, file: str | Path, *, world: WorldName | None = None) -> Scenario:
    """Read the *text* of a scenario as if it stood in *file*, to which paths in it are relative."""
    faults = Faults(str(file))
    scenario: Scenario | None = None
    try:
        root, found = build(text)
    except TreeError as error:
        faults.add(error.line, error.message)
    else:
        if root is None or root.value is None:
            found.append((1, "the file is empty: a scenario has at least a 'name', a 'config' and 'steps'"))
        elif not meaning.is_scenario(root):
            found = [(1, "this is no scenario: expected keys such as 'name', 'config' and 'steps'")]
        else:
            scenario = meaning.scenario(root, str(file), world, faults)
        for line, message in found:
            faults.add(line, message)
    if faults or scenario is None:
        raise ScenarioError(faults.told())
    return scenario
