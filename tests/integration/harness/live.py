"""The phone under test in this process, for tests that act while it runs, and see all that it tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from phone_emulator.config import load
from phone_emulator.events import Address, Attempt, Bus, CallState, DnsAnswered, Event
from phone_emulator.media.crypto import OptionalSrtp
from phone_emulator.phone import Call, IncomingCall, Phone, PhoneOptions
from phone_emulator.world import RealWorld
from tests.integration.harness.baresip import Baresip
from tests.integration.harness.capture import Place, Reading, hops
from tests.integration.harness.net import DNS_PORT, Net
from tests.patience import patient, until

_Event = TypeVar("_Event", bound=Event)

_Result = TypeVar("_Result")

# Not a thread of the phone's event loop: what a thread starts is ended by the kernel when the thread ends.
_ASIDE = ThreadPoolExecutor(1, "aside")

CLOCKS_AGREE = 0.01
"""Seconds by which the clocks of the phone and of the capture may differ."""


class LivePhone:
    """The phone of `harness.phone.Phone`, run by `play`."""

    def __init__(self, net: Net, cfg: Path, ca_pem: str | None = None) -> None:
        """*ca_pem* has the CAs to trust; None trusts the machine's own."""
        self.net = net
        self._ca_pem = ca_pem
        self.events: list[Event] = []
        """All that was told, in order."""
        self._cfg = cfg
        self._phone: Phone | None = None
        self._epoch = self._ended = 0.0

    @property
    def phone(self) -> Phone:
        """The phone of the last `play`; its lines and history stay after it has stopped."""
        assert self._phone is not None, "the phone was never played with"
        return self._phone

    def play(
        self,
        story: Callable[[], Awaitable[None]],
        settings: Mapping[str, str] | None = None,
        *,
        dns: Sequence[str] | None = None,
        optional_srtp: OptionalSrtp = OptionalSrtp.ONE_LINE,
    ) -> None:
        """Start the phone, let *story* happen, stop it (which de-registers); raises TimeoutError.

        *settings* are cfg keys; *dns* the name servers to ask, by default the net's own.
        """
        options = PhoneOptions(
            local_address=self.net.phone,
            nameservers=tuple(Address(host, DNS_PORT) for host in ([self.net.dns] if dns is None else dns)),
            ca_pem=self._ca_pem,
            optional_srtp=optional_srtp,
        )
        overrides = [f"{key}={value}" for key, value in (settings or {}).items()]
        config = load([str(self._cfg)], overrides, options.device.model).config
        world, bus = RealWorld(), Bus()
        self.events.clear()
        bus.subscribe(self.events.append)
        self._epoch = world.began
        self._phone = phone = Phone(config, world, bus, options)

        async def whole() -> None:
            try:
                await phone.start()
                await patient(story())
            finally:
                await phone.stop()

        world.run(whole())
        self._ended = time.time()

    # -- while it runs ------------------------------------------------------------------------------------

    @property
    def registered(self) -> list[str]:
        """The roles of the targets where the line is registered now."""
        return [target.role for target in self.phone.line().bindings.targets]

    async def call(self, number: str = "1002") -> Call:
        """Call *number*, hang up when it is answered; the call when it is over."""
        call = self.phone.dial(number)
        await call.settled()
        if call.state is not CallState.ENDED:
            await call.hang_up()
        await call.over()
        return call

    def beside(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Start *work* that blocks, such as a caller's call; await what is returned."""
        return asyncio.ensure_future(aside(work))

    async def called(self) -> IncomingCall:
        """The phone's only call, as soon as somebody calls it."""
        await until(lambda: bool(self.phone.calls), "an incoming call")
        (call,) = self.phone.calls
        assert isinstance(call, IncomingCall)
        return call

    async def talking_with(self, peer: Baresip, caller: str, number: str = "") -> Call:
        """A call that is up: where ``phone`` is the *caller* to 1002, which answers at once, else of *peer*.

        *number* is what that dials, by default the phone itself, past any server.
        """
        if caller == "phone":
            call = self.phone.dial("1002")
            assert await call.settled() == "answered", call.reason
            return call
        async with peer.control() as control:
            await control.do("dial", number or f"sip:1001@{self.net.phone}")
            incoming = await self.called()
            incoming.answer()
            await until(lambda: incoming.answered_at is not None, "the answer")
        return incoming

    async def until_registered(self, *roles: str) -> None:
        """Wait until the line is registered at exactly the targets with these *roles*."""
        await until(lambda: self.registered == list(roles), f"to be registered at {', '.join(roles)}")

    # -- what it told -------------------------------------------------------------------------------------

    @property
    def registers(self) -> list[Attempt]:
        """Every REGISTER attempt of the line, in order."""
        return self.phone.line().bindings.attempts

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Role and outcome of every REGISTER attempt, in order."""
        return outcomes(self.registers)

    @property
    def lookups(self) -> list[DnsAnswered]:
        """Every lookup that was told."""
        return self.told(DnsAnswered)

    def told(self, kind: type[_Event]) -> list[_Event]:
        """Every event of *kind*, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def agrees(self, attempts: Iterable[Attempt], wire: Reading, method: str) -> None:
        """What *attempts* say of *method* is what went over the wire: where to, how often, and when."""
        sends = sorted(
            ((when, attempt) for attempt in attempts for when in attempt.sends), key=lambda send: send[0]
        )
        told = [(Place(*attempt.target.remote), str(attempt.target.transport)) for _, attempt in sends]
        assert hops(told) == wire.route(self.net.phone, method), wire.ladder()
        seen = wire.requests(method, source=self.net.phone)
        assert len(seen) == len(sends), wire.ladder()
        # A send is timed once it is done, and a busy machine may do else in between: each is on the wire
        # after the one before it was timed, and before the next one is.
        times = [self._epoch, *(when + self._epoch for when, _ in sends), self._ended]
        wrong = [
            (message.time - when, str(message))
            for before, when, following, message in zip(times, times[1:], times[2:], seen, strict=False)
            if not before - CLOCKS_AGREE <= message.time <= following + CLOCKS_AGREE
        ]
        assert not wrong, f"the phone's times are not the capture's: {wrong}"


def outcomes(attempts: Iterable[Attempt]) -> list[tuple[str, str]]:
    """Role and outcome of each of *attempts*."""
    return [(attempt.target.role, str(attempt.outcome)) for attempt in attempts]


async def aside(work: Callable[[], _Result]) -> _Result:
    """Do *work* that blocks, such as stopping a server, while the phone goes on."""
    return await asyncio.get_running_loop().run_in_executor(_ASIDE, work)
