"""What the keys make the phone do; every failure is raised in words for people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from phone_emulator.events import CallState, Direction
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.phone import Call, CallError, IncomingCall
from phone_emulator.phone.calls.states import UP
from phone_emulator.phone.transfer.replaces import pick_up
from phone_emulator.phone.transfer.transfer import transfer_blind, transfer_to

from .lab_control import ServerView
from .presenter import Presenter

BROKEN = "silent"
"""What the break key makes of a server that works."""

Order = Callable[[], Awaitable[None]]
DIGITS_SHOWN = 40
"""Digits of one call that are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    """One key pressed during a call."""

    digit: str


class Orders:
    """The soft keys' actions, by name (``keymap.py``).

    Args:
        presenter: knows the phone and the call in hand.
    """

    def __init__(self, presenter: Presenter) -> None:
        self._presenter = presenter
        self._phone = presenter.phone
        self.aside = False
        """Whether the dial field is open for a further call beside the one in hand."""
        self.transferring = False
        """Whether it asks whom the call in hand is transferred to."""
        self._keys: dict[str, list[_Key]] = {}
        """The keys pressed during each call, but for those that were refused; the newest last."""
        self.provisioning: Callable[[], None] | None = None
        """Fetches the phone's files again; None where the phone has none to fetch."""
        self.by_name: dict[str, Order] = {
            "answer": self.answer,
            "cancel": self.cancel,
            "hold": self.hold,
            "resume": self.resume,
            "swap": self.swap,
            "conference": self.conference,
            "split": self.split,
            "new_call": self.new_call,
            "transfer": self.transfer,
            "pick_up": self.pick_up,
            "redial": self.redial,
            "register": self.register,
            "next_line": self.next_line,
            "provision": self.provision,
            "call_me": self.call_me,
        }

    def _call(self) -> Call:
        call = self._presenter.live_call
        if call is None:
            raise CallError("there is no call")
        return call

    # -- calls ---------------------------------------------------------------------------------------------

    async def dial(self, number: str) -> None:
        """Call *number* from the chosen line; raises CallError."""
        number = number.strip()
        if not number:
            return
        call = self._phone.dial(number, self._presenter.chosen_line)
        self._presenter.chosen_call = call.id
        self._close_dial()

    async def answer(self) -> None:
        """Answer the call that rings; raises CallError."""
        call = self._call()
        if not isinstance(call, IncomingCall):
            raise CallError("no call rings")
        call.answer()
        self._presenter.chosen_call = call.id
        self._close_dial()

    async def cancel(self) -> None:
        """Close the dial field of a further call, else reject, cancel or hang up the call in hand."""
        if self.aside and not self._rings():
            self._close_dial()
            return
        call = self._presenter.live_call
        if call is not None:
            await self._phone.hang_up(call)

    async def hold(self) -> None:
        """Hold the call in hand; raises CallError."""
        await self._call().hold()

    async def resume(self) -> None:
        """Take the call in hand back; raises CallError."""
        await self._call().resume()

    async def swap(self) -> None:
        """Take the next live call in hand; where both are up, one is held and the other taken back.

        Raises CallError.
        """
        calls = self._presenter.live_calls
        if len(calls) > 1:
            current = self._call()
            if current.conference is not None:  # its calls change places with the others only
                calls = [each for each in calls if each is current or each.conference is None]
            following = calls[(calls.index(current) + 1) % len(calls)]
            self._presenter.chosen_call = following.id
            if current.state in UP and following.state is CallState.HELD:
                await self._phone.swap(following)

    async def conference(self) -> None:
        """Let the call in hand talk together with the newest other one that is up; raises CallError."""
        await self._phone.confer(self._call())

    async def split(self) -> None:
        """Make calls of the conference in hand again; raises CallError."""
        await self._phone.split(self._call())

    async def new_call(self) -> None:
        """Open the dial field for a further call."""
        self.aside = True

    async def transfer(self) -> None:
        """Join the call in hand with another one that is up, else ask whom it is transferred to.

        Raises CallError.
        """
        call = self._call()
        others = [other for other in self._presenter.live_calls if other is not call and other.state in UP]
        if others:
            await self._transfer(transfer_to(others[-1], call))
        else:
            self.aside = self.transferring = True

    async def pick_up(self) -> None:
        """Answer the call that rings at a watched number; raises CallError."""
        found = self._presenter.rings_elsewhere
        if found is None:
            raise CallError("no watched number rings")
        line, ringing = found
        self._presenter.chosen_call = pick_up(line.seat, ringing, self._phone.dial).id

    async def transfer_blind(self, number: str) -> None:
        """Send the far end of the call in hand to *number*; raises CallError."""
        number = number.strip()
        if number:
            self._close_dial()
            await self._transfer(transfer_blind(self._call(), number))

    async def _transfer(self, transfer: Awaitable[None]) -> None:
        try:
            await transfer
        except CallError as error:
            raise CallError(f"Transfer failed! {error}") from None

    def _close_dial(self) -> None:
        self.aside = self.transferring = False

    async def redial(self) -> None:
        """Call the number of the last outgoing call again; raises CallError."""
        outgoing = [call for call in self._phone.history if call.direction is Direction.OUTGOING]
        if not outgoing:
            raise CallError("no number was dialled yet")
        await self.dial(outgoing[-1].remote)

    async def send_digit(self, digit: str) -> None:
        """Send one DTMF digit in the call in hand; raises CallError."""
        call, key = self._call(), _Key(digit)
        keys = self._keys.setdefault(call.id, [])
        keys.append(key)
        del keys[:-DIGITS_SHOWN]
        try:
            await call.send_dtmf(digit)
        except CallError:
            if key in keys:
                keys.remove(key)
            raise

    def sent_digits(self, call: str) -> str:
        """The DTMF that was sent in the call of that id; the newest digits last."""
        return "".join(key.digit for key in self._keys.get(call, ()))

    def forget(self) -> None:
        """Drop what belongs to calls that have ended."""
        live = {call.id for call in self._presenter.live_calls}
        self._keys = {call: keys for call, keys in self._keys.items() if call in live}
        if not live:
            self._close_dial()

    # -- lines ---------------------------------------------------------------------------------------------

    async def register(self) -> None:
        """Register every line anew; raises CallError."""
        await self._phone.register()

    async def provision(self) -> None:
        """Fetch the phone's files again, now; raises CallError."""
        if self.provisioning is None:
            raise CallError("this phone has no provisioning server (tui --provision URL)")
        self.provisioning()

    async def next_line(self) -> None:
        """The next call goes out on the next line."""
        numbers = list(self._phone.lines)
        if numbers:
            chosen = self._presenter.chosen_line
            after = numbers.index(chosen) + 1 if chosen in numbers else 0
            self._presenter.chosen_line = numbers[after % len(numbers)]

    # -- the lab -------------------------------------------------------------------------------------------

    async def call_me(self) -> None:
        """Somebody calls this phone; raises ValueError when nobody can."""
        if self._presenter.lab is not None:
            self._presenter.lab.call_phone()

    async def behave(self, server: str, text: str) -> None:
        """Let a server of the lab do what *text* says; raises ValueError, WorldError."""
        if self._presenter.lab is not None:
            await self._presenter.lab.behave(server, Behaviour.parse(text))

    async def behave_callee(self, text: str) -> None:
        """Let the called user do what *text* says; raises ValueError."""
        if self._presenter.lab is not None:
            self._presenter.lab.behave_callee(text)

    async def break_or_mend(self, server: ServerView) -> None:
        """A server that works falls silent, any other works again; raises WorldError."""
        await self.behave(server.name, BROKEN if server.behaviour == "ok" else "ok")

    def _rings(self) -> bool:
        call = self._presenter.live_call
        return isinstance(call, IncomingCall) and call.state is CallState.RINGING

    # -- the end -------------------------------------------------------------------------------------------

    async def leave(self, within: float) -> None:
        """End calls, de-register, stop the phone; after *within* seconds stop it at once."""
        try:
            async with asyncio.timeout(within):
                await self._phone.stop()
        except TimeoutError:
            await self._phone.stop(unregister=False)
