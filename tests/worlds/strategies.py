"""What random worlds are made of. Every choice shrinks towards the guide's example with nothing wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.worlds.world import DOMAINS, Domain, Srv, World, zone_text

ADDRESSES = tuple(f"192.168.1.{last}" for last in range(13, 18))
"""Of the lab's servers."""
NOWHERE = "192.168.1.99"
"""Nobody is there: packets vanish, connects hang."""
NAMES = ("srv1", "srv2", "srv3", "srv4")

addresses = st.sampled_from((*ADDRESSES[:4], *ADDRESSES[:4], NOWHERE))
host_addresses = st.lists(addresses, min_size=0, max_size=2, unique=True).map(tuple)
weights = st.sampled_from((0, 5, 10))
_FEW = st.integers(0, 9)


@st.composite
def domains(draw: st.DrawFn, name: str) -> Domain:
    """A name with NAPTR and SRV records, with SRV records only, with addresses only, or with nothing."""
    shape = draw(st.sampled_from(("srv", "srv", "naptr", "naptr", "a", "nothing")))
    ttl = draw(st.sampled_from((300, 300, 30, 3600)))
    own = tuple(draw(st.lists(addresses, max_size=3, unique=True)))
    if shape == "nothing":
        return Domain(name, ttl=ttl)
    if shape == "a":
        return Domain(name, own=own or ADDRESSES[:2], ttl=ttl)
    count = draw(st.integers(1, 4))
    used = NAMES[:count]
    hosts: dict[str, tuple[str, ...]] = {
        host: (address,) for host, address in zip(used, ADDRESSES, strict=False)
    }
    if draw(_FEW) >= 6:
        hosts = {host: draw(host_addresses) for host in used}
    transports = draw(st.sampled_from((("udp",), ("udp",), ("udp", "tcp"), ("tcp", "udp"), ("tls", "udp"))))
    srv = {
        transport: tuple(
            Srv(draw(st.sampled_from((place, 1, 2))), draw(weights), host)
            for place, host in enumerate(used, 1)
        )
        for transport in transports
    }
    if len(transports) > 1 and draw(_FEW) == 9:
        del srv[transports[0]]  # a NAPTR record that leads to nothing
    return Domain(name, transports if shape == "naptr" else (), srv, hosts, own, ttl)


STATUSES = (503, 500, 403, 404, 486, 480, 603, 408, 302, 400, 407, 401, 600)
simple_behaviours = st.one_of(
    st.sampled_from(("ok", "silent", "refuse", "trying", "ringing")),
    st.sampled_from(STATUSES).map(str),
    st.sampled_from(("503 retry-after 30", "delay 300ms", "delay 2s", "delay 12s", "delay 40s", "loss 0.4")),
)
per_method = st.builds(
    lambda method, own, other: f"{other}, {method}: {own}",
    st.sampled_from(("INVITE", "REGISTER", "BYE", "CANCEL", "ACK")),
    st.sampled_from(("silent", "503", "ok", "404", "500", "delay 2s", "481", "loss 0.5")),
    st.sampled_from(("ok", "ok", "silent", "503", "trying", "ringing", "loss 0.3")),
)
behaviours = st.one_of(st.just("ok"), simple_behaviours, per_method)


@st.composite
def server_keys(draw: st.DrawFn, number: int) -> dict[str, str]:
    """``account.1.sip_server.<number>.*``."""
    name = DOMAINS[number - 1]
    literal = draw(_FEW) >= (8 if number == 1 else 3)
    keys = {"address": draw(st.sampled_from(ADDRESSES[2:])) if literal else name}
    keys["port"] = draw(st.sampled_from(("0", "0", "5060") if not literal else ("5060", "0")))
    keys["transport_type"] = draw(st.sampled_from(("3", "3", "3", "0", "1", "2")))
    if keys["transport_type"] == "2" and keys["port"] == "5060":
        keys["port"] = "5061"
    rare = {
        "retry_counts": st.sampled_from(("0", "1", "3", "6", "20")),
        "invite_retry_counts": st.sampled_from(("1", "3", "5", "10")),
        "register_on_enable": st.just("1"),
        "only_signal_with_registered": st.just("1"),
        "failback_mode": st.sampled_from(("1", "2", "3")),
        "failback_timeout": st.sampled_from(("60", "120", "600", "0")),
        "expires": st.sampled_from(("60", "300", "3600")),
    }
    for key, values in rare.items():
        if draw(_FEW) >= 7:
            keys[key] = draw(values)
    return keys


