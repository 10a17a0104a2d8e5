"""``phone-emulator lab`` as others see it: foreign phones, noise, and a machine that is in use already."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.integration.harness.capture import Capture
from tests.integration.harness.net import DOMAIN, Net
from tests.integration.harness.process import Process, require
from tests.integration.harness.sipp import SippCaller, SippUas
from tests.integration.harness.stage import Stage
from tests.patience import NET

pytestmark = pytest.mark.integration

PASSWORD = "lab-secret"
"""Of 1001, as the lab prints it."""
NOISE = [
    b"",
    b"\r\n\r\n",
    b"\x00" * 1000,
    os.urandom(1400),
    b"INVITE",
    b"INVITE sip:1002@x SIP/2.0\r\n\r\n",
    b"INVITE sip:1002@x SIP/2.0\r\nContent-Length: 999999999\r\n\r\n",
    b"INVITE sip:1002@x SIP/2.0\r\nContent-Length: -1\r\n\r\n",
    b"REGISTER sip:" + b"a" * 60000 + b" SIP/2.0\r\n\r\n",
    b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\nCall-ID: x\r\nVia: SIP/2.0/UDP [::;branch=z9\r\n\r\n",
    b"OPTIONS sip:x SIP/2.0\r\nVia: \xff\xfe\r\nFrom: <\r\nTo: >\r\nCall-ID:\r\nCSeq: 4294967296 A\r\n\r\n",
]


class LabProcess(Process):
    """``phone-emulator lab``, its servers at the net's own addresses."""

    def __init__(self, net: Net, directory: Path, *options: str) -> None:
        super().__init__("lab", directory)
        self._command = [sys.executable, "-m", "phone_emulator", "lab", "--no-prompt"]
        self._command += ["--local-address", net.phone, *options]

    def start(self) -> LabProcess:
        """Start it and wait until it serves; returns itself."""
        self.launch(self._command, lambda: "call with it:" in self.log)
        return self

    def try_to_start(self) -> subprocess.CompletedProcess[str]:
        """Run it to its end, where it cannot serve."""
        return subprocess.run(self._command, capture_output=True, text=True, check=False, timeout=NET)


@pytest.fixture
def lab(stage: Stage) -> Iterator[LabProcess]:
    """The guide's example, its secondary refusing calls; it ends without a complaint."""
    lab = LabProcess(stage.net, stage.folder("lab"), "--down", "secondary=INVITE=503")
    stage.processes.append(lab)
    yield lab.start()
    assert lab.running, lab.log
    lab.stop()
    assert "Traceback" not in lab.log


def sipsak(net: Net, *options: str) -> subprocess.CompletedProcess[str]:
    """Run sipsak against the lab's primary, for user 1001."""
    require("sipsak")
    command = ["sipsak", "-s", f"sip:1001@{net.primary}:5060", "-l", "5071", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=NET)


def register(net: Net, password: str, contact: str) -> subprocess.CompletedProcess[str]:
    """Register 1001 with *contact* (``address:port``)."""
    credentials = ["-u", "1001", "-a", password]
    return sipsak(net, "-U", "-C", f"sip:1001@{contact}", *credentials, "-x", "60", "-i", "-vv")


def alive(net: Net) -> bool:
    """Whether the primary answers OPTIONS."""
    return sipsak(net, "-vv").returncode == 0


def test_a_foreign_phone_registers_with_digest(lab: LabProcess, net: Net, capture: Capture) -> None:
    done = register(net, PASSWORD, f"{net.peer}:5060")
    assert done.returncode == 0, done.stdout + done.stderr
    wire = capture.read()
    assert [message.status for message in wire.messages if message.status] == [401, 200]


def test_a_wrong_password_is_refused(lab: LabProcess, net: Net, capture: Capture) -> None:
    assert register(net, "wrong", f"{net.peer}:5060").returncode != 0
    wire = capture.read()
    assert 200 not in [message.status for message in wire.messages]


def test_options_is_answered(lab: LabProcess, net: Net, capture: Capture) -> None:
    assert alive(net)
    wire = capture.read()
    (asked,) = wire.requests("OPTIONS", destination=net.primary)
    (answer,) = wire.responses(200, "OPTIONS", source=net.primary)
    assert (answer.call_id, answer.branch) == (asked.call_id, asked.branch)


