"""Where the embedded servers for somebody's files stand."""

from __future__ import annotations

import click
import pytest

from phone_emulator.cli.places import guide_zone, places_of
from phone_emulator.config import PhoneConfig, load_text
from phone_emulator.events import Transport
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.zone import parse_zone


def phone(*servers: str) -> PhoneConfig:
    """A phone with a line for each ``ADDRESS PORT TRANSPORT, ...`` of *servers*."""
    lines = ["#!version:1.0.0.1"]
    for x, line in enumerate(servers, 1):
        lines += [f"account.{x}.enable = 1", f"account.{x}.user_name = 100{x}"]
        for y, server in enumerate(line.split(", "), 1):
            for key, value in zip(("address", "port", "transport_type"), server.split(), strict=True):
                lines.append(f"account.{x}.sip_server.{y}.{key} = {value}")
    return load_text("\n".join(lines)).config


def test_a_server_at_every_target_under_its_role() -> None:
    config = phone("sip.example.com 0 3, 192.0.2.9 5070 0")
    found = places_of(config, guide_zone(config))
    assert [(place.name, place.address, place.port) for place in found.places] == [
        ("primary", "192.168.1.13", 5060),
        ("secondary", "192.168.1.14", 5060),
        ("fallback", "192.0.2.9", 5070),
    ]


def test_one_server_can_have_two_roles() -> None:
    config = phone("192.0.2.9 5060 0, 192.0.2.9 5060 0")
    found = places_of(config, parse_zone("")).down([("fallback", "silent")])
    assert found.names == {"primary": "primary", "fallback": "primary"}
    assert [place.behaviour for place in found.places] == [Behaviour.parse("silent")]


def test_tls_is_served_where_it_is_asked_for() -> None:
    config = phone("192.0.2.9 5060 0", "192.0.2.9 5061 2", "192.0.2.8 5060 2")
    first, second = places_of(config, parse_zone("")).places
    assert (first.port, first.tls_port, Transport.TLS in first.transports) == (5060, 5061, True)
    assert (second.port, second.tls_port, Transport.TLS in second.transports) == (5061, 5060, True)


def test_servers_of_further_lines_say_so() -> None:
    config = phone("192.0.2.1 5060 0", "192.0.2.1 5060 0, 192.0.2.2 5060 0")
    found = places_of(config, parse_zone(""))
    assert found.names == {
        "primary": "primary",
        "line-2-primary": "primary",
        "line-2-fallback": "line-2-fallback",
    }


def test_a_made_up_zone_avoids_the_addresses_of_the_files() -> None:
    config = phone("a.example 0 3, 192.168.1.13 5060 0", "b.example 5060 0")
    assert guide_zone(config).addresses() == [f"192.168.1.{last}" for last in (14, 15, 16, 17)]


def test_the_called_user_behaves_too() -> None:
    found = places_of(phone("192.0.2.1 5060 0"), parse_zone("")).down([("callee", "no-answer")])
    assert found.callee is CalleeBehaviour.NO_ANSWER


def test_a_name_without_targets_has_no_server() -> None:
    config = phone("a.example 0 3")
    found = places_of(config, parse_zone(""))
    assert found.places == ()
    with pytest.raises(click.BadParameter, match="there is no server 'primary' here: callee"):
        found.down([("primary", "silent")])
