"""Files that the program writes: whole or not at all, private where they hold what people said."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from phone_emulator.saving import saved


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def umask() -> object:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o640)])
@pytest.mark.parametrize("there", [False, True])
def test_who_may_read_it(tmp_path: Path, private: bool, mode: int, there: bool) -> None:
    path = tmp_path / "x"
    if there:
        path.write_bytes(b"longer than what comes")
        path.chmod(0o644)
    with saved(path, private=private) as file:
        file.write(b"new")
    assert (path.read_bytes(), mode_of(path)) == (b"new", mode)
    assert os.listdir(tmp_path) == ["x"]


def test_what_goes_wrong_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), saved(path, private=False) as file:
        file.writelines([b"half", "no bytes"])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("name", ["nowhere/x", "."])
def test_a_fault_names_the_file_that_was_asked_for(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(OSError) as caught, saved(path, private=True) as file:
        file.write(b"x")
    assert caught.value.filename == str(path)
    assert str(caught.value).count(str(tmp_path)) == 1
    assert os.listdir(tmp_path) == []


def test_a_link_leads_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    with saved(tmp_path / "link", private=False) as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    with saved(path, private=True) as file:
        file.write(b"through")
    reader.join()
    assert read == [b"through"]
    assert stat.S_ISFIFO(path.stat().st_mode)
