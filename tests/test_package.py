"""The wheel and the sdist, as those who install them get them; `make wheels` tries them on every Python."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")
EXAMPLES: dict[str, str] = dict(
    re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)```$", DOCUMENT, re.MULTILINE | re.DOTALL)
)
GENERATED = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
"""Folders that nobody wrote."""
MOST_SECONDS = 300.0


def python(*command: str | Path, cwd: Path = ROOT, by: Path | str = sys.executable) -> str:
    """What Python prints that runs *command*, a module and its arguments; fails with what it says."""
    done = subprocess.run(
        [by, "-m", *command],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(target: str, folder: Path) -> Path:
    """The one distribution that hatchling makes, with what is installed here and no network."""
    python("hatchling", "build", "--target", target, "--directory", folder)
    [file] = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, and with what is installed here besides this package."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=sys.platform != "win32")
    own = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    with zipfile.ZipFile(wheel) as file:
        file.extractall(own)
    # Only its packages: the .pth file that leads to this source stays behind.
    (own / "tools.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)})) / "python"


# -- the wheel --------------------------------------------------------------------------------------------


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A folder with the tests of docs/pytest.md and the phone that they are about."""
    for name, text in EXAMPLES.items():
        (tmp_path / name).write_text(text)
    for kind in ("cfg", "zone"):
        (tmp_path / f"phone.{kind}").write_bytes((ROOT / "configs" / f"guide-example.{kind}").read_bytes())
    return tmp_path


def test_the_environment_has_the_wheel_and_not_the_source(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "where.py").write_text("import phone_emulator; print(phone_emulator.__file__)")
    where = Path(python("where", cwd=tmp_path, by=installed).strip())
    assert where.is_relative_to(installed.parents[1])


def test_the_examples_type_check_against_the_wheel(installed: Path, examples: Path) -> None:
    assert list(EXAMPLES) == ["test_failover.py", "test_my_program.py"]
    mypy = ("mypy", "--strict", "--python-executable", installed, "--cache-dir", ".cache")
    assert python(*mypy, *EXAMPLES, cwd=examples).startswith("Success")


def test_a_wrong_type_is_found(installed: Path, examples: Path) -> None:
    """The types do come from the wheel: without py.typed all of them would be Any."""
    right = EXAMPLES["test_failover.py"]
    wrong = right.replace('phone.call("1003")', "phone.call(1003)").replace("call.elapsed", "call.elapst")
    (examples / "test_failover.py").write_text(wrong)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed)]
    done = subprocess.run(
        [*command, "--no-incremental", "."], cwd=examples, capture_output=True, text=True, check=False
    )
    assert re.findall(r"\[([a-z-]+)\]", done.stdout) == ["attr-defined", "arg-type"]


def test_the_examples_pass_with_the_wheel(installed: Path, examples: Path) -> None:
    assert " passed" in python("pytest", "-q", "-p", "no:cacheprovider", cwd=examples, by=installed)


def test_the_example_of_the_wheel_is_complete(installed: Path, tmp_path: Path) -> None:
    written = python("phone_emulator", "example", "it", cwd=tmp_path, by=installed).splitlines()
    configs = list((ROOT / "configs" / "scenarios").iterdir())
    assert len(written) == len(configs) + 2
    assert "passed" in python("phone_emulator", "run", "it/scenarios", cwd=tmp_path, by=installed)


# -- the sdist --------------------------------------------------------------------------------------------


def named_by_tests() -> set[str]:
    """What stands at the top of the repository and is named by a test, alone or first in a path."""
    words = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value.partition("/")[0])
    return {path.name for path in ROOT.iterdir()} & words


def test_the_sdist_has_what_tests_open(sdist: Path) -> None:
    with tarfile.open(sdist) as file:
        packed = {name.partition("/")[2] for name in file.getnames()}
    needed = named_by_tests() - GENERATED | {"Makefile", "tests", "phone_emulator"}
    assert needed >= {"configs", "docs", "requirements", "scripts", "pyproject.toml", "hatch_build.py"}
    files = [path for name in needed for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file()]
    wanted = {path.relative_to(ROOT).as_posix() for path in files if not GENERATED & set(path.parts)}
    assert not wanted - packed


def test_the_sdist_makes_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as file:
        file.extractall(tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    again = tmp_path / "again"
    python("hatchling", "build", "--target", "wheel", "--directory", again, cwd=source)
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again / wheel.name) as second:
        assert first.namelist() == second.namelist()
