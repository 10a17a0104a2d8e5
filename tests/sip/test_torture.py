"""RFC 4475 and RFC 5118: each message against the parser, and against a whole phone over UDP and TCP."""

from __future__ import annotations

import asyncio
import contextlib
import re

import pytest

from phone_emulator.config import load_text
from phone_emulator.events import Address, Bus, Event, MessageIgnored, MessageReceived, MessageSent
from phone_emulator.media.codecs import Offer
from phone_emulator.phone import Phone, PhoneOptions
from phone_emulator.sip.message import Message, MessageError, Request, Response
from phone_emulator.sip.parser import parse
from phone_emulator.sip.refusal import refusal
from phone_emulator.world.base import Stream
from phone_emulator.world.simulated import SimulatedWorld
from tests.sip.torture.messages import expanded
from tests.sip.torture.table import DROPPED, PAGE, ROWS, messages, render

CFG = """#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = 1001
account.1.sip_server.1.address = 192.168.1.13
account.1.codec.pcmu.enable = 1
account.1.codec.g726_32.enable = 1
"""
HERE, PEER = Address("192.168.1.21", 5060), Address("192.168.1.66", 5060)
# Some of the messages offer nothing but G.726-32, which cannot be spoken.
OPTIONS = PhoneOptions(any_user=True, local_address=HERE.host, offer=Offer.DECLARED)


