"""Messages that make the phone raise: a request draws 500, a response fails what waits for it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, MutableMapping
from typing import Any
from unittest import mock

import pytest

from phone_emulator.dns import Resolver
from phone_emulator.events import (
    AttemptEnded,
    CallChanged,
    Event,
    MessageIgnored,
    MessageReceived,
    MessageSent,
    TransferChanged,
    TransferState,
)
from phone_emulator.phone import CallResult, IncomingCall, OutgoingCall
from phone_emulator.phone.calls.session import Session
from phone_emulator.phone.presence.notifier import Watcher
from phone_emulator.phone.presence.subscription import Subscription
from phone_emulator.phone.reception import in_dialog, uas_core
from phone_emulator.phone.reception.entrance import Entrance
from phone_emulator.phone.registration.requests import Requests
from phone_emulator.phone.transfer.referral import Referral
from phone_emulator.phone.transfer.transfer import Transfer
from phone_emulator.phone.wire.credentials import Credentials
from phone_emulator.phone.wire.exchange import Exchange
from phone_emulator.redundancy import Failback, Walk
from phone_emulator.sip.endpoint import Endpoint
from tests.faults import stories
from tests.faults.elsewhere import IN_THE_LAB
from tests.faults.planting import SAID, Planted, Planting
from tests.faults.theatre import InTheLab, Performance, WithTheFarEnd
from tests.lab.peers import PHONE, SERVER, Peer, ack_to
from tests.phone.far_end import Play
from tests.phone.wire import wire_stories

PRACKED = (wire_stories.being_called_reliably, {"account__1__100rel_enable": 1})
BODIES = {"REFER": [("Refer-To", "<sip:1003@192.168.1.13>")], "NOTIFY": [("Event", "refer")]}
"""What makes sense in a request of that method."""


class Handler(Planting):
    """Lets what takes a message raise, before all it does or after.

    Args:
        holder: has it.
        name: by which *holder* has it.
        after: whether it raises when it has done its work.
    """

    def __init__(self, holder: Any, name: str, *, after: bool = False, always: bool = False) -> None:
        super().__init__(always=always)
        self._holder, self._name, self._after = holder, name, after

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        """Let it raise."""
        holder, name = self._holder, self._name
        in_a_table = isinstance(holder, MutableMapping)
        real = holder[name] if in_a_table else getattr(holder, name)

        def raising(*args: Any, **named: Any) -> Any:
            if not self._after:
                self._raise()
            result = real(*args, **named)
            self._raise()
            return result

        async def raising_later(*args: Any, **named: Any) -> Any:
            if not self._after:
                self._raise()
            result = await real(*args, **named)
            self._raise()
            return result

        if inspect.iscoroutinefunction(real):
            raising = raising_later
        patch = (
            mock.patch.dict(holder, {name: raising})
            if in_a_table
            else mock.patch.object(holder, name, raising)
        )
        with patch:
            yield

    def _raise(self) -> None:
        if not self.over and (self.always or not self.raised):
            self.raised.append((self._name, ""))
            raise Planted


class Anywhere(Performance):
    """A story in which something raises that is no work in the background by itself."""

    def _look_at_faults(self) -> None:
        told = [fault.error for fault in self.faults]
        self._expect(told == [SAID] * len(self.planting.raised), f"told: {self.faults}")
        self._expect(self.planting.raised, "nothing was raised")


class Met(Anywhere, WithTheFarEnd):
    """The same of what comes in."""


class Decided(Anywhere, InTheLab):
    """The same of what decides where to go next."""


def asking(method: str, *, inside: bool) -> stories.PlayStory:
    """A request of *method*, in the dialog of a call or outside; it must draw a final answer."""

    async def story(on: Play) -> None:
        if inside:
            invite, _ = await on.talking()
            request = on.from_far(method, invite)
        else:
            if method == "REFER":  # which only the line's own server may send
                await wire_stories.registering(on)
            request = on.far.make(method, f"sip:1001@{PHONE}", call_id="alone", user="1002")
        for name, value in BODIES.get(method, []):
            request.headers.add(name, value)
        on.far.send(request)
        response = await on.far.hear()
        if method == "INVITE" and not inside:
            on.far.send(ack_to(request, response))  # type: ignore[arg-type]

    return story


def refused(events: list[Any]) -> list[tuple[int | None, str]]:
    """What was refused, and why."""
    return [(each.status, each.reason) for each in events if isinstance(each, MessageIgnored)]


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
@pytest.mark.parametrize("method", uas_core.HANDLERS)
def test_a_request_outside_of_dialogs_is_answered_500(method: str, always: bool) -> None:
    met = Met(asking(method, inside=False), {}, Handler(uas_core.HANDLERS, method, always=always))
    assert met.run() == []
    assert (500, "an internal fault of this phone") in refused(met.events)
    assert [fault.work for fault in met.faults] == [f"dealing with {method} from 192.168.1.13:5060"]


@pytest.mark.parametrize("method", uas_core.HANDLERS)
def test_one_that_raises_after_its_work_is_answered_too(method: str) -> None:
    planting = Handler(uas_core.HANDLERS, method, after=True)
    assert Met(asking(method, inside=False), {}, planting).run() == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", in_dialog.HANDLERS)
def test_a_request_of_a_call(method: str, after: bool) -> None:
    met = Met(asking(method, inside=True), {}, Handler(in_dialog.HANDLERS, method, after=after))
    assert met.run() == []
    if not after:
        assert (500, "an internal fault of this phone") in refused(met.events)


Entry = tuple[Any, str, stories.PlayStory, dict[str, Any]]
ENTRIES: tuple[Entry, ...] = (
    (Session, "acknowledged", wire_stories.being_called, {}),
    (Session, "acknowledged", stories.answering_a_late_offer, {}),
    (IncomingCall, "acknowledged", wire_stories.being_called, {}),
    (IncomingCall, "_cancelled", wire_stories.refusing, {}),
    (IncomingCall, "acknowledge_provisional", *PRACKED),
    (Subscription, "receive", wire_stories.subscribing, stories.MWI),
    (Watcher, "receive", stories.watching_longer, {}),
    (Transfer, "receive", stories.hanging_up_on_a_transfer, {}),
    (Transfer, "_take", wire_stories.transferring, {}),
    (Referral, "receive", stories.subscribing_to_a_referral, {}),
    (Referral, "take", stories.subscribing_to_a_referral, {}),
    (OutgoingCall, "_know", wire_stories.cancelling, {}),
    (OutgoingCall, "_heard", wire_stories.cancelling, {}),
    (OutgoingCall, "_expect", wire_stories.calling, {}),
    (OutgoingCall, "_connected", wire_stories.calling, {}),
    (OutgoingCall, "_connected", stories.asking_right_behind_the_answer, {}),
    (OutgoingCall, "_late", stories.answering_twice, {}),
    (Entrance, "stray", stories.answering_too_late, {}),
    (Entrance, "ack", wire_stories.being_called, {}),
    (Credentials, "learn", wire_stories.calling, {}),
    (Requests, "register", wire_stories.registering, {}),
)
"""What takes a message that comes in, and a story in which one does."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("holder", "name", "story", "settings"), ENTRIES)
def test_what_takes_a_message_raises(
    holder: Any, name: str, story: stories.PlayStory, settings: dict[str, Any], after: bool
) -> None:
    assert Met(story, settings, Handler(holder, name, after=after)).run() == []


