"""The guide's own addresses in network namespaces, with real cuts."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.namespace import GUIDE_NET, Cut, Lan, guide_lan
from tests.integration.harness.stage import Stage

pytestmark = pytest.mark.integration

# Sends one OPTIONS over a connected UDP socket that asks for all ICMP errors, and prints what came of it.
PROBE = """
import socket, sys
address = sys.argv[1]
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
client.settimeout(float(sys.argv[2]))
client.connect((address, 5060))
client.send((
    f"OPTIONS sip:{address} SIP/2.0\\r\\n"
    f"Via: SIP/2.0/UDP {client.getsockname()[0]}:5070;rport;branch=z9hG4bKx\\r\\n"
    f"From: <sip:a@{address}>;tag=1\\r\\nTo: <sip:{address}>\\r\\nCall-ID: x\\r\\nCSeq: 1 OPTIONS\\r\\n"
    "Max-Forwards: 70\\r\\nContent-Length: 0\\r\\n\\r\\n").encode())
try:
    print(client.recv(65536).decode().split()[1])
except OSError as error:
    print(type(error).__name__, error.errno)
"""


@pytest.fixture
def lan() -> Iterator[Lan]:
    """The phone's host and the three servers' hosts."""
    net = GUIDE_NET
    with guide_lan([net.phone, net.primary, net.secondary, net.fallback]) as lan:
        yield lan


@pytest.fixture
def server(lan: Lan, stage: Stage) -> Kamailio:
    """Kamailio at 192.168.1.13."""
    address = lan.net.primary
    kamailio = Kamailio(
        "primary", address, stage.folder("guide"), callee="127.0.0.1:9", namespace=lan.namespace(address)
    )
    stage.processes.append(kamailio)
    return kamailio.start()


def probe(lan: Lan, address: str, seconds: float = 0.5) -> str:
    """What an OPTIONS from the phone's host to *address* gives."""
    return lan.run(lan.net.phone, sys.executable, "-c", PROBE, address, str(seconds)).strip()


@pytest.mark.parametrize(
    ("cut", "seen"),
    [
        ("drop", "TimeoutError None"),
        ("port-unreachable", "ConnectionRefusedError 111"),
        ("host-unreachable", "OSError 113"),
        ("net-unreachable", "OSError 101"),
        ("admin-prohibited", "OSError 113"),
    ],
)
def test_a_cut_shows_as_itself_and_heals(cut: Cut, seen: str, server: Kamailio, lan: Lan) -> None:
    assert probe(lan, server.address) == "200"
    lan.cut(server.address, cut)
    assert probe(lan, server.address) == seen
    lan.heal(server.address)
    assert probe(lan, server.address) == "200"


def test_an_unplugged_host_is_unreachable_by_arp(server: Kamailio, lan: Lan) -> None:
    lan.unplug(server.address)
    assert probe(lan, server.address, seconds=8) == "OSError 113"
