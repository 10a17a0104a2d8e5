"""Who watches this phone: SUBSCRIBEs to its dialogs and the NOTIFYs that tell of its calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.phone.wire import dialog_info
from phone_emulator.phone.wire.dialog_info import DialogInfo
from phone_emulator.sip.digest import challenge_value
from phone_emulator.sip.message import Request, Response
from tests.lab.peers import PHONE, SERVER
from tests.phone.far_end import Play, play

ACTIVE = "active;expires=600"


def subscribe(
    on: Play, expires: str = "600", *, user: str = "1001", call_id: str = "w1", **how: Any
) -> Request:
    """A SUBSCRIBE to the phone's dialogs, not sent yet."""
    extra = [("Event", "dialog"), ("Expires", expires), *how.pop("extra", [])]
    return on.far.make("SUBSCRIBE", f"sip:{user}@{PHONE}", call_id=call_id, extra=extra, **how)


def again(first: Request, response: Response, cseq: int, expires: int, **headers: str) -> Request:
    """A SUBSCRIBE in the dialog that *response* made."""
    request = Request("SUBSCRIBE", str(response.contacts[0].uri), first.headers.copy())
    branch = f"z9hG4bKagain{cseq}"
    for name, value in {
        "Via": f"SIP/2.0/UDP {SERVER};branch={branch}",
        "To": response.headers.get("To") or "",
        "CSeq": f"{cseq} SUBSCRIBE",
        "Expires": str(expires),
        **headers,
    }.items():
        request.headers.set(name, value)
    return request


async def told(on: Play, state: str = ACTIVE, status: int = 200) -> tuple[Request, DialogInfo]:
    """The next NOTIFY, answered, and what it says."""
    notify = await on.far.heard("NOTIFY")
    assert notify.headers.get("Subscription-State") == state
    assert notify.headers.get("Content-Type") == "application/dialog-info+xml"
    on.far.answer(notify, status)
    return notify, dialog_info.read(notify.body)


async def watched(on: Play, expires: int = 600) -> tuple[Request, Response]:
    """A watcher has subscribed and heard the first NOTIFY."""
    request = subscribe(on, str(expires))
    on.far.send(request)
    response = await on.far.response(200, "SUBSCRIBE")
    assert response.headers.get("Expires") == str(expires)
    await told(on, f"active;expires={expires}")
    return request, response


def phases(info: DialogInfo) -> list[tuple[str, str, bool]]:
    return [(each.id, each.phase, each.held) for each in info.dialogs]


def names(message: Request) -> list[str]:
    return [name for name, _ in message.headers]


def test_a_watcher_hears_how_things_are() -> None:
    async def story(on: Play) -> None:
        request = subscribe(on)
        request.headers.set("Event", "dialog;id=7")
        on.far.send(request)
        response = await on.far.response(200, "SUBSCRIBE")
        assert [str(contact.uri) for contact in response.contacts] == [f"sip:1001@{PHONE}"]
        notify, info = await told(on)
        assert info == DialogInfo(entity=f"sip:1001@{SERVER}", version=0, full=True)
        assert (notify.uri, notify.call_id, notify.to_tag) == (
            f"sip:1001@{SERVER};transport=udp",
            "w1",
            request.from_tag,
        )
        assert notify.from_tag == response.to_tag
        assert notify.headers.get("Event") == "dialog;id=7"
        assert names(notify) == [  # T8
            "Via",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
            "Content-Type",
            "Max-Forwards",
            "User-Agent",
            "Subscription-State",
            "Event",
            "Content-Length",
        ]

    play(story)


def test_a_refresh_of_another_event_id_is_none() -> None:
    # RFC 6665 section 8.2.1
    async def story(on: Play) -> None:
        request = subscribe(on)
        request.headers.set("Event", "dialog;id=7")
        on.far.send(request)
        response = await on.far.response(200, "SUBSCRIBE")
        await told(on)
        for cseq, event in enumerate(("dialog", "dialog;id=8", "dialog;id=07"), 2):
            on.far.send(again(request, response, cseq, 0, Event=event))
            await on.far.response(481, "SUBSCRIBE")
        on.far.send(again(request, response, 5, 0, Event="dialog ; id=7"))
        await on.far.response(200, "SUBSCRIBE")
        await told(on, "terminated;reason=timeout")

    play(story)


