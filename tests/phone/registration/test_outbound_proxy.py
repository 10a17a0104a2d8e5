"""Outbound proxies: they replace the next hop and nothing else, and inherit every failover key (O1, O2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest

from phone_emulator.events import Address, Outcome
from phone_emulator.phone import CallResult
from phone_emulator.sip.message import Request
from tests.phone.stage import Answer, Stage, play, server_1, server_2

ZONE = """\
$ORIGIN proxy.test.
$TTL 600
@    A     192.168.1.13
@    A     192.168.1.14
best NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.best
_sip._tcp.best SRV 1 1 5060 two
_sip._tcp.best SRV 2 1 5060 one
one  A     192.168.1.13
two  A     192.168.1.14
"""
"""The proxies; nothing here knows yealink.pbx.com, the server's own name."""
FULL = {"INVITE": 32.0, "REGISTER": 7.5}


def proxy(number: int = 1, **settings: object) -> dict[str, str]:
    """``account.1.outbound_proxy.Y.*`` by short names."""
    return {f"account.1.outbound_proxy.{number}.{key}": str(value) for key, value in settings.items()}


BASE = {
    "account.1.outbound_proxy_enable": "1",
    **server_2(address=""),
    **proxy(address="proxy.test", port=5060),
}
"""One proxy with a primary at .13 and a secondary at .14."""


# -- the list logic is the same, per proxy: rule O1 -------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [(503, "unavailable"), ("refuse", "icmp"), ("silent", "no-response")],
)
def test_a_proxy_has_a_primary_and_a_secondary(method: str, behaviour: object, outcome: str) -> None:
    # rule O1
    async def story(stage: Stage) -> None:
        if method == "INVITE":
            call = stage.phone.dial("1002")
            assert await call.settled() is CallResult.ANSWERED
            route = call.route
        else:
            await stage.phone.register()
            route = stage.registers()
        switch = FULL[method] if behaviour == "silent" else 0.0
        assert stage.route(route) == [
            ("primary", outcome, 0.0, switch),
            ("secondary", "answered", switch, switch),
        ]
        assert {attempt.target.host for attempt in route} == {"proxy.test"}
        for request in stage.requests(method):
            assert request.request_uri.host == "yealink.pbx.com"
            assert request.from_address.uri.host == request.to_address.uri.host == "yealink.pbx.com"

    play(story, BASE, zone=ZONE, primary=behaviour)


def test_an_answer_through_a_proxy_is_an_answer() -> None:
    # rule O1
    # rule C3
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.REJECTED
        assert [attempt.target.role for attempt in call.route] == ["primary"]

    play(story, BASE, zone=ZONE, primary=404)


def test_naptr_and_srv_of_the_proxys_name() -> None:
    # rule O1
    # rule D2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [str(attempt.target) for attempt in call.route] == ["primary 192.168.1.14:5060/tcp"]

    play(story, BASE | proxy(address="best.proxy.test", port=0), zone=ZONE)


def test_two_proxies_are_two_lists() -> None:
    """The first proxy's list is walked to its end, and its last target is waited for in full."""

    # rule O1
    # rule C5
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 1.5),
            ("secondary", "no-response", 1.5, 33.5),
            ("fallback", "answered", 33.5, 33.5),
        ]
        assert {request.uri for request in stage.requests("INVITE")} == {"sip:1002@yealink.pbx.com"}

    second = proxy(2, address="192.168.1.15", port=5060)
    settings = BASE | second | proxy(invite_retry_counts=1)
    play(story, settings, zone=ZONE, primary="silent", secondary="silent")


def test_two_proxies_and_two_servers() -> None:
    """Behind the second proxy stands the second server: its names are those of the new request (C7)."""

    # rule O1
    # rule C7
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        assert [request.uri for request in stage.requests("INVITE", ".13")] == ["sip:1002@yealink.pbx.com"]
        assert {request.uri for request in stage.requests("INVITE", ".15")} == {"sip:1002@pbx2.test:5060"}

    settings = BASE | proxy(address="192.168.1.13") | proxy(2, address="192.168.1.15", port=5060)
    play(story, settings | server_2(address="pbx2.test"), zone=ZONE, primary=503)


def test_a_proxy_that_is_not_enabled_is_not_asked() -> None:
    # rule O1
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        assert [attempt.target.host for attempt in call.route] == ["yealink.pbx.com"]

    play(story, BASE | {"account.1.outbound_proxy_enable": "0"})


# -- every key per proxy, -1 takes the server's: rule O2 --------------------------------------------------