class Sender:
    """Who sends the message: the source address, whatever stands in Via."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.heard.append(data)

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(reason)

    def connection_lost(self, reason: str) -> None:
        pass


def events_of(data: bytes, *, port: int = PEER.port, again: bool = False) -> list[Event]:
    """What a phone tells that is sent *data*, once or twice, from *port*; it is still well afterwards."""
    world, bus, events = SimulatedWorld(seed=1), Bus(), list[Event]()
    bus.subscribe(events.append)

    async def main() -> None:
        phone = Phone(load_text(CFG).config, world, bus, OPTIONS)
        await phone.start()
        sender = Sender()
        socket = await world.open_udp(Address(PEER.host, port), sender)
        for _ in range(1 + again):
            socket.send(data, HERE)
        await asyncio.sleep(0.01)
        assert sender.heard == [event.data for event in events if isinstance(event, MessageSent)]
        for call in list(phone.calls):
            await call.hang_up()
        await asyncio.sleep(200)
        assert phone.calls == []
        assert phone.context.endpoint.live_transactions == 0
        await phone.stop(unregister=False)
        socket.close()

    world.run(main())
    assert world.pending_timers() == []
    assert world.pending_tasks() == []
    return events


def answers(events: list[Event]) -> list[bytes]:
    """The first of what the phone sent, and what else it sent at that time."""
    sent = [event for event in events if isinstance(event, MessageSent)]
    return [event.data for event in sent if event.at == sent[0].at]


def port_of(name: str) -> int:
    """Where the answer to a message is expected: the port of its top Via."""
    via = re.search(rb"\r\nVia:[^;\r]*:([0-9]+)[;\r]", messages()[name].data)
    return int(via[1]) if via else PEER.port


def test_every_message_has_a_row() -> None:
    assert list(ROWS) == list(messages())
    assert len([message for message in messages().values() if message.section.startswith("3.")]) == 49


def test_the_page_shows_the_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "python -m tests.sip.torture.table writes it"


def test_the_notation() -> None:
    assert expanded(b"<allOneLine>\na\n<hex>20</hex>\nb\n</allOneLine>\nc<repeat count=3>xy</repeat>\n") == (
        b"a b\r\ncxyxyxy\r\n"
    )


@pytest.mark.parametrize("name", ROWS)
def test_parse(name: str) -> None:
    """Taken or refused as the row says; what is taken goes out byte for byte."""
    data, row = messages()[name].data, ROWS[name]
    if row.error:
        with pytest.raises(MessageError, match=re.escape(row.error)):
            parse(data)
        return
    message = parse(data)
    shown = message.to_bytes()
    if "Content-Length" in message.headers and name != "dblreq":
        assert shown.partition(b"\r\n\r\n")[0] == data.partition(b"\r\n\r\n")[0]
        assert data.endswith(message.body) or name == "mult-ip-in-sdp" or name == "ipv4-mapped-ipv6"


@pytest.mark.parametrize("name", ROWS)
def test_phone(name: str) -> None:
    """What comes out of a phone, and what it tells."""
    data, row = messages()[name].data, ROWS[name]
    events = events_of(data, port=port_of(name))
    first_ignored = [event for event in events if isinstance(event, MessageIgnored)][:1]
    if row.error:
        assert [event.data for event in first_ignored] == [data]
        assert row.error in first_ignored[0].reason
    else:
        assert any(isinstance(event, MessageReceived) and event.data == data for event in events)
    if row.status == DROPPED:
        assert not any(isinstance(event, MessageSent) for event in events)
        return
    [answer] = answers(events)
    assert answer.startswith(b"SIP/2.0 %d " % row.status)
    with contextlib.suppress(MessageError):
        request, response = parse(data), parse(answer)
        _check_response(request, response)


def _check_response(request: Message, response: Message) -> None:
    """RFC 3261 section 8.2.6.2."""
    assert isinstance(request, Request)
    assert isinstance(response, Response)
    for header in ("From", "Call-ID", "CSeq"):
        assert response.headers.get(header) == request.headers.get(header)
    assert response.to_tag
    assert len(response.headers.values("Via")) == len(request.headers.values("Via"))
    assert response.headers.values("Via")[1:] == request.headers.values("Via")[1:]


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [
        ("escnull", "Allow", "INVITE, INFO"),
        ("bext01", "Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),
        ("invut", "Accept", "application/sdp"),
        ("lwsdisp", "Allow", "INVITE, INFO"),
        ("insuf", "CSeq", "193942 INVITE"),
        ("badvers", "To", "T. Watson <sip:t.watson@example.org>;tag="),
    ],
)
def test_what_a_refusal_carries(name: str, header: str, value: str) -> None:
    [answer] = answers(events_of(messages()[name].data, port=port_of(name)))
    assert f"\r\n{header}: {value}".encode() in re.sub(rb": +", b": ", answer)


@pytest.mark.parametrize(
    ("name", "status"), [("ipv6-in-sdp", 488), ("mult-ip-in-sdp", 180), ("ipv4-mapped-ipv6", 180)]
)
def test_ipv6_with_the_length_made_right(name: str, status: int) -> None:
    """The phone has no IPv6: it can send sound to an IPv4 address only."""
    data = messages()[name].data
    body = data.partition(b"\r\n\r\n")[2]
    mended = re.sub(rb"Content-Length: [0-9]+", b"Content-Length: %d" % len(body), data)
    assert parse(mended).body == body
    [answer] = answers(events_of(mended, port=port_of(name)))
    assert answer.startswith(b"SIP/2.0 %d " % status)
    assert (b"\r\nWarning: 301 192.168.1.21 " in answer) is (status == 488)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.error and row.status != DROPPED])
def test_a_refusal_is_the_same_for_each_copy(name: str) -> None:
    """RFC 3261 section 8.2.7: who keeps no state answers each copy alike."""
    events = events_of(messages()[name].data, port=port_of(name), again=True)
    first, second = [event.data for event in events if isinstance(event, MessageSent)]
    assert first == second


@pytest.mark.parametrize(
    "data",
    [
        b"ACK <sip:a@b> SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.66\r\nCSeq: 1 ACK\r\n\r\n",
        b"SIP/2.0 2000 OK\r\nVia: SIP/2.0/UDP 192.168.1.66\r\nCSeq: 1 INVITE\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nFrom: <sip:a@b>\r\n\r\n",
        b"GET / HTTP/1.1\r\nVia: 1.1 proxy\r\n\r\n",
        b"INVITE sip:a@b\r\nVia: SIP/2.0/UDP 192.168.1.66\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x\nRoute: y\r\n\r\n",
        b"\0\1\2",
    ],
)
def test_what_is_never_answered(data: bytes) -> None:
    events = events_of(data)
    assert [type(event) for event in events if isinstance(event, MessageSent | MessageIgnored)] == [
        MessageIgnored
    ]


def test_a_refusal_of_folded_and_broken_lines() -> None:
    data = (
        b"INVITE sip:a@b SIP/3.0\r\nnonsense\r\nv: SIP/2.0/UDP\r\n  192.168.1.66\r\n"
        b"To: <sip:a@b> ; Tag = 7\r\nVia: SIP/2.0/UDP other\r\nX: " + b"x" * 9000 + b"\r\n\r\n"
    )
    response = refusal(data, MessageError("version", 505), "Phone")
    assert response is not None
    assert response.to_bytes() == (
        b"SIP/2.0 505 Version Not Supported\r\nv: SIP/2.0/UDP 192.168.1.66\r\nVia: SIP/2.0/UDP other\r\n"
        b"To: <sip:a@b> ; Tag = 7\r\nUser-Agent: Phone\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize("name", ROWS)
def test_over_tcp(name: str) -> None:
    """A connection takes each message in small pieces, and serves the next one unless the framing is lost."""
    world, bus = SimulatedWorld(seed=1), Bus()

    async def main() -> None:
        phone = Phone(load_text(CFG).config, world, bus, OPTIONS)
        await phone.start()
        sender = Sender()
        stream: Stream = await world.connect(HERE, sender, local_host=PEER.host)
        data = messages()[name].data
        for place in range(0, len(data), 7):
            stream.send(data[place : place + 7])
        await asyncio.sleep(1)
        second = await world.connect(HERE, sender, local_host=PEER.host)
        second.send(messages()["lwsdisp"].data)
        await asyncio.sleep(0.1)
        assert sender.heard[-1].startswith(b"SIP/2.0 200 ")
        await phone.stop(unregister=False)

    world.run(main())
    assert world.pending_timers() == []
