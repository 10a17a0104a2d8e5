"""Who may name a file of this machine: the one function that each door asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.config import load_text
from phone_emulator.config.local_files import LocalFileRefused, as_url, from_network, named_file

HERE = ("phone.cfg", "--set", "/etc/phone.cfg", "file:/srv/a.cfg", "FILE:///srv/a.cfg", "", "a:b.cfg")
SERVERS = ("http://h/a.cfg", "https://h/a.cfg", "ftp://h/a.cfg", "TFTP://h/a.cfg", "network://")


@pytest.mark.parametrize("source", HERE)
def test_who_sits_here_names_files(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not from_network(source)
    assert named_file("file:/etc/ca.pem", source) == Path("/etc/ca.pem")
    assert named_file("FILE:///etc/ca.pem", source) == Path("/etc/ca.pem")
    assert named_file("../ca.pem", source) == Path("../ca.pem")
    assert named_file("http://h/ca.pem", source) is None
    monkeypatch.chdir(tmp_path)
    assert named_file("ca.pem", source) is None
    (tmp_path / "ca.pem").touch()
    assert named_file("ca.pem", source) == Path("ca.pem")


@pytest.mark.parametrize("source", SERVERS)
@pytest.mark.parametrize(
    "text",
    ["file:/etc/ca.pem", "file:///etc/ca.pem", "FiLe:ca.pem", "/etc/ca.pem", "./ca.pem", "../ca.pem"],
)
def test_a_server_names_none(source: str, text: str) -> None:
    assert from_network(source)
    with pytest.raises(LocalFileRefused, match="is on this machine"):
        named_file(text, source)


def test_a_server_does_not_learn_which_files_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    assert named_file("ca.pem", "http://h/a.cfg") is None
    assert as_url("ca.pem") == "tftp://ca.pem"
    assert as_url("pbx:69/ca.pem") == "tftp://pbx:69/ca.pem"
    assert as_url("pbx/a://b") == "tftp://pbx/a://b"
    assert as_url("FILE:x") == "FILE:x"
    assert as_url("https://h/ca.pem") == "https://h/ca.pem"


def test_what_is_said_of_a_server_that_names_one() -> None:
    text = "#!version:1.0.0.1\nstatic.trusted_certificates.url = /etc/ca.pem\n"
    told = load_text(text, name="http://h/a.cfg", overrides=["account.1.enable=0"], strict=False)
    (found,) = [each for each in told.diagnostics if each.code == "local-file"]
    assert (found.line, found.message) == (
        2,
        "static.trusted_certificates.url = /etc/ca.pem is on this machine, which what a server says may not"
        " name; no value is kept",
    )
    assert not told.config.trusted_certificates_url
