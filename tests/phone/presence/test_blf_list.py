"""BLF lists: one subscription for all numbers that the server lists (RFC 4662)."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.events import BlfChanged
from phone_emulator.phone.wire import resource_list
from phone_emulator.phone.wire.dialog_info import DialogInfo, DialogState, write
from phone_emulator.phone.wire.xml_body import XmlError
from phone_emulator.sip.message import Request
from tests.lab.peers import SERVER
from tests.phone.far_end import Play, play
from tests.phone.presence.watching import notify, registered

LIST: dict[str, Any] = {
    "account__1__blf__blf_list_uri": "bosses",
    "linekey__4__type": 39,
    "linekey__4__line": 1,
    "linekey__5__type": 39,
    "linekey__5__label": "Second",
}
KIND = 'multipart/related;type="application/rlmi+xml";start="<root>";boundary="50UBf"'


def part(content_id: str, content_type: str, body: bytes) -> bytes:
    head = f"--50UBf\r\nContent-ID: <{content_id}>\r\nContent-Type: {content_type}\r\n\r\n"
    return head.encode() + body + b"\r\n"


def listed(version: int, full: bool, **phases: str) -> bytes:
    """A NOTIFY's body: ``_1002="early"`` is the state of 1002, ``_1003="gone"`` ends it."""
    resources, parts = "", b""
    for name, phase in phases.items():
        number = name.strip("_")
        state = "terminated" if phase == "gone" else "active"
        resources += (
            f'<resource uri="sip:{number}@pbx"><name>x</name>'
            f'<instance id="i{number}" state="{state}" cid="c{number}"/></resource>'
        )
        dialogs = (DialogState(id="d", phase=phase, incoming=True),) if phase not in ("gone", "idle") else ()
        if phase != "gone":
            info = DialogInfo(entity=f"sip:{number}@pbx", version=version, full=True, dialogs=dialogs)
            parts += part(f"c{number}", "application/dialog-info+xml", write(info))
    rlmi = (
        '<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="sip:bosses@pbx" '
        f'version="{version}" fullState="{str(full).lower()}">{resources}</list>'
    )
    return part("root", "application/rlmi+xml", rlmi.encode()) + parts + b"--50UBf--\r\n"


async def subscribed(on: Play, body: bytes) -> Request:
    await registered(on)
    subscribe = await on.far.heard("SUBSCRIBE")
    on.far.answer(subscribe, 200, extra=[("Require", "eventlist")])
    await told(on, subscribe, 1, body)
    return subscribe


async def told(on: Play, subscribe: Request, cseq: int, body: bytes) -> None:
    request = notify(on.far, subscribe, cseq, body=body, content_type=KIND)
    request.headers.add("Require", "eventlist")
    on.far.send(request)
    await on.far.response(200, "NOTIFY")


def lamps(on: Play) -> list[tuple[int, str, str]]:
    return [(each.key, each.number, str(each.state)) for each in on.events if isinstance(each, BlfChanged)]


def test_the_numbers_of_a_list_take_the_keys_in_order() -> None:
    async def story(on: Play) -> None:
        subscribe = await subscribed(on, listed(0, True, _1003="idle", _1002="early", _1004="confirmed"))
        assert subscribe.uri == f"sip:bosses@{SERVER}"
        assert subscribe.headers.get("Supported") == "eventlist"
        assert subscribe.headers.values("Accept") == [
            "multipart/related",
            "application/rlmi+xml",
            "application/dialog-info+xml",
        ]
        assert lamps(on) == [(4, "1003", "idle"), (5, "1002", "ringing")]
        assert [lamp.label for lamp in on.phone.line(1).subscriptions.lamps] == ["1003", "Second"]
        await told(on, subscribe, 2, listed(1, False, _1003="confirmed"))
        await told(on, subscribe, 3, listed(2, False, _1002="gone"))
        assert lamps(on)[2:] == [(4, "1003", "talking"), (5, "1002", "unknown")]

    play(story, **LIST)


def test_a_number_that_leaves_the_list_frees_its_key() -> None:
    async def story(on: Play) -> None:
        subscribe = await subscribed(on, listed(0, True, _1002="idle", _1003="idle"))
        await told(on, subscribe, 2, listed(1, True, _1003="idle", _1004="early"))
        assert lamps(on)[2:] == [(4, "1002", "unknown"), (4, "1004", "ringing")]

    play(story, **LIST)


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", 'multipart/related;boundary=""', "expected a boundary"),
        (b"--x\r\n\r\n", "multipart/related;boundary=x", "the last boundary is missing"),
        (b"--x\r\n\r\n\r\n--x--", "multipart/related;boundary=x", "expected a part of application/rlmi+xml"),
        (b"--x\r\n" * 600, "multipart/related;boundary=x", "601 parts are more than 500"),
        (
            b"--x\r\nContent-Type: application/rlmi+xml\r\n\r\n<!DOCTYPE a><list/>\r\n--x--",
            "multipart/related;boundary=x",
            "a document type is not allowed here",
        ),
    ],
)
def test_lists_that_cannot_be_read(body: bytes, kind: str, reason: str) -> None:
    with pytest.raises(XmlError, match=re.escape(reason)):
        resource_list.read(body, kind)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(XmlError):
        assert (
            resource_list.read(b"--x\r\n" + body + b"\r\n--x--", "multipart/related;boundary=x").resources
            is not None
        )


def test_another_line_does_not_take_what_requires_lists() -> None:
    async def story(on: Play) -> None:
        await registered(on)
        subscribe = await on.far.heard("SUBSCRIBE")
        on.far.answer(subscribe, 200)
        request = notify(on.far, subscribe, 1)
        request.headers.add("Require", "eventlist")
        on.far.send(request)
        assert (await on.far.response(420)).headers.get("Unsupported") == "eventlist"

    play(story, account__1__subscribe_mwi=1)


def test_no_part_is_read_twice() -> None:
    instances = '<instance id="i" state="active" cid="c"/>' * 3
    rlmi = f'<list version="1" fullState="true"><resource uri="sip:1@pbx">{instances}</resource></list>'
    body = part("root", resource_list.RLMI, rlmi.encode()) + part("c", "x/y", b"state") + b"--50UBf--"
    [resource] = resource_list.read(body, KIND).resources
    assert [each.strip() for each in resource.bodies] == [b"state"]
