"""An internal fault in the terminal phone: told on the screen, saved to a file, and the phone goes on."""

from __future__ import annotations

import contextvars
import tempfile
from pathlib import Path
from typing import Never

import pytest

from phone_emulator.events import TextReceived
from tests.faults.raised import IN_ORDER, REFRESH, WALK, faulted
from tests.tui.stage import MEDIUM, Stage, perform


class Planted(Exception):
    """Raised where a test says so."""


def planted(*args: object, **named: object) -> Never:
    raise Planted("[b]into[/b] the\x1b[2J code")


@pytest.fixture(autouse=True)
def saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder where details are saved."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def details(folder: Path) -> str:
    """What the only file in *folder* says."""
    (file,) = folder.iterdir()
    return file.read_text()


def test_a_call_that_meets_one_fails_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch, saved: Path
) -> None:
    async def play(stage: Stage) -> None:
        with monkeypatch.context() as plant:
            plant.setattr(WALK, planted)
            await stage.dial("1002")
            await stage.wait(0.5)
        assert "Internal fault" in stage.text()
        assert "dialling of call-1" in stage.text()
        assert r"Planted: [b]into[/b] the\x1b[2J code" in stage.text()
        assert "in planted" in details(saved)
        await stage.press("escape")
        assert "Internal fault" not in stage.text()
        assert stage.phone.history[-1].reason.startswith("internal fault: ")
        await stage.dial("1002")
        await stage.wait(0.5)
        assert "answered via primary" in stage.text()

    with faulted(match="dialling of call-1"):
        perform(play, monkeypatch, size=MEDIUM)


@pytest.mark.parametrize("place", [WALK, IN_ORDER, REFRESH])
def test_a_registration_that_meets_one_says_so(
    monkeypatch: pytest.MonkeyPatch, saved: Path, place: str
) -> None:
    async def play(stage: Stage) -> None:
        monkeypatch.setattr(place, planted)
        await stage.press("f4")
        await stage.wait(0.5)
        await stage.press("escape")
        await stage.phone.register()
        await stage.wait(0.5)
        assert "the registration at server" in stage.text()
        assert details(saved).count("in planted") >= 2  # of each server
        await stage.press("escape")
        assert "internal fault" in stage.text()

    with faulted(match=r"the registration at server [12] of line 1"):
        perform(play, monkeypatch, size=MEDIUM)


def test_an_order_that_meets_one_leaves_the_screen_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        monkeypatch.setattr("phone_emulator.phone.phone.Phone.dial", planted)
        await stage.dial("1002")
        await stage.wait(0.5)
        assert "an order of the terminal phone" in stage.text()

    with faulted(match="an order of the terminal phone"):
        perform(play, monkeypatch, size=MEDIUM)


def test_without_a_folder_to_write_in_it_says_so(monkeypatch: pytest.MonkeyPatch, saved: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(saved / "none"))

    async def play(stage: Stage) -> None:
        monkeypatch.setattr(WALK, planted)
        await stage.dial("1002")
        await stage.wait(0.5)
        assert "no file: No such file or directory" in stage.text()

    with faulted():
        perform(play, monkeypatch, size=MEDIUM)


def test_what_is_told_from_anywhere_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sockets of the lab are older than the app, and know nothing of its context."""

    async def play(stage: Stage) -> None:
        told = TextReceived(at=stage.phone.world.now(), line=1, sender="1002", text="hello")
        contextvars.Context().run(stage.phone.bus.tell, told)
        await stage.press("f9")
        await stage.wait(0.5)
        assert "hello" in stage.text()

    perform(play, monkeypatch, size=MEDIUM)
