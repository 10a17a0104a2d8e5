"""The keys, as data: four soft keys for each state of the phone, and the keys that are always there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TYPE_CHECKING

from phone_emulator.events import CallState, Direction
from phone_emulator.phone.calls.states import UP

if TYPE_CHECKING:
    from phone_emulator.phone.calls.call import Call


class Scene(StrEnum):
    """What the phone is doing, as far as its soft keys care."""

    IDLE = auto()
    DIALLING = auto()
    """Digits stand in the dial field."""
    CALLING = auto()
    """An outgoing call on its way: Connecting or RingBack."""
    INCOMING = auto()
    TALKING = auto()
    HELD = auto()
    CONFERENCE = auto()
    HELD_CONFERENCE = auto()
    TRANSFER = auto()
    """The dial field asks whom a call is transferred to."""


@dataclass(frozen=True, slots=True)
class SoftKey:
    """One soft key."""

    key: str
    """As Textual names it: ``f1``."""
    label: str
    """As the phone's screen says it."""
    action: str
    """Name of the order (``orders.py``)."""
    alias: str = ""
    """Another key that does the same, as people read it."""
    needs: str = ""
    """``calls``: only with a second call, ``up``: where two are up, ``third``: with a third one; ``alone``:
    only without a second one; ``lines``: only with a second line; ``lab``: only in the lab; ``pickup``: only
    while a watched number rings whose call can be picked up."""


SOFT_KEYS: dict[Scene, tuple[SoftKey, ...]] = {
    Scene.IDLE: (
        SoftKey("f1", "ReDial", "redial"),
        SoftKey("f2", "Line", "next_line", needs="lines"),
        SoftKey("f2", "DPickup", "pick_up", needs="pickup"),
        SoftKey("f3", "Call me", "call_me", needs="lab"),
        SoftKey("f4", "Register", "register"),
    ),
    Scene.DIALLING: (
        SoftKey("f1", "Send", "send", "Enter"),
        SoftKey("f2", "Line", "next_line", needs="lines"),
        SoftKey("f3", "Delete", "delete"),
        SoftKey("f4", "Cancel", "cancel", "Esc"),
    ),
    Scene.CALLING: (
        SoftKey("f1", "New Call", "new_call"),
        SoftKey("f2", "Transfer", "transfer", needs="calls"),
        SoftKey("f3", "Swap", "swap", needs="calls"),
        SoftKey("f4", "Cancel", "cancel", "Esc"),
    ),
    Scene.INCOMING: (
        SoftKey("f1", "Answer", "answer", "Enter"),
        SoftKey("f3", "Swap", "swap", needs="calls"),
        SoftKey("f4", "Reject", "cancel", "Esc"),
    ),
    Scene.TALKING: (
        SoftKey("f1", "Transfer", "transfer"),
        SoftKey("f2", "Hold", "hold"),
        SoftKey("f2", "Swap", "swap", needs="up"),
        SoftKey("f3", "New Call", "new_call", needs="alone"),
        SoftKey("f3", "Swap", "swap", needs="calls"),
        SoftKey("f3", "Conf", "conference", needs="up"),
        SoftKey("f4", "End Call", "cancel", "Esc"),
    ),
    Scene.CONFERENCE: (
        SoftKey("f1", "Swap", "swap", needs="third"),
        SoftKey("f2", "Hold", "hold"),
        SoftKey("f3", "Split", "split"),
        SoftKey("f4", "End Call", "cancel", "Esc"),
    ),
    Scene.HELD_CONFERENCE: (
        SoftKey("f1", "Swap", "swap", needs="third"),
        SoftKey("f2", "Resume", "resume"),
        SoftKey("f3", "Split", "split"),
        SoftKey("f4", "End Call", "cancel", "Esc"),
    ),
    Scene.HELD: (
        SoftKey("f1", "Transfer", "transfer"),
        SoftKey("f2", "Resume", "resume"),
        SoftKey("f3", "New Call", "new_call", needs="alone"),
        SoftKey("f3", "Swap", "swap", needs="calls"),
        SoftKey("f4", "End Call", "cancel", "Esc"),
    ),
    Scene.TRANSFER: (
        SoftKey("f1", "B Trans", "transfer_blind", "Enter"),
        SoftKey("f2", "Dial", "send"),
        SoftKey("f3", "Delete", "delete"),
        SoftKey("f4", "Cancel", "cancel", "Esc"),
    ),
}


@dataclass(frozen=True, slots=True)
class View:
    """A pane that a key brings up."""

    key: str
    name: str
    label: str


VIEWS = (
    View("f5", "route", "Route"),
    View("f6", "history", "History"),
    View("f7", "messages", "Messages"),
    View("f8", "servers", "Servers"),
    View("f9", "log", "Log"),
)

HELP = (
    ("0-9 * # +", "dial; during a call: send DTMF"),
    ("Enter", "dial, answer; in a list: open"),
    ("Esc", "clear the number; reject, cancel, hang up"),
    ("Esc", "in a list: back to the phone"),
    ("F1 … F4", "the soft keys above the last line"),
    ("F5 … F9", "go to Route, History, Messages, Servers, Log"),
    ("F7 again", "all messages, not only those of the call; and back"),
    ("Tab, arrows", "from pane to pane, within a pane"),
    ("Space", "on a server: break it (silent) or mend it"),
    ("Enter", "on a server: choose what it does"),
    ("Ctrl+L", "the next line"),
    ("Ctrl+P", "provision now: fetch the phone's files again"),
    ("?", "this help"),
    ("Ctrl+Q", "quit: calls are ended, lines de-registered"),
)

DIAL_KEYS = frozenset("0123456789*#+")
"""Characters that go to the dial field, or as DTMF into the call, wherever the focus is."""
DTMF_KEYS = DIAL_KEYS - {"+"}


def scene_of(call: Call | None, dialling: bool, transferring: bool = False) -> Scene:
    """What the soft keys are for, with *call* in hand and digits in the dial field, or not.

    *transferring*: the dial field asks whom *call* is transferred to.
    """
    if call is not None and call.state is CallState.RINGING and call.direction is Direction.INCOMING:
        return Scene.INCOMING
    if transferring:
        return Scene.TRANSFER
    if dialling:
        return Scene.DIALLING
    if call is None:
        return Scene.IDLE
    if call.conference is not None and call.state in UP:
        return Scene.CONFERENCE if call.state is CallState.TALKING else Scene.HELD_CONFERENCE
    return _SCENES[call.state]


_SCENES = {
    CallState.CALLING: Scene.CALLING,
    CallState.RINGING: Scene.CALLING,
    CallState.TALKING: Scene.TALKING,
    CallState.HELD: Scene.HELD,
    CallState.ENDING: Scene.IDLE,
    CallState.ENDED: Scene.IDLE,
}


def soft_keys(
    scene: Scene, *, calls: int, up: int = 0, lines: int, lab: bool, pickup: bool = False
) -> tuple[SoftKey, ...]:
    """The soft keys of *scene* that can be pressed now; of several for one key it is the last.

    Of *calls* live ones *up* are up.
    """
    have = {
        "": True,
        "calls": calls > 1,
        "up": up > 1,
        "third": calls > 2,
        "alone": calls == 1,
        "lines": lines > 1,
        "lab": lab,
        "pickup": pickup,
    }
    return tuple({key.key: key for key in SOFT_KEYS[scene] if have[key.needs]}.values())
