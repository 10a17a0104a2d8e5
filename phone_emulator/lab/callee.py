"""Someone to call, and someone who calls: a phone of the lab's own, at any number."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from phone_emulator.config.model import AccountConfig, CodecConfig, PhoneConfig, ServerConfig
from phone_emulator.events import Address, Bus, CallChanged, CallState, Direction, Event
from phone_emulator.lab.behaviour import CalleeBehaviour, CalleeKind
from phone_emulator.lab.passage import passages
from phone_emulator.media.crypto import SUITES
from phone_emulator.media.sound import Sound
from phone_emulator.media.tones import sine
from phone_emulator.phone import Call, CallError, IncomingCall, OutgoingCall, Phone, PhoneOptions
from phone_emulator.phone.transfer.transfer import transfer_blind
from phone_emulator.world.base import World

TONES = (440, 550, 660, 880, 1100, 1320)
"""Hz of what is said through the first server, the second …; a person can tell them apart."""
LEVEL = -16.0
"""dBm0 of a tone: as loud as speech."""
REFUSALS = {CalleeKind.BUSY: 486, CalleeKind.REJECT: 603}
"""What a callee who does not take the call answers."""


class Callee:
    """The called user of every number that no phone has registered.

    Args:
        world: where it is.
        address: its own; the servers send calls here over UDP.
        servers: by name, where it sends its own calls.
        behaviour: what it does when called; may be changed while it runs.
        number: who it is when it calls somebody itself.
        callers: the lines it is called from; it speaks the extensions that they speak.
        listens: whether what is said and heard is kept (`PhoneOptions`).
    """

    def __init__(
        self,
        world: World,
        address: Address,
        servers: Mapping[str, Address],
        behaviour: CalleeBehaviour = CalleeBehaviour.ANSWER,
        number: str = "1002",
        callers: Sequence[AccountConfig] = (),
        *,
        listens: bool = False,
    ) -> None:
        self.address = address
        self.behaviour = behaviour
        bus = Bus()
        bus.subscribe(self._hear)
        self._world = world
        self._lines = {name: index for index, name in enumerate(servers, 1)}
        accounts = tuple(
            _account(index, number, server, callers) for index, server in enumerate(servers.values(), 1)
        )
        self._phone = Phone(
            # Whoever it calls is called through a server, also where that serves an IP address.
            PhoneConfig(accounts=accounts, listen_port=address.port, direct_ip_call=False),
            world,
            bus,
            PhoneOptions(local_address=address.host, any_user=True, listens=listens),
        )

    async def start(self) -> None:
        """Open the sockets; raises WorldError."""
        await self._phone.start()

    async def stop(self) -> None:
        """Stop at once; calls that are up are not ended."""
        await self._phone.stop(unregister=False)

    @property
    def live_calls(self) -> int:
        """How many calls it is in."""
        return len(self._phone.calls)

    def far_end_of(self, call: Call) -> Call | None:
        """Its end of *call*, a call of a phone that is or was up; None where somebody else is there."""
        if call.dialog is None:
            return None
        calls = (*self._phone.calls, *self._phone.history)
        same = (
            each for each in calls if each.dialog is not None and each.dialog.call_id == call.dialog.call_id
        )
        return next(same, None)

    async def transfer(self, number: str) -> None:
        """Send the far end of its newest call to *number*; raises CallError."""
        await transfer_blind(self._phone.calls[-1], number)

    async def hang_up(self) -> None:
        """End every call that it is in."""
        for call in tuple(self._phone.calls):
            await call.hang_up()

    def call(self, user: str, domain: str, server: str, caller: str | None = None) -> OutgoingCall:
        """Call *user* of *domain* through the server of that name, as the number *caller*."""
        line = self._phone.line(self._lines[server])
        if caller is not None:
            line.seat.account = dataclasses.replace(line.account, user_name=caller)
        call = self._phone.dial(f"{user}@{domain}", line.number)
        call.spawn(self._speak(call, self.behaviour), "speaking")
        return call

    def _hear(self, event: Event) -> None:
        if not isinstance(event, CallChanged):
            return
        if event.direction is Direction.INCOMING and event.state is CallState.RINGING:
            call = self._phone.call(event.call)
            assert isinstance(call, IncomingCall)
            # The bus is told in the middle of the call's own work; what follows from it comes after.
            call.tasks.call_at(self._world.now(), lambda: self._take(call), "taking the call")

    async def _speak(self, call: Call, behaviour: CalleeBehaviour) -> None:
        """Say what *behaviour* says, over and over, where sound flows."""
        await call.settled()
        audio = call.voice.audio
        shares = behaviour.loss, behaviour.duplicate, behaviour.reorder
        if audio is not None and any(shares):
            audio.passages = partial(passages, self._world.random, *shares)
        if behaviour.tone == 0 or audio is None or not call.seat.context.sound_flows:
            return
        sound = behaviour.speech
        if sound is None:
            sound = _tone(behaviour.tone or TONES[(call.seat.number - 1) % len(TONES)], audio.rate)
        audio.play(sound, repeat=True)

    def _take(self, call: IncomingCall) -> None:
        if call.state is not CallState.RINGING:
            return
        behaviour = self.behaviour
        refusal = REFUSALS.get(behaviour.kind)
        if refusal is not None:
            call.reject(refusal)
        elif behaviour.kind is CalleeKind.ANSWER:
            call.voice.script = behaviour.body
            with contextlib.suppress(CallError):  # no common codec: refused already
                call.answer()
                call.spawn(self._speak(call, behaviour), "speaking")
                if behaviour.press:
                    call.spawn(self._press(call, behaviour.press), "pressing keys")
                if behaviour.hang_up_after is not None:
                    due = self._world.now() + behaviour.hang_up_after
                    call.tasks.call_at(due, lambda: self._leave(call), "the time to hang up")

    async def _press(self, call: IncomingCall, digits: str) -> None:
        await call.settled()
        with contextlib.suppress(CallError):  # held or ended meanwhile: nobody is left to be told
            await call.send_dtmf(digits)

    def _leave(self, call: IncomingCall) -> None:
        if call in self._phone.calls:
            call.spawn(call.hang_up(), "hanging up")


@lru_cache(maxsize=16)
def _tone(hertz: int, rate: int) -> Sound:
    """A second of it, which ends where it begins; silence where it is too high for *rate*."""
    if 2 * hertz >= rate:
        return Sound(rate)
    return Sound(rate, sine((hertz,), 1000, LEVEL, rate=rate))


def _account(index: int, number: str, server: Address, callers: Sequence[AccountConfig]) -> AccountConfig:
    """The callee's line towards one server; it speaks the extensions that *callers* speak."""
    codecs = ["g722", "pcmu", "pcma"]
    if any(codec.name == "opus" for caller in callers for codec in caller.codecs):
        codecs.append("opus")
    return AccountConfig(
        index=index,
        enable=True,
        user_name=number,
        display_name="Lab callee",
        servers=(ServerConfig(number=1, address=server.host, port=server.port),),
        codecs=tuple(CodecConfig(name=name, priority=place) for place, name in enumerate(codecs, 1)),
        custom_ua="phone-emulator lab callee",
        reliable_provisional=any(caller.reliable_provisional for caller in callers),
        session_timer=any(caller.session_timer for caller in callers),
        srtp_encryption=int(any(caller.srtp_encryption for caller in callers)),
        srtp_ciphers=",".join(SUITES),
    )
