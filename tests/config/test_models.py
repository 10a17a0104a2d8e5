"""The phones as data."""

from __future__ import annotations

import re

import pytest

from phone_emulator.cli.options import Common
from phone_emulator.config import load_text
from phone_emulator.config.models import (
    MOST_LINE_KEYS,
    accounts_of,
    generation_of,
    line_keys_of,
    model,
    models,
)
from phone_emulator.phone.wire.identity import Device


@pytest.mark.parametrize("name", models())
def test_a_model_is_in_order(name: str) -> None:
    found = models()[name]
    assert found.product == name
    assert re.fullmatch(r"SIP-T[1-5][0-9]\w*", found.name)
    assert 1 <= found.accounts <= 16
    assert 0 <= found.line_keys <= MOST_LINE_KEYS
    assert re.fullmatch(r"y0{9}\d{3}\.cfg|y0{10}\d{2}\.cfg", found.common_file)
    assert 70 <= found.generation <= 86


@pytest.mark.parametrize(
    ("name", "accounts", "common_file", "firmware"),
    [
        ("SIP-T46S", 16, "y000000000066.cfg", "66.86.0.15"),
        ("t46g", 16, "y000000000028.cfg", "28.83.0.15"),
        ("SIP-T48U", 16, "y000000000109.cfg", "108.86.0.15"),
        ("SIP-T19P_E2", 1, "y000000000053.cfg", "53.84.0.15"),
        ("SIP-T22P", 3, "y000000000005.cfg", "7.73.0.15"),
        ("SIP-T38G", 6, "y000000000038.cfg", "38.70.0.15"),
        ("SIP-T54W", 16, "y000000000096.cfg", "96.86.0.15"),
    ],
)
def test_what_a_model_decides(name: str, accounts: int, common_file: str, firmware: str) -> None:
    found = model(name)
    assert (found.accounts, found.common_file, found.firmware) == (accounts, common_file, firmware)


def test_the_default_phone_is_the_devices() -> None:
    assert model(Device().model).firmware == Device().firmware


def test_the_user_agent_is_the_models() -> None:
    config = load_text("account.1.enable = 0", strict=False).config
    device = Common(model="SIP-T46U").phone_options().device
    assert device.user_agent(config) == "Yealink SIP-T46U 108.86.0.15"


def test_an_unknown_model() -> None:
    with pytest.raises(ValueError, match=r"^'SIP-T46X' is not a model that is known; such are .*SIP-T46S"):
        model("SIP-T46X")
    assert (accounts_of("SIP-T46X"), generation_of("SIP-T46X")) == (16, 86)
    assert line_keys_of("SIP-T46X") == MOST_LINE_KEYS


def test_accounts_beyond_the_models_are_ignored() -> None:
    text = "\n".join(
        f"account.{n}.enable = 1\naccount.{n}.sip_server.1.address = pbx.example.com" for n in (1, 3, 4)
    )
    loaded = load_text(text, "x.cfg", model="SIP-T23G")
    assert [line.index for line in loaded.config.lines] == [1, 3]
    assert [str(each) for each in loaded.diagnostics if each.code == "no-such-account"] == [
        "x.cfg:6: warning: no-such-account: account.4 is ignored: a SIP-T23G has 3 accounts"
    ]


@pytest.mark.parametrize(
    ("phone", "kept", "ignored"),
    [
        (
            "SIP-T48S",
            [2, 28, 29],
            ["x.cfg:7: warning: no-such-linekey: linekey.99 is ignored: a SIP-T48S has 29 line keys"],
        ),
        (
            "SIP-T21P_E2",
            [2],
            [
                f"x.cfg:{line}: warning: no-such-linekey: linekey.{key} is ignored:"
                " a SIP-T21P_E2 has 2 line keys"
                for line, key in ((5, 28), (6, 29), (7, 99))
            ],
        ),
    ],
)
def test_line_keys_beyond_the_models_are_ignored(phone: str, kept: list[int], ignored: list[str]) -> None:
    text = (
        "account.1.enable = 1\naccount.1.sip_server.1.address = pbx.example.com\nlinekey.2.type = 16\n"
        "linekey.28.value = 1001\nlinekey.28.type = 16\nlinekey.29.type = 16\nlinekey.99.type = 16\n"
        "linekey.98.type =\n"
    )
    loaded = load_text(text, "x.cfg", model=phone)
    assert [key.index for key in loaded.config.keys] == kept
    assert [str(each) for each in loaded.diagnostics if each.code == "no-such-linekey"] == ignored


def test_a_phone_without_line_keys_says_so() -> None:
    loaded = load_text(
        "account.1.enable = 0\nlinekey.1.type = 15", "x.cfg", model="SIP-T19P_E2", strict=False
    )
    [found] = [each for each in loaded.diagnostics if each.code == "no-such-linekey"]
    assert found.message == "linekey.1 is ignored: a SIP-T19P_E2 has no line keys"
