"""From settings to the typed configuration."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config import CfgError, Loaded, load, load_text
from phone_emulator.config.catalogue import catalogue
from phone_emulator.config.model import (
    AccountConfig,
    CodecConfig,
    DnsCacheType,
    FailbackMode,
    FailoverConfig,
    ForwardConfig,
    KeyConfig,
    KeyType,
    PhoneConfig,
    RedundancyType,
    ServerConfig,
    StaticRecord,
    TransportType,
)

GUIDE = Path(__file__).parents[2] / "configs" / "guide-example.cfg"
MINIMAL = "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.sip_server.1.address = pbx.example.com\n"


def loaded(text: str = "", *overrides: str) -> Loaded:
    return load_text(MINIMAL + text, "x.cfg", overrides)


def account(text: str) -> AccountConfig:
    return loaded(text).config.accounts[0]


def server(text: str) -> ServerConfig:
    return account(text).servers[0]


def messages(found: Loaded, code: str) -> list[str]:
    return [str(diagnostic) for diagnostic in found.diagnostics if diagnostic.code == code]


def test_the_guide_example() -> None:
    config = load([GUIDE]).config
    first, second = config.accounts[0].servers
    assert (first.address, first.port, first.transport_type) == (
        "yealink.pbx.com",
        0,
        TransportType.DNS_NAPTR,
    )
    assert (second.number, second.address, second.port) == (2, "192.168.1.15", 5060)
    assert first.failover == FailoverConfig()
    assert config.accounts[0].user_name == "1001"
    assert config.accounts[0].password.reveal()
    assert [line.index for line in config.lines] == [1]


def test_a_minimal_file_gives_the_defaults() -> None:
    found = loaded()
    expected = AccountConfig(
        index=1,
        enable=True,
        servers=(ServerConfig(number=1, address="pbx.example.com"),),
        codecs=tuple(
            CodecConfig(name=name, priority=priority)
            for priority, name in enumerate(("g722", "pcmu", "pcma", "g729"), 1)
        ),
    )
    assert found.config == PhoneConfig(accounts=(expected,))


SAMPLES: dict[str, tuple[str, Any]] = {
    "account.1.label": ("Alice", "Alice"),
    "account.1.auth_name": ("a", "a"),
    "account.1.outbound_proxy_enable": ("1", True),
    "account.1.outbound_proxy_fallback_interval": ("0", 0),
    "account.1.fallback.redundancy_type": ("1", RedundancyType.SUCCESSIVE),
    "account.1.fallback.timeout": ("10", 10),
    "account.1.redundancy_with_reg_fail.enable": ("1", True),
    "account.1.naptr_build": ("1", True),
    "account.1.dns_cache_type": ("2", DnsCacheType.TTL_AND_ADDITIONAL),
    "account.1.static_cache_pri": ("1", True),
    "account.1.reg_fail_retry_interval": ("1800", 1800),
    "account.1.reg_failed_retry_min_time": ("30", 30),
    "account.1.reg_failed_retry_max_time": ("90", 90),
    "account.1.register_expires_overlap": ("5", 5),
    "account.1.unregister_on_reboot": ("1", True),
    "account.1.nat.rport": ("1", True),
    "account.1.dtmf.type": ("2", 2),
    "account.1.ptime": ("0", 0),
    "account.1.sip_server.1.port": ("0", 0),
    "account.1.sip_server.1.transport_type": ("2", TransportType.TLS),
    "account.1.sip_server.1.expires": ("30", 30),
    "account.1.sip_server.1.retry_counts": ("0", 0),
    "account.1.sip_server.1.invite_retry_counts": ("10", 10),
    "account.1.sip_server.1.register_on_enable": ("1", True),
    "account.1.sip_server.1.only_signal_with_registered": ("1", True),
    "account.1.sip_server.1.failback_mode": ("3", FailbackMode.DURATION),
    "account.1.sip_server.1.failback_timeout": ("0", 0),
    "account.1.sip_server.1.failback_subscribe.enable": ("1", True),
    "sip.timer_t1": ("0.7", 0.7),
    "sip.timer_t2": ("40", 40.0),
    "sip.timer_t4": ("2.5", 2.5),
    "sip.skip_redundant_failover_addr": ("0", False),
    "sip.reg_surge_prevention": ("60", 60),
    "sip.mac_in_ua": ("2", True),
    "sip.dns_transport_type": ("1", True),
    "static.network.primary_dns": ("192.168.1.1", "192.168.1.1"),
    "network.secondary_dns": ("192.168.1.2", "192.168.1.2"),
    "static.network.dns.query_timeout": ("1", 1.0),
    "static.network.dns.retry_times": ("0", 0),
    "static.network.port.max_rtpport": ("20000", 20000),
    "security.trust_certificates": ("0", False),
    "features.dnd_refuse_code": ("603", 603),
    "call_waiting.enable": ("0", False),
}


@pytest.mark.parametrize("key", SAMPLES)
def test_a_value_reaches_its_field(key: str) -> None:
    text, expected = SAMPLES[key]
    found = loaded(f"{key} = {text}")
    name = catalogue().pattern(key) or ""
    parameter = catalogue().parameters.get(name) or catalogue().parameters[f"static.{name}"]
    model, _, attribute = parameter.field.partition(".")
    line = found.config.accounts[0]
    holder: Any = {
        "PhoneConfig": found.config,
        "TimerConfig": found.config.timers,
        "DnsConfig": found.config.dns,
        "AccountConfig": line,
        "ServerConfig": line.servers[0],
        "FailoverConfig": line.servers[0].failover,
    }[model]
    assert getattr(holder, attribute) == expected
    assert type(getattr(holder, attribute)) is type(expected)
    assert messages(found, "bad-value") == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("account.1.sip_server.1.port", "65536", "an integer in 0..65535; the default 5060"),
        ("account.1.sip_server.1.port", "-1", "an integer in 0..65535; the default 5060"),
        ("account.1.sip_server.1.port", "sip.listen_port = 5060", "an integer in 0..65535; the default 5060"),
        ("account.1.sip_server.1.port", "5060 # tcp", "an integer in 0..65535; the default 5060"),
        ("account.1.sip_server.1.port", "٥٠٦٠", "an integer in 0..65535; the default 5060"),
        ("account.1.sip_server.1.port", "9" * 5000, "an integer in 0..65535; the default 5060"),
        ("account.1.sip_server.1.transport_type", "4", "one of 0, 1, 2, 3; the default 0"),
        ("account.1.sip_server.1.expires", "29", "an integer in 30..2147483647; the default 3600"),
        ("account.1.sip_server.1.retry_counts", "21", "an integer in 0..20; the default 3"),
        ("account.1.sip_server.1.invite_retry_counts", "0", "an integer in 1..10; the default 3"),
        (
            "account.1.sip_server.1.failback_timeout",
            "65536",
            "an integer in 0..65535, not 1..59; the default 3600",
        ),
        ("account.1.fallback.timeout", "9", "an integer in 10..2147483647; the default 120"),
        ("account.1.naptr_build", "yes", "0 or 1; the default 0"),
        ("sip.timer_t1", "0.4", "a number in 0.5..10; the default 0.5"),
        ("sip.timer_t1", "nan", "a number in 0.5..10; the default 0.5"),
        ("static.network.primary_dns", "300.1.1.1", "a domain name or an IP address; no value"),
        ("account.1.sip_server.2.address", "sip:pbx.example.com", "a domain name or an IP address; no value"),
    ],
)
def test_a_value_out_of_range_keeps_the_default(key: str, value: str, expected: str) -> None:
    found = loaded(f"{key} = {value}")
    assert found.config == loaded().config
    shown = value if len(value) < 60 else value[:59] + "…"
    assert messages(found, "bad-value") == [
        f"x.cfg:4: warning: bad-value: {key} = {shown}: expected {expected} is kept"
    ]


@pytest.mark.parametrize(("text", "seconds"), [("1", 60), ("59", 60), ("60", 60), ("0", 0), ("61", 61)])
def test_a_short_failback_timeout_is_raised(text: str, seconds: int) -> None:
    # rule F3
    found = loaded(f"account.1.sip_server.1.failback_timeout = {text}")
    assert found.config.accounts[0].servers[0].failover.failback_timeout == seconds
    assert bool(messages(found, "raised")) == (text in ("1", "59"))


@pytest.mark.parametrize(
    ("text", "counts"), [("", None), ("= ", None), ("= %NULL%", None), ("= 3", 3), ("= 0", 0), ("= 99", None)]
)
def test_retry_counts_are_none_unless_set(text: str, counts: int | None) -> None:
    # rule C5
    line = f"account.1.sip_server.1.retry_counts {text}" if text else ""
    assert server(line).failover.retry_counts == counts


def test_a_blank_later_duplicate_brings_the_default_back() -> None:
    assert server("account.1.sip_server.1.port = 5070\naccount.1.sip_server.1.port =").port == 5060


def test_outbound_proxies_inherit_from_their_server() -> None:
    # rule O2
    found = account(
        """
        account.1.sip_server.1.retry_counts = 2
        account.1.sip_server.1.failback_mode = 3
        account.1.sip_server.1.register_on_enable = 1
        account.1.sip_server.1.failback_timeout = 90
        account.1.sip_server.2.failback_mode = 1
        account.1.outbound_proxy_enable = 1
        account.1.outbound_proxy.1.address = proxy.example.com
        account.1.outbound_proxy.1.port = 0
        account.1.outbound_proxy.1.retry_counts = -1
        account.1.outbound_proxy.1.register_on_enable = 0
        account.1.outbound_proxy.1.failback_timeout = 100
        account.1.outbound_proxy.2.address = 192.168.1.20
        account.1.outbound_proxy.2.failback_subscribe.enable = -1
        """
    )
    first, second = found.proxies
    assert (first.address, first.port, second.number) == ("proxy.example.com", 0, 2)
    assert first.failover == FailoverConfig(
        retry_counts=2, failback_mode=FailbackMode.DURATION, register_on_enable=False, failback_timeout=100
    )
    assert second.failover == FailoverConfig(failback_mode=FailbackMode.DNS_TTL)
    assert found.servers[0].failover.register_on_enable


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["g722", "pcmu", "pcma", "g729"]),
        ("account.1.codec.g722.enable = 0", ["pcmu", "pcma", "g729"]),
        ("account.1.codec.pcma.priority = 0", ["pcma", "g722", "pcmu", "g729"]),
        ("account.1.codec.opus.enable = 1\naccount.1.codec.opus.priority = 5", [
            "g722", "pcmu", "pcma", "g729", "opus",
        ]),
        ("account.1.codec.1.enable = 0\naccount.1.codec.6.priority = 9", ["pcma", "g729", "g722"]),
        ("account.1.codec.1.payload_type = G722\naccount.1.codec.1.enable = 0", ["pcmu", "pcma", "g729"]),
        ("account.1.codec.1.payload_type = PCMU\naccount.1.codec.1.enable = 0", ["g722", "pcma", "g729"]),
        ("account.1.codec.1.payload_type = odd\naccount.1.codec.1.enable = 0", ["g722", "pcma", "g729"]),
        ("account.1.codec.1.payload_type =\naccount.1.codec.1.enable = 0", ["g722", "pcma", "g729"]),
        ("account.1.codec.9.payload_type = pcma\naccount.1.codec.9.priority = 0", [
            "pcma", "g722", "pcmu", "g729",
        ]),
        ("account.1.codec.1.payload_type = g726-32\naccount.1.codec.1.enable = 1", [
            "g726_32", "g722", "pcmu", "pcma", "g729",
        ]),
        (
            "account.1.codec.1.payload_type = PCMA\naccount.1.codec.1.priority = 0\n"
            "account.1.codec.2.payload_type = PCMU\naccount.1.codec.2.enable = 0",
            ["pcma", "g722", "g729"],
        ),
        (
            "account.1.codec.1.payload_type = PCMA\naccount.1.codec.1.priority = 0\n"
            "account.1.codec.2.priority = 9",
            ["pcma", "g722", "pcmu", "g729"],
        ),
        (
            "account.1.codec.pcma.priority = 7\naccount.1.codec.1.payload_type = PCMA\n"
            "account.1.codec.1.priority = 0",
            ["g722", "pcmu", "g729", "pcma"],
        ),
    ],
)  # fmt: skip
def test_codecs_in_order_of_priority(text: str, names: list[str]) -> None:
    assert [codec.name for codec in account(text).codecs] == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "dns_cache_a.1.name = pbx.example.com\ndns_cache_a.1.ip = 192.168.1.13\ndns_cache_a.1.ttl = 60",
            StaticRecord(name="pbx.example.com", rdtype="A", text="192.168.1.13", ttl=60),
        ),
        (
            "account.1.dns_cache_a.7.name = pbx.example.com\naccount.1.dns_cache_a.7.ip = 192.168.1.13",
            StaticRecord(name="pbx.example.com", rdtype="A", text="192.168.1.13", ttl=300, account=1),
        ),
        (
            "dns_cache_a.1.name = pbx.example.com.\ndns_cache_a.1.ip = 192.168.1.13",
            StaticRecord(name="pbx.example.com", rdtype="A", text="192.168.1.13", ttl=300),
        ),
        (
            "dns_cache_srv.1.name = _sip._udp.example.com.\ndns_cache_srv.1.port = 5060\n"
            "dns_cache_srv.1.priority = 1\ndns_cache_srv.1.weight = 2\n"
            "dns_cache_srv.1.target = srv1.example.com.",
            StaticRecord(
                name="_sip._udp.example.com", rdtype="SRV", text="1 2 5060 srv1.example.com.", ttl=300
            ),
        ),
        (
            "dns_cache_srv.1.name = _sip._udp.example.com\ndns_cache_srv.1.port = 5060\n"
            "dns_cache_srv.1.priority = 1\ndns_cache_srv.1.weight = 2\n"
            "dns_cache_srv.1.target = srv1.example.com",
            StaticRecord(
                name="_sip._udp.example.com", rdtype="SRV", text="1 2 5060 srv1.example.com.", ttl=300
            ),
        ),
        (
            "dns_cache_naptr.1.name = example.com\ndns_cache_naptr.1.order = 5\n"
            "dns_cache_naptr.1.preference = 6\n"
            "dns_cache_naptr.1.service = SIP+D2U\ndns_cache_naptr.1.replace = _sip._udp.example.com.",
            StaticRecord(
                name="example.com",
                rdtype="NAPTR",
                text='5 6 "S" "SIP+D2U" "" _sip._udp.example.com.',
                ttl=300,
            ),
        ),
    ],
)
def test_static_records(text: str, expected: StaticRecord) -> None:
    # rule D7
    assert loaded(text).config.dns.static_records == (expected,)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("dns_cache_a.1.name = pbx.example.com", 4),
        ("dns_cache_a.1.ip = 192.168.1.13", 4),
        ("dns_cache_a.1.ip = pbx\ndns_cache_a.1.name = pbx.example.com", 5),
        ('dns_cache_srv.1.name = a"b\ndns_cache_srv.1.target = c', 4),
        ('dns_cache_naptr.1.name = a\ndns_cache_naptr.1.replace = b\ndns_cache_naptr.1.service = "', 4),
        ('dns_cache_naptr.1.name = a\ndns_cache_naptr.1.replace = b\ndns_cache_naptr.1.flags = "', 4),
        ("dns_cache_a.1.name = pbx.example.com\ndns_cache_a.1.ip = fd00::13", 4),
    ],
)
def test_a_broken_static_record_is_ignored_and_told(text: str, line: int) -> None:
    found = loaded(text)
    assert found.config.dns.static_records == ()
    assert [f.line for f in found.diagnostics if f.code == "static-record"] == [line]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "dns_cache_a.1.ip = 192.168.1.13",
            "dns_cache_a.1.* is no A record, expected a domain name as .name and an IPv4 address as .ip",
        ),
        (
            "account.2.dns_cache_srv.3.name = pbx.example.com",
            "account.2.dns_cache_srv.3.* is no SRV record, expected a domain name as .name and",
        ),
    ],
)
def test_what_is_told_of_a_broken_static_record(text: str, told: str) -> None:
    (message,) = messages(loaded(text), "static-record")
    assert f"ignored: {told}" in message


def test_a_blank_static_record_is_usual() -> None:
    found = loaded("dns_cache_a.1.name =\ndns_cache_a.1.ip =\ndns_cache_a.1.ttl = 300")
    assert found.config.dns.static_records == ()
    assert messages(found, "static-record") == []


def test_older_names() -> None:
    found = load_text(
        """#!version:1.0.0.1
        account.2.enable = 1
        account.2.sip_server_host = old.example.com
        account.2.sip_server_port = 5070
        account.2.transport = 1
        account.2.expires = 600
        account.2.sip_server.2.address = 192.168.1.15
        account.2.sip_server.2.expires = 60
        account.2.outbound_host = proxy.example.com
        account.2.outbound_port = 5080
        account.2.advanced.timer_t1 = 1
        network.port.min_rtpport = 10000
        """
    )
    line = found.config.account(2)
    assert line is not None
    first, second = line.servers
    assert (first.address, first.port, first.transport_type, first.expires) == (
        "old.example.com",
        5070,
        TransportType.TCP,
        600,
    )
    assert (second.transport_type, second.expires) == (TransportType.TCP, 60)
    assert [(proxy.address, proxy.port) for proxy in line.proxies] == [("proxy.example.com", 5080)]
    assert found.config.timers.t1 == 1.0
    assert found.config.min_rtp_port == 10000


def test_todays_name_wins_over_the_older_one() -> None:
    assert server("account.1.sip_server_host = old.example.com").address == "pbx.example.com"
    assert server("account.1.sip_server_host =").address == "pbx.example.com"
    assert server("account.1.sip_server.1.port = %NULL%\naccount.1.sip_server_port = 1").port == 5060


def test_an_older_name_counts_beside_a_blank_of_todays() -> None:
    text = "account.1.sip_server.1.port =\naccount.1.sip_server_port = 5070\n"
    assert server(text).port == 5070
    assert server("".join(reversed(text.splitlines(keepends=True)))).port == 5070
    assert server("account.1.sip_server.1.port =\naccount.1.sip_server_port =").port == 5060


@pytest.mark.parametrize("blank", ["", "   ", "%NULL%", "%EMPTY%"])
def test_a_blank_host_is_none(blank: str) -> None:
    found = loaded(f"account.1.sip_server.2.address = {blank}\naccount.1.outbound_proxy.1.address = {blank}")
    assert found.config == loaded().config
    assert found.diagnostics == loaded().diagnostics


def test_accounts_in_order_of_their_number() -> None:
    text = "".join(f"account.{index}.label = {index}\n" for index in (10, 2, 16))
    found = loaded(text + "account.17.label = 17\naccount.0.label = 0\naccount.02.label = 02")
    assert [line.index for line in found.config.accounts] == [1, 2, 10, 16]
    assert messages(found, "no-such-account") == [
        "x.cfg:7: warning: no-such-account: account.17 is ignored: a SIP-T46S has 16 accounts"
    ]


@pytest.mark.parametrize(
    ("text", "line", "port"),
    [
        ("static.network.port.min_rtpport = 12000\nstatic.network.port.max_rtpport = 12000", 5, 12000),
        ("static.network.port.min_rtpport = 12780", 4, 12780),
        ("static.network.port.max_rtpport = 11780", 4, 11780),
    ],
)
def test_one_rtp_port_is_no_range(text: str, line: int, port: int) -> None:
    found = loaded(text)
    assert (found.config.min_rtp_port, found.config.max_rtp_port) == (11780, 12780)
    assert messages(found, "rtp-ports") == [
        f"x.cfg:{line}: warning: rtp-ports: RTP ports {port}..{port} are no range; "
        "the default 11780..12780 is kept"
    ]


def test_rtp_ports_the_wrong_way_round() -> None:
    found = loaded("static.network.port.min_rtpport = 20000")
    assert (found.config.min_rtp_port, found.config.max_rtp_port) == (11780, 12780)
    assert [(f.line, f.code) for f in found.diagnostics if f.code == "rtp-ports"] == [(4, "rtp-ports")]


TO_BE_SET = ("enable", "user_name", "sip_server.1.address")


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "account.1.enable = 1",
            [
                "x.cfg:1: error: no-server: account.1: enabled, but no server:"
                " account.1.sip_server.1.address is not set"
            ],
        ),
        (
            "account.1.enable = 1\naccount.1.sip_server.1.address = a b\naccount.2.enable = 1",
            [
                "x.cfg:2: error: no-server: account.1: enabled, but no server:"
                " account.1.sip_server.1.address = a b is neither a domain name nor an IP address",
                "x.cfg:3: error: no-server: account.2: enabled, but no server:"
                " account.2.sip_server.1.address is not set",
            ],
        ),
        (
            "account.1.enable = 0",
            ["x.cfg:1: error: no-account: no account is enabled: expected account.1.enable = 1"],
        ),
    ],
)
def test_what_no_phone_could_start_with(text: str, faults: list[str]) -> None:
    with pytest.raises(CfgError) as caught:
        load_text(text, "x.cfg")
    assert caught.value.faults == faults
    lenient = load_text(text, "x.cfg", strict=False)
    errors = [found for found in lenient.diagnostics if found.severity == "error"]
    assert [str(found) for found in errors] == faults
    assert {found.key for found in errors} <= {f"account.{x}.{key}" for x in (1, 2) for key in TO_BE_SET}


def test_overrides_alone_can_make_a_phone() -> None:
    found = load([], ["account.1.enable=1", "account.1.sip_server.1.address=192.168.1.13"])
    assert [server.address for server in found.config.accounts[0].servers] == ["192.168.1.13"]


def test_no_file_and_no_override() -> None:
    with pytest.raises(CfgError, match=r"^--set:1: error: no-account:"):
        load([])


def test_a_password_stays_hidden_and_whole() -> None:
    found = loaded("account.1.password = p=w#1 ü")
    assert found.config.accounts[0].password.reveal() == "p=w#1 ü"
    assert "p=w" not in repr(found)


def test_forwards_of_the_phone_and_of_a_line() -> None:
    found = loaded(
        "forward.always.enable = 1\n"
        "forward.always.target = 1005\n"
        "forward.no_answer.timeout = 21\n"
        "account.1.timeout_fwd.enable = 1\n"
        "account.1.timeout_fwd.target = 1006\n"
        "account.1.timeout_fwd.timeout = 5\n"
    )
    assert found.config.forward == ForwardConfig(always=True, always_target="1005")
    own = ForwardConfig(no_answer=True, no_answer_target="1006", rings=5)
    assert found.config.accounts[0].forward == own


def test_every_field_of_the_model_has_its_parameter() -> None:
    given_fields = {parameter.field for parameter in catalogue().parameters.values()}
    made_here = {
        "AccountConfig": {"index", "servers", "proxies", "codecs", "forward"},
        "ServerConfig": {"number", "failover"},
        "PhoneConfig": {"accounts", "timers", "dns", "keys", "forward"},
        "FailoverConfig": set[str](),
        "ForwardConfig": set[str](),
    }
    for model in (AccountConfig, ServerConfig, PhoneConfig, FailoverConfig, ForwardConfig):
        for attribute in fields(model):
            if attribute.name not in made_here[model.__name__]:
                assert f"{model.__name__}.{attribute.name}" in given_fields


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(sorted(name.replace("X", "1").replace("Y", "1") for name in catalogue().parameters)),
        st.one_of(
            st.integers(-2, 70000).map(str), st.sampled_from(["", "%NULL%", "%EMPTY%", "a.b", "0.5", "é"])
        ),
        max_size=30,
    )
)
def test_any_values_make_a_phone_or_an_error(facts: dict[str, str]) -> None:
    text = "\n".join(["x.y = 1", *(f"{key} = {value}" for key, value in facts.items())])
    found = load_text(text, strict=False)
    assert bool(found.config.lines) or "no-account" in {f.code for f in found.diagnostics}


def test_line_keys_and_voice_mail() -> None:
    config = loaded(
        "linekey.2.type = 16\nlinekey.2.value = 1002\nlinekey.2.label = Bob\nlinekey.2.extension = *8\n"
        "linekey.1.type = 15\nlinekey.1.line = 1\nlinekey.3.value = 1003\nlinekey.4.type = blf\n"
        "voice_mail.number.2 = *98\nvoice_mail.number.1 = *97\nvoice_mail.number.3 =\n"
    ).config
    assert config.keys == (
        KeyConfig(index=1, type=15, line=1),
        KeyConfig(index=2, type=KeyType.BLF, value="1002", label="Bob", extension="*8"),
    )
    assert config.voice_mail_numbers == ((1, "*97"), (2, "*98"))
    assert [config.voice_mail_number(line) for line in (1, 2, 3)] == ["*97", "*98", ""]
