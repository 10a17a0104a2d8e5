"""What a provisioning leaves behind, by ``overwrite_mode``."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config.loading import load_settings
from phone_emulator.config.reader import HEADER, Setting, read_text
from phone_emulator.config.store import changed_by_user, provision

LOCAL = "001565aabbcc-local.cfg"


def said(text: str, name: str = "mac.cfg") -> dict[str, Setting]:
    return read_text(f"{HEADER}\n{text}", name).settings


def values(store: dict[str, Setting]) -> dict[str, str]:
    return {slot: setting.value for slot, setting in store.items()}


@pytest.mark.parametrize(
    ("fetched", "overwrite", "expected"),
    [
        ("a.b = 2\nstatic.c = 2", False, {"a.b": "2", "static.c": "2"}),
        ("a.b = 2\nstatic.c = 2", True, {"a.b": "2", "static.c": "2"}),
        ("a.b =\nstatic.c =", False, {"a.b": "1", "static.c": "1"}),
        ("a.b =\nstatic.c =", True, {}),
        ("x.y = 1", False, {"a.b": "1", "static.c": "1", "x.y": "1"}),
        ("x.y = 1", True, {"static.c": "1", "x.y": "1"}),
        ("a.b = %NULL%\nstatic.c = %NULL%", False, {}),
        ("a.b = %NULL%\nstatic.c = %NULL%", True, {}),
        ("a.b = %EMPTY%\nx.y =", False, {"a.b": "%EMPTY%", "static.c": "1"}),
        ("a.b = %EMPTY%\nx.y =", True, {"a.b": "%EMPTY%", "static.c": "1"}),
    ],
)
def test_what_is_left(fetched: str, overwrite: bool, expected: dict[str, str]) -> None:
    before = said("a.b = 1\nstatic.c = 1", "old.cfg")
    assert values(provision(before, said(fetched), overwrite_mode=overwrite)) == expected


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("fetched", "protect", "expected"),
    [
        ("a.b = 2", False, "2"),
        ("a.b = 2", True, "user"),
        ("a.b =", True, "user"),
        ("a.b = %NULL%", True, "user"),
        ("x.y = 1", True, "user"),
        ("a.b = %NULL%", False, None),
    ],
)
def test_what_the_user_has_changed(
    fetched: str, protect: bool, expected: str | None, overwrite: bool
) -> None:
    before = changed_by_user(said("a.b = 1"), "a.b", "user", LOCAL)
    after = provision(before, said(fetched), overwrite_mode=overwrite, protect=protect)
    assert values(after).get("a.b") == expected


def test_static_values_are_not_protected() -> None:
    before = changed_by_user({}, "static.c", "user", LOCAL)
    assert values(provision(before, said("static.c = 2"), protect=True)) == {"static.c": "2"}


def test_what_comes_from_the_local_file_is_the_users() -> None:
    before = provision({}, said("a.b = user", LOCAL))
    assert values(provision(before, said("a.b = 2"), protect=True)) == {"a.b": "user"}
    assert values(provision(before, said("a.b = 3", LOCAL), protect=True)) == {"a.b": "3"}


def test_an_older_name_replaces_todays() -> None:
    before = said("static.network.primary_dns = 192.0.2.1\naccount.1.sip_server.2.transport_type = 1")
    after = provision(before, said("network.primary_dns = 192.0.2.2\naccount.1.transport = 2"))
    assert values(after) == {
        "static.network.primary_dns": "192.0.2.2",
        "account.1.sip_server.1.transport_type": "2",
        "account.1.sip_server.2.transport_type": "2",
    }
    assert after["static.network.primary_dns"].key == "network.primary_dns"


def test_a_store_gives_a_phone() -> None:
    store = provision({}, said("account.1.enable = 1\naccount.1.sip_server_host = pbx.example.com"))
    line = load_settings(store).config.lines[0]
    assert line.servers[0].address == "pbx.example.com"


TEXTS = st.lists(
    st.tuples(
        st.sampled_from(["a.b", "a.c", "static.c", "network.primary_dns", "static.network.primary_dns"]),
        st.sampled_from(["", "1", "2", "%NULL%", "%EMPTY%"]),
    ),
    min_size=1,
    max_size=6,
).map(lambda lines: "\n".join(f"{key} = {value}" for key, value in lines))


@settings(max_examples=100)
@given(TEXTS, TEXTS, st.booleans(), st.booleans())
def test_the_same_files_again_change_nothing(old: str, new: str, overwrite: bool, protect: bool) -> None:
    once = provision(provision({}, said(old)), said(new), overwrite_mode=overwrite, protect=protect)
    assert provision(once, said(new), overwrite_mode=overwrite, protect=protect) == once
    assert all(setting.given is not None for setting in once.values())
