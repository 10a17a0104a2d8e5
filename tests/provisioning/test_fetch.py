"""Fetching one file over each protocol, from servers that behave and from those that do not."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trustme

from phone_emulator.config.model import Secret
from phone_emulator.lab.provisioning import Guard, ProvisioningServer
from phone_emulator.provisioning.fetch import fetch
from phone_emulator.provisioning.fetching import FetchError, Manner, NotThere
from phone_emulator.provisioning.location import parse_location
from phone_emulator.world.base import TlsServer
from tests.bad_numbers import NO_NUMBERS, shown
from tests.patience import NET, patient
from tests.provisioning.servers import Ftp, Tftp, saying, stream_server, tftp_server

MANNER = Manner(user_agent="Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:cc", timeout=NET)
IMPATIENT = dataclasses.replace(MANNER, timeout=0.2)
CFG = b"#!version:1.0.0.1\naccount.1.enable = 1\n"

_Result = TypeVar("_Result")


def run(story: Coroutine[Any, Any, _Result]) -> _Result:
    """What *story* returns."""
    return asyncio.run(patient(story))


async def get(url: str, manner: Manner = MANNER) -> bytes:
    """What is at *url*."""
    return await fetch(parse_location(url), manner)


def refused(answer: bytes, match: str, manner: Manner = MANNER, *, wait: float = 0.0) -> FetchError:
    """The error when an HTTP server says *answer*."""

    async def story() -> None:
        async with stream_server(saying(answer, then_wait=wait)) as port:
            await get(f"http://127.0.0.1:{port}/x.cfg", manner)

    with pytest.raises(FetchError, match=match) as caught:
        run(story())
    return caught.value


# -- HTTP --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guard", list(Guard))
def test_http_with_every_guard(guard: Guard) -> None:
    async def story() -> tuple[bytes, ProvisioningServer]:
        server = ProvisioningServer({"/a b.cfg": CFG, "/a%20b.cfg": CFG}, guard=guard, accounts={"u": "p:w"})
        await server.start()
        try:
            return await get(server.url.replace("://", "://u:p%3Aw@") + "a b.cfg"), server
        finally:
            await server.stop()

    content, server = run(story())
    assert content == CFG
    assert {asked.user_agent for asked in server.asked} == {MANNER.user_agent}
    statuses = [asked.status for asked in server.asked]
    assert statuses == ([200] if guard is Guard.NONE else [401, 200])


@pytest.mark.parametrize("guard", [Guard.BASIC, Guard.DIGEST])
def test_wrong_and_missing_credentials(guard: Guard) -> None:
    async def story(user: str) -> None:
        server = ProvisioningServer({"/x.cfg": CFG}, guard=guard, accounts={"u": "right"})
        await server.start()
        try:
            await get(server.url.replace("://", f"://{user}") + "x.cfg")
        finally:
            await server.stop()

    with pytest.raises(FetchError, match="does not accept the password of user 'u'") as caught:
        run(story("u:wrong@"))
    assert "wrong" not in str(caught.value)
    assert not caught.value.passing
    with pytest.raises(FetchError, match="wants a user name and a password"):
        run(story(""))


def test_configured_credentials_stay_at_home() -> None:
    async def story() -> list[int]:
        accounts = {"u": "p"}
        server = ProvisioningServer({"/x.cfg": CFG}, guard=Guard.BASIC, accounts=accounts)
        await server.start()
        try:
            origin = parse_location(server.url).origin
            manner = dataclasses.replace(MANNER, user="u", password=Secret("p"), home=origin)
            assert await get(server.url + "x.cfg", manner) == CFG
            elsewhere = dataclasses.replace(manner, home=("http", "pbx.test", 80))
            with pytest.raises(FetchError, match="wants a user name"):
                await get(server.url + "x.cfg", elsewhere)
            return [asked.status for asked in server.asked]
        finally:
            await server.stop()

    assert run(story()) == [401, 200, 401]


def test_chunks_and_a_body_that_ends_with_the_connection() -> None:
    async def story(answer: bytes) -> bytes:
        async with stream_server(saying(answer)) as port:
            return await get(f"http://127.0.0.1:{port}/x.cfg")

    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert run(story(chunked)) == b"abcde"
    assert run(story(b"HTTP/1.0 200 OK\r\n\r\nabcde")) == b"abcde"


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_http_says_there_is_no_such_file(status: int) -> None:
    answer = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    assert isinstance(refused(answer, f"{status} No"), NotThere)


@pytest.mark.parametrize(
    ("answer", "match", "passing"),
    [
        (b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", "503 Later", True),
        (b"HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n", "the server says 599", False),
        (b"HTTP/1.1 407 P\r\nContent-Length: 0\r\n\r\n", "proxy", False),
        (
            b"HTTP/1.1 401 U\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
            "name and a password",
            False,
        ),
        (b"", "closed the connection", True),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "is no HTTP", False),
        (b"\x00\xff" * 40_000, "is no HTTP", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc", "is no HTTP", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc", "larger than 64 MiB", False),
        (b"HTTP/1.1 302 F\r\nContent-Length: 0\r\n\r\n", "redirects badly", False),
        (
            b"HTTP/1.1 302 F\r\nLocation: ftp://x/y\r\nContent-Length: 0\r\n\r\n",
            "expected http or https",
            False,
        ),
        (b"HTTP/1.1 302 F\r\nLocation: /x.cfg\r\nContent-Length: 0\r\n\r\n", "more than 5 times", False),
    ],
)
def test_http_servers_that_are_no_help(answer: bytes, match: str, passing: bool) -> None:
    assert refused(answer, match).passing is passing


def test_an_unusual_challenge_with_credentials() -> None:
    answer = b"HTTP/1.1 401 U\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"

    async def story() -> None:
        async with stream_server(saying(answer)) as port:
            await get(f"http://u:p@127.0.0.1:{port}/x.cfg")

    with pytest.raises(FetchError, match="expected Digest or Basic"):
        run(story())


def test_silence_is_bounded() -> None:
    assert refused(b"HTTP/1.1 200 OK\r\n", "silent for 0.2 s", IMPATIENT, wait=NET).passing


def test_a_server_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phone_emulator.provisioning.fetch.MOST_SECONDS", 0.3)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"#")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def story() -> None:
        async with stream_server(drip) as port:
            await get(f"http://127.0.0.1:{port}/x.cfg")

    with pytest.raises(FetchError, match="longer than"):
        run(story())


def test_a_body_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phone_emulator.provisioning.http.MOST_BYTES", 100_000)
    assert not refused(b"HTTP/1.0 200 OK\r\n\r\n" + b"#" * 300_000, "is larger").passing


def redirecting(server: ProvisioningServer, location: str) -> tuple[bytes, list[int]]:
    """What comes where a server redirects to *location* ({}: URL of *server*), asked with credentials."""

    async def story() -> tuple[bytes, list[int]]:
        await server.start()
        header = location.format(server.url, parse_location(server.url).authority)
        answer = f"HTTP/1.1 302 F\r\nLocation: {header}\r\nContent-Length: 0\r\n\r\n"
        try:
            async with stream_server(saying(answer.encode())) as port:
                content = await get(f"http://u:p@127.0.0.1:{port}/x.cfg")
                return content, [asked.status for asked in server.asked]
        finally:
            await server.stop()

    return run(story())


@pytest.mark.parametrize("location", ["{0}real.cfg", "//{1}/real.cfg"])
def test_redirects_are_followed(location: str) -> None:
    assert redirecting(ProvisioningServer({"/real.cfg": CFG}), location) == (CFG, [200])


@pytest.mark.parametrize("location", ["file:/etc/passwd", "FILE:///etc/passwd", "file:x.cfg"])
def test_a_redirect_leads_to_no_file_of_this_machine(location: str) -> None:
    with pytest.raises(FetchError, match=r"redirects badly: .* is on this machine"):
        redirecting(ProvisioningServer({}), location)


def test_credentials_do_not_follow_a_redirect() -> None:
    server = ProvisioningServer({"/real.cfg": CFG}, guard=Guard.BASIC, accounts={"u": "p"})
    with pytest.raises(FetchError, match="wants a user name"):
        redirecting(server, "{0}real.cfg")
    assert [asked.status for asked in server.asked] == [401]


# -- HTTPS -------------------------------------------------------------------------------------------------


def test_https_checks_the_certificate() -> None:
    ca, stranger = trustme.CA(), trustme.CA()
    leaf = ca.issue_cert("localhost")
    tls = TlsServer(
        names=("localhost",),
        certificate_pem=b"".join(pem.bytes() for pem in leaf.cert_chain_pems).decode(),
        key_pem=leaf.private_key_pem.bytes().decode(),
        ca_pem=ca.cert_pem.bytes().decode(),
    )

    async def localhost(host: str) -> list[str]:
        return ["127.0.0.1"]

    async def story(host: str, trusted: trustme.CA, verify: bool = True) -> bytes:
        server = ProvisioningServer({"/x.cfg": CFG}, tls=tls)
        await server.start()
        manner = dataclasses.replace(
            MANNER, ca_pem=trusted.cert_pem.bytes().decode(), verify=verify, lookup=localhost
        )
        try:
            return await get(server.url.replace("127.0.0.1", host) + "x.cfg", manner)
        finally:
            await server.stop()

    assert run(story("localhost", ca)) == CFG
    assert run(story("127.0.0.1", stranger, verify=False)) == CFG
    with pytest.raises(FetchError, match="unknown authority"):
        run(story("localhost", stranger))
    with pytest.raises(FetchError, match=r"certificate is .*not .*127\.0\.0\.1"):
        run(story("127.0.0.1", ca))


def test_https_to_a_server_that_speaks_none() -> None:
    async def story() -> None:
        async with stream_server(saying(b"")) as port:
            await get(f"https://127.0.0.1:{port}/x.cfg", IMPATIENT)

    with pytest.raises(FetchError, match=r"TLS|no connection within"):
        run(story())


def test_unusable_cas_are_said() -> None:
    async def story() -> None:
        async with stream_server(saying(b"")) as port:
            await get(f"https://127.0.0.1:{port}/x", dataclasses.replace(MANNER, ca_pem="no PEM"))

    with pytest.raises(FetchError, match="trusted certificates cannot be used"):
        run(story())


# -- FTP ---------------------------------------------------------------------------------------------------


def ftp(server: Ftp, credentials: str = "", manner: Manner = MANNER) -> bytes:
    """What an FTP *server* gives."""

    async def story() -> bytes:
        async with stream_server(server.talk) as port:
            return await get(f"ftp://{credentials}127.0.0.1:{port}/cfg/a%20b.cfg", manner)

    return run(story())


def test_ftp() -> None:
    server = Ftp(CFG * 3000)
    assert ftp(server, "alice:s3cret@") == CFG * 3000
    assert server.orders == ["USER alice", "PASS s3cret", "TYPE I", "EPSV", "RETR cfg/a b.cfg"]


def test_ftp_without_credentials_is_anonymous() -> None:
    server = Ftp(CFG)
    ftp(server)
    assert server.orders[0] == "USER anonymous"


@pytest.mark.parametrize(
    ("replies", "match", "kind"),
    [
        ({"RETR": "550 Failed to open file."}, "550 Failed", NotThere),
        ({"PASS": "530 Login incorrect."}, "does not let user 'alice' in", FetchError),
        ({"USER": "421 Too many"}, "421 Too many", FetchError),
        ({"EPSV": "500 What?"}, "502 No", FetchError),
        ({"EPSV": "229 Entering (|||99999|)"}, "port that does not exist", FetchError),
        ({"EPSV": "500 What?", "PASV": "227 ok (1,2,3,4,0,0)"}, "port that does not exist", FetchError),
        ({"TYPE": "<html>"}, "does not speak FTP", FetchError),
    ],
)
def test_ftp_servers_that_are_no_help(replies: dict[str, str], match: str, kind: type[FetchError]) -> None:
    with pytest.raises(FetchError, match=match) as caught:
        ftp(Ftp(CFG, **replies), "alice:s3cret@")
    assert type(caught.value) is kind
    assert "s3cret" not in str(caught.value)


def test_ftp_asked_of_a_web_server() -> None:
    async def story() -> None:
        async with stream_server(saying(b"HTTP/1.1 400 Bad\r\n\r\n")) as port:
            await get(f"ftp://127.0.0.1:{port}/x.cfg", IMPATIENT)

    with pytest.raises(FetchError, match="silent"):
        run(story())


# -- TFTP --------------------------------------------------------------------------------------------------


def tftp(server: Tftp, manner: Manner = MANNER) -> bytes:
    """What a TFTP *server* gives."""

    async def story() -> bytes:
        async with tftp_server(server) as port:
            return await get(f"127.0.0.1:{port}/cfg/x.cfg", manner)

    return run(story())


@pytest.mark.parametrize("options", [True, False])
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1428, 2856, 120_000])
def test_tftp(size: int, options: bool) -> None:
    server = Tftp(b"x" * size, options=options)
    assert tftp(server) == b"x" * size
    assert server.requests[0].startswith(b"\0\1cfg/x.cfg\0octet\0")


def test_tftp_sends_again_what_may_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phone_emulator.provisioning.tftp.RETRANSMIT", 0.05)
    server = Tftp(CFG * 100, lost=(1, 3))
    assert tftp(server) == CFG * 100


@pytest.mark.parametrize(("number", "kind"), [(1, NotThere), (2, NotThere), (0, FetchError), (4, FetchError)])
def test_tftp_errors(number: int, kind: type[FetchError]) -> None:
    with pytest.raises(FetchError, match=f"TFTP error {number}: not \\\\x1btoday") as caught:
        tftp(Tftp(error=(number, "not \x1btoday")))
    assert type(caught.value) is kind


@pytest.mark.parametrize("size", [*NO_NUMBERS, "7", "1429"], ids=shown)
def test_tftp_grants_no_other_block_size(size: str) -> None:
    with pytest.raises(FetchError, match="options that were not asked for"):
        tftp(Tftp(b"x" * 3000, block_size=size))


def test_tftp_silence_is_bounded() -> None:
    with pytest.raises(FetchError, match=r"silent for 0\.2 s") as caught:
        tftp(Tftp(b"x" * 3000, lost=tuple(range(2, 100))), IMPATIENT)
    assert caught.value.passing


def test_tftp_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phone_emulator.provisioning.tftp.MOST_BYTES", 2000)
    for options in (True, False):
        server = Tftp(b"x" * 5000, options=options)
        with pytest.raises(FetchError, match="is larger than"):
            tftp(server)
        assert server.blocks_sent <= 4


# -- this machine ------------------------------------------------------------------------------------------


def test_files_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "x.cfg").write_bytes(CFG)
    assert run(get(f"file:{tmp_path}/x.cfg")) == CFG
    with pytest.raises(NotThere):
        run(get(f"file:{tmp_path}/y.cfg"))
    with pytest.raises(FetchError, match="not a regular file"):
        run(get(f"file:{tmp_path}"))
    with pytest.raises(FetchError, match="not a regular file"):
        run(get("file:/dev/zero"))


# -- everybody ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https", "ftp"])
def test_nobody_there(scheme: str) -> None:
    async def story() -> int:
        async with stream_server(saying(b"")) as port:
            return port

    closed = run(story())
    with pytest.raises(FetchError, match="connection refused") as caught:
        run(get(f"{scheme}://127.0.0.1:{closed}/x.cfg"))
    assert caught.value.passing


def test_an_address_of_another_kind() -> None:
    manner = dataclasses.replace(MANNER, local_host="127.0.0.1")
    with pytest.raises(FetchError, match="one is IPv4, the other IPv6"):
        run(get("http://[::1]:9/x.cfg", manner))
