"""A raising function in the real world, over loopback: whoever waits is told at once, and not by a timer."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phone_emulator.cli.group import cli
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from tests.faults.raised import IN_ORDER, RESOLVER, WALK, faulty, planted
from tests.integration.harness.net import reserved_net

STARTED = "phone_emulator.phone.calls.outgoing.OutgoingCall._transaction_started"
CYCLE = "phone_emulator.phone.registration.registrar.Registrar._cycle"
CFG = """#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = 1001
account.1.sip_server.1.address = {host}
account.1.sip_server.1.port = {port}
account.1.sip_server.1.transport_type = {transport}
"""

Order = Callable[..., Result]


class Silent:
    """A server on loopback that hears and never answers: who waits for it waits for timers."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def heard(self) -> list[bytes]:
        """What has come."""
        came = []
        while True:
            try:
                came.append(self._socket.recv(65536))
            except BlockingIOError:
                return came

    def close(self) -> None:
        """Hear nothing any more."""
        self._socket.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    """A server that never answers."""
    server = Silent()
    yield server
    server.close()


@pytest.fixture
def order(silent: Silent, tmp_path: Path) -> Iterator[Order]:
    """Give an order to a phone in the real world whose server is the silent one."""

    def give(command: str, *args: str, host: str = "127.0.0.1", transport: int = 0) -> Result:
        file = tmp_path / "phone.cfg"
        file.write_text(CFG.format(host=host, port=silent.port, transport=transport))
        own = ["--world", "real", "--local-address", net.phone, *args]
        return CliRunner().invoke(cli, [command, str(file), *own])

    with reserved_net() as net:
        yield give


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a function raise."""
    return lambda place: monkeypatch.setattr(place, planted)


def requests(server: Silent) -> list[str]:
    """The methods that *server* heard."""
    return [message.method for message in map(parse, server.heard()) if isinstance(message, Request)]


@pytest.mark.parametrize(("place", "sent"), [(WALK, []), (STARTED, ["INVITE"])])
def test_a_call(
    order: Order, plant: Callable[[str], None], silent: Silent, place: str, sent: list[str]
) -> None:
    plant(place)
    result = order("call", "1002", "--no-register", "--format", "json")
    assert "internal fault in dialling of call-1" in faulty(result)
    call = json.loads(result.stdout)
    assert (call["result"], call["reason"]) == ("failed", "internal fault: ValueError: planted")
    assert requests(silent) == sent  # once: T1 has not passed


@pytest.mark.parametrize("place", [IN_ORDER, CYCLE, WALK])
def test_a_registration(order: Order, plant: Callable[[str], None], silent: Silent, place: str) -> None:
    plant(place)
    result = order("register")
    assert "internal fault in the registration at server 1 of line 1" in faulty(result)
    assert "server 1: failed: internal fault: ValueError: planted" in result.stdout
    assert requests(silent) == []


def test_a_lookup(order: Order, plant: Callable[[str], None], silent: Silent) -> None:
    plant(RESOLVER)
    dns = ("--dns", f"127.0.0.1:{silent.port}")
    result = order("call", "1002", "--no-register", *dns, host="pbx.example.com", transport=3)
    assert "internal fault in the lookup of" in faulty(result)
    assert silent.heard() == []


def test_the_log_has_it_too(order: Order, plant: Callable[[str], None]) -> None:
    plant(WALK)
    said = faulty(order("call", "1002", "--no-register", "--log-level", "debug"))
    assert said.count("internal fault in dialling of call-1: ValueError: planted") >= 1
