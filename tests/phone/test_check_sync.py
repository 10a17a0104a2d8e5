"""A NOTIFY of check-sync is answered, and told; what it leads to is decided elsewhere."""

from __future__ import annotations

import pytest

from phone_emulator.events import CheckSync, Event
from tests.lab.peers import PHONE
from tests.phone.far_end import Play, play


@pytest.mark.parametrize(
    ("event", "reboots"),
    [
        ("check-sync", [False]),
        ("check-sync;reboot=true", [True]),
        ("Check-Sync ; Reboot = TRUE", [True]),
        ("check-sync;reboot=false", [False]),
        ("check-synchronicity", []),
        ("message-summary", []),
    ],
)
def test_check_sync(event: str, reboots: list[bool]) -> None:
    told: list[Event] = []

    async def story(on: Play) -> None:
        on.phone.bus.subscribe(told.append)
        on.far.send(on.far.make("NOTIFY", f"sip:1001@{PHONE}", extra=[("Event", event)]))
        await on.far.response(200, "NOTIFY")

    play(story)
    assert [each.reboot for each in told if isinstance(each, CheckSync)] == reboots