Observe = Callable[[Stage], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Key:
    """One failover key: what can be seen of it, with each of two values."""

    name: str
    observe: Observe
    seen: Mapping[int, object]
    settings: Mapping[str, object] = field(default_factory=dict)
    """What the key needs beside it, as keys of the server."""
    primary: object = "ok"

    def __str__(self) -> str:
        return self.name


async def switch_of_invite(stage: Stage) -> float:
    """When the INVITE goes to the secondary."""
    call = stage.phone.dial("1002")
    await call.settled()
    return call.route[1].started


async def switch_of_register(stage: Stage) -> float:
    """When the REGISTER goes to the secondary."""
    await stage.phone.register()
    return stage.registers()[1].started


async def registers_before_the_call(stage: Stage) -> list[str]:
    """Where a call that fails over registers first."""
    await stage.phone.dial("1002").settled()
    return [attempt.target.role for attempt in stage.registers()]


async def second_call(stage: Stage) -> str:
    """Whom the call after a failover asks first."""
    await failed_over(stage)
    call = stage.phone.dial("1003")
    await call.settled()
    return call.route[0].target.role


async def call_while_the_secondary_fails(stage: Stage) -> list[str]:
    """Whom a call may ask while the line is registered at the secondary only, and that is down."""
    await stage.phone.register()
    await stage.behave(primary=503)
    await failed_over(stage)
    await stage.behave(primary="ok", secondary={"INVITE": 503})
    call = stage.phone.dial("1003")
    await call.settled()
    return [each.target.role for each in call.route if each.outcome is not Outcome.SKIPPED]


async def returns_after(stage: Stage) -> float:
    """Seconds, in steps of 50, until a call asks the primary first again."""
    await failed_over(stage)
    await stage.behave(primary="ok")
    while True:
        await asyncio.sleep(50)
        call = stage.phone.dial("1003")
        await call.settled()
        await call.hang_up()
        if call.via == "primary":
            return stage.world.now()


async def failed_over(stage: Stage) -> None:
    call = stage.phone.dial("1002")
    await call.settled()
    assert call.via == "secondary"
    await call.hang_up()


KEYS = [
    Key("invite_retry_counts", switch_of_invite, {1: 1.5, 3: 7.5}, primary="silent"),
    Key("retry_counts", switch_of_register, {1: 1.5, 2: 3.5}, primary="silent"),
    Key("retry_counts", switch_of_invite, {1: 1.5, 2: 3.5}, primary="silent"),
    Key("register_on_enable", registers_before_the_call, {0: [], 1: ["secondary"]}, primary=503),
    Key("failback_mode", second_call, {0: "primary", 3: "secondary"}, primary=503),
    Key("failback_timeout", returns_after, {100: 100.0, 200: 200.0}, {"failback_mode": 3}, primary=503),
    Key(
        "only_signal_with_registered",
        call_while_the_secondary_fails,
        {0: ["secondary", "primary"], 1: ["secondary"]},
        {"failback_mode": 3, "register_on_enable": 1},
    ),
]
HOW = {
    "left out": lambda key, value, other: server_1(**{key: value}),
    "-1": lambda key, value, other: server_1(**{key: value}) | proxy(**{key: -1}),
    "its own": lambda key, value, other: server_1(**{key: other}) | proxy(**{key: value}),
    "its own alone": lambda key, value, other: proxy(**{key: value}),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_each_key(key: Key, position: int, how: str) -> None:
    # rule O2
    value, other = (list(key.seen)[place] for place in (position, 1 - position))

    async def story(stage: Stage) -> None:
        assert await key.observe(stage) == key.seen[value]

    settings = BASE | server_1(**key.settings) | HOW[how](key.name, value, other)
    play(story, settings, zone=ZONE, primary=key.primary)


SUBSCRIBED = [[Answer(0, 200, [("Contact", "<sip:mailbox@192.168.1.13>"), ("Expires", "3600")])]]


def notify_to(subscribe: Request, tag: str) -> Request:
    """The NOTIFY that establishes the subscription."""
    notify = Request("NOTIFY", str(subscribe.contacts[0].uri))
    for name, value in (
        ("Via", "SIP/2.0/UDP 192.168.1.13;branch=z9hG4bKnotify"),
        ("From", f"{subscribe.headers.get('To')};tag={tag}"),
        ("To", subscribe.headers.get("From") or ""),
        ("Call-ID", subscribe.call_id),
        ("CSeq", "1 NOTIFY"),
        ("Event", "message-summary"),
        ("Subscription-State", "active;expires=3600"),
    ):
        notify.headers.add(name, value)
    return notify


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(("follows", "where"), [(0, [".13"]), (1, [".13", ".14"])])
def test_subscriptions_follow(follows: int, where: list[str], how: str) -> None:
    # rule O2
    # rule F6
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(1)
        [subscribe] = stage.actors["primary"].requests("SUBSCRIBE")
        stage.actors["primary"].send(notify_to(subscribe, "actor13"), Address("192.168.1.21", 5060))
        stage.actors["primary"].script.pop("REGISTER")
        await asyncio.sleep(600)
        assert stage.registered() == ["secondary"]
        assert [line.where for line in stage.sent("SUBSCRIBE")] == where

    granted = {"REGISTER": [[Answer(0, 200, [("Expires", "600")])]], "SUBSCRIBE": SUBSCRIBED}
    settings = {
        **BASE,
        **server_1(failback_mode=3),
        "account.1.subscribe_mwi": "1",
        **HOW[how]("failback_subscribe.enable", follows, 1 - follows),
    }
    play(story, settings, zone=ZONE, actors={"primary": granted, "secondary": granted})


def test_each_proxy_inherits_from_its_own_server() -> None:
    # rule O2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        assert stage.route(call.route) == [
            ("primary", "no-response", 0.0, 1.5),
            ("secondary", "no-response", 1.5, 33.5),
            ("fallback", "no-response", 33.5, 37.0),
            ("fallback-2", "no-response", 37.0, 69.0),
        ]

    zone = ZONE + "second A 192.168.1.15\nsecond A 192.168.1.16\n"
    settings = {
        **BASE,
        **server_1(invite_retry_counts=1),
        **server_2(address="192.168.1.99", invite_retry_counts=2),
        **proxy(invite_retry_counts=-1),
        **proxy(2, address="second.proxy.test", port=5060, invite_retry_counts=-1),
    }
    play(story, settings, zone=zone, primary="silent", secondary="silent", fallback="silent")
