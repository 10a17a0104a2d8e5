"""Destination addresses in order (RFC 6724 sections 6 and 10.2)."""

from __future__ import annotations

import pytest

from phone_emulator.dns.preference import preferred

BOTH = ("198.51.100.117", "2001:db8:1::1")


@pytest.mark.parametrize(
    ("sources", "addresses", "order"),
    [
        pytest.param(BOTH, "198.51.100.121 2001:db8:1::2", "2001:db8:1::2 198.51.100.121", id="10.2: IPv6"),
        pytest.param(
            ("169.254.13.78", "2001:db8:1::1"),
            "198.51.100.121 2001:db8:1::2",
            "2001:db8:1::2 198.51.100.121",
            id="10.2: matching scope",
        ),
        pytest.param(
            ("198.51.100.117", "fe80::1"),
            "2001:db8:1::2 198.51.100.121",
            "198.51.100.121 2001:db8:1::2",
            id="10.2: matching scope, IPv4",
        ),
        pytest.param(
            ("198.51.100.117", "fd00::21"), "2001:db8::2 198.51.100.1", "198.51.100.1 2001:db8::2", id="label"
        ),
        pytest.param(
            ("198.51.100.117", "fd00::21"), "fd00::13 198.51.100.1", "198.51.100.1 fd00::13", id="ULA"
        ),
        pytest.param(("127.0.0.1", "::1"), "127.0.0.13 ::1", "::1 127.0.0.13", id="loopback"),
        pytest.param(
            ("198.51.100.117",), "2001:db8::2 198.51.100.1", "198.51.100.1 2001:db8::2", id="unusable"
        ),
        pytest.param(
            ("2001:db8::1",), "198.51.100.1 2001:db8::2", "2001:db8::2 198.51.100.1", id="unusable 4"
        ),
        pytest.param(BOTH, "198.51.100.9 198.51.100.1", "198.51.100.9 198.51.100.1", id="as answered"),
        pytest.param(BOTH, "", "", id="none"),
    ],
)
def test_the_order(sources: tuple[str, ...], addresses: str, order: str) -> None:
    assert preferred(addresses.split(), sources) == order.split()
