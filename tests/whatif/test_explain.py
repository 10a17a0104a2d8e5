"""Explanations: what is rehearsed for a phone, and the sentences that tell it (golden files).

After a change that is meant, ``UPDATE_GOLDEN=1`` writes them anew: read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phone_emulator.config import load_text
from phone_emulator.lab.lab import Place
from phone_emulator.lab.zone import parse_zone
from phone_emulator.whatif.explain import Case, explain
from phone_emulator.whatif.stage import Site, as_found

SiteOf = Callable[..., Site]
GOLDEN = Path(__file__).parent / "golden"
SERVER = "account.1.sip_server.1"
PHONES: dict[str, tuple[str, ...]] = {
    "guide-example": (),
    # rules F3, R4
    "successive-duration": (
        f"{SERVER}.failback_mode=3",
        f"{SERVER}.failback_timeout=600",
        "account.1.fallback.redundancy_type=1",
    ),
    # rule F3
    "never-back": (f"{SERVER}.failback_mode=3", f"{SERVER}.failback_timeout=0"),
    # rules F1, R9
    "dns-ttl-register-first": (f"{SERVER}.failback_mode=1", f"{SERVER}.register_on_enable=1"),
    # rule F2
    "renewal": (f"{SERVER}.failback_mode=2", "account.1.sip_server.2.address="),
    # rule C5
    "retry-keys": (f"{SERVER}.invite_retry_counts=3", f"{SERVER}.retry_counts=1"),
    # rules C12, C6
    "one-literal-server-over-tcp": (
        f"{SERVER}.address=10.0.0.1",
        f"{SERVER}.port=5070",
        f"{SERVER}.transport_type=1",
        "account.1.sip_server.2.address=",
    ),
    "tls": (f"{SERVER}.transport_type=2",),
    # rule D6
    "no-dns-cache": ("account.1.dns_cache_type=0",),
    # rule O3
    "outbound-proxies": (
        "account.1.outbound_proxy_enable=1",
        "account.1.outbound_proxy.1.address=yealink.pbx.com",
        "account.1.outbound_proxy.2.address=10.0.0.9",
    ),
}


def told(cases: Iterator[Case]) -> str:
    """The cases as a golden file has them."""
    return "\n".join("\n".join([f"{case.name}: {case.title}", *case.sentences, ""]) for case in cases)


@pytest.mark.parametrize("name", PHONES)
def test_what_a_phone_is_told(name: str, example: SiteOf) -> None:
    site = example(*PHONES[name])
    text = told(explain(site, site.config.lines[0]))
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_other_line_has_sentences_of_its_own(example: SiteOf) -> None:
    site = example(
        "account.2.enable=1",
        "account.2.user_name=2001",
        "account.2.password=x",
        "account.2.sip_server.1.address=10.2.0.1",
    )
    cases = {case.name: case for case in explain(site, site.config.lines[1])}
    assert cases["well"].sentences == [
        "Line 2 registers at the primary 10.2.0.1.",
        "A call to 1002 is answered by the primary 10.2.0.1 at once.",
    ]
    assert (
        cases["primary-silent"]
        .sentences[0]
        .endswith("(no response within 64*T1) and fails: no server is left.")
    )
    assert "dns-gone" not in cases


def test_a_name_that_no_zone_knows_is_told(example: SiteOf, tmp_path: Path) -> None:
    zone = tmp_path / "empty.zone"
    zone.write_text("other.example. A 10.0.0.1\n")
    site = example("account.1.sip_server.2.address=", zone=zone)
    case = next(explain(site, site.config.lines[0]))
    assert "finds no address for yealink.pbx.com" in case.sentences[0]
    assert case.calls[0].result == "failed"


def test_roles_are_those_that_the_phone_itself_finds() -> None:
    # rule D4: equal weights are shuffled by a seed of the phone's world.
    config = load_text(
        "account.1.enable = 1\naccount.1.user_name = 1\naccount.1.password = x\n"
        f"{SERVER}.address = pbx.example\n{SERVER}.port = 0\n{SERVER}.transport_type = 3\n"
    ).config
    hosts = [f"10.0.0.{number}" for number in range(1, 9)]
    records = [f"s{host[-1]}.pbx.example. A {host}\n" for host in hosts]
    records += [f"_sip._udp.pbx.example. SRV 1 1 5060 s{host[-1]}.pbx.example.\n" for host in hosts]
    places = tuple(Place(name=host, address=host) for host in hosts)
    orders = set()
    for seed in range(3):
        site = as_found(
            Site(config=config, places=places, names={}, zone=parse_zone("".join(records)), seed=seed)
        )
        assert site.roles(1) == ["primary", "secondary", *(f"target-{number}" for number in range(3, 9))]
        by_name = {place.name: place.address for place in site.places}
        order = [by_name[site.names[role]] for role in site.roles(1)]
        silent = next(case for case in explain(site, config.lines[0]) if case.name == "primary-silent")
        assert [attempt.target.address for attempt in silent.calls[0].route] == order[:2]
        orders.add(tuple(order))
    assert len(orders) > 1


def test_no_case_waits_for_more_than_the_rules_allow(example: SiteOf) -> None:
    site = example()
    longest = max(call.elapsed for case in explain(site, site.config.lines[0]) for call in case.calls)
    assert longest == 96.0


def test_a_late_registration_and_short_leases_are_no_part_of_the_failure(example: SiteOf) -> None:
    # rules R8, R11
    site = example("sip.reg_surge_prevention=60", f"{SERVER}.expires=60", "account.1.sip_server.2.address=")
    silent = next(case for case in explain(site, site.config.lines[0]) if case.name == "primary-silent")
    due = "The registration at the primary 192.168.1.13 is due right then: its REGISTER waits 7.5 s"
    assert silent.sentences[2].startswith(due)


def test_a_refusal_is_an_answer(example: SiteOf) -> None:
    # rules C3, R10
    site = example("account.1.password=")
    cases = {case.name: case for case in explain(site, site.config.lines[0])}
    assert (
        cases["primary-silent"]
        .sentences[1]
        .startswith("The next call, a minute later, is refused after 32.0 s")
    )
    assert (
        "The first call after the return is refused by the primary" in cases["primary-returns"].sentences[0]
    )