@st.composite
def cfgs(draw: st.DrawFn) -> dict[str, str]:
    """The cfg keys of a phone with one line."""
    line = "account.1."
    cfg = {
        f"{line}enable": "1",
        f"{line}user_name": "1001",
        f"{line}auth_name": "1001",
        f"{line}password": "random-World-1",
    }
    has_first = draw(_FEW) != 9
    has_second = not has_first or draw(_FEW) >= 3
    for number, has in ((1, has_first), (2, has_second)):
        if has:
            keys = draw(server_keys(number))
            cfg |= {f"{line}sip_server.{number}.{key}": value for key, value in keys.items()}
    rare: dict[str, st.SearchStrategy[str]] = {
        f"{line}fallback.redundancy_type": st.just("1"),
        f"{line}fallback.timeout": st.sampled_from(("10", "60", "600")),
        f"{line}redundancy_with_reg_fail.enable": st.just("1"),
        f"{line}naptr_build": st.just("1"),
        f"{line}dns_cache_type": st.sampled_from(("0", "2")),
        f"{line}reg_fail_retry_interval": st.sampled_from(("5", "60", "600", "0")),
        f"{line}reg_failed_retry_min_time": st.sampled_from(("2", "30")),
        f"{line}register_expires_overlap": st.sampled_from(("10", "100")),
        f"{line}unregister_on_reboot": st.just("1"),
        f"{line}nat.rport": st.just("1"),
        "sip.skip_redundant_failover_addr": st.just("0"),
        "sip.timer_t1": st.sampled_from(("1", "2")),
        "sip.timer_t2": st.sampled_from(("2", "8")),
        "sip.reg_surge_prevention": st.sampled_from(("1", "30")),
        "sip.dns_transport_type": st.just("1"),
        "phone_setting.ringback_timeout": st.sampled_from(("10", "60")),
    }
    frequent = {f"{line}fallback.redundancy_type", "sip.skip_redundant_failover_addr"}
    for key, values in rare.items():
        if draw(_FEW) >= (6 if key in frequent else 8):
            cfg[key] = draw(values)
    if draw(_FEW) == 9:
        cfg[f"{line}outbound_proxy_enable"] = "1"
        for number in (1, 2)[: draw(st.integers(1, 2))]:
            at = draw(st.sampled_from((*DOMAINS, *ADDRESSES[:2])))
            cfg[f"{line}outbound_proxy.{number}.address"] = at
            cfg[f"{line}outbound_proxy.{number}.port"] = "0" if at in DOMAINS else "5060"
            if draw(st.booleans()):
                cfg[f"{line}outbound_proxy.{number}.register_on_enable"] = "1"
        if draw(st.booleans()):
            cfg[f"{line}outbound_proxy_fallback_interval"] = draw(st.sampled_from(("60", "0", "3600")))
    return cfg


PAUSES = ("100ms", "1s", "5s", "20s", "31.9s", "32s", "65s", "130s", "10m", "61m")
pauses = st.one_of(st.sampled_from(PAUSES), st.integers(0, 9000).map(lambda tenths: f"{tenths / 100:g}s"))


@st.composite
def steps(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[Mapping[str, Any], ...]:
    """A story: a registration first, mostly, and then anything."""
    story: list[Mapping[str, Any]] = []
    placed: list[str] = []
    rung: list[str] = []
    if draw(_FEW) != 9:
        story.append({"register": {}})

    def behave() -> None:
        story.append({"server": {"name": draw(st.sampled_from(names)), "behaviour": draw(behaviours)}})

    def call() -> None:
        placed.append(f"c{len(placed) + 1}")
        to = f"20{len(placed):02d}"
        background = draw(st.booleans())
        story.append({"call": {"to": to, "id": placed[-1], "background": background}})
        if background and draw(st.booleans()):
            story.append({"wait": draw(pauses)})
            hang_up()

    def wait() -> None:
        story.append({"wait": draw(pauses)})

    def hang_up() -> None:
        if placed or rung:
            story.append({"hangup": {"call": draw(st.sampled_from(placed + rung))}})

    def incoming() -> None:
        rung.append(f"i{len(rung) + 1}")
        story.append({"incoming": {"from": f"90{len(rung):02d}", "id": rung[-1]}})
        kind = draw(st.sampled_from(("answer", "reject", "hangup", "wait")))
        if kind == "wait":
            wait()
        else:
            story.append({kind: {"call": rung[-1]}})

    def hold() -> None:
        if placed or rung:
            at = draw(st.sampled_from(placed + rung))
            story.append({draw(st.sampled_from(("hold", "resume"))): {"call": at}})

    def dns() -> None:
        if draw(st.booleans()):
            changed = zone_text([draw(domains(name)) for name in DOMAINS])
            story.append({"dns": {"zone": changed}})
        else:
            story.append({"dns": {"behaviour": draw(st.sampled_from(("ok", "silent", "servfail")))}})

    def callee() -> None:
        story.append({"callee": draw(st.sampled_from(("answer", "busy", "reject", "no-answer")))})

    def again() -> None:
        kind = draw(st.sampled_from(("register", "unregister", "reboot")))
        story.append({kind: {}})

    what = (
        call,
        call,
        call,
        behave,
        behave,
        behave,
        wait,
        wait,
        hang_up,
        hang_up,
        incoming,
        hold,
        dns,
        callee,
        again,
    )
    for _ in range(draw(st.integers(1, 9))):
        draw(st.sampled_from(what))()
    return tuple(story)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A whole world."""
    cfg = draw(cfgs())
    named = tuple(name for name in DOMAINS if name in cfg.values())
    drawn = tuple(draw(domains(name)) for name in named)
    names = tuple(f"s{address.rpartition('.')[2]}" for address in ADDRESSES)
    servers: dict[str, dict[str, Any]] = {}
    for name, address in zip(names, ADDRESSES, strict=True):
        servers[name] = {"address": address}
        if draw(_FEW) >= 6:
            servers[name]["behaviour"] = draw(behaviours)
        if draw(_FEW) == 9:
            servers[name]["transports"] = draw(st.sampled_from((["udp"], ["tcp", "tls"])))
    return World(
        drawn,
        servers,
        cfg,
        draw(steps(names)),
        draw(st.sampled_from(("answer", "answer", "answer", "no-answer", "busy"))),
        draw(st.integers(0, 3)),
    )
