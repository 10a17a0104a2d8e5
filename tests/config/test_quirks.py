"""The corpus of odd files in ``configs/quirks``: each says exactly what stands beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.config import CfgError, examine
from phone_emulator.config.export import export
from phone_emulator.config.loading import load, load_settings, load_text
from phone_emulator.config.reader import read

FOLDER = Path(__file__).parents[2] / "configs" / "quirks"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".cfg", ".boot"))
CFGS = [name for name in FILES if name.endswith(".cfg")]


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_what_stands_beside_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    expected = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert [str(found) for found in examine([name])] == expected.splitlines()


def test_nothing_stands_there_without_its_file() -> None:
    expected = {f"{name}.txt" for name in FILES}
    assert {path.name for path in FOLDER.iterdir()} == {*FILES, *expected}


@pytest.mark.parametrize("name", CFGS)
def test_an_export_loads_back_to_the_same(name: str) -> None:
    before = load([FOLDER / name], strict=False)
    text = export(before.settings, reveal=True)
    after = load_text(text, strict=False)
    assert after.config == before.config
    assert export(after.settings, reveal=True) == text


@pytest.mark.parametrize("name", CFGS)
def test_settings_alone_give_the_same_phone(name: str) -> None:
    before = load([FOLDER / name], strict=False)
    assert load_settings(read([FOLDER / name]).settings, strict=False).config == before.config


def test_a_boot_file_is_no_cfg_file() -> None:
    with pytest.raises(CfgError, match=r"faulty\.boot:1: is a boot file"):
        load([FOLDER / "faulty.boot"])
