"""What really went over the wire: recorded by tcpdump, read by tshark, one object per SIP message."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dns.rdatatype import RdataType

from tests.integration.harness.net import DNS_PORT, Net
from tests.integration.harness.process import Process, require
from tests.patience import NET, wait_until

_MARK = b"phone-emulator: end of capture"


@dataclass(frozen=True, slots=True)
class Place:
    """An address and port on the wire."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class WireMessage:
    """One SIP message, as tshark reads it."""

    time: float
    """Seconds since the epoch."""
    source: Place
    destination: Place
    transport: Literal["udp", "tcp", "tls"]
    method: str
    """Of the request; of a response, the method in its CSeq."""
    uri: str
    """Request-URI; empty in responses."""
    status: int | None
    """None in requests."""
    call_id: str
    cseq: int
    branch: str
    """Of the topmost Via."""
    from_tag: str
    to_tag: str

    @property
    def is_request(self) -> bool:
        """Whether it is a request."""
        return self.status is None

    def __str__(self) -> str:
        what = self.method if self.status is None else f"{self.status} ({self.method})"
        return (
            f"{self.source} > {self.destination}/{self.transport} {what} cseq {self.cseq} call {self.call_id}"
        )


@dataclass(frozen=True, slots=True)
class Hop:
    """A stay at one destination: how many requests of one method went there before the sender moved on."""

    destination: Place
    transport: str
    sends: int


@dataclass(frozen=True, slots=True)
class Connect:
    """A TCP SYN."""

    time: float
    source: Place
    destination: Place


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error about a datagram that was sent to *destination*."""

    time: float
    destination: str
    type: int
    code: int


@dataclass(frozen=True, slots=True)
class DnsMessage:
    """A DNS question, or an answer to one."""

    time: float
    source: Place
    destination: Place
    transport: Literal["udp", "tcp"]
    name: str
    rdtype: str
    """``A``, ``SRV``, ``NAPTR``, …"""
    is_answer: bool
    truncated: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A capture, read."""

    messages: tuple[WireMessage, ...]
    connects: tuple[Connect, ...]
    icmp: tuple[IcmpError, ...]
    dns: tuple[DnsMessage, ...]

    def questions(self, source: str, server: str, transport: str | None = None) -> list[tuple[str, str]]:
        """Type and name of each question of *source* to the name server at *server*, repetitions too."""
        return [
            (message.rdtype, message.name)
            for message in self.dns
            if not message.is_answer
            and (message.source.host, message.destination.host) == (source, server)
            and transport in (None, message.transport)
        ]

    def requests(
        self, method: str, *, source: str | None = None, destination: str | None = None
    ) -> list[WireMessage]:
        """The requests of *method* in order, retransmissions too; *source*, *destination* are addresses."""
        return [
            message
            for message in self.messages
            if message.is_request
            and message.method == method
            and source in (None, message.source.host)
            and destination in (None, message.destination.host)
        ]

    def responses(self, status: int, method: str, *, source: str | None = None) -> list[WireMessage]:
        """The responses with *status* to *method*, in order."""
        return [
            message
            for message in self.messages
            if message.status == status and message.method == method and source in (None, message.source.host)
        ]

    def route(self, source: str, method: str = "INVITE", call_id: str | None = None) -> list[Hop]:
        """Where *source* sent *method*, in order. ACKs and what proxies send on are not counted.

        Every request that leaves counts: a retransmission, and the one that answers a challenge.
        """
        chosen = self.requests(method, source=source)
        return hops(
            (message.destination, message.transport)
            for message in chosen
            if call_id in (None, message.call_id)
        )

    def ladder(self) -> str:
        """All messages, one a line, for a failed test's report."""
        start = self.messages[0].time if self.messages else 0.0
        return "\n".join(f"{message.time - start:8.3f} {message}" for message in self.messages)


def hops(sends: Iterable[tuple[Place, str]]) -> list[Hop]:
    """Consecutive sends to one destination over one transport, counted."""
    return [Hop(*place, sum(1 for _ in group)) for place, group in itertools.groupby(sends)]


