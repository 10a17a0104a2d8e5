"""Which loopback addresses a test run uses, so that runs and xdist workers never meet."""

from __future__ import annotations

import fcntl
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DOMAIN = "yealink.pbx.com"
"""The guide's example domain: server 1 of the phone."""
SIP_PORT, TLS_PORT = 5060, 5061
DNS_PORT = 5353
"""Of the name servers."""


@dataclass(frozen=True, slots=True)
class Net:
    """One network with the guide's cast; the last octets are the guide's own (192.168.1.13 to .15)."""

    prefix: str

    @property
    def primary(self) -> str:
        """Server 1's first target."""
        return f"{self.prefix}.13"

    @property
    def secondary(self) -> str:
        """Server 1's second target."""
        return f"{self.prefix}.14"

    @property
    def fallback(self) -> str:
        """Server 2."""
        return f"{self.prefix}.15"

    @property
    def callee(self) -> str:
        """Who answers the calls."""
        return f"{self.prefix}.16"

    @property
    def phone(self) -> str:
        """The phone under test."""
        return f"{self.prefix}.21"

    @property
    def peer(self) -> str:
        """Another phone."""
        return f"{self.prefix}.22"

    @property
    def dns(self) -> str:
        """The name server, at port `DNS_PORT`."""
        return f"{self.prefix}.53"

    @property
    def second_dns(self) -> str:
        """The secondary name server, at the same port."""
        return f"{self.prefix}.54"

    @property
    def cidr(self) -> str:
        """The whole network, for capture filters."""
        return f"{self.prefix}.0/24"


@contextmanager
def reserved_net() -> Iterator[Net]:
    """A loopback network that no other test process on this machine uses until the block ends."""
    folder = Path(tempfile.gettempdir()) / "phone-emulator-nets"
    folder.mkdir(exist_ok=True)
    for third in range(10, 250):
        with (folder / str(third)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield Net(f"127.0.{third}")
            return
    raise RuntimeError(f"240 test processes at once? All locks in {folder} are held")


def listening(host: str, port: int, layer: Literal["udp", "tcp"]) -> bool:
    """Whether a program of this machine has taken *port* of the loopback address *host*."""
    kind = socket.SOCK_DGRAM if layer == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if layer == "tcp":
            # Connections that have just ended take no port away.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
