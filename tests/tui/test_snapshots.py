"""Pictures of the terminal phone, compared byte for byte; ``pytest --snapshot-update`` takes them anew.

Virtual time and a seeded world make each picture the same on every machine, where the locked releases of
Textual and Rich draw it; others draw it a little differently.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.tui.stage import LARGE, MEDIUM, SMALL, Play, Stage, perform

SIZES = [pytest.param(size, id=f"{size[0]}x{size[1]}") for size in (SMALL, MEDIUM, LARGE)]
FAILOVER = ("account.1.sip_server.1.invite_retry_counts=3",)
"""A silent primary is given up after 7.5 s."""
LOCK = Path(__file__).parents[2] / "requirements" / "dev.txt"
UNLIKE_THE_LOCK = [
    f"{name} {metadata.version(name)}, not the {locked} of {LOCK.name}"
    for name, locked in re.findall(r"^(rich|textual)==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if metadata.version(name) != locked
]
pytestmark = pytest.mark.skipif(bool(UNLIKE_THE_LOCK), reason=f"drawn by {', '.join(UNLIKE_THE_LOCK)}")
NUMBERED = re.compile(r"\bterminal-\d+-")


class Picture(SingleFileSnapshotExtension):
    """An SVG file each."""

    file_extension = "svg"
    _write_mode = WriteMode.TEXT


def compare(
    play: Play, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    """The screen at the end of *play* is the picture that was taken before."""
    taken: list[str] = []

    async def to_the_end(stage: Stage) -> None:
        await play(stage)
        await stage.wait(0.5)
        taken.append(stage.picture())

    perform(to_the_end, monkeypatch, size=size, overrides=FAILOVER)
    # Rich numbers each picture by what it shows, which a difference should not hide behind.
    picture = NUMBERED.sub("terminal-", taken[0])
    assert picture == snapshot.use_extension(Picture)


@pytest.mark.parametrize("size", SIZES)
def test_registered_and_idle(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    async def play(stage: Stage) -> None:
        pass

    compare(play, size, monkeypatch, snapshot)


@pytest.mark.parametrize("size", SIZES)
def test_waiting_for_a_silent_primary(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f8", "space", "escape")
        await stage.dial("1002")
        await stage.wait(4.0)

    compare(play, size, monkeypatch, snapshot)


@pytest.mark.parametrize("size", SIZES)
def test_talking_after_a_failover(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f8", "space", "escape")
        await stage.dial("1002")
        await stage.wait(9.0)
        await stage.press("4", "2", "#")

    compare(play, size, monkeypatch, snapshot)


@pytest.mark.parametrize("size", SIZES)
def test_every_server_failed(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    async def play(stage: Stage) -> None:
        for name in ("primary", "secondary", "fallback"):
            await stage.break_server(name, "503")
        await stage.dial("1002")
        await stage.wait(1.0)
        await stage.press("f6")

    compare(play, size, monkeypatch, snapshot)


def test_a_call_comes_in(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f3")
        await stage.wait(2.0)

    compare(play, SMALL, monkeypatch, snapshot)


def test_the_messages_of_a_call(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(1.0)
        await stage.press("f7")

    compare(play, SMALL, monkeypatch, snapshot)


def test_one_message_in_full(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.wait(1.0)
        await stage.press("f7", "home", "down", "down", "down", "enter")

    compare(play, SMALL, monkeypatch, snapshot)


def test_choosing_a_behaviour(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f8", "down", "enter")

    compare(play, SMALL, monkeypatch, snapshot)


def test_help(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("question_mark")

    compare(play, SMALL, monkeypatch, snapshot)
