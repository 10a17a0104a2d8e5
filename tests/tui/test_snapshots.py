"""Pictures of the terminal phone, compared byte for byte; ``pytest --snapshot-update`` takes them anew.

Virtual time and a seeded world make each picture the same on every machine, where the locked releases of
Textual and Rich draw it; others draw it a little differently.
"""

from __future__ import annotations

import re
import time
from importlib import metadata
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual import events
from textual._wait import SLEEP_GRANULARITY

from phone_emulator.tui.screens.phone import PhoneScreen
from phone_emulator.world import SimulatedWorld
from phone_emulator.world.network import Disturbance
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
    play: Play,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
    *,
    at: float = 3.0,
    sound: bool = False,
) -> None:
    """The screen after *play*, when the world's clock shows *at*, is the picture that was taken before."""
    taken: list[str] = []

    async def to_the_end(stage: Stage) -> None:
        await play(stage)
        await stage.until(at)
        taken.append(stage.picture())

    perform(to_the_end, monkeypatch, size=size, overrides=FAILOVER, sound=sound)
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

    compare(play, size, monkeypatch, snapshot, at=6.0)


@pytest.mark.parametrize("size", SIZES)
def test_talking_after_a_failover(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f8", "space", "escape")
        await stage.dial("1002")
        await stage.shows("Talking")
        await stage.press("4", "2", "#")

    compare(play, size, monkeypatch, snapshot, at=12.0)


@pytest.mark.parametrize("size", SIZES)
def test_the_numbers_of_the_sound(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    async def play(stage: Stage) -> None:
        world, far = stage.phone.world, stage.lab.callee._phone.context.host
        assert isinstance(world, SimulatedWorld)
        world.network.disturb(far, stage.phone.context.host, Disturbance(loss=0.02, delay=0.04))
        await stage.dial("1002")
        await stage.shows("Talking")

    compare(play, size, monkeypatch, snapshot, at=12.0, sound=True)


@pytest.mark.parametrize("size", SIZES)
def test_every_server_failed(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    async def play(stage: Stage) -> None:
        for name in ("primary", "secondary", "fallback"):
            await stage.break_server(name, "503")
        await stage.dial("1002")
        await stage.shows("Call failed!")
        await stage.press("f6")

    compare(play, size, monkeypatch, snapshot)


def test_a_call_comes_in(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    async def play(stage: Stage) -> None:
        await stage.press("f3")
        await stage.shows("Incoming call")

    compare(play, SMALL, monkeypatch, snapshot)


def test_the_messages_of_a_call(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.shows("Talking")
        await stage.press("f7")

    compare(play, SMALL, monkeypatch, snapshot)


def test_one_message_in_full(monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    async def play(stage: Stage) -> None:
        await stage.dial("1002")
        await stage.shows("Talking")
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


@pytest.mark.parametrize("burnt", [0.0, 0.02], ids=["fast", "slow"])
def test_the_machines_speed_shows_nowhere(burnt: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys take the same moment of the world's time however long (s) the machine works on each."""

    async def play(stage: Stage) -> None:
        begun = stage.phone.world.now()
        await stage.press("1", "0", "0", "2")
        assert stage.phone.world.now() - begun == pytest.approx(4 * 2 * SLEEP_GRANULARITY + 0.05)

    took = PhoneScreen.on_key

    def on_key(screen: PhoneScreen, event: events.Key) -> None:
        end = time.process_time() + burnt
        while time.process_time() < end:
            pass
        took(screen, event)

    monkeypatch.setattr(PhoneScreen, "on_key", on_key)
    perform(play, monkeypatch)
