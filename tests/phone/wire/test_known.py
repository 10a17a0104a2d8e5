"""Whose word counts (docs/decisions/trust.md)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network

import pytest

from phone_emulator.config.model import AccountConfig, ProxyConfig, ServerConfig
from phone_emulator.events import CallState, Transport
from phone_emulator.phone.wire.known import MOST, MOST_IN_DIALOG, KnownServers, Sources
from phone_emulator.sip.dialog import Dialog
from tests.lab.peers import PHONE, SERVER, Peer
from tests.phone.far_end import STRANGER, Play, offer, play
from tests.phone.stage import Stage
from tests.phone.stage import play as play_on_stage

ACCOUNT = AccountConfig(
    index=1,
    servers=(
        ServerConfig(number=1, address="pbx.example"),
        ServerConfig(number=2, address="192.0.2.2"),
    ),
    proxies=(ProxyConfig(number=1, address="FD00:0::3"),),
)


async def nowhere(name: str) -> list[str]:
    return []


def sources(*known: str) -> Sources:
    servers = KnownServers(ACCOUNT)
    servers.note("pbx.example", known)
    return Sources(servers, nowhere)


def dialog(target: str, *routes: str) -> Dialog:
    return Dialog(
        call_id="c",
        local_tag="a",
        remote_tag="b",
        local_address="<sip:a@x>",
        remote_address="<sip:b@x>",
        remote_target=target,
        route_set=[f"<{route}>" for route in routes],
    )


# -- the line's servers --------------------------------------------------------------------------------------


def test_what_stands_in_the_cfg_is_known_before_any_lookup() -> None:
    assert "192.0.2.2" in KnownServers(ACCOUNT)
    assert "192.0.2.3" not in KnownServers(ACCOUNT)


@pytest.mark.parametrize("enabled", [False, True])
def test_an_outbound_proxy_is_one_where_it_is_used(enabled: bool) -> None:
    servers = KnownServers(replace(ACCOUNT, outbound_proxy_enable=enabled))
    assert ("fd00::3" in servers) is enabled


def test_whatever_dns_ever_gave_stays_known() -> None:
    servers = KnownServers(ACCOUNT)
    servers.note("pbx.example", ["192.0.2.9"])
    servers.note("pbx.example", ["192.0.2.10"])
    assert "192.0.2.9" in servers
    servers.note("pbx.example", (f"10.0.{number // 250}.{number % 250}" for number in range(MOST)))
    assert "192.0.2.9" not in servers


def test_networks_may_be_known() -> None:
    servers = KnownServers(ACCOUNT, [ip_network("198.51.100.0/24"), ip_network("2001:db8::/32")])
    known = ["198.51.100.7", "2001:db8::7", "198.51.101.7", "nonsense", ""]
    assert [host in servers for host in known] == [True, True, False, False, False]


# -- in a dialog ---------------------------------------------------------------------------------------------


def test_a_server_names_whom_it_likes() -> None:
    known = sources("192.0.2.1")
    known.heard("192.0.2.1", dialog("sip:b@198.51.100.1;maddr=198.51.100.2", "sip:[FD00:0::5];lr"))
    named = ["198.51.100.1", "198.51.100.2", "fd00::5", "198.51.100.3"]
    assert [known.admits(host) for host in named] == [True, True, True, False]


def test_whom_it_has_named_names_others() -> None:
    known = sources("192.0.2.1")
    known.heard("192.0.2.1", dialog("sip:b@198.51.100.1"))
    known.heard("198.51.100.1", dialog("sip:b@198.51.100.9"))
    assert known.admits("198.51.100.9")


def test_a_stranger_names_nobody() -> None:
    known = sources("192.0.2.1")
    known.begin("203.0.113.1")
    known.heard("203.0.113.1", dialog("sip:b@198.51.100.1", "sip:192.0.2.1;lr"))
    assert not known.founded
    assert known.admits("203.0.113.1")
    assert not known.vouches("203.0.113.1")
    assert not known.admits("198.51.100.1")


def test_whoever_is_dialled_may_name_others() -> None:
    known = sources()
    known.dialled("203.0.113.1")
    known.heard("203.0.113.1", dialog("sip:b@198.51.100.1"))
    assert known.founded
    assert known.admits("198.51.100.1")


def test_a_name_is_known_by_its_addresses() -> None:
    known = sources("192.0.2.1")
    known.heard("192.0.2.1", dialog("sip:b@Far.Example"))
    assert (known.vouches("far.example"), known.unresolved) == (True, True)
    known.resolved("far.example", ["198.51.100.1"])
    assert (known.admits("198.51.100.1"), known.unresolved) == (True, False)
    known.resolved("other.example", ["198.51.100.2"])  # which nobody has named
    assert not known.admits("198.51.100.2")


@pytest.mark.parametrize("asked_for", [False, True])
def test_a_connection_comes_from_whichever_address(asked_for: bool) -> None:
    known = sources()
    known.takes_connections = asked_for
    assert known.admits("203.0.113.1", Transport.TCP) is asked_for
    assert not known.admits("203.0.113.1", Transport.UDP)


def test_memory_is_bounded() -> None:
    known = sources("192.0.2.1")
    for number in range(MOST_IN_DIALOG + 1):
        known.heard("192.0.2.1", dialog(f"sip:b@name{number}.example"))
        known.heard(f"10.0.0.{number}")
    assert not known.vouches("name0.example")
    assert not known.admits("10.0.0.0")
    assert known.admits(f"10.0.0.{MOST_IN_DIALOG}")


@pytest.mark.parametrize(
    ("begun_by", "media", "may"),
    [
        ("192.0.2.1", "203.0.113.9", True),
        ("203.0.113.1", "203.0.113.1", True),
        ("203.0.113.1", "192.0.2.1", True),
        ("203.0.113.1", "203.0.113.9", False),
    ],
)
def test_who_may_have_sound_sent_where(begun_by: str, media: str, may: bool) -> None:
    known = sources("192.0.2.1")
    known.begin(begun_by)
    known.heard(begun_by)
    assert known.may_have_sound(media) is may


# -- of a phone ----------------------------------------------------------------------------------------------

ZONE = """
$ORIGIN yealink.pbx.com.
$TTL 300
@    IN A 192.168.1.13
edge IN A 192.168.1.66
"""


@pytest.mark.parametrize(("name", "status"), [("edge.yealink.pbx.com", 200), ("yealink.pbx.com", 481)])
def test_a_route_by_name_is_looked_up_when_it_matters(name: str, status: int) -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        far = await Peer(stage.world).bind(STRANGER, PHONE)
        server = Peer(stage.world)
        await server.bind(SERVER._replace(port=5090), PHONE)
        invite = server.make("INVITE", f"sip:1001@{PHONE}", call_id="in-1", user="1002")
        invite.headers.add("Record-Route", f"<sip:{name};lr>")
        server.send(invite)
        ringing = await server.response(180)
        again = far.make("OPTIONS", f"sip:1001@{PHONE}", call_id="in-1", user="1002", cseq=2)
        again.headers.set("To", ringing.headers.get("To") or "")
        far.send(again)
        await far.response(status, "OPTIONS")

    play_on_stage(story, zone=ZONE)


def test_a_notify_from_elsewhere_waits_for_the_answer_that_names_its_sender() -> None:
    """RFC 6665 section 4.4.1: it may come first, from whom the server has passed the SUBSCRIBE on to."""

    async def story(on: Play) -> None:
        on.phone.spawn(on.phone.register(), "registering")
        register = await on.far.heard("REGISTER")
        contact = ("Contact", f"{register.headers.get('Contact')};expires=3600")
        on.far.answer(register, 200, extra=[contact])
        subscribe = await on.far.heard("SUBSCRIBE")
        notifier = await on.stranger()
        notify = on.from_far("NOTIFY", subscribe)
        notify.headers.set("Via", f"SIP/2.0/UDP {STRANGER};branch=z9hG4bKearly")
        notify.headers.add("Contact", f"<sip:1001@{STRANGER}>")
        notify.headers.add("Event", "message-summary")
        notify.headers.add("Subscription-State", "active;expires=600")
        notifier.send(notify)
        await asyncio.sleep(1)
        assert notifier.inbox.empty()
        on.far.answer(subscribe, 200, extra=[("Contact", f"<sip:1001@{STRANGER}>"), ("Expires", "600")])
        await notifier.response(200, "NOTIFY")

    play(story, account__1__subscribe_mwi=1)


def test_the_far_end_may_move_and_is_followed() -> None:
    """A target refresh from whom the server has named (RFC 3261 section 12.2.2)."""

    async def story(on: Play) -> None:
        far, call = await on.stranger(), on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=offer(), extra=[("Contact", f"<sip:1002@{STRANGER}>")])
        await far.heard("ACK")
        moved = STRANGER._replace(host="192.168.1.67")
        update = on.from_far("UPDATE", invite)
        update.headers.set("Via", f"SIP/2.0/UDP {STRANGER};branch=z9hG4bKmoved")
        update.headers.set("Contact", f"<sip:1002@{moved}>")
        far.send(update)
        await far.response(200, "UPDATE")
        there = await on.stranger(moved)
        bye = on.from_far("BYE", invite, 102)
        bye.headers.set("Via", f"SIP/2.0/UDP {moved};branch=z9hG4bKthere")
        there.send(bye)
        await there.response(200, "BYE")
        assert call.state is CallState.ENDED

    play(story)
