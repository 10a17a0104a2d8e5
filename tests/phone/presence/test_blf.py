"""BLF keys: lamps that show what other numbers do (RFC 4235)."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from phone_emulator.config.model import KeyConfig
from phone_emulator.events import BlfChanged, LampState, SubscriptionChanged
from phone_emulator.phone.wire import dialog_info
from phone_emulator.phone.wire.dialog_info import DialogInfo, DialogState
from phone_emulator.sip.message import Request
from tests.lab.peers import PHONE, SERVER
from tests.phone.far_end import Play, play
from tests.phone.presence.watching import DIALOG_INFO, granted, notify, registered

KEY: dict[str, Any] = {"linekey__3__type": 16, "linekey__3__value": "1002", "linekey__3__line": 1}
WATCHED = f"sip:1002@{SERVER}"


def document(version: int, *dialogs: DialogState, full: bool = True) -> bytes:
    return dialog_info.write(DialogInfo(entity=WATCHED, version=version, full=full, dialogs=dialogs))


def state(phase: str, remote: str = "sip:1003@pbx", **facts: Any) -> DialogState:
    return DialogState(
        **{"id": "d1", "incoming": True, "local": WATCHED, **facts}, phase=phase, remote=remote
    )


def lamps(on: Play) -> list[tuple[int, str, str, str]]:
    changes = [each for each in on.events if isinstance(each, BlfChanged)]
    return [(each.key, each.number, str(each.state), each.remote) for each in changes]


async def watched(on: Play, body: bytes = b"") -> Request:
    await registered(on)
    return await granted(on, body=body or document(0), content_type=DIALOG_INFO)


async def told(on: Play, subscribe: Request, cseq: int, body: bytes) -> None:
    on.far.send(notify(on.far, subscribe, cseq, body=body, content_type=DIALOG_INFO))
    await on.far.response(200, "NOTIFY")


def test_a_lamp_follows_a_call() -> None:
    async def story(on: Play) -> None:
        subscribe = await watched(on)
        assert subscribe.uri == f"sip:1002@{SERVER}"
        assert [subscribe.headers.get(name) for name in ("Event", "Accept", "Expires")] == [
            "dialog",
            "application/dialog-info+xml",
            "1800",
        ]
        for number, (phase, held, partial) in enumerate(
            [("early", False, 0), ("confirmed", False, 1), ("confirmed", True, 1), ("terminated", False, 1)]
        ):
            body = document(number + 1, state(phase, held=held), full=not partial)
            await told(on, subscribe, number + 2, body)
        assert lamps(on) == [
            (3, "1002", "idle", ""),
            (3, "1002", "ringing", "sip:1003@pbx"),
            (3, "1002", "talking", "sip:1003@pbx"),
            (3, "1002", "held", "sip:1003@pbx"),
            (3, "1002", "idle", ""),
        ]

    play(story, **KEY)


def test_the_lamp_of_who_calls() -> None:
    async def story(on: Play) -> None:
        subscribe = await watched(on, document(0, state("early", incoming=False)))
        await told(on, subscribe, 2, document(1, state("confirmed", id="d2", remote_name="Bob"), full=False))
        await told(on, subscribe, 3, document(2, state("early", id="d3"), full=False))
        [lamp] = on.phone.line(1).subscriptions.lamps
        assert lamp.ringing is not None
        assert lamp.ringing.id == "d3"
        assert [line[2:] for line in lamps(on)] == [
            ("calling", "sip:1003@pbx"),
            ("talking", "Bob"),
            ("ringing", "sip:1003@pbx"),
        ]

    play(story, **KEY)


def test_a_missed_document_makes_it_ask_for_all() -> None:
    """RFC 4235 section 4.3."""

    async def story(on: Play) -> None:
        subscribe = await watched(on)
        await told(on, subscribe, 2, document(1, state("early"), full=False))
        await told(on, subscribe, 3, document(1, state("confirmed"), full=False))  # old: passed over
        assert lamps(on)[-1][2] == "ringing"
        on.far.send(notify(on.far, subscribe, 4, body=document(9, full=False), content_type=DIALOG_INFO))
        heard = [await on.far.hear(), await on.far.hear()]
        [refresh] = [each for each in heard if isinstance(each, Request)]
        assert (refresh.method, refresh.call_id) == ("SUBSCRIBE", subscribe.call_id)
        on.far.answer(refresh, 200)
        await told(on, subscribe, 5, document(10, state("confirmed")))
        assert lamps(on)[-1][2] == "talking"

    play(story, **KEY)


def test_a_lamp_goes_out_when_nothing_is_known() -> None:
    async def story(on: Play) -> None:
        subscribe = await watched(on, document(0, state("confirmed")))
        on.far.send(notify(on.far, subscribe, 2, "terminated;reason=noresource"))
        await on.far.response(200, "NOTIFY")
        await on.rest()
        assert lamps(on)[-1] == (3, "1002", "unknown", "")

    play(story, **KEY)


@pytest.mark.parametrize(
    "body",
    [
        b"<dialog-info",
        b"<other/>",
        b'<dialog-info version="1"/>',
        b'<dialog-info version="x" state="full"/>',
        b'<?xml version="1.0" encoding="nonsense"?><dialog-info version="1" state="full"/>',
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><dialog-info version="1" state="full">&a;</dialog-info>',
        b'<!DOCTYPE x SYSTEM "http://192.0.2.1/x"><dialog-info version="1" state="full"/>',
        b"<dialog-info>" + b"<a>" * 30 + b"</a>" * 30 + b"</dialog-info>",
        b'<dialog-info version="1" state="full">' + b"<dialog/>" * 2001 + b"</dialog-info>",
        b"\xff\xfe\x00",
    ],
)
def test_a_document_that_cannot_be_read_is_told(body: bytes) -> None:
    async def story(on: Play) -> None:
        subscribe = await watched(on)
        await told(on, subscribe, 2, body)
        [reason] = on.ignored
        assert reason.startswith("dialog: ")
        assert "\n" not in reason
        assert [line[2] for line in lamps(on)] == ["idle"]

    play(story, **KEY)


def test_the_dialogs_that_are_kept_are_bounded() -> None:
    many = [state("confirmed", id=f"d{number}") for number in range(150)]

    async def story(on: Play) -> None:
        subscribe = await watched(on, document(0, *many[:75]))
        await told(on, subscribe, 2, document(1, *many[75:], full=False))
        [lamp] = on.phone.line(1).subscriptions.lamps
        assert len(lamp.dialogs) == 100

    play(story, **KEY)


@pytest.mark.parametrize(
    ("enabled", "number", "status"), [(1, "1002", 200), (1, "1009", 481), (0, "1002", 481)]
)
def test_a_notify_outside_the_dialog(enabled: int, number: str, status: int) -> None:
    async def story(on: Play) -> None:
        await watched(on)
        request = on.far.make(
            "NOTIFY", f"sip:1001@{PHONE}", extra=[("Event", "dialog"), ("Content-Type", DIALOG_INFO)]
        )
        entity = f"sip:{number}@{SERVER}"
        info = DialogInfo(entity=entity, version=1, full=True, dialogs=(state("early"),))
        request.body = dialog_info.write(info)
        on.far.send(request)
        await on.far.response(status, "NOTIFY")
        assert (lamps(on)[-1][2] == "ringing") == (status == 200)

    play(story, **KEY, account__1__out_dialog_blf_enable=enabled)


def test_keys_of_a_line() -> None:
    async def story(on: Play) -> None:
        found = [lamp.key for lamp in on.phone.line(1).subscriptions.lamps]
        assert found == [
            KeyConfig(index=2, type=16, value="1005"),
            KeyConfig(index=3, type=16, line=1, value="1002", label="Bob", extension="*8"),
        ]
        assert [lamp.label for lamp in on.phone.line(1).subscriptions.lamps] == ["1005", "Bob"]
        assert {lamp.state for lamp in on.phone.line(1).subscriptions.lamps} == {LampState.UNKNOWN}

    play(
        story,
        **KEY,
        linekey__3__label="Bob",
        linekey__3__extension="*8",
        linekey__2__type=16,
        linekey__2__value="1005",
        linekey__4__type=15,
        linekey__5__type=16,
        linekey__6__type=16,
        linekey__6__value="1006",
        linekey__6__line=2,
    )


def test_a_lamp_that_needs_no_answer_ends_with_the_phone() -> None:
    async def story(on: Play) -> None:
        subscribe = await watched(on)
        stopping = asyncio.create_task(on.phone.stop())
        last = await on.far.heard("SUBSCRIBE")
        assert (last.call_id, last.headers.get("Expires")) == (subscribe.call_id, "0")
        on.far.answer(last, 200)
        on.far.answer(await on.far.heard("REGISTER"), 200)
        await stopping

    play(story, **KEY)


def test_a_server_that_never_tells_all_is_not_asked_without_end() -> None:
    async def story(on: Play) -> None:
        subscribe = await watched(on)
        for number in range(5):
            body = document(9 + 2 * number, full=False)
            on.far.send(notify(on.far, subscribe, 2 + number, body=body, content_type=DIALOG_INFO))
            await on.far.response(200, "NOTIFY")
            on.far.answer(await on.far.heard("SUBSCRIBE"), 200)
            await on.rest()
        times = [at for at, each in on.sent("SUBSCRIBE") if isinstance(each, Request)]
        assert [round(later - at, 2) for at, later in itertools.pairwise(times)] == [1.0] * 5

    play(story, **KEY)


def test_a_lamp_goes_out_when_the_line_is_unregistered() -> None:
    async def story(on: Play) -> None:
        subscribe = await watched(on, document(0, state("confirmed")))
        leaving = asyncio.create_task(on.phone.line(1).registrar.unregister())
        last = await on.far.heard("SUBSCRIBE")
        crossing = document(1, state("early"))
        on.far.send(notify(on.far, subscribe, 2, body=crossing, content_type=DIALOG_INFO))
        await on.far.response(200, "NOTIFY")
        on.far.answer(last, 200)
        on.far.answer(await on.far.heard("REGISTER"), 200)
        await leaving
        on.far.send(notify(on.far, subscribe, 3, "terminated", body=crossing, content_type=DIALOG_INFO))
        await on.far.response(200, "NOTIFY")
        assert lamps(on)[-1][2] == "unknown"
        said = [str(each.state) for each in on.events if isinstance(each, SubscriptionChanged)]
        assert said == ["active", "ended"]

    play(story, **KEY)
