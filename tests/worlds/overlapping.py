"""Worlds in which everything happens at once: events at any moment of a line with short leases, none of which
waits for another to end; then the phone stops, at once or after a calm in which it must have found back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.worlds.strategies import STATUSES
from tests.worlds.world import DOMAINS, Domain, Srv, World, zone_text

NAME = DOMAINS[0]
SERVERS = {"s13": "192.168.1.13", "s14": "192.168.1.14", "s15": "192.168.1.15"}
LINE = "account.1."
WELL = "ok"
TTL = 30
NEGATIVE = 300.0
"""Seconds that a name may be remembered as unknown, or a record be kept, at most."""

MOMENTS = ("0s", "10ms", "400ms", "1s", "3500ms", "7500ms", "29990ms", "30s", "30010ms", "32s", "60s", "65s")
"""A REGISTER's retransmissions, its end at a silent target, refreshes, probes, Timer B, ends of leases."""
moments = st.one_of(st.sampled_from(MOMENTS), st.integers(0, 7000).map(lambda each: f"{each * 10}ms"))
slow = st.sampled_from(("delay 5ms", "delay 300ms", "delay 2s", "delay 12s", "delay 40s", "loss 0.3"))
down = st.sampled_from(("silent", "refuse", "503", "trying", "503 retry-after 30"))
one_method = st.builds(
    lambda method, how: f"{WELL}, {method}: {how}",
    st.sampled_from(("REGISTER", "INVITE")),
    st.sampled_from(("silent", "503", "403", "delay 2s", "delay 12s")),
)
behaviours = st.one_of(st.just(WELL), down, down, slow, one_method, st.sampled_from(STATUSES).map(str))


@st.composite
def cfgs(draw: st.DrawFn) -> dict[str, str]:
    """A line of short leases: server 1 is a name, server 2 an address or none, as the guide has it."""
    line = {
        "enable": "1",
        "user_name": "1001",
        "auth_name": "1001",
        "password": "random-World-1",
        "sip_server.1.address": NAME,
        "sip_server.1.port": "0",
        "sip_server.1.transport_type": draw(st.sampled_from(("3", "3", "1"))),
        "sip_server.1.expires": draw(st.sampled_from(("60", "120"))),
        "reg_fail_retry_interval": draw(st.sampled_from(("30", "5", "60"))),
    }
    if draw(st.booleans()):
        line["sip_server.2.address"] = SERVERS["s15"]
        line["sip_server.2.port"] = "5060"
        line["sip_server.2.expires"] = draw(st.sampled_from(("60", "120")))
        line["fallback.redundancy_type"] = draw(st.sampled_from(("0", "1", "1")))
        line["fallback.timeout"] = draw(st.sampled_from(("30", "10", "120")))
        line["redundancy_with_reg_fail.enable"] = draw(st.sampled_from(("0", "1")))
    line["sip_server.1.register_on_enable"] = draw(st.sampled_from(("0", "1")))
    line["sip_server.1.failback_mode"] = draw(st.sampled_from(("0", "1", "2", "3")))
    line["sip_server.1.failback_timeout"] = draw(st.sampled_from(("60", "120")))
    line["sip_server.1.only_signal_with_registered"] = draw(st.sampled_from(("0", "1")))
    if draw(st.booleans()):
        line["register_expires_overlap"] = draw(st.sampled_from(("10", "50")))
    if draw(st.booleans()):
        line["sip_server.1.retry_counts"] = draw(st.sampled_from(("0", "1", "3")))
        line["sip_server.1.invite_retry_counts"] = draw(st.sampled_from(("1", "3")))
    if draw(st.booleans()):
        line["dns_cache_type"] = "0"
    return {f"{LINE}{key}": value for key, value in line.items()}


PLACES = (("s13", "s14"), ("s14", "s13"), ("s14",), ("s13", "s14", "s15"))
"""The primary .13 and the secondary .14, or the other way round, or one of them."""
OTHER_PLACES = (*PLACES, ("s13",), ("s15",), ("s15", "s14"), ("s14", "s15", "s13"), ())
"""What DNS may come to say: another order, new records, others gone; in the end all of them."""


def zone(places: tuple[str, ...], transport: str = "udp", ttl: int = TTL) -> Domain:
    """One whose targets are the servers *places*, in that order."""
    hosts = {place: (SERVERS[place],) for place in places}
    records = tuple(Srv(number, 0, place) for number, place in enumerate(places, 1))
    own = tuple(SERVERS[place] for place in places)
    return Domain(NAME, (transport,) if places else (), {transport: records}, hosts, own, ttl)


