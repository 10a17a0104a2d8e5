"""PnP: the SUBSCRIBE of phone.md T10, and the NOTIFY that answers it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from phone_emulator.events import Address
from phone_emulator.provisioning import ProvisioningError, handset_of
from phone_emulator.provisioning.pnp import find_server
from phone_emulator.sip.message import Request, response_to
from phone_emulator.sip.parser import parse
from tests.patience import NET

HANDSET = handset_of("SIP-T46S", "66.86.0.15", "001565aabbcc")


class Server(asyncio.DatagramProtocol):
    """Answers with a 200, junk, and a NOTIFY with *body*; the first *deaf* requests are lost on it."""

    def __init__(self, body: str, deaf: int = 0) -> None:
        self.heard: list[Request] = []
        self.answers: list[bytes] = []
        self._body = body
        self._deaf = deaf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        message = parse(data)
        if not isinstance(message, Request):
            self.answers.append(data)
            return
        self.heard.append(message)
        if len(self.heard) <= self._deaf:
            return
        self._transport.sendto(response_to(message, 200, to_tag="s").to_bytes(), addr)
        self._transport.sendto(b"\xff junk", addr)
        notify = Request("NOTIFY", "sip:x", body=self._body.encode())
        for name in ("Via", "From", "To", "Call-ID"):
            notify.headers.add(name, message.headers.get(name) or "")
        notify.headers.add("CSeq", "1 NOTIFY")
        notify.headers.add("Content-Type", "application/url")
        for call_id in ("another", message.call_id):
            notify.headers.set("Call-ID", call_id)
            self._transport.sendto(notify.to_bytes(), addr)


def ask(server: Server, patience: float = NET) -> str:
    """What the phone finds where *server* listens."""

    async def story() -> str:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
        group = Address(*transport.get_extra_info("sockname")[:2])
        try:
            return await find_server(HANDSET, "127.0.0.1", group=group, port=0, patience=patience)
        finally:
            await asyncio.sleep(0.01)
            transport.close()

    return asyncio.run(story())


def test_the_server_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phone_emulator.provisioning.pnp.T1", 0.05)
    server = Server("http://192.0.2.10/cfg\r\n", deaf=2)
    assert ask(server) == "http://192.0.2.10/cfg"
    assert len(server.heard) == 3
    request = server.heard[0]
    assert request.uri == "sip:MAC001565aabbcc@127.0.0.1"
    assert [name for name, _ in request.headers] == [
        *("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "User-Agent"),
        *("Expires", "Event", "Accept", "Content-Length"),
    ]
    assert request.headers.get("Expires") == "0"
    assert request.headers.get("Event") == (
        'ua-profile;profile-type="device";vendor="Yealink";model="T46S";version="66.86.0.15"'
    )
    assert server.answers[0].startswith(b"SIP/2.0 200 OK\r\n")


def test_nobody_answers() -> None:
    with pytest.raises(ProvisioningError, match=r"nobody at .* named a server"):
        ask(Server("", deaf=99), patience=0.1)


def test_an_answer_that_is_no_url() -> None:
    with pytest.raises(ProvisioningError, match="the server's URL gopher"):
        ask(Server("gopher://x"))


@pytest.mark.parametrize("url", ["file:/etc", "file:///etc/x.cfg", "FILE:x.boot"])
def test_the_network_sends_the_phone_to_no_file_of_this_machine(url: str) -> None:
    with pytest.raises(ProvisioningError, match=r"the server's URL .* is on this machine"):
        ask(Server(url))
