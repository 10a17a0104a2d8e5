"""What ``check`` says by the redundancy rules: waits, leases, and what no guide settles."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.config import Diagnostic, examine
from phone_emulator.config.check import RULES as OF_THE_CONFIG
from phone_emulator.redundancy.surprises import RULES
from tests.phone.stage import server_1, server_2

PBX = {
    "account.1.enable": "1",
    "account.1.user_name": "1001",
    **server_1(address="pbx.example.com", port=0, transport_type=3),
}
SUCCESSIVE = {"account.1.fallback.redundancy_type": "1", **server_2(address="192.168.1.15")}
T1 = {"sip.timer_t1": "1"}


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    return tmp_path / "x.cfg"


def findings(cfg: Path, code: str, *changes: dict[str, str]) -> list[Diagnostic]:
    """What is said under *code* of a line at a name, with *changes*."""
    facts = dict(PBX)
    for each in changes:
        facts |= each
    cfg.write_text("\n".join(["#!version:1.0.0.1", *(f"{key} = {value}" for key, value in facts.items())]))
    return [found for found in examine([cfg], more=RULES) if found.code == code]


def test_each_rule_is_told_once() -> None:
    assert not set(RULES) & set(OF_THE_CONFIG)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, "32 s"),
        (server_1(invite_retry_counts=3, retry_counts=1), "7.5 s"),
        (server_1(retry_counts=0), "0.5 s"),
        (server_1(retry_counts=20), "32 s"),
        (T1, "64 s"),
    ],
)
def test_how_slow_a_dead_primary_is(cfg: Path, changes: dict[str, str], seconds: str) -> None:
    # rule F0
    # rule C5
    (found,) = findings(cfg, "slow-while-primary-dead", changes)
    assert f" waits {seconds} before" in found.message
    assert (str(found.severity), found.line) == ("hint", 4)
    assert findings(cfg, "slow-while-primary-dead", changes, server_1(failback_mode=3)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        # Renewed 60 s before the end; 7.5 s for the primary, 32 s for the last target of server 1.
        ({}, []),
        (SUCCESSIVE, []),
        (SUCCESSIVE | T1, ["3600 s has 60 s left", "reaches the last target after 75 s"]),
        (SUCCESSIVE | server_1(expires=60), ["60 s has 30 s left", "after 39.5 s", "nowhere for 9.5 s"]),
        (server_2(address="192.168.1.15") | server_1(expires=60), []),  # concurrent: each for itself
        (server_1(expires=60) | T1, []),
        (server_1(expires=30, retry_counts=4), []),
        (server_1(expires=30, retry_counts=5), ["30 s has 15 s left", "after 15.5 s", "nowhere for 0.5 s"]),
        ({"account.1.register_expires_overlap": "5"}, ["has 5 s left", "nowhere for 2.5 s"]),
        ({"account.1.register_expires_overlap": "5"} | server_1(address="192.168.1.13"), []),
        (
            SUCCESSIVE | server_1(address="192.168.1.13") | server_1(expires=40),
            ["40 s has 20 s left", "32 s for 192.168.1.13", "nowhere for 12 s"],
        ),
        (SUCCESSIVE | server_2(expires=60), ["60 s has 30 s left", "32 s for 192.168.1.15", "after 39.5 s"]),
        (
            {"account.1.outbound_proxy_enable": "1", "account.1.outbound_proxy.1.address": "192.168.1.20"}
            | {"account.1.outbound_proxy.2.address": "192.168.1.21"}
            | server_1(expires=60),
            ["32 s for 192.168.1.20"],
        ),
    ],
)
def test_a_lease_that_is_too_short_for_the_walk(cfg: Path, changes: dict[str, str], told: list[str]) -> None:
    # rule R8
    # rule R2
    # rule R4
    found = [each for each in findings(cfg, "short-lease", changes) if each.severity == "warning"]
    assert bool(found) is bool(told)
    for part in told:
        assert part in found[0].message


def test_where_the_lease_is_told(cfg: Path) -> None:
    (found,) = findings(cfg, "short-lease", server_1(expires=30, retry_counts=9))
    assert (found.line, found.key) == (7, "account.1.sip_server.1.expires")
    (found,) = findings(
        cfg, "short-lease", server_1(retry_counts=9), {"account.1.register_expires_overlap": "9"}
    )
    assert found.line == 8


def test_no_retransmission(cfg: Path) -> None:
    # rule C5
    (found,) = findings(cfg, "no-retransmission", server_1(invite_retry_counts=3, retry_counts=0))
    assert found.message == (
        "account.1: sip_server.1.retry_counts = 0 is taken for one send, and the target is left after"
        " T1 = 0.5 s; no guide says what it means"
    )
    (found,) = findings(cfg, "no-retransmission", server_1(retry_counts=0), T1)
    assert "T1 = 1 s" in found.message
    assert findings(cfg, "no-retransmission", server_1(retry_counts=1)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {},
            {
                "C5": "waits 32.0 s for a silent target of sip_server.1 that is not its last; the guides"
                " can be read otherwise: 7.5 s by retry-counts, 3.5 s by attempts (--silence)",
            },
        ),
        (
            server_1(retry_counts=3),
            {
                "C5": "waits 7.5 s for a silent target of sip_server.1 that is not its last; the guides"
                " can be read otherwise: 32.0 s by timer-b, 3.5 s by attempts (--silence)",
                "R2": "a REGISTER waits 7.5 s for",
            },
        ),
        (server_1(retry_counts=20), {}),
        (server_1(address="192.168.1.13", retry_counts=3), {}),
        (
            server_1(address="192.168.1.13", expires=100),
            {"R8": "after 50 s; other readings: 90 s (at 90% of it), 40 s (60 s before its end"},
        ),
        (
            server_1(retry_counts=20, expires=3600),
            {"R8": "3600 s is renewed after 3540 s; other readings: 3240 s (at 90% of it), 900 s (at most"},
        ),
        (server_1(address="192.168.1.13", expires=99) | {"account.1.register_expires_overlap": "90"}, {}),
        (
            server_1(failback_mode=1, retry_counts=20),
            {"F4": "each waits 32.0 s for a silent primary", "F1": "one TTL later"},
        ),
        (server_1(failback_mode=3, invite_retry_counts=3), {"C5": "", "F4": "each waits 7.5 s"}),
        (server_1(failback_mode=3, retry_counts=20, register_on_enable=1), {}),
    ],
)
def test_what_no_guide_settles(cfg: Path, changes: dict[str, str], told: dict[str, str]) -> None:
    # rule C5
    # rule R8
    # rule F1
    # rule F4
    found = {each.message.split(": ")[1]: each.message for each in findings(cfg, "open-reading", changes)}
    assert set(found) == set(told)
    for rule, part in told.items():
        assert part in found[rule]
