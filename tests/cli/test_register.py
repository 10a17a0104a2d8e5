"""What ``register`` says of a line, for people."""

from __future__ import annotations

import asyncio

from phone_emulator.cli.commands.register import registration_lines
from phone_emulator.sip.message import response_to
from tests.phone import far_end
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


def test_a_refusal_steers_no_terminal() -> None:
    async def story(at: far_end.Play) -> None:
        task = at.phone.spawn(at.phone.register(), "registering")
        register = await at.far.heard("REGISTER")
        refusal = response_to(register, 403, to_tag="far-tag")
        refusal.reason = "No \x1b[2J\u202e\u3164way"
        at.far.send(refusal)
        await task
        [line] = registration_lines(at.phone.line(1), at.world.now())
        assert r"No \x1b[2J\u202e\u3164way" in line
        assert line.isprintable()

    far_end.play(story)
