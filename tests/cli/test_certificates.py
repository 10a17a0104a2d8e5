"""The certificates that files and options name, read."""

from __future__ import annotations

import ssl
from pathlib import Path

import click
import pytest
import trustme

from phone_emulator.cli.certificates import identity_of, pem_of, with_certificates
from phone_emulator.config import load_text
from phone_emulator.config.model import PhoneConfig
from phone_emulator.phone import PhoneOptions

PEM = trustme.CA().cert_pem.bytes()
CFG = "account.1.enable = 1\naccount.1.user_name = 1001\naccount.1.sip_server.1.address = pbx.example\n"


def config(key: str, value: object) -> PhoneConfig:
    return load_text(f"{CFG}{key} = {value}\n").config


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_both_forms_of_a_certificate(tmp_path: Path, form: str) -> None:
    path = tmp_path / "ca"
    path.write_bytes(PEM if form == "PEM" else ssl.PEM_cert_to_DER_cert(PEM.decode()))
    assert pem_of(path, "--ca").split() == PEM.decode().split()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"", "is neither PEM nor DER"),
        (b"hello", "is neither PEM nor DER"),
        (b"-----BEGIN CERTIFICATE-----\n\xff", "is not PEM text"),
        (b"0" * (5 * 1024 * 1024 + 1), "is larger than 5 MiB"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(click.BadParameter, match=why) as caught:
        pem_of(path, "--ca")
    assert str(path) in str(caught.value)
    for key in ("static.trusted_certificates.url", "static.server_certificates.url"):
        found = load_text(f"{CFG}{key} = {path}\nstatic.security.dev_cert = 1", "x.cfg", strict=False)
        [said] = [str(each) for each in found.diagnostics if each.code == "bad-certificate"]
        assert said.startswith(f"x.cfg:4: error: bad-certificate: {key}: {path}: {why}")
        with pytest.raises(click.UsageError, match=why):  # which was lost since it was read
            with_certificates(PhoneOptions(), found.config, fetch=False)


def test_an_identity_has_its_key(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("phone.example")
    path = tmp_path / "phone.pem"
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    assert identity_of(path, "--client-cert") == path.read_text()
    path.write_bytes(issued.cert_chain_pems[0].bytes())
    with pytest.raises(click.BadParameter, match="holds no private key") as caught:
        identity_of(path, "--client-cert")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "file:", "file://"])
def test_a_file_of_this_machine(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(PEM)
    url = f"{prefix}{path}"
    options = with_certificates(PhoneOptions(), config("static.trusted_certificates.url", url), fetch=False)
    assert options.certificates.trusted_pem == PEM.decode()
    assert options.certificates.own_pem == ""
    options = with_certificates(PhoneOptions(), config("static.server_certificates.url", url), fetch=False)
    assert options.certificates.own_pem == PEM.decode()


def test_a_simulation_fetches_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    asked = config("static.trusted_certificates.url", "http://192.0.2.1/ca.pem")
    assert with_certificates(PhoneOptions(), asked, fetch=False) == PhoneOptions()
    assert "is not fetched in the simulated world" in capsys.readouterr().err


def test_what_cannot_be_fetched_is_told_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    asked = config("static.trusted_certificates.url", "http://user:secret@127.0.0.77:9/ca.pem")
    assert with_certificates(PhoneOptions(), asked, fetch=True) == PhoneOptions()
    told = capsys.readouterr().err
    assert "static.trusted_certificates.url: http://127.0.0.77:9/ca.pem: " in told
    assert "the phone goes on without it" in told
    assert "secret" not in told
