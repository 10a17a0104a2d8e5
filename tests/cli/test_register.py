"""What ``register`` says of a line, for people."""

from __future__ import annotations

import asyncio

from phone_emulator.cli.commands.register import registration_lines
from tests.phone.registration.test_losses import ALONE, cut, over, reset
from tests.phone.stage import Stage, play


def test_a_line_that_has_lost_its_connection() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        cut(stage, "primary", reset)
        await asyncio.sleep(0.001)
        head = "line 1 (1001), server 1: registered at primary 192.168.1.13:5060/tcp, expires in 3600 s"
        lost = "the connection with primary 192.168.1.13:5060/tcp is lost (connection reset by peer)"
        assert registration_lines(stage.phone.line(1), stage.world.now()) == [
            f"{head}; may be unreachable: {lost}"
        ]

    play(story, over("tcp", **ALONE))


def test_a_line_without_an_address() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.phone.move()
        head = "line 1 (1001), server 1: registered at primary 192.168.1.13:5060/tcp, expires in 3600 s"
        assert registration_lines(stage.phone.line(1), stage.world.now()) == [
            f"{head}; unreachable: the phone has no address: 192.168.1.21 is gone"
        ]

    play(story, over("tcp", **ALONE))