def test_a_late_answer_to_a_call_that_has_met_a_fault_is_ended() -> None:
    assert Met(stories.answering_too_late, {}, Handler(Exchange, "_final")).run() == []


def test_a_transfer_fails_at_once_where_what_is_told_of_it_raises() -> None:
    met = Met(wire_stories.transferring, {}, Handler(Transfer, "_take"))
    assert met.run() == []
    changes = [event for event in met.events if isinstance(event, TransferChanged)]
    assert (changes[-1].state, changes[-1].reason) == (TransferState.FAILED, f"internal fault: {SAID}")


@pytest.mark.parametrize("kind", [MessageReceived, MessageSent, CallChanged, AttemptEnded])
def test_a_listener_that_raises_disturbs_nobody(kind: type[Event]) -> None:
    met = Met(wire_stories.calling, {}, planting := Planting())

    def stumble(event: Event) -> None:
        if isinstance(event, kind) and not planting.over:
            planting.raised.append(("listening", ""))
            raise Planted

    met.bus.subscribe(stumble)
    assert met.run() == []
    assert met.stumbled is None
    assert met.phone.history[0].result is CallResult.ANSWERED


@pytest.mark.parametrize("name", ["_received", "_malformed"])
def test_what_came_with_a_message_that_raises_is_dealt_with(name: str) -> None:
    async def story(on: Play) -> None:
        peer = await Peer(on.world).connect(PHONE, local_host=SERVER.host)
        bad, good = (peer.make("OPTIONS", f"sip:1001@{PHONE}", call_id=each) for each in "ab")
        if name == "_malformed":
            bad.headers.set("CSeq", "none")
        peer.raw(bad.to_bytes() + good.to_bytes())
        assert (await peer.response(200, "OPTIONS")).call_id == "b"
        peer.close()
        assert await peer.failure() == ""

    met = Met(story, {}, Handler(Endpoint, name))
    assert [each for each in met.run() if "was not answered" not in each] == []
    assert met.stumbled is None


def deciders() -> list[tuple[type[Any], str]]:
    """Every method of what decides where a request goes next."""
    found = [(kind, name) for kind in (Walk, Failback, Resolver) for name in vars(kind)]
    return [
        (kind, name) for kind, name in found if inspect.isfunction(getattr(kind, name)) and name[:2] != "__"
    ]


SELDOM = {(Resolver, "forget"), (Resolver, "next_expiry"), (Walk, "rehearsal")}
"""Whoever calls them waits for them, and nothing else does: faces, and forecasts for people."""


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [each for each in deciders() if each not in SELDOM],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_decides_where_to_go_raises(kind: type[Any], name: str, always: bool) -> None:
    for story, settings in IN_THE_LAB:
        planting = Handler(kind, name, always=always)
        decided = Decided(story, settings, planting)
        wrong = decided.run()
        if planting.raised:
            assert wrong == []
            return
    pytest.fail("no story comes by it")
