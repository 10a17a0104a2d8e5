"""Certificates of both ends, on the machine's own sockets."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import importlib.util
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from phone_emulator.events import Address
from phone_emulator.world import (
    RealWorld,
    Stream,
    StreamReceiver,
    TlsClient,
    TlsFailed,
    TlsServer,
    WorldError,
)
from phone_emulator.world.tls import server_context
from tests.patience import patient

HOST = "127.0.0.13"
no_uvloop = pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
Run = Callable[[Callable[[RealWorld], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=["asyncio", pytest.param("uvloop", marks=no_uvloop)])
def run(request: pytest.FixtureRequest) -> Run:
    def run_check(check: Callable[[RealWorld], Coroutine[Any, Any, None]]) -> None:
        world = RealWorld(fast=request.param == "uvloop")
        world.run(check(world))

    return run_check


class Ear:
    """Hears everything, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes | str] = asyncio.Queue()

    def data_received(self, data: bytes) -> None:
        self.heard.put_nowait(data)

    def connection_lost(self, reason: str) -> None:
        self.heard.put_nowait(reason)

    async def next(self) -> bytes | str:
        return await patient(self.heard.get())


AUTHORITY, STRANGER = trustme.CA(), trustme.CA()
CA, STRANGERS_CA = AUTHORITY.cert_pem.bytes().decode(), STRANGER.cert_pem.bytes().decode()
YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


def server(**how: Any) -> TlsServer:
    issued = AUTHORITY.issue_cert("a.example")
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    return TlsServer(("a.example",), chain.decode(), issued.private_key_pem.bytes().decode(), **how)


def own(authority: trustme.CA = AUTHORITY, **how: Any) -> str:
    return authority.issue_cert("phone.example", **how).private_key_and_cert_chain_pem.bytes().decode()


def test_a_server_that_asks_for_a_certificate_gets_it(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        shown: list[Any] = []

        def accept(peer: Stream) -> StreamReceiver:
            shown.append(peer._wire.get_extra_info("peercert"))  # type: ignore[attr-defined]
            peer.send(b"welcome")
            return Ear()

        listener = await world.listen(Address(HOST, 0), accept, tls=server(client_ca_pem=CA))
        ear = Ear()
        await world.connect(listener.local, ear, tls=TlsClient("a.example", ca_pem=CA, identity_pem=own()))
        assert await ear.next() == b"welcome"
        assert ("DNS", "phone.example") in shown[0]["subjectAltName"]

    run(check)


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        ("", "the peer wants a certificate of ours, and we have none"),
        (own(STRANGER), "the peer does not trust our certificate: its CA is unknown there"),
        (own(not_after=YESTERDAY), "the peer says that our certificate has expired"),
    ],
    ids=["none", "unknown CA", "expired"],
)
def test_why_a_server_does_not_take_our_certificate(run: Run, identity: str, why: str) -> None:
    """In TLS 1.3 it says so only after the handshake: the connection ends with the reason.

    The server is OpenSSL's own: asyncio's drops the connection without saying why.
    """
    context = server_context(server(client_ca_pem=CA))
    with socket.create_server((HOST, 0)) as listening:

        def refuse() -> None:
            peer, _ = listening.accept()
            with peer, contextlib.suppress(ssl.SSLError):
                context.wrap_socket(peer, server_side=True).close()

        async def check(world: RealWorld) -> None:
            ear = Ear()
            tls = TlsClient("a.example", ca_pem=CA, identity_pem=identity)
            try:
                await world.connect(Address(*listening.getsockname()), ear, tls=tls)
                told = await ear.next()
            except TlsFailed as error:
                told = str(error)
            assert told == why

        refusing = threading.Thread(target=refuse)
        refusing.start()
        run(check)
        refusing.join(5)


