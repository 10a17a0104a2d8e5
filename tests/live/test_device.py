"""The machine's own device, as far as a machine without one has it: miniaudio's null backend."""

from __future__ import annotations

import subprocess
import sys
import threading
from array import array

import pytest

from phone_emulator.live.device import MachineDevice, NoDevice
from tests.patience import NET


def test_the_null_device_asks_and_hears() -> None:
    miniaudio = pytest.importorskip("miniaudio")
    device = MachineDevice([miniaudio.Backend.NULL])
    assert device.name == "Null"
    heard: list[array[int]] = []
    enough = threading.Event()

    def exchange(samples: array[int]) -> array[int]:
        heard.append(samples)
        if len(heard) == 5:
            enough.set()
        return samples

    device.start(exchange)
    assert enough.wait(NET)
    device.stop()
    device.stop()
    count = len(heard)
    assert all(samples.typecode == "h" and len(samples) for samples in heard)
    assert not any(any(samples) for samples in heard)
    assert len(heard) == count, "it asks no more"


def test_nothing_is_written_over_the_screen() -> None:
    """Whatever this machine has, or has not."""
    pytest.importorskip("miniaudio")
    code = (
        "from phone_emulator.live.device import MachineDevice, NoDevice\n"
        "try:\n    device = MachineDevice()\n    device.start(lambda heard: heard)\n    device.stop()\n"
        "except NoDevice as error:\n    assert '(' not in str(error), error\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=NET)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    with pytest.raises(NoDevice, match=r"phone-emulator\[audio\]"):
        MachineDevice()