class Capture(Process):
    """tcpdump on one interface; `read` ends it and gives what tshark makes of it."""

    def __init__(
        self, net: Net, directory: Path, *, interface: str = "lo", namespace: str | None = None
    ) -> None:
        """Records UDP, TCP and ICMP of *net*, RTP too."""
        require("tcpdump", "tshark")
        super().__init__("capture", directory, namespace)
        self.file = directory / "capture.pcap"
        self.key_log = directory / "tls-keys.log"
        """Programs that get this in SSLKEYLOGFILE have their TLS read like the rest."""
        self._net = net
        self._interface = interface
        self._filter = f"net {net.cidr} and (udp or tcp or icmp)"

    def start(self) -> Capture:
        """Start recording; returns itself once packets are seen."""
        command = ["tcpdump", "--immediate-mode", "-U", "-n", "-i", self._interface, "-w", str(self.file)]
        # Without -Z root tcpdump gives its rights up and cannot write into the test's directory.
        command += ["-Z", "root", self._filter]
        self.launch(command, lambda: "listening on" in self.log)
        return self

    def read(self) -> Reading:
        """Stop recording and read; raises RuntimeError with tshark's complaint."""
        if self.running:
            if self.namespace is None:
                self._flush()
            self.stop(signal.SIGINT)
        command = ["tshark", "-n", "-r", str(self.file), "-T", "pdml"]
        command += ["-Y", "sip or dns or icmp.type==3 or (tcp.flags.syn==1 and tcp.flags.ack==0)"]
        # tshark takes our name server's port for multicast DNS.
        command += ["-d", f"udp.port=={DNS_PORT},dns", "-d", f"tcp.port=={DNS_PORT},dns"]
        if self.key_log.exists():
            command += ["-o", f"tls.keylog_file:{self.key_log}"]
        result = subprocess.run(command, capture_output=True, check=False, timeout=NET)
        if result.returncode != 0:
            raise RuntimeError(f"tshark: {result.stderr.decode(errors='replace')}")
        return read_pdml(result.stdout)

    def _flush(self) -> None:
        """Wait until a datagram sent now is in the file: then all earlier packets are."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as marker:
            # To itself: a closed port would add an ICMP error to the recording.
            marker.bind((f"{self._net.prefix}.250", 0))
            marker.sendto(_MARK, marker.getsockname())
        wait_until(lambda: _MARK in self.file.read_bytes(), "tcpdump to write the last packets")


def read_pdml(pdml: bytes) -> Reading:
    """What a PDML document of tshark says of SIP, TCP connects and ICMP errors."""
    messages: list[WireMessage] = []
    connects: list[Connect] = []
    icmp: list[IcmpError] = []
    lookups: list[DnsMessage] = []
    for packet in ET.fromstring(pdml).iter("packet"):
        protocols = list(packet.findall("proto"))
        time = float(_show(packet, "frame.time_epoch"))
        ip = next((proto for proto in protocols if proto.get("name") in ("ip", "ipv6")), None)
        if ip is None:
            continue
        names = [proto.get("name") for proto in protocols]
        version = str(ip.get("name"))
        if "icmp" in names:
            # The quoted datagram is dissected too: its addresses are the last ones, its SIP is no message.
            quoted = [field for field in packet.iter("field") if field.get("name") == "ip.dst"]
            error = (int(_show(packet, "icmp.type")), int(_show(packet, "icmp.code")))
            icmp.append(IcmpError(time, str(quoted[-1].get("show")), *error))
            continue
        layer = "tcp" if "tcp" in names else "udp"
        source, destination = (
            Place(_show(ip, f"{version}.{end}"), int(_show(packet, f"{layer}.{end}port")))
            for end in ("src", "dst")
        )
        if "dns" in names:
            lookups += [
                _dns_message(proto, time, source, destination, "tcp" if layer == "tcp" else "udp")
                for proto in protocols
                if proto.get("name") == "dns"
            ]
            continue
        if "sip" not in names:
            connects.append(Connect(time, source, destination))
        transport: Literal["udp", "tcp", "tls"] = (
            "tls" if "tls" in names else "tcp" if layer == "tcp" else "udp"
        )
        messages += [
            _message(proto, time, source, destination, transport)
            for proto in protocols
            if proto.get("name") == "sip"
        ]
    return Reading(tuple(messages), tuple(connects), tuple(icmp), tuple(lookups))


def _dns_message(
    dns: ET.Element, time: float, source: Place, destination: Place, transport: Literal["udp", "tcp"]
) -> DnsMessage:
    return DnsMessage(
        time=time,
        source=source,
        destination=destination,
        transport=transport,
        name=_show(dns, "dns.qry.name"),
        rdtype=RdataType.make(int(_show(dns, "dns.qry.type") or 0)).name,
        is_answer=_show(dns, "dns.flags.response") in ("1", "True"),
        truncated=_show(dns, "dns.flags.truncated") in ("1", "True"),
    )


def _message(
    sip: ET.Element, time: float, source: Place, destination: Place, transport: Literal["udp", "tcp", "tls"]
) -> WireMessage:
    status = _show(sip, "sip.Status-Code")
    return WireMessage(
        time=time,
        source=source,
        destination=destination,
        transport=transport,
        method=_show(sip, "sip.CSeq.method") if status else _show(sip, "sip.Method"),
        uri=_show(sip, "sip.r-uri"),
        status=int(status) if status else None,
        call_id=_show(sip, "sip.Call-ID"),
        cseq=int(_show(sip, "sip.CSeq.seq") or 0),
        branch=_show(sip, "sip.Via.branch"),
        from_tag=_show(sip, "sip.from.tag"),
        to_tag=_show(sip, "sip.to.tag"),
    )


def _show(element: ET.Element, name: str) -> str:
    """What tshark shows for the first field *name* within *element*; empty when there is none."""
    return next((str(field.get("show")) for field in element.iter("field") if field.get("name") == name), "")
