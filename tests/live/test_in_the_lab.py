"""Live sound on real sockets and a real clock, by miniaudio's null device, which hears and says silence."""

from __future__ import annotations

import pytest

from phone_emulator.cli.desk import example_cfg, make_desk
from phone_emulator.cli.options import Common
from phone_emulator.events import Event, LiveSound
from phone_emulator.live.device import MachineDevice
from phone_emulator.live.handset import Handset
from tests.addresses import own_address
from tests.patience import until


def test_a_call_with_the_null_device() -> None:
    miniaudio = pytest.importorskip("miniaudio")
    common = Common(world="lab", local_address=own_address(), log_level="error")
    desk = make_desk(example_cfg(common), common)
    events: list[Event] = []
    desk.bus.subscribe(events.append)

    async def story() -> None:
        async with desk.running() as phone:
            handset = Handset(phone, lambda: MachineDevice([miniaudio.Backend.NULL]))
            call = phone.dial("1002")
            assert await call.settled() == "answered", call.reason
            await until(lambda: handset.levels is not None, "live sound")
            audio = call.voice.audio
            assert audio is not None
            count = audio.counts.received
            await until(lambda: audio.counts.received >= count + 10, "the far end's packets")
            await call.hang_up()
            await until(lambda: handset.levels is None, "the end of live sound")
            await handset.stop()

    desk.run(story())
    told = [event.reason for event in events if isinstance(event, LiveSound)]
    assert told == ["live sound: microphone and loudspeaker by Null"]
