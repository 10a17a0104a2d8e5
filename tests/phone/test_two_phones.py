"""Two phones that call each other without any server between: what one end says the other understands."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from phone_emulator.config import load_text
from phone_emulator.events import Bus, CallState, Event, MessageSent
from phone_emulator.phone import IncomingCall, OutgoingCall, Phone, PhoneOptions
from phone_emulator.sip.message import Request, Response
from phone_emulator.sip.parser import parse
from phone_emulator.world.simulated import SimulatedWorld

HOSTS = {"1001": "192.168.1.21", "1002": "192.168.1.22"}
ON = {"enable": 1, "expires": 90}
Said = tuple[float, str, str]
"""When, by whom, and what: ``INVITE``, ``200 INVITE``."""


class Pair:
    """Alice, 1001, and Bob, 1002: each is the other's server."""

    def __init__(
        self, world: SimulatedWorld, alice: Phone, bob: Phone, sent: list[tuple[float, str, str]]
    ) -> None:
        self.world = world
        self.alice = alice
        self.bob = bob
        self.sent = sent

    async def talking(self) -> tuple[OutgoingCall, IncomingCall]:
        """Alice has called Bob."""
        calling = self.alice.dial("1002")
        await asyncio.sleep(2)
        called = self.bob.calls[0]
        assert isinstance(called, IncomingCall)
        called.answer()
        await calling.settled()
        await asyncio.sleep(0.01)
        assert (calling.state, called.state) == (CallState.TALKING, CallState.TALKING)
        return calling, called

    def said(self, host: str, *methods: str) -> list[float]:
        """When *host* sent requests of *methods*, in seconds."""
        return [round(at, 3) for at, by, what in self.sent if by == HOSTS[host] and what in methods]


def play(
    story: Callable[[Pair], Awaitable[None]],
    timer: dict[str, int] | None = None,
    reliable: tuple[int, int] = (0, 0),
    more: tuple[dict[str, object], dict[str, object]] = ({}, {}),
    **options: Any,
) -> None:
    """Run *story*; *more* is what each one's ``account.1.`` has besides, *options* are both phones'."""
    world, bus, sent = SimulatedWorld(seed=11), Bus(), list[Said]()

    def note(event: Event) -> None:
        if isinstance(event, MessageSent):
            message = parse(event.data)
            status = f"{message.status} " if isinstance(message, Response) else ""
            assert isinstance(message, Request | Response)
            sent.append((event.at, event.local.host, f"{status}{message.cseq.method}"))

    bus.subscribe(note)
    phones = []
    for user, other, wanted, besides in (
        ("1001", "1002", reliable[0], more[0]),
        ("1002", "1001", reliable[1], more[1]),
    ):
        keys = {
            "enable": 1,
            "user_name": user,
            "sip_server.1.address": HOSTS[other],
            "100rel_enable": wanted,
            **{f"session_timer.{key}": value for key, value in (timer or {}).items()},
            **besides,
        }
        text = "#!version:1.0.0.1\n" + "".join(f"account.1.{key} = {value}\n" for key, value in keys.items())
        said = PhoneOptions(local_address=HOSTS[user], **options)
        phones.append(Phone(load_text(text, name=f"{user}.cfg").config, world, bus, said))

    async def main() -> None:
        for phone in phones:
            await phone.start()
        await story(Pair(world, phones[0], phones[1], sent))
        for phone in phones:
            await phone.stop(unregister=False)

    world.run(main())
    assert world.pending_timers() == []
    assert world.pending_tasks() == []


@pytest.mark.parametrize(("refresher", "who", "other"), [(0, "1001", "1002"), (1, "1002", "1001")])
def test_an_hour_of_refreshes(refresher: int, who: str, other: str) -> None:
    async def story(pair: Pair) -> None:
        await pair.talking()
        start = pair.world.now()
        await asyncio.sleep(3600)
        times = pair.said(who, "UPDATE")
        assert len(times) == 80
        assert {round(later - at, 2) for at, later in itertools.pairwise(times)} == {45.0}
        assert times[0] - start == pytest.approx(45, abs=0.02)
        assert pair.said(other, "UPDATE") == []
        assert pair.said("1001", "BYE") + pair.said("1002", "BYE") == []

    play(story, {**ON, "refresher": refresher})


@pytest.mark.parametrize("reliable", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_180_is_acknowledged_where_both_ends_can(reliable: tuple[int, int]) -> None:
    async def story(pair: Pair) -> None:
        calling, called = await pair.talking()
        both = reliable == (1, 1)
        assert len(pair.said("1001", "PRACK")) == both
        assert len(pair.said("1002", "180 INVITE")) == 1
        await called.hang_up()
        await calling.over()
        assert calling.reason == "200 OK"

    play(story, reliable=reliable)


def test_everything_at_once() -> None:
    """Both ends hold at the same moment, with timers and PRACK: the glare resolves."""

    async def story(pair: Pair) -> None:
        calling, called = await pair.talking()
        await asyncio.gather(calling.hold(), called.hold())
        assert "491 INVITE" in {what for _, _, what in pair.sent}
        assert (calling.state, called.state) == (CallState.HELD, CallState.HELD)
        await asyncio.sleep(0.1)
        assert calling.far_held or called.far_held
        await called.resume()
        await calling.resume()
        await asyncio.sleep(0.1)
        assert (calling.state, called.state) == (CallState.TALKING, CallState.TALKING)
        assert (calling.far_held, called.far_held) == (False, False)
        await asyncio.sleep(600)
        await calling.hang_up()
        await called.over()

    play(story, ON, (1, 1))


def test_the_other_end_is_gone() -> None:
    async def story(pair: Pair) -> None:
        calling, _ = await pair.talking()
        start = pair.world.now()
        await pair.bob.stop(unregister=False)
        await calling.over()
        assert pair.world.now() - start == pytest.approx(45, abs=0.02), "the refresh finds nobody"

    play(story, ON)
