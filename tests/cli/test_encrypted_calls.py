"""Encrypted calls as programs and people see them: JSON, the log, and nowhere a key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
TLS = ("--set", "account.1.sip_server.1.transport_type=2", "--set", "account.1.sip_server.1.port=5061")


@pytest.mark.parametrize(
    ("options", "media"),
    [
        ((), {"codec": "PCMU", "srtp": None, "keys_in_clear": False}),
        (
            ("--set", "account.1.srtp_encryption=1", "--optional-srtp", "two-lines"),
            {"codec": "PCMU", "srtp": SHA1_80, "keys_in_clear": True},
        ),
        (
            ("--set", "account.1.srtp_encryption=2", *TLS),
            {"codec": "PCMU", "srtp": SHA1_80, "keys_in_clear": False},
        ),
    ],
)
def test_json_tells_how_a_call_is_encrypted(
    options: tuple[str, ...], media: dict[str, object], run: Run, example: Path, zone: Path
) -> None:
    # account.1.srtp_encryption
    only = ("--set", "account.1.codec.g722.enable=0")
    result = run(
        "call", example, "1002", "--world", "simulated", "--zone", zone, "--format", "json", *only, *options
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["media"]
    assert {key: told[key] for key in media} == media


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_log_tells_it_without_a_key(level: str, run: Run, example: Path, zone: Path) -> None:
    result = run(
        *("call", example, "1002", "--world", "simulated", "--zone", zone, "--log-level", level),
        *("--set", "account.1.srtp_encryption=2"),
    )
    assert f"encrypted ({SHA1_80}), keys in the clear" in result.output
    assert ("inline:••••" in result.output) is (level == "debug")
    assert result.output.count("inline:") == result.output.count("inline:••••")