@pytest.mark.parametrize(("option", "transport"), [("u1", "udp"), ("t1", "tcp")])
def test_a_foreign_phone_calls_the_labs_callee(
    option: str, transport: str, lab: LabProcess, net: Net, capture: Capture, tmp_path: Path
) -> None:
    caller = SippCaller(net.peer, tmp_path, password=PASSWORD)
    assert caller.call(f"{net.primary}:5060", "1002", option), caller.messages
    wire = capture.read()
    assert {message.transport for message in wire.requests("INVITE", source=net.peer)} == {transport}
    assert len(wire.responses(407, "INVITE", source=net.primary)) == 1
    assert len(wire.requests("BYE", source=net.peer)) == 1


def test_the_server_that_is_down_says_so(lab: LabProcess, net: Net, capture: Capture, tmp_path: Path) -> None:
    caller = SippCaller(net.peer, tmp_path, password=PASSWORD)
    assert not caller.call(f"{net.secondary}:5060", "1002")
    assert capture.read().responses(503, "INVITE", source=net.secondary)


def test_a_foreign_phone_calls_another(
    lab: LabProcess, stage: Stage, net: Net, capture: Capture, tmp_path: Path
) -> None:
    assert register(net, PASSWORD, f"{net.callee}:5060").returncode == 0
    called = SippUas(net.callee, stage.folder("callee"))
    stage.processes.append(called)
    called.start()
    caller = SippCaller(net.peer, tmp_path, password=PASSWORD)
    assert caller.call(f"{net.primary}:5060", "1001"), caller.messages
    assert "INVITE" in called.messages


def test_the_name_server_leads_to_the_labs_servers(lab: LabProcess, net: Net) -> None:
    def texts(name: str, rdtype: str) -> list[str]:
        question = dns.message.make_query(name, rdtype)
        answer = dns.query.udp(question, net.dns, timeout=NET, port=5300).answer
        return sorted(record.to_text() for rrset in answer for record in rrset)

    assert texts(f"srv1.{DOMAIN}", "A") == [net.primary]
    assert texts(f"srv2.{DOMAIN}", "A") == [net.secondary]
    assert len(texts(f"_sip._udp.{DOMAIN}", "SRV")) == 2


def test_noise_does_not_disturb_it(lab: LabProcess, net: Net) -> None:
    before = resident_bytes(lab.pid)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((net.peer, 0))
        for _ in range(20):
            for server in (net.primary, net.secondary, net.fallback):
                for noise in NOISE:
                    udp.sendto(noise, (server, 5060))
            udp.sendto(os.urandom(400), (net.dns, 5300))
            udp.sendto(os.urandom(400), (f"{net.prefix}.100", 5060))
    for port in (5060, 5061):
        for noise in NOISE:
            # It may close the connection at any time.
            with (
                contextlib.suppress(ConnectionError),
                socket.create_connection((net.primary, port), NET) as tcp,
            ):
                tcp.sendall(noise)
                tcp.shutdown(socket.SHUT_WR)
    assert alive(net)
    assert resident_bytes(lab.pid) - before < 50e6


def test_an_endless_header_over_tcp_is_cut_off(lab: LabProcess, net: Net) -> None:
    before = resident_bytes(lab.pid)
    sent = 0
    with socket.create_connection((net.primary, 5060), NET) as tcp:
        tcp.sendall(b"OPTIONS sip:x SIP/2.0\r\nX: ")
        with contextlib.suppress(ConnectionError, TimeoutError):
            while sent < 100_000_000:
                sent += tcp.send(b"a" * 65536)
    assert sent < 100_000_000, "all was taken in"
    assert alive(net)
    assert resident_bytes(lab.pid) - before < 50e6


def test_a_port_in_use_is_told(net: Net, stage: Stage) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((net.secondary, 5060))
        done = LabProcess(net, stage.folder("lab")).try_to_start()
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{net.secondary}:5060" in done.stderr
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_lab_is_told_that_there_is_one(lab: LabProcess, net: Net, stage: Stage) -> None:
    done = LabProcess(net, stage.folder("second")).try_to_start()
    assert done.returncode == 3
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert alive(net)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_in_order(number: signal.Signals, net: Net, stage: Stage) -> None:
    lab = LabProcess(net, stage.folder("lab"))
    stage.processes.append(lab)
    lab.start()
    lab.signal(number)
    assert lab.wait() == 130
    assert "Traceback" not in lab.log
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((net.primary, 5060))


def resident_bytes(pid: int) -> int:
    """The memory of process *pid*."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
