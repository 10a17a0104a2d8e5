"""The machine sleeps for an hour: all that was due is due at once, in words and without a storm."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator

import pytest

from phone_emulator.events import (
    Address,
    AttemptStarted,
    Bus,
    CallChanged,
    CallState,
    MessageSent,
    RegistrationState,
)
from phone_emulator.lab.behaviour import CalleeBehaviour
from phone_emulator.phone import Phone, PhoneOptions
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from phone_emulator.testing.sip_lab import SipLab
from phone_emulator.world import RealWorld, clock
from phone_emulator.world.simulated import SimulatedWorld
from tests.patience import patient, until
from tests.phone.stage import Stage, play

HOUR = 3600.0
SESSION = {"account.1.session_timer.enable": "1", "account.1.session_timer.expires": "1800"}
KEEP_ALIVE = {"account.1.nat.udp_update_enable": "2", "account.1.nat.udp_update_time": "30"}


def sleep_through(world: SimulatedWorld, seconds: float = HOUR) -> None:
    """Let so much time pass in which nobody does anything."""
    loop = world._loop
    loop._now += seconds
    loop._clock_resolution = math.ulp(loop._now)


def sent_within(stage: Stage, seconds: float) -> Counter[str]:
    """The requests of the phone, by method, in so many seconds from the end of the sleep on."""
    messages = [
        (event.at - stage.zero, parse(event.data)) for event in stage.events if isinstance(event, MessageSent)
    ]
    early = [at for at, _ in messages if at < HOUR]
    assert not early, "something was done in the past"
    return Counter(
        message.method for at, message in messages if isinstance(message, Request) and at < HOUR + seconds
    )


def test_leases_and_a_call_without_an_end_of_its_own() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(5)
        stage.mark()
        sleep_through(stage.world)
        await asyncio.sleep(20)
        assert stage.registered() == ["primary", "fallback"]
        assert all(binding.state is RegistrationState.REGISTERED for binding in stage.phone.line(1).bindings)
        assert call.state is CallState.TALKING
        # Each registrar challenges; one keep-alive, and none for each that was slept through.
        assert sent_within(stage, 20) == {"REGISTER": 4, "OPTIONS": 2}

    play(story, KEEP_ALIVE)


def test_a_session_that_nobody_kept_alive() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(1)
        stage.mark()
        sleep_through(stage.world)
        await asyncio.sleep(60)
        changes = [event for event in stage.events if isinstance(event, CallChanged)]
        told = [change.reason for change in changes if change.state is CallState.ENDING]
        assert told == ["the session expired after 1800 s: this machine slept meanwhile"]
        assert call.state is CallState.ENDED
        assert sent_within(stage, 60) == {"BYE": 1}

    play(story, SESSION)


@pytest.mark.parametrize("registered", [False, True])
def test_a_call_that_is_being_placed(registered: bool) -> None:
    async def story(stage: Stage) -> None:
        if registered:
            await stage.phone.register()
        call = stage.phone.dial("1002")
        await asyncio.sleep(0.3)
        stage.mark()
        sleep_through(stage.world)
        await asyncio.sleep(30)
        assert [str(attempt.outcome) for attempt in call.route] == ["no-response", "answered"]
        assert sent_within(stage, 0.4)["INVITE"] == 2  # to the next server, and with the digest
        assert len(call.route[0].sends) == 1

    play(story, primary="silent")


def test_a_call_that_rings() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        stage.mark()
        sleep_through(stage.world)
        await asyncio.sleep(60)
        assert call.state is CallState.ENDED
        assert "then nothing for 180 s" in call.reason
        assert sent_within(stage, 60) == {"CANCEL": 1, "ACK": 1}

    play(story, callee=CalleeBehaviour.parse("no-answer"))


def test_answers_of_dns_have_run_out() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.dial("1002").settled()
        asked = sum("NAPTR" in str(event) for event in stage.events)
        sleep_through(stage.world)
        await stage.phone.dial("1003").settled()
        assert sum("NAPTR" in str(event) and "cache" not in str(event) for event in stage.events) > asked

    play(story)


# -- the real loops ------------------------------------------------------------------------------------------


class Clock:
    """The system's clock, which may leap."""

    def __init__(self) -> None:
        self._read = clock.read
        self.slept = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self._read() + self.slept


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The machine's clock."""
    made = Clock()
    monkeypatch.setattr(clock, "read", made)
    return made


@pytest.fixture
def lab(system: Clock) -> Iterator[SipLab]:
    """Servers of the same machine."""
    servers = SipLab()
    yield servers
    servers.stop()


@pytest.mark.parametrize("fast", [False, True])
def test_timers_of_an_hour(system: Clock, fast: bool) -> None:
    world, rung = RealWorld(fast=fast), list[str]()

    async def expire(seconds: float, name: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()
        except TimeoutError:
            rung.append(name)

    async def sleep() -> None:
        await asyncio.sleep(HOUR - 20)
        rung.append("a sleep")

    async def main() -> None:
        began = world.now()
        world.call_at(began + HOUR - 30, lambda: rung.append("a timer"))
        forgotten = world.call_at(began + HOUR - 30, lambda: rung.append("a timer that was cancelled"))
        later = world.call_at(began + 2 * HOUR, lambda: rung.append("too early"))
        tasks = [asyncio.create_task(each) for each in (sleep(), expire(HOUR - 10, "a time-out"))]
        await asyncio.sleep(0)
        forgotten.cancel()
        system.slept += HOUR
        await patient(asyncio.gather(*tasks))
        assert world.now() - began >= HOUR
        later.cancel()

    world.run(main())
    assert rung == ["a timer", "a sleep", "a time-out"]


@pytest.mark.parametrize("fast", [False, True])
def test_a_phone_that_was_registered(system: Clock, lab: SipLab, fast: bool) -> None:
    world, bus = RealWorld(fast=fast), Bus()
    events: list[object] = []
    bus.subscribe(events.append)
    options = PhoneOptions(local_address=lab.phone_host, nameservers=(Address(*lab.nameserver),))
    phone = Phone(lab.config, world, bus, options)

    async def main() -> None:
        await phone.start()
        await phone.register()
        roles = [target.role for target in phone.line(1).bindings.targets]
        assert roles == ["primary", "fallback"]
        events.clear()
        system.slept += HOUR
        await until(lambda: sum(isinstance(each, AttemptStarted) for each in events) >= 2, "two REGISTERs")
        bindings = list(phone.line(1).bindings)
        await until(lambda: all((each.expires_at or 0) > world.now() for each in bindings), "two leases")
        await phone.stop()

    world.run(main())
    registers = [each for each in events if isinstance(each, MessageSent) and each.data[:8] == b"REGISTER"]
    assert len(registers) <= 8  # with their digests, and those that remove the bindings
