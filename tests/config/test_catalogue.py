"""The parameters as data."""

from __future__ import annotations

from enum import IntEnum

import pytest

from phone_emulator.config import model
from phone_emulator.config.catalogue import Effect, Parameter, catalogue, fill, is_ip

TYPES = {"bool", "int", "float", "enum", "string", "host", "url", "secret", "tone"}


@pytest.mark.parametrize("name", catalogue().parameters)
def test_a_parameter_is_in_order(name: str) -> None:
    parameter = catalogue().parameters[name]
    assert parameter.type in TYPES
    if parameter.use != "people":
        assert (parameter.effect is Effect.ACTS) == bool(parameter.field or parameter.use)
    if parameter.default:
        parameter.parse(parameter.default)
    if parameter.field:
        holder, _, attribute = parameter.field.partition(".")
        assert attribute in getattr(model, holder).__dataclass_fields__


@pytest.mark.parametrize(
    "name", [name for name, found in catalogue().parameters.items() if found.default and found.field]
)
def test_the_default_is_the_models(name: str) -> None:
    parameter = catalogue().parameters[name]
    holder, _, attribute = parameter.field.partition(".")
    own_default = getattr(model, holder).__dataclass_fields__[attribute].default
    # a proxy's -1 is its server's value; documented defaults are not "set"; the port depends on the
    # firmware; the last two have no default
    if parameter.default == "-1" and holder == "FailoverConfig":
        return
    own = ("retry_counts", "invite_retry_counts", "listen_port", "cn_validation", "ip_address_mode")
    if attribute in own or holder in ("CodecConfig", "StaticRecord"):
        return
    value = parameter.default_value
    assert value == (int(own_default) if isinstance(own_default, IntEnum) else own_default)


def test_each_older_name_leads_to_a_known_one() -> None:
    found = catalogue()
    for new, olds in found.synonyms.items():
        assert found.pattern(fill(new, X=1, Y=1, N=1)) in found.parameters
        assert all(found.pattern(fill(old, X=1, N=1)) for old in olds)


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("account.12.sip_server.2.port", "account.X.sip_server.Y.port"),
        ("sip.timer_t1", "sip.timer_t1"),
        ("account.3.sip_server_host", "account.X.sip_server_host"),
        ("network.primary_dns", "network.primary_dns"),
        ("account.1.100rel_enable", "account.X.100rel_enable"),
        ("linekey.27.type", "linekey.X.type"),
        ("made.up", None),
        ("account.sip_server.port", None),
    ],
)
def test_the_pattern_of_a_key(key: str, pattern: str | None) -> None:
    assert catalogue().pattern(key) == pattern


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("ACCOUNT.3.Sip_Server.2.PORT", "account.3.sip_server.2.port"),
        ("account.3.codec.g722_1_24KPBS.enable", "account.3.codec.G722_1_24kpbs.enable"),
        ("Made.Up", None),
    ],
)
def test_a_key_in_the_case_in_which_it_is_known(key: str, known: str | None) -> None:
    assert catalogue().in_case(key) == known


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("pbx.example.com", "pbx.example.com"),
        ("pbx", "pbx"),
        ("under_score.example.com.", "under_score.example.com."),
        ("bücher.example", "bücher.example"),
        ("192.168.1.13", "192.168.1.13"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("192.168.1.300", None),
        ("1001", None),
        ("pbx.example.com:5060", None),
        ("sip:pbx.example.com", None),
        ("a b", None),
        ("-a", None),
        ("a..b", None),
        (".", None),
        ("a" * 64, None),
        ("a." * 200, None),
    ],
)
def test_a_host(text: str, host: str | None) -> None:
    parameter = Parameter(name="x", type="host")
    if host is None:
        with pytest.raises(ValueError, match=r"^expected a domain name or an IP address$"):
            parameter.parse(text)
    else:
        assert parameter.parse(text) == host


def test_is_ip() -> None:
    assert [is_ip(text) for text in ("192.168.1.13", "::1", "pbx", "")] == [True, True, False, False]
