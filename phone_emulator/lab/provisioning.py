"""A provisioning server for the lab and for tests: files over HTTP(S), with Basic or Digest if asked."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import h11

from phone_emulator.sip.digest import Verdict, challenge_value, verify
from phone_emulator.world import reasons
from phone_emulator.world.base import TlsServer, WorldError
from phone_emulator.world.chance import SYSTEM
from phone_emulator.world.tls import server_context

REALM = "provisioning"
PATIENCE = 10.0
"""Seconds that a client may take for its request."""
HISTORY = 1000
"""Requests that are remembered."""


class Guard(StrEnum):
    """What clients must prove who they are with."""

    NONE = "none"
    BASIC = "basic"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the status of its answer."""

    method: str
    target: str
    user_agent: str
    status: int


def phone_files(mac: str, cfg: str) -> dict[str, bytes]:
    """The files of one phone, by path: a boot file that leads to *cfg*."""
    boot = f'#!version:1.0.0.1\ninclude:config "{mac}.cfg"\noverwrite_mode = 1\n'
    return {f"/{mac}.boot": boot.encode(), f"/{mac}.cfg": cfg.encode()}


class ProvisioningServer:
    """Serves *files* by path (``/001565aabbcc.cfg``); the mapping may change while it runs.

    Args:
        files: path -> content.
        guard: how clients prove who they are.
        accounts: user -> password.
        tls: certificate and key, for HTTPS.
        host: IP address to listen at.
        port: TCP port, 0 for any.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        guard: Guard = Guard.NONE,
        accounts: Mapping[str, str] | None = None,
        tls: TlsServer | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.files = files
        self.asked: deque[Asked] = deque(maxlen=HISTORY)
        """The requests so far."""
        self._guard = guard
        self._accounts = dict(accounts or {})
        self._tls = tls
        self._host = host
        self._port = port
        self._nonce = f"{SYSTEM.getrandbits(128):032x}"
        self._server: asyncio.Server | None = None
        self._talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """Where it is; only while it runs."""
        assert self._server is not None, "the provisioning server does not run"
        port = self._server.sockets[0].getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http{'s' if self._tls else ''}://{host}:{port}/"

    async def start(self) -> None:
        """Listen; raises WorldError."""
        context = None if self._tls is None else server_context(self._tls)
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self._port, ssl=context)
        except OSError as error:
            raise WorldError(
                f"cannot serve files at {self._host}:{self._port}: {reasons.in_words(error)}"
            ) from None

    async def stop(self) -> None:
        """Close it; may be repeated."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._talks.values():
            writer.transport.abort()
        await asyncio.gather(*self._talks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks[talk] = writer
        talk.add_done_callback(self._talks.pop)
        wire = h11.Connection(our_role=h11.SERVER)
        try:
            async with asyncio.timeout(PATIENCE):
                request = await self._request(wire, reader)
                status, headers, body = self._answer(request)
                headers += [("Content-Length", str(len(body))), ("Connection", "close")]
                writer.write(wire.send(h11.Response(status_code=status, headers=headers)) or b"")
                if body and request.method != b"HEAD":
                    writer.write(wire.send(h11.Data(data=body)) or b"")
                await writer.drain()
        except (OSError, TimeoutError, h11.ProtocolError, EOFError):
            pass  # whoever it was, they get nothing
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _request(self, wire: h11.Connection, reader: asyncio.StreamReader) -> h11.Request:
        """The request's head; raises h11.RemoteProtocolError, EOFError."""
        while True:
            event = wire.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                raise EOFError
            wire.receive_data(await reader.read(65536))

    def _answer(self, request: h11.Request) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body."""
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        method, target = request.method.decode(), request.target.decode("latin-1")
        path = target.partition("?")[0]
        answer: tuple[int, list[tuple[str, str]], bytes]
        if method not in ("GET", "HEAD"):
            answer = 405, [("Allow", "GET, HEAD")], b""
        elif not self._lets_in(method, headers.get("authorization", "")):
            answer = 401, [("WWW-Authenticate", self._challenge())], b""
        elif path not in self.files:
            answer = 404, [("Content-Type", "text/html")], b"<html><body>404 Not Found</body></html>"
        else:
            answer = 200, [("Content-Type", "text/plain")], self.files[path]
        self.asked.append(Asked(method, target, headers.get("user-agent", ""), answer[0]))
        return answer

    def _challenge(self) -> str:
        if self._guard is Guard.BASIC:
            return f'Basic realm="{REALM}"'
        return challenge_value(REALM, self._nonce)

    def _lets_in(self, method: str, authorization: str) -> bool:
        match self._guard:
            case Guard.NONE:
                return True
            case Guard.DIGEST:
                judged = verify(
                    authorization, method, self._accounts, REALM, lambda nonce: nonce == self._nonce
                )
                return judged.verdict is Verdict.OK
            case Guard.BASIC:
                scheme, _, pair = authorization.partition(" ")
                try:
                    user, _, password = base64.b64decode(pair).decode().partition(":")
                except (binascii.Error, UnicodeDecodeError):
                    return False
                return (
                    scheme.lower() == "basic" and user in self._accounts and self._accounts[user] == password
                )
