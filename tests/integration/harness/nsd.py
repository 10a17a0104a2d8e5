"""NSD as the name server of the guide's zone."""

from __future__ import annotations

import signal
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from tests.integration.harness.net import DNS_PORT, DOMAIN, Net
from tests.integration.harness.process import Process, require
from tests.patience import wait_until

LOST = 1.0
"""Seconds after which a question has got lost: it is asked again, until the answer is the one wanted."""


def guide_zone(net: Net, *services: str, swapped: bool = False) -> str:
    """The records of `DOMAIN` for *services* (``SIP+D2U``, ``SIP+D2T``, ``SIPS+D2T``), the preferred first.

    Each leads by SRV to the primary (priority 0) and the secondary (priority 1); the domain itself has the
    addresses of both, in this order. *swapped* changes the places of the two.
    """
    places = {
        "SIP+D2U": ("_sip._udp", 5060),
        "SIP+D2T": ("_sip._tcp", 5060),
        "SIPS+D2T": ("_sips._tcp", 5061),
    }
    servers = [net.secondary, net.primary] if swapped else [net.primary, net.secondary]
    lines = [f"@ A {server}" for server in servers]
    lines += [f"srv1 A {net.primary}", f"srv2 A {net.secondary}"]
    for order, service in enumerate(services, 1):
        owner, port = places[service]
        lines.append(f'@ NAPTR {order * 10} 50 "s" "{service}" "" {owner}')
        lines += [
            f"{owner} SRV {priority} 1 {port} srv{'21'[priority] if swapped else '12'[priority]}"
            for priority in (0, 1)
        ]
    return "\n".join(lines) + "\n"


ANSWERS_IN_A_ROW = 10
"""How many answers must be from the new zone before it counts as served."""


class Nsd(Process):
    """One NSD at *address*, port `DNS_PORT`, that serves one zone: `DOMAIN`."""

    def __init__(
        self, address: str, directory: Path, zone: str, *, ttl: int = 300, namespace: str | None = None
    ) -> None:
        """*zone* is in master file format, without SOA and NS; *ttl* (s) is that of its records."""
        require("nsd")
        super().__init__("nsd", directory, namespace)
        self.address = address
        self.port = DNS_PORT
        self.ttl = ttl
        self._serial = 0
        self._config = directory / "nsd.conf"
        self._write(zone)
        self._config.write_text(
            "server:\n"
            f"  ip-address: {address}@{DNS_PORT}\n"
            "  server-count: 1\n"
            '  username: ""\n  chroot: ""\n  database: ""\n'
            f'  zonesdir: "{directory}"\n  pidfile: "{directory}/nsd.pid"\n'
            f'  xfrdfile: "{directory}/xfrd.state"\n  xfrdir: "{directory}"\n'
            f'  zonelistfile: "{directory}/zone.list"\n'
            "  zonefiles-check: yes\n"
            "remote-control:\n  control-enable: no\n"
            f'zone:\n  name: "{DOMAIN}"\n  zonefile: "zone"\n'
        )

    def start(self) -> Nsd:
        """Start it and wait until it answers; returns itself."""
        self.launch(["nsd", "-d", "-c", str(self._config)], self._up_to_date)
        return self

    def load(self, zone: str) -> None:
        """Serve *zone* instead, from the moment this returns."""
        self._write(zone)
        self.signal(signal.SIGHUP)
        wait_until(self._up_to_date, "nsd to serve the new zone")

    def query(self, name: str, rdtype: str) -> dns.message.Message:
        """Ask once for *rdtype* records of *name*; raises dns.exception.Timeout where that gets lost."""
        return dns.query.udp(dns.message.make_query(name, rdtype), self.address, LOST, self.port)

    def _write(self, zone: str) -> None:
        self._serial += 1
        soa = f"@ SOA ns hostmaster {self._serial} 3600 600 86400 {self.ttl}"
        head = f"$ORIGIN {DOMAIN}.\n$TTL {self.ttl}\n{soa}\n@ NS ns\n"
        (self.directory / "zone").write_text(f"{head}ns A {self.address}\n{zone}")

    def _up_to_date(self) -> bool:
        if self.namespace is not None:
            return "nsd started" in self.log
        # After a reload the old process may still take a question or two from the shared socket.
        return all(self._answers_the_new_zone() for _ in range(ANSWERS_IN_A_ROW))

    def _answers_the_new_zone(self) -> bool:
        try:
            answer = self.query(DOMAIN, "SOA").answer
        except (OSError, dns.exception.DNSException):
            return False
        return any(
            record.serial == self._serial
            for rrset in answer
            if rrset.rdtype == dns.rdatatype.SOA
            for record in rrset
        )
