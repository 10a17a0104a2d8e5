"""BLF keys: line keys whose lamp shows what another number is doing (``linekey.X.type`` 16 and 39)."""

from __future__ import annotations

from collections.abc import Sequence

from phone_emulator.config.model import KeyConfig, KeyType, PhoneConfig
from phone_emulator.events import BlfChanged, LampState
from phone_emulator.phone.registration.servers import Servers
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire import dialog_info, resource_list
from phone_emulator.phone.wire.dialog_info import DialogState, Watched
from phone_emulator.phone.wire.event_package import Topic
from phone_emulator.phone.wire.option_tags import EVENT_LIST
from phone_emulator.sip.body import Part, media_type
from phone_emulator.sip.tel import number_in

from .subscription import Subscription

BRIGHTEST = (LampState.RINGING, LampState.TALKING, LampState.CALLING, LampState.HELD)
"""Of several dialogs, the lamp shows the first of these that there is."""


class Lamp:
    """One BLF key of a line.

    Args:
        seat: of the line that watches.
        key: the key.
        number: what is watched; empty for a key that waits for a number of the line's list.
    """

    def __init__(self, seat: Seat, key: KeyConfig, number: str) -> None:
        self.key = key
        self.number = number
        self.state = LampState.UNKNOWN
        self.remote = ""
        """With whom the watched number talks; empty where that is not told."""
        self._seat = seat
        self._watched = Watched()

    @property
    def label(self) -> str:
        """What stands beside it."""
        return self.key.label or self.number

    @property
    def dialogs(self) -> tuple[DialogState, ...]:
        """The dialogs of the watched number that are not over."""
        return tuple(self._watched.dialogs.values())

    @property
    def ringing(self) -> DialogState | None:
        """The dialog that a call pick-up would take over (``account.X.dialoginfo_callpickup``)."""
        return next((each for each in self.dialogs if _state_of(each) is LampState.RINGING), None)

    def take(self, document: bytes) -> bool:
        """A document of the watched number came; False where one was missed before. Raises XmlError."""
        taken = self._watched.take(dialog_info.read(document))
        if taken:
            self._show()
        return taken

    def forget(self) -> None:
        """Nothing is known any more."""
        self._watched.forget()
        self._change(LampState.UNKNOWN, "")

    def _show(self) -> None:
        dialogs = self.dialogs
        states = [_state_of(each) for each in dialogs]
        for state in BRIGHTEST:
            if state in states:
                shown = dialogs[states.index(state)]
                self._change(state, shown.remote_name or shown.remote)
                return
        self._change(LampState.IDLE, "")

    def _change(self, state: LampState, remote: str) -> None:
        if (state, remote) == (self.state, self.remote):
            return
        self.state, self.remote = state, remote
        self._seat.tell(
            BlfChanged(
                at=self._seat.now,
                line=self._seat.number,
                key=self.key.index,
                number=self.number,
                state=state,
                remote=remote,
            )
        )


def _state_of(dialog: DialogState) -> LampState:
    if dialog.phase == "confirmed":
        return LampState.HELD if dialog.held else LampState.TALKING
    return LampState.RINGING if dialog.incoming else LampState.CALLING


class WatchedNumber:
    """A lamp with a subscription of its own (``linekey.X.type = 16``).

    Args:
        seat: of the line.
        servers: are asked.
        key: what is watched.
    """

    def __init__(self, seat: Seat, servers: Servers, key: KeyConfig) -> None:
        self.lamp = Lamp(seat, key, key.value)
        topic = Topic(
            event=dialog_info.EVENT,
            content_types=(dialog_info.CONTENT_TYPE,),
            expires=seat.account.blf_subscribe_period,
            number=key.value,
        )
        self.subscription = Subscription(seat, servers, topic, self._hear, self.lamp.forget)

    def _hear(self, part: Part) -> None:
        """What a NOTIFY says."""
        if not self.lamp.take(part.body):
            self.subscription.refresh()


class WatchedList:
    """The numbers of a list that the server keeps (``account.X.blf.blf_list_uri``, RFC 4662).

    Each takes the next free key of type 39, in the order in which the server names them, and keeps it.

    Args:
        seat: of the line.
        servers: are asked.
        uri: of the list.
        keys: of type 39.
    """

    def __init__(self, seat: Seat, servers: Servers, uri: str, keys: Sequence[KeyConfig]) -> None:
        self.lamps = [Lamp(seat, key, "") for key in keys]
        topic = Topic(
            event=dialog_info.EVENT,
            content_types=(resource_list.CONTENT_TYPE, resource_list.RLMI, dialog_info.CONTENT_TYPE),
            expires=seat.account.blf_subscribe_period,
            number=uri,
            supported=EVENT_LIST,
        )
        self.subscription = Subscription(seat, servers, topic, self._hear, self._lost)

    def _hear(self, part: Part) -> None:
        if media_type(part.content_type) != resource_list.CONTENT_TYPE:
            return  # no list, so nothing that belongs to a key
        told = resource_list.read(part.body, part.content_type)
        numbers = {number_of(resource.uri): resource for resource in told.resources}
        for lamp in self.lamps:
            if told.full and lamp.number and lamp.number not in numbers:
                lamp.forget()
                lamp.number = ""
        missed = False
        for number, resource in numbers.items():
            taken = self._lamp_of(number)
            if taken is None:
                continue
            if resource.gone:
                taken.forget()
            for body in resource.bodies:
                missed |= not taken.take(body)
        if missed:
            self.subscription.refresh()

    def _lamp_of(self, number: str) -> Lamp | None:
        """The lamp of *number*, else a free one that is *number*'s from now on."""
        found = next((lamp for lamp in self.lamps if lamp.number == number), None)
        free = next((lamp for lamp in self.lamps if not lamp.number), None)
        if found is None and free is not None:
            free.number = number
        return found or free

    def _lost(self) -> None:
        for lamp in self.lamps:
            lamp.forget()


def number_of(uri: str) -> str:
    """The number that a SIP URI names: its user, or all of it where it has none."""
    user, at, _ = uri.partition(":")[2].partition("@")
    return number_in(user) if at else uri


def keys_of(config: PhoneConfig, line: int, kind: KeyType) -> list[KeyConfig]:
    """The keys of *line* of that *kind*; a key of line 0 is the first line's."""
    first = config.lines[0].index if config.lines else 0
    return [key for key in config.keys if key.type == kind and (key.line or first) == line]
