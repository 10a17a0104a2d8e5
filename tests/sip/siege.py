"""Whole phones besieged by a fuzzer: what comes in is mutated, what is left afterwards is nothing.

`requests`: a phone in a call hears mutated requests and responses of strangers and of its far end.
`responses`: a phone registers, subscribes and places calls, and every answer that it gets is mutated.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from phone_emulator.events import Address, CallState
from phone_emulator.phone import Call, CallError
from phone_emulator.sip.message import Headers, MessageError, Request, response_to
from phone_emulator.sip.parser import parse
from tests.lab.peers import PHONE, Peer
from tests.phone.far_end import Play, offer, play
from tests.sip.fuzzing import BODIES, CHALLENGES, TORTURE, Target, mutation

STRANGER = Address("192.168.1.66", 5060)
REST = 400.0
"""Seconds, after which nothing is left of any request."""
GROWTH = 1.3
"""By what factor the memory may grow after the first round."""
EVERYTHING = {
    "account__1__100rel_enable": 1,
    "account__1__session_timer__enable": 1,
    "account__1__out_dialog_blf_enable": 1,
}
"""cfg keys that switch further parts of the phone on."""
SUBSCRIBING = {
    "account__1__subscribe_mwi": 1,
    "linekey__5__type": 16,
    "linekey__5__line": 1,
    "linekey__5__value": "1003",
}
INSIDE = {
    "INVITE": [("Session-Expires", "90;refresher=uac"), ("Supported", "timer, 100rel")],
    "ACK": [],
    "BYE": [("Reason", "SIP;cause=200")],
    "CANCEL": [],
    "OPTIONS": [("Accept", "application/sdp")],
    "INFO": [("Info-Package", "dtmf")],
    "UPDATE": [("Session-Expires", "90;refresher=uas"), ("Min-SE", "90")],
    "NOTIFY": [("Event", "refer"), ("Subscription-State", "active;expires=60")],
    "REFER": [("Refer-To", "<sip:1003@192.168.1.13>"), ("Referred-By", "<sip:1002@192.168.1.13>")],
    "PRACK": [("RAck", "1 100 INVITE")],
    "SUBSCRIBE": [("Event", "refer"), ("Expires", "60")],
    "MESSAGE": [("Content-Disposition", "render")],
}
"""Requests of the far end, and what they carry."""
OUTSIDE = {
    "INVITE": [("Replaces", "in-1;to-tag=1;from-tag=from-1"), ("Require", "replaces")],
    "NOTIFY": [("Event", "message-summary"), ("Subscription-State", "terminated;reason=noresource")],
    "SUBSCRIBE": [("Event", "dialog"), ("Expires", "600"), ("Accept", "application/dialog-info+xml")],
    "REFER": [("Refer-To", "<sip:1003@192.168.1.13;method=INVITE?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>")],
    "PUBLISH": [("Event", "presence")],
    "REGISTER": [("Expires", "0")],
}
"""Further requests of strangers."""
EVENTS = (
    "check-sync;reboot=true",
    "talk",
    "hold",
    "dialog",
    "reg",
    "refer;id=5",
    "keep-alive",
    "message-summary",
)
FINALS = (200, 200, 200, 200, 202, 302, 380, 400, 401, 403, 404, 407, 408, 420, 422, 423, 480, 481)
MORE_FINALS = (486, 487, 488, 489, 491, 494, 500, 503, 503, 600, 603, 699)
PROVISIONALS = (100, 180, 180, 183, 183, 199)
EXTRAS: tuple[tuple[str, str], ...] = (
    ("Contact", "<sip:1002@192.168.1.66>;q=0.5, <sip:1003@192.168.1.66>"),
    ("Contact", "<sip:1002@192.168.1.66>;expires=60"),
    ("Record-Route", "<sip:192.168.1.66;lr>, <sip:192.168.1.13>"),
    ("Require", "100rel"),
    ("RSeq", "1"),
    ("Session-Expires", "90;refresher=uac"),
    ("Min-SE", "1800"),
    ("Min-Expires", "7200"),
    ("Expires", "30"),
    ("Retry-After", "5 (soon);duration=60"),
    ("Unsupported", "replaces"),
    ("Service-Route", "<sip:192.168.1.66;lr>"),
    ("Path", "<sip:192.168.1.66;lr>"),
    ("Date", "Sun, 22 Nov 2026 22:00:00 GMT"),
    ("Warning", '399 pbx "no"'),
    ("P-Asserted-Identity", '"B" <sip:1003@pbx>'),
    *(("WWW-Authenticate", challenge) for challenge in CHALLENGES),
    *(("Proxy-Authenticate", challenge) for challenge in CHALLENGES),
)

Watched = Callable[[Target], Target]
Siege = Callable[[random.Random, Callable[[], bool], Watched, int], None]


class Stranger(Peer):
    """Takes whatever comes back."""

    def datagram_received(self, data: bytes, remote: object) -> None:
        with contextlib.suppress(MessageError):
            parse(data)

    def datagram_failed(self, remote: object, reason: str, data: bytes) -> None:
        pass


def requests(dice: random.Random, going_on: Callable[[], bool], watched: Watched, inputs: int = 2000) -> None:
    """A phone in a call hears mutated messages, in and outside its dialog, while *going_on*.

    After each *inputs* it is left alone, and nothing may be left of them. *watched* wraps what takes them.
    """

    async def story(on: Play, watch: Target, aim: Callable[[Target], None]) -> None:
        invite, answered, call = await on.taken()
        stranger = await Stranger(on.world).bind(STRANGER, remote=PHONE)
        transports = on.phone.context.endpoint.transports
        aim(lambda data: transports.datagram_received(data, stranger.local))
        own, phone = invite.headers.get("From") or "", answered.headers.get("To") or ""
        seeds = [*TORTURE, *(_outside(method).to_bytes() for method in INSIDE)]
        for method, extra in INSIDE.items():
            seeds.append(_carrying(on.far.inside(method, "in-1", own, phone), extra, _body_of(dice, method)))
        for method, extra in OUTSIDE.items():
            seeds.append(_carrying(_outside(method), extra, _body_of(dice, method)))
        seeds += [
            _carrying(notify, [("Event", event)], dice.choice(BODIES))
            for event in EVENTS
            for notify in (on.far.inside("NOTIFY", "in-1", own, phone), _outside("NOTIFY"))
        ]
        for number in range(inputs):
            watch(mutation(dice, dice.choice(seeds)).replace(b"=z9hG4bK", b"=z9hG4bK%d" % number, 1))
            on.events.clear()
            if number % 20 == 0:
                await asyncio.sleep(dice.choice((0, 0.001, 0.6)))
            for other in on.phone.calls[3:]:
                if other.state is CallState.RINGING:
                    await other.hang_up()
        await call.hang_up()
        await _come_to_rest(on)
        assert on.phone.context.endpoint.live_transactions == 0

    _besiege(story, going_on, watched, EVERYTHING)


def responses(
    dice: random.Random, going_on: Callable[[], bool], watched: Watched, inputs: int = 2000
) -> None:
    """A phone registers, subscribes and places calls; every answer that it hears is mutated, or odd.

    After each *inputs* every call is ended, and none may be left. *watched* wraps what takes the answers.
    """

    async def story(on: Play, watch: Target, aim: Callable[[Target], None]) -> None:
        server = Server(on, dice, watch, inputs)
        await server.bind(STRANGER, remote=PHONE)
        aim(server.deliver)
        while server.left > 0:
            doing = asyncio.create_task(_use(on, dice))
            await asyncio.wait([doing], timeout=600)
            assert doing.done(), "an order to the phone has no end"
            await doing
            on.events.clear()
        await _come_to_rest(on)

    address = {"account__1__sip_server__1__address": STRANGER.host}
    _besiege(story, going_on, watched, {**EVERYTHING, **SUBSCRIBING, **address})


SIEGES: dict[str, Siege] = {"endpoint": requests, "responses": responses}


class Server(Peer):
    """Answers each request of the phone with up to three responses, most of them mutated."""

    def __init__(self, on: Play, dice: random.Random, watch: Target, inputs: int) -> None:
        super().__init__(on.world)
        self.left = inputs
        self._dice = dice
        self._watch = watch
        self._transports = on.phone.context.endpoint.transports

    def deliver(self, data: bytes) -> None:
        """Let the phone hear *data*."""
        self._transports.datagram_received(data, STRANGER)

    def datagram_received(self, data: bytes, remote: object) -> None:
        with contextlib.suppress(MessageError):
            request = parse(data)
            if isinstance(request, Request) and request.method != "ACK":
                self._answer(request)

    def datagram_failed(self, remote: object, reason: str, data: bytes) -> None:
        pass

    def _answer(self, request: Request) -> None:
        dice = self._dice
        statuses = list(dice.choices(PROVISIONALS, k=dice.randrange(3))) if request.method == "INVITE" else []
        statuses += dice.choices((*FINALS, *MORE_FINALS), k=dice.choice((0, 1, 1, 1, 1, 2)))
        for status in statuses:
            extra = dice.sample(EXTRAS, dice.randrange(4))
            if status < 300 and dice.random() < 0.8:
                extra.insert(0, ("Contact", f"<sip:1002@{STRANGER}>"))
            body = b"" if request.method != "INVITE" or dice.random() < 0.3 else offer()
            if body:
                extra.append(("Content-Type", "application/sdp"))
            tag = dice.choice(("one", "one", "one", "two"))
            data = response_to(request, status, to_tag=tag, extra=extra, body=body).to_bytes()
            if dice.random() < 0.7:
                data = mutation(dice, data)
            self.left -= 1
            self._watch(data)


async def _use(on: Play, dice: random.Random) -> None:
    """What a person does with the phone for a while; the phone may refuse any of it."""
    with contextlib.suppress(CallError):
        if dice.random() < 0.2:
            async with _patience(60):
                await on.phone.register()
        call = on.phone.dial("1002")
        orders: list[Callable[[], Awaitable[object]]] = [call.hold, call.resume, lambda: call.send_dtmf("5")]
        await asyncio.sleep(dice.choice((0, 0.1, 1, 5)))
        for order in dice.choices(orders, k=dice.randrange(3)):
            with contextlib.suppress(CallError):
                async with _patience(60):
                    await order()
        async with _patience(60):
            await call.hang_up()


@contextlib.asynccontextmanager
async def _patience(seconds: float) -> AsyncIterator[None]:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            yield


async def _come_to_rest(on: Play) -> None:
    for call in tuple(on.phone.calls):
        await call.hang_up()
    await asyncio.sleep(REST)
    for call in tuple(on.phone.calls):  # a subscription or a transfer brought one more
        await call.hang_up()
    await asyncio.sleep(REST)
    assert on.phone.calls == []
    assert [user for user in on.phone.dialogs if isinstance(user, Call)] == []


def _besiege(
    story: Callable[[Play, Target, Callable[[Target], None]], Awaitable[None]],
    going_on: Callable[[], bool],
    watched: Watched,
    settings: Mapping[str, Any],
) -> None:
    """Play *story* again and again; it aims the one watched target at its own phone."""
    heard = list[Target]()
    watch = watched(lambda data: heard[-1](data))
    largest = 0
    while going_on():

        async def once(on: Play) -> None:
            await story(on, watch, heard.append)

        play(once, **settings)
        heard.clear()
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert not largest or used < largest * GROWTH, f"{largest} KiB have become {used}"
        largest = largest or used


def _carrying(request: Request, extra: list[tuple[str, str]], body: bytes) -> bytes:
    """*request* with the headers *extra*, in the place of those of the same name, and *body*."""
    for name, value in extra:
        request.headers.set(name, value)
    if body:
        request.headers.set("Content-Type", "application/sdp" if body == offer() else _TYPES[body])
    request.body = body
    return request.to_bytes()


_TYPES = dict(
    zip(
        BODIES,
        (
            "application/simple-message-summary",
            "application/dialog-info+xml",
            "message/sipfrag;version=2.0",
            "text/plain",
            "text/plain",
            "application/dtmf-relay",
        ),
        strict=True,
    )
)


def _body_of(dice: random.Random, method: str) -> bytes:
    if method in ("INVITE", "UPDATE", "ACK", "PRACK"):
        return offer()
    return dice.choice(BODIES) if method in ("NOTIFY", "INFO", "MESSAGE") else b""


def _outside(method: str) -> Request:
    """A request of no dialog."""
    headers = Headers(
        [
            ("Via", f"SIP/2.0/UDP {STRANGER};branch=z9hG4bK"),
            ("From", f"<sip:66@{STRANGER.host}>;tag=1"),
            ("To", f"<sip:1001@{PHONE.host}>"),
            ("Call-ID", "outside"),
            ("CSeq", f"1 {method}"),
            ("Contact", f"<sip:66@{STRANGER.host}>"),
            ("Content-Type", "application/sdp"),
        ]
    )
    return Request(method, f"sip:1001@{PHONE.host}", headers, offer())