def test_a_call_is_told_as_it_goes() -> None:
    """The state of an incoming call: changes within a second are told together."""

    async def story(on: Play) -> None:
        await watched(on)
        await asyncio.sleep(5)
        invite, _, call = await on.ringing()
        _, info = await told(on, "active;expires=595")
        [dialog] = info.dialogs
        assert (info.full, info.version, dialog.phase, dialog.incoming) == (False, 1, "early", True)
        assert (dialog.call_id, dialog.remote_tag) == (invite.call_id, invite.from_tag)
        assert (dialog.local, dialog.remote) == (f"sip:1001@{SERVER}", f"sip:1002@{SERVER}")
        began = on.world.now()
        call.answer()
        response = await on.far.response(200, "INVITE")
        on.far.send(on.far.ack(invite, response))
        _, info = await told(on, "active;expires=594")
        assert on.world.now() == pytest.approx(began + 1.0, abs=0.001)
        assert (info.version, phases(info)) == (2, [("call-1", "confirmed", False)])
        await asyncio.sleep(2)
        hanging_up = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        _, info = await told(on, "active;expires=592")
        assert (info.full, phases(info)) == (False, [("call-1", "terminated", False)])
        on.far.answer(bye, 200)
        await hanging_up
        await on.far.nothing()

    play(story)


def test_a_call_that_is_held() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        request = subscribe(on)
        on.far.send(request)
        await on.far.response(200, "SUBSCRIBE")
        _, info = await told(on)
        assert (info.full, phases(info), info.dialogs[0].incoming) == (
            True,
            [("call-1", "confirmed", False)],
            False,
        )
        await asyncio.sleep(3)
        holding = asyncio.create_task(call.hold())
        await on.far.accept_invite()
        await holding
        _, info = await told(on, "active;expires=597")
        assert (info.full, phases(info)) == (False, [("call-1", "confirmed", True)])

    play(story)


def test_a_refresh_draws_the_whole_state() -> None:
    async def story(on: Play) -> None:
        request, response = await watched(on)
        await asyncio.sleep(500)
        on.far.send(again(request, response, 2, 1200))
        assert (await on.far.response(200, "SUBSCRIBE")).headers.get("Expires") == "1200"
        _, info = await told(on, "active;expires=1200")
        assert (info.full, info.version) == (True, 1)
        await asyncio.sleep(1199)
        _, info = await told(on, "terminated;reason=timeout")
        assert on.world.now() == pytest.approx(1700, abs=0.01)
        on.far.send(again(request, response, 3, 600))
        await on.far.response(481, "SUBSCRIBE")
        assert on.phone.notifier.watchers == 0

    play(story)


def test_a_watcher_leaves() -> None:
    async def story(on: Play) -> None:
        request, response = await watched(on)
        on.far.send(again(request, response, 2, 0))
        assert (await on.far.response(200, "SUBSCRIBE")).headers.get("Expires") == "0"
        await told(on, "terminated;reason=timeout")
        await on.rest()
        assert on.phone.notifier.watchers == 0

    play(story)


def test_a_watcher_asks_once() -> None:
    async def story(on: Play) -> None:
        on.far.send(subscribe(on, "0"))
        await on.far.response(200, "SUBSCRIBE")
        _, info = await told(on, "terminated;reason=timeout")
        assert info.full
        await on.far.nothing()
        assert on.phone.notifier.watchers == 0

    play(story)


@pytest.mark.parametrize(("status", "left"), [(481, 0), (404, 0), (500, 1), (603, 1)])
def test_a_watcher_that_refuses(status: int, left: int) -> None:
    """RFC 6665 section 4.2.2, RFC 5057 section 5.1."""

    async def story(on: Play) -> None:
        on.far.send(subscribe(on))
        await on.far.response(200, "SUBSCRIBE")
        await told(on, status=status)
        await on.rest()
        assert on.phone.notifier.watchers == left

    play(story)


