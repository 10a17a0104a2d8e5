"""The live calls, as the phone's screen shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_emulator.events import CallState, Direction
from phone_emulator.tui.spans import clock
from phone_emulator.tui.words import call_word

if TYPE_CHECKING:
    from phone_emulator.live.handset import Handset, Levels
    from phone_emulator.phone.calls.call import Call


BLOCKS = 8
"""Of a level bar."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """A live call."""

    in_hand: bool
    """Whether the soft keys act on it."""
    arrow: str
    remote: str
    word: str
    """``Talking``, ``Incoming call``."""
    time: str
    """How long it has been up, or has been on its way."""
    where: str
    """``line 1 · secondary 192.168.1.14:5060/udp``."""
    secrecy: str
    """``encrypted (AES_CM_128_HMAC_SHA1_80), keys in the clear``; empty where it is not encrypted."""
    tone: str
    """``ringback tone``: what its user hears of the phone's own; empty for none."""
    levels: str
    """``mic ███░░░░░ ear ██░░░░░░``: how loud both ends are; empty where nobody listens to them live."""
    sound: tuple[str, ...]
    """How its sound fares, the most important first: ``G722``, ``MOS 4.4 (R 107 wb)``, ``1498 heard``; empty
    where none flows."""
    up: bool
    ringing: bool


def call_rows(
    calls: Iterable[Call], in_hand: Call | None, now: float, handset: Handset | None = None
) -> list[CallRow]:
    """The live *calls*, the one in hand first; *handset*: where a person talks."""
    ordered = sorted(calls, key=lambda call: call is not in_hand)
    return [_row(call, call is in_hand, now, handset) for call in ordered]


def bar(level: int) -> str:
    """How loud a sample of *level*, 0 to 32767, is: a block for each 6 dB above -48 dBov."""
    return "█" * min((level >> 7).bit_length(), BLOCKS) + "░" * max(BLOCKS - (level >> 7).bit_length(), 0)


def _levels(levels: Levels | None) -> str:
    return "" if levels is None else f"mic {bar(levels.microphone)} ear {bar(levels.loudspeaker)}"


def _row(call: Call, in_hand: bool, now: float, handset: Handset | None) -> CallRow:
    since = call.answered_at if call.answered_at is not None else call.started
    where = f"line {call.seat.number}"
    if call.direction is Direction.OUTGOING and call.route:
        where += f" · {call.route[-1].target}"
    return CallRow(
        in_hand=in_hand,
        arrow="→" if call.direction is Direction.OUTGOING else "←",
        remote=call.party,
        word=call_word(call),
        time=clock(now - since),
        where=where,
        secrecy=call.session.secrecy,
        tone="" if call.progress.tone is None else f"{call.progress.tone} tone",
        levels="" if handset is None else _levels(handset.levels_of(call)),
        sound=_sound(call),
        up=call.state in (CallState.TALKING, CallState.HELD),
        ringing=call.state is CallState.RINGING and call.direction is Direction.INCOMING,
    )


def _sound(call: Call) -> tuple[str, ...]:
    agreed, numbers = call.voice.agreed, call.numbers
    if agreed is None or numbers is None or not numbers.flowed or not call.seat.context.sound_flows:
        return ()
    codec, sent = agreed.codec.encoding, f"{numbers.sent.packets} sent"
    return tuple(filter(None, [codec, numbers.rated, *numbers.harmed, numbers.came, *numbers.timed, sent]))
