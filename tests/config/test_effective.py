"""What settings come to: by meaning, whatever the spelling; and the export that loads back to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config.catalogue import catalogue, fill
from phone_emulator.config.effective import differences, effective, natural_order, slots_of
from phone_emulator.config.export import WHAT, export
from phone_emulator.config.loading import load_text
from phone_emulator.config.model import PhoneConfig
from phone_emulator.config.reader import HEADER, Origin, Setting, read, read_text
from phone_emulator.config.secret import Secret


def settings_of(text: str, *overrides: str) -> dict[str, Setting]:
    return read_text(f"{HEADER}\n{text}", "x.cfg", overrides).settings


def values_of(text: str) -> dict[str, str]:
    return {slot: each.value for slot, each in effective(settings_of(text)).items()}


def differ(left: str, right: str) -> list[str]:
    return [
        f"{each.left.key}: {each.left.shown} -> {each.right.shown}"
        for each in differences(settings_of(f"zz.zz = 0\n{left}"), settings_of(f"zz.zz = 0\n{right}"))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip.timer_t1 = 0.50", {"sip.timer_t1": "0.5"}),
        ("sip.timer_t2 = 4.0", {"sip.timer_t2": "4"}),
        ("sip.listen_port = 05060", {"sip.listen_port": "5060"}),
        ("sip.listen_port = x", {"sip.listen_port": "5060"}),
        ("sip.listen_port =", {"sip.listen_port": "5060"}),
        ("sip.mac_in_ua = 2", {"sip.mac_in_ua": "2"}),
        ("account.1.sip_server.1.failback_timeout = 5", {"account.1.sip_server.1.failback_timeout": "60"}),
        ("account.1.sip_server.1.address = [2001:db8::1]", {"account.1.sip_server.1.address": "2001:db8::1"}),
        # rule C5
        ("account.1.sip_server.1.retry_counts =", {"account.1.sip_server.1.retry_counts": ""}),
        ("made.up = a  b", {"made.up": "a  b"}),
        ("network.primary_dns = 192.0.2.1", {"static.network.primary_dns": "192.0.2.1"}),
        ("network.internet_port.type = 2", {"static.network.internet_port.type": "2"}),
        (
            "account.2.transport = 1",
            {f"account.2.sip_server.{y}.transport_type": "1" for y in (1, 2)},
        ),
        (
            "account.1.transport = 1\naccount.1.sip_server.1.transport_type = 2",
            {"account.1.sip_server.1.transport_type": "2", "account.1.sip_server.2.transport_type": "1"},
        ),
        ("account.1.codec.6.priority = 7", {"account.1.codec.g722.priority": "7"}),
        (
            "account.1.codec.1.payload_type = G722\naccount.1.codec.1.priority = 7",
            {"account.1.codec.1.payload_type": "G722", "account.1.codec.g722.priority": "7"},
        ),
        ("account.3.advanced.timer_t1 = 2", {"sip.timer_t1": "2"}),
        ("account.1.dns_cache_a.1.ttl = 60", {"account.1.dns_cache_a.1.ttl": "60"}),
        (
            "security.user_password = admin:a:b\nstatic.security.user_password = user:c",
            {
                "static.security.user_password[admin]": "admin:a:b",
                "static.security.user_password[user]": "user:c",
            },
        ),
    ],
)
def test_what_a_value_comes_to(text: str, expected: dict[str, str]) -> None:
    assert values_of(text) == expected


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ("sip.timer_t1 = 0.5", "", []),
        ("sip.timer_t1 = 0.50\nmade.up =", "sip.timer_t1 = %NULL%", []),
        ("sip.timer_t1 = 1", "", ["sip.timer_t1: 1 -> 0.5"]),
        ("account.1.transport = 0", "account.1.sip_server.2.transport_type =", []),
        # rule C5
        (
            "account.1.sip_server.1.retry_counts = 3",
            "",
            ["account.1.sip_server.1.retry_counts: 3 -> "],
        ),
        ("account.1.password = a", "account.1.password = b", ["account.1.password: •••• -> ••••"]),
        ("account.1.password = a", "account.1.password = a", []),
        (
            "account.10.label = a\naccount.9.label = a",
            "",
            ["account.9.label: a -> ", "account.10.label: a -> "],
        ),
        (
            "static.security.user_password = admin:a",
            "static.security.user_password = user:a",
            ["static.security.user_password: •••• -> ", "static.security.user_password:  -> ••••"],
        ),
    ],
)
def test_a_difference_is_one_of_meaning(left: str, right: str, told: list[str]) -> None:
    assert differ(left, right) == told


def test_each_value_knows_its_origin(tmp_path: Path) -> None:
    common, local = tmp_path / "common.cfg", tmp_path / "001565aabbcc-local.cfg"
    common.write_text(f"{HEADER}\na.a = 1\na.b = 1\na.c = 1\nsip.timer_t1 = x\n")
    local.write_text(f"{HEADER}\na.b = 2\n")
    reading = read([common, local], ["a.c=3"])
    found = effective(reading.settings)
    assert [(each.value, each.origin) for each in found.values()] == [
        ("1", Origin.PROVISIONED),
        ("2", Origin.USER),
        ("3", Origin.USER),
        ("0.5", Origin.FACTORY),
    ]
    assert [(each.file, each.line) for each in reading.earlier["a.b"]] == [(str(common), 3)]


def test_a_url_shows_no_password() -> None:
    found = effective(settings_of("static.auto_provision.server.url = http://joe:hunter2@example.com/x:y@z"))
    assert [each.shown for each in found.values()] == ["http://joe:••••@example.com/x:y@z"]


def test_the_slots_of_a_key() -> None:
    found = settings_of("static.security.user_password = admin:a\nstatic.security.user_password = user:b")
    key = "static.security.user_password"
    assert slots_of("security.user_password", found) == [f"{key}[admin]", f"{key}[user]"]
    assert slots_of("account.1.expires", found) == [f"account.1.sip_server.{y}.expires" for y in (1, 2)]


def test_the_natural_order() -> None:
    names = ["account.10.a", "account.2.a", "account.2", "account", "a1b2", "a1b10", "a.1"]
    assert sorted(names, key=natural_order) == [
        "a1b2",
        "a1b10",
        "a.1",
        "account",
        "account.2",
        "account.2.a",
        "account.10.a",
    ]


def test_an_export_in_full() -> None:
    text = (
        "static.network.primary_dns = 192.0.2.1\naccount.2.label = two\naccount.1.password = a=b #c\n"
        "account.1.label = %EMPTY%\naccount.1.ptime = 7\naccount.1.auth_name =\nsip.timer_t1 = 1.50\n"
        "auto_provision.server.url = http://a:b@c/\n"
    )
    url = "static.auto_provision.server.url = http://a"
    clean = (
        f"{HEADER}\n\naccount.1.label = %EMPTY%\naccount.1.password = a=b #c\n\naccount.2.label = two\n\n"
        f"sip.timer_t1 = 1.5\n\n{url}:b@c/\n\nstatic.network.primary_dns = 192.0.2.1\n"
    )
    assert export(settings_of(text), reveal=True) == clean
    masked = clean.replace("a=b #c", "••••").replace(":b@", ":••••@")
    assert export(settings_of(text)) == masked


@pytest.mark.parametrize(
    ("what", "keys"),
    [
        ("all", ["account.1.label", "sip.timer_t1", "static.network.primary_dns", "static.syslog.server"]),
        ("local", ["sip.timer_t1"]),
        ("static", ["static.network.primary_dns", "static.syslog.server"]),
        ("non-static", ["account.1.label", "sip.timer_t1"]),
    ],
)
def test_what_is_exported(what: str, keys: list[str]) -> None:
    assert what in WHAT
    text = "account.1.label = a\nstatic.network.primary_dns = 192.0.2.1"
    found = settings_of(text, "sip.timer_t1=1", "static.syslog.server=192.0.2.2")
    assert [line.partition(" = ")[0] for line in export(found, what).splitlines()[1:] if line] == keys


NAMES = [
    *catalogue().parameters,
    *catalogue().older,
    *(name for names in catalogue().synonyms.values() for name in names),
    "made.up",
    "voice_mail.number.X",
    "static.syslog.server_port",
]
KEYS = st.builds(
    lambda name, x, y: fill(name + ".", X=x, Y=y, N=x)[:-1],
    st.sampled_from(NAMES),
    st.sampled_from([1, 2, 16, 17]),
    st.sampled_from([1, 2]),
)
WORDS = (
    "0 1 2 3 -1 5060 007 0.5 1.50 59 60 S example.com 192.0.2.1 [2001:db8::1] %NULL% %EMPTY% admin:x user:y=z"
)
VALUES = st.sampled_from(["", "a  b # c", "Zoë", "http://a:b@c/", *WORDS.split()])


def without_idle_accounts(config: PhoneConfig) -> PhoneConfig:
    """*config* without accounts that are mentioned, and to which nothing is said."""
    idle = load_text("account.1.enable = 0", strict=False).config.accounts[0]
    accounts = tuple(each for each in config.accounts if each != replace(idle, index=each.index))
    return replace(config, accounts=accounts)


@settings(max_examples=150)
@given(st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=30))
def test_an_export_comes_to_the_same_and_is_its_own_export(lines: list[tuple[str, str]]) -> None:
    text = "\n".join([HEADER, *(f"{key} = {value}" for key, value in lines)])
    before = load_text(text, strict=False)
    clean = export(before.settings, reveal=True)
    if clean == f"{HEADER}\n":
        return
    after = load_text(clean, strict=False)
    assert differences(before.settings, after.settings) == []
    assert without_idle_accounts(after.config) == without_idle_accounts(before.config)
    assert export(after.settings, reveal=True) == clean
    found = effective(after.settings).values()
    secret = any(isinstance(each.value, Secret) and each.value.reveal() for each in found)
    assert not secret or "••••" in export(after.settings)