@pytest.mark.parametrize("pem", ["nonsense", CA], ids=["nonsense", "no key"])
def test_a_certificate_of_ours_that_cannot_be_used(run: Run, pem: str) -> None:
    async def check(world: RealWorld) -> None:
        with pytest.raises(TlsFailed, match="cannot use our own certificate: "):
            await world.connect(Address(HOST, 9), Ear(), tls=TlsClient("a.example", identity_pem=pem))
        with pytest.raises(WorldError, match=r"cannot use the CAs of the clients of a\.example"):
            await world.listen(Address(HOST, 0), lambda peer: Ear(), tls=server(client_ca_pem="nonsense"))

    run(check)


def test_a_locked_key_is_an_error_and_asks_nobody(run: Run) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()

    async def check(world: RealWorld) -> None:
        with pytest.raises(TlsFailed, match="cannot use our own certificate: "):
            await world.connect(Address(HOST, 9), Ear(), tls=TlsClient("a.example", identity_pem=locked + CA))

    run(check)


def sip_certificate(*names: x509.GeneralName) -> TlsServer:
    """A certificate with *names*, which its own key signs: it is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cn.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return TlsServer((), pem, private, pem)


def test_a_certificate_for_the_domain_as_a_sip_uri(run: Run) -> None:
    """RFC 5922 section 7.1: a host name beside it, as that which SRV led to, is for other protocols."""
    issued = sip_certificate(
        x509.UniformResourceIdentifier("sip:pbx.example"), x509.DNSName("srv1.hosting.example")
    )

    async def check(world: RealWorld) -> None:
        listener = await world.listen(Address(HOST, 0), lambda peer: Ear(), tls=issued)
        await world.connect(listener.local, Ear(), tls=TlsClient("pbx.example", ca_pem=issued.ca_pem))
        for name in ("srv1.hosting.example", "cn.example"):
            with pytest.raises(TlsFailed) as caught:
                await world.connect(listener.local, Ear(), tls=TlsClient(name, ca_pem=issued.ca_pem))
            assert str(caught.value) == f"certificate is for sip:pbx.example, not {name}"

    run(check)


def test_cas_of_the_user_beside_those_of_the_machine(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """static.security.ca_cert: 0 the machine's own, 1 the user's, 2 both."""
    machine = tmp_path / "machine.pem"
    machine.write_text(STRANGERS_CA, encoding="ascii")
    monkeypatch.setenv("SSL_CERT_FILE", str(machine))
    strange = STRANGER.issue_cert("a.example")
    chain = b"".join(part.bytes() for part in strange.cert_chain_pems)
    theirs = TlsServer(("a.example",), chain.decode(), strange.private_key_pem.bytes().decode())

    async def check(world: RealWorld) -> None:
        ours = await world.listen(Address(HOST, 0), lambda peer: Ear(), tls=server())
        foreign = await world.listen(Address(HOST, 0), lambda peer: Ear(), tls=theirs)
        for ca_pem, machine_cas, trusted in (
            (None, False, [False, True]),
            (CA, False, [True, False]),
            (CA, True, [True, True]),
            ("", False, [False, False]),
        ):
            found = []
            for listener in (ours, foreign):
                tls = TlsClient("a.example", ca_pem=ca_pem, machine_cas=machine_cas)
                try:
                    await world.connect(listener.local, Ear(), tls=tls)
                except TlsFailed:
                    found.append(False)
                else:
                    found.append(True)
            assert found == trusted

    run(check)


def test_old_versions_of_tls_are_not_spoken(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        listener = await world.listen(Address(HOST, 0), lambda peer: Ear(), tls=server())
        context = ssl.create_default_context(cadata=CA)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionResetError)):  # as this OpenSSL says it
            await asyncio.open_connection(*listener.local, ssl=context, server_hostname="a.example")

    run(check)


def test_no_key_is_ever_shown() -> None:
    shown = f"{TlsClient('x', identity_pem='secret')} {TlsServer(('x',), key_pem='secret')}"
    assert "secret" not in shown