other_zones = st.builds(
    zone,
    st.sampled_from(OTHER_PLACES),
    st.sampled_from(("udp", "udp", "udp", "tcp")),
    st.sampled_from((TTL, TTL, 5, int(NEGATIVE))),
)


def calm(cfg: Mapping[str, str]) -> float:
    """Seconds after which a line of *cfg* whose servers are all well again stands as it should.

    What is under way ends first; then comes a wait for the retry (R7), a rest (30 s), a name that was
    unknown, the walk (R2), the probe (R4), the end of the failback's time (F1, F3) and the next renewal (R8).
    """

    def number(key: str, default: float = 0.0) -> float:
        return float(cfg.get(LINE + key, default))

    walk = 4 * 32.0 + 40.0
    lease = max(number("sip_server.1.expires"), number("sip_server.2.expires"))
    back = max(number("sip_server.1.failback_timeout"), TTL)
    waits = number("reg_fail_retry_interval") + number("fallback.timeout") + NEGATIVE + 30.0
    return 2 * walk + waits + back + 2 * lease


@st.composite
def overlapping_worlds(draw: st.DrawFn) -> World:
    """A whole world of events that overlap."""
    cfg = draw(cfgs())
    domain = zone(draw(st.sampled_from(PLACES)))
    servers: dict[str, dict[str, Any]] = {}
    for name, address in SERVERS.items():
        servers[name] = {"address": address}
        if draw(st.integers(0, 3)) == 3:
            servers[name]["behaviour"] = draw(behaviours)
    steps: list[Mapping[str, Any]] = [{"register": {}}]
    placed: list[str] = []
    said: list[Domain] = []

    def wait() -> None:
        if (after := draw(moments)) != "0s":
            steps.append({"wait": after})

    def behave() -> None:
        steps.append(
            {"server": {"name": draw(st.sampled_from(tuple(SERVERS))), "behaviour": draw(behaviours)}}
        )

    def lose_connections() -> None:
        name = draw(st.sampled_from(tuple(SERVERS)))
        steps.append({"server": {"name": name, "behaviour": "refuse"}})
        wait()
        steps.append({"server": {"name": name, "behaviour": WELL}})

    def call() -> None:
        placed.append(f"c{len(placed) + 1}")
        steps.append({"call": {"to": f"20{len(placed):02d}", "id": placed[-1], "background": True}})

    def hang_up() -> None:
        if placed:
            steps.append({"hangup": {"call": draw(st.sampled_from(placed))}})

    def dns() -> None:
        if draw(st.integers(0, 2)):
            said.append(draw(other_zones))
            steps.append({"dns": {"zone": zone_text(said[-1:])}})
        else:
            steps.append({"dns": {"behaviour": draw(st.sampled_from(("ok", "silent", "servfail")))}})

    def register() -> None:
        steps.append({draw(st.sampled_from(("register", "unregister", "register"))): {}})

    def move() -> None:
        to = draw(st.sampled_from(("gone", "192.168.1.22", "192.168.1.23", "192.168.1.21")))
        steps.append({"address": {"to": to}})
        if to == "gone":
            wait()
            steps.append({"address": {"to": draw(st.sampled_from(("192.168.1.21", "192.168.1.22")))}})

    what = [behave, behave, behave, lose_connections, call, call, call, hang_up, hang_up, dns, dns]
    what += [register, move]
    for _ in range(draw(st.integers(1, 12))):
        wait()
        draw(st.sampled_from(what))()
    wait()
    well = draw(st.booleans())
    if well:
        steps += [{"hangup": {"call": each}} for each in placed]
        steps += [{"server": {"name": name, "behaviour": WELL}} for name in SERVERS]
        said.append(domain)
        steps += [{"dns": {"behaviour": "ok"}}, {"dns": {"zone": zone_text([domain])}}]
        if draw(st.booleans()):
            steps.append({"register": {}})
        steps.append({"wait": f"{calm(cfg):g}s"})
    return World(
        (domain,),
        servers,
        cfg,
        tuple(steps),
        draw(st.sampled_from(("answer", "answer", "no-answer", "busy"))),
        draw(st.integers(0, 3)),
        overlapping=True,
        zones=tuple(said),
        calm=calm(cfg) if well else None,
    )