def test_a_watcher_that_is_gone() -> None:
    async def story(on: Play) -> None:
        on.far.send(subscribe(on))
        await on.far.response(200, "SUBSCRIBE")
        await asyncio.sleep(31.9)
        assert on.phone.notifier.watchers == 1
        await asyncio.sleep(0.2)
        assert on.phone.notifier.watchers == 0

    play(story)


def test_a_watcher_that_wants_credentials() -> None:
    async def story(on: Play) -> None:
        on.far.send(subscribe(on))
        await on.far.response(200, "SUBSCRIBE")
        challenged = await on.far.heard("NOTIFY")
        on.far.answer(challenged, 401, extra=[("WWW-Authenticate", challenge_value("pbx", "n1"))])
        notify, _ = await told(on)
        assert notify.cseq.number == challenged.cseq.number + 1
        assert "Authorization" in notify.headers
        assert on.phone.notifier.watchers == 1

    play(story)


@pytest.mark.parametrize(
    ("headers", "status", "tells"),
    [
        ({"Event": "presence"}, 489, "Allow-Events"),
        ({"Accept": "application/pidf+xml"}, 406, "Accept"),
        ({"Expires": "59"}, 423, "Min-Expires"),
        ({"Expires": "soon"}, 400, ""),
        ({"Contact": "<nonsense"}, 400, ""),
        ({"Require": "eventlist"}, 420, "Unsupported"),
    ],
)
def test_what_is_refused(headers: dict[str, str], status: int, tells: str) -> None:
    async def story(on: Play) -> None:
        request = subscribe(on)
        for name, value in headers.items():
            request.headers.set(name, value)
        on.far.send(request)
        response = await on.far.response(status, "SUBSCRIBE")
        assert not tells or tells in response.headers
        await on.far.nothing()
        assert on.phone.notifier.watchers == 0

    play(story)


def test_an_unknown_user_cannot_be_watched() -> None:
    async def story(on: Play) -> None:
        on.far.send(subscribe(on, user="4711"))
        await on.far.response(404, "SUBSCRIBE")

    play(story)


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"Event": "refer"}, "SUBSCRIBE", 489),
        ({"Expires": "10"}, "SUBSCRIBE", 423),
        ({"Expires": "-1"}, "SUBSCRIBE", 400),
        ({"CSeq": "0 SUBSCRIBE"}, "SUBSCRIBE", 500),
        ({"CSeq": "9 MESSAGE"}, "MESSAGE", 405),
    ],
)
def test_what_is_refused_in_the_dialog(headers: dict[str, str], method: str, status: int) -> None:
    async def story(on: Play) -> None:
        first, response = await watched(on)
        request = again(first, response, 2, 600)
        request.method = method
        for name, value in headers.items():
            request.headers.set(name, value)
        on.far.send(request)
        await on.far.response(status, method)
        assert on.phone.notifier.watchers == 1

    play(story)


def test_watchers_are_bounded() -> None:
    async def story(on: Play) -> None:
        for number in range(51):
            on.far.send(subscribe(on, call_id=f"w{number}"))
        statuses = [await on.far.hear() for _ in range(101)]
        refused = [each for each in statuses if isinstance(each, Response) and each.status == 503]
        assert [each.headers.get("Retry-After") for each in refused] == ["60"]
        assert on.phone.notifier.watchers == 50

    play(story)


def test_watchers_hear_that_the_phone_stops() -> None:
    async def story(on: Play) -> None:
        await watched(on)
        stopping = asyncio.create_task(on.phone.stop())
        await told(on, "terminated;reason=probation;retry-after=60")
        await stopping
        assert on.phone.notifier.watchers == 0

    play(story)


def test_a_route_is_kept() -> None:
    async def story(on: Play) -> None:
        route = f"<sip:{SERVER};lr>"
        on.far.send(subscribe(on, extra=[("Record-Route", route)]))
        response = await on.far.response(200, "SUBSCRIBE")
        assert response.headers.get("Record-Route") == route
        notify, _ = await told(on)
        assert notify.headers.get("Route") == route

    play(story)
