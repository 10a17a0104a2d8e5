"""A NOTIFY of check-sync is answered, and told; what it leads to is decided elsewhere."""

from __future__ import annotations

import pytest

from phone_emulator.events import CheckSync, Event
from tests.lab.peers import PHONE
from tests.phone.far_end import Play, play


@pytest.mark.parametrize(
    ("event", "status", "reboots"),
    [
        ("check-sync", 200, [False]),
        ("check-sync;reboot=true", 200, [True]),
        ("Check-Sync ; Reboot = TRUE", 200, [True]),
        ("check-sync;reboot=false", 200, [False]),
        ("check-synchronicity", 489, []),
        ("message-summary", 200, []),
    ],
)
def test_check_sync(event: str, status: int, reboots: list[bool]) -> None:
    told: list[Event] = []

    async def story(on: Play) -> None:
        on.phone.bus.subscribe(told.append)
        on.far.send(on.far.make("NOTIFY", f"sip:1001@{PHONE}", extra=[("Event", event)]))
        await on.far.response(status, "NOTIFY")

    play(story)
    assert [each.reboot for each in told if isinstance(each, CheckSync)] == reboots
