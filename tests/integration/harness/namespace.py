"""A network of its own, with the guide's addresses 192.168.1.13 to .15, where links can really be cut."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import pytest

from tests.integration.harness.net import Net
from tests.integration.harness.process import require
from tests.patience import NET

GUIDE_NET = Net("192.168.1")

Cut = Literal[
    "drop", "host-unreachable", "net-unreachable", "port-unreachable", "admin-prohibited", "tcp-reset"
]
"""What happens to packets that arrive: they vanish, or are refused with this ICMP type or a TCP reset."""


class Lan:
    """Hosts, each in a network namespace, joined by a bridge. Programs run at a host with ``namespace=``."""

    def __init__(self, prefix: str, net: Net = GUIDE_NET) -> None:
        self.net = net
        self._prefix = prefix
        self._switch = f"{prefix}-switch"
        self._hosts: list[str] = []

    def up(self) -> None:
        """Make the bridge; raises PermissionError when the machine does not let us."""
        try:
            _run("ip", "netns", "add", self._switch)
            self._ip(self._switch, "link", "add", "br0", "type", "bridge")
            self._ip(self._switch, "link", "set", "br0", "up")
        except RuntimeError as error:
            self.down()
            raise PermissionError(str(error)) from None

    def add_host(self, address: str) -> str:
        """A host at *address* on the bridge; returns its namespace."""
        last = address.rpartition(".")[2]
        namespace = self.namespace(address)
        _run("ip", "netns", "add", namespace)
        self._hosts.append(namespace)
        self._ip(
            self._switch,
            "link",
            "add",
            f"h{last}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            namespace,
        )
        self._ip(self._switch, "link", "set", f"h{last}", "master", "br0", "up")
        self._ip(namespace, "address", "add", f"{address}/24", "dev", "eth0")
        self._ip(namespace, "link", "set", "eth0", "up")
        self._ip(namespace, "link", "set", "lo", "up")
        return namespace

    def namespace(self, address: str) -> str:
        """The namespace of the host at *address*."""
        return f"{self._prefix}-{address.rpartition('.')[2]}"

    def cut(self, address: str, how: Cut) -> None:
        """Treat SIP (ports 5060 and 5061) that arrives at *address* like this, until `heal`."""
        self.heal(address)
        reject = "reject with tcp reset" if how == "tcp-reset" else f"reject with icmp type {how}"
        verdict = "drop" if how == "drop" else reject
        protocols = ("tcp",) if how == "tcp-reset" else ("udp", "tcp")
        rules = "\n".join(f"{protocol} dport {{ 5060, 5061 }} {verdict}" for protocol in protocols)
        chain = f"chain input {{\ntype filter hook input priority 0\n{rules}\n}}"
        self.run(address, "nft", "-f", "-", text=f"table ip cut {{\n{chain}\n}}\n")

    def heal(self, address: str) -> None:
        """Undo `cut` and `unplug` at *address*."""
        self.run(address, "nft", "flush", "ruleset")
        self._ip(self._switch, "link", "set", f"h{address.rpartition('.')[2]}", "up")

    def unplug(self, address: str) -> None:
        """Pull the cable of *address* out of the switch: nobody answers for it, not even ARP."""
        self._ip(self._switch, "link", "set", f"h{address.rpartition('.')[2]}", "down")

    def run(self, address: str, *command: str, text: str = "") -> str:
        """Run *command* at the host and return its output; raises RuntimeError with its complaint."""
        return _run("ip", "netns", "exec", self.namespace(address), *command, text=text)

    def down(self) -> None:
        """Remove everything that was made."""
        for namespace in (*self._hosts, self._switch):
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)
        self._hosts.clear()

    def _ip(self, namespace: str, *arguments: str) -> None:
        _run("ip", "-n", namespace, *arguments)


def _run(*command: str, text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=NET)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextmanager
def guide_lan(addresses: Sequence[str]) -> Iterator[Lan]:
    """A LAN with a host at each of *addresses*; skips the test where namespaces are not permitted."""
    require("ip", "nft")
    lan = Lan(f"pe{os.getpid()}")
    try:
        lan.up()
    except PermissionError as error:
        pytest.skip(f"no network namespaces here: {error}")
    try:
        for address in addresses:
            lan.add_host(address)
        yield lan
    finally:
        lan.down()
