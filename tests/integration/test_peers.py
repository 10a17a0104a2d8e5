"""Calls with another phone, baresip: a second opinion on signalling, and real audio."""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.harness.baresip import Account, Baresip
from tests.integration.harness.capture import Capture
from tests.integration.harness.kamailio import USERS, Kamailio
from tests.integration.harness.namespace import GUIDE_NET, Lan, guide_lan
from tests.integration.harness.nsd import Nsd, guide_zone
from tests.integration.harness.phone import Phone
from tests.integration.harness.stage import Stage

pytestmark = pytest.mark.integration

TONE = 440


@pytest.fixture
def lan() -> Iterator[Lan]:
    """The phone's host, two servers' hosts, the name server's, and the other phone's."""
    net = GUIDE_NET
    with guide_lan([net.phone, net.primary, net.fallback, net.dns, net.peer]) as lan:
        yield lan


@pytest.fixture
def server(lan: Lan, stage: Stage) -> Kamailio:
    """Kamailio at 192.168.1.13."""
    address = lan.net.primary
    namespace = lan.namespace(address)
    kamailio = Kamailio(
        "primary", address, stage.folder("primary"), callee="127.0.0.1:9", namespace=namespace
    )
    stage.processes.append(kamailio)
    return kamailio.start()


@pytest.fixture
def baresip(lan: Lan, stage: Stage, server: Kamailio) -> Baresip:
    """1002, registered at the primary."""
    address = lan.net.peer
    peer = Baresip(
        address,
        stage.folder("baresip"),
        [Account("1002", USERS["1002"], server.address)],
        hertz=TONE,
        namespace=lan.namespace(address),
    )
    stage.processes.append(peer)
    return peer.start()


@pytest.fixture
def phone(lan: Lan, stage: Stage) -> Phone:
    """The phone under test at 192.168.1.21, with a name server."""
    net = lan.net
    nsd = Nsd(net.dns, stage.folder("nsd"), guide_zone(net, "SIP+D2U"), namespace=lan.namespace(net.dns))
    stage.processes.append(nsd)
    nsd.start()
    return Phone(net, stage.folder("phone"), namespace=lan.namespace(net.phone))


def loudest(samples: array[int], rate: int) -> float:
    """The frequency, in Hz, that *samples* have most of, among multiples of 20 below 2 kHz."""

    def power(hertz: int) -> float:
        turns = [2 * math.pi * hertz * n / rate for n in range(len(samples))]
        return math.hypot(
            sum(sample * math.cos(turn) for sample, turn in zip(samples, turns, strict=True)),
            sum(sample * math.sin(turn) for sample, turn in zip(samples, turns, strict=True)),
        )

    return max(range(100, 2000, 20), key=power)


def test_baresip_answers_and_its_tone_is_heard(
    server: Kamailio, baresip: Baresip, lan: Lan, stage: Stage, phone: Phone, tmp_path: Path
) -> None:
    net = lan.net
    assert [binding.user for binding in server.bindings()] == ["1002"]
    capture = Capture(net, stage.folder("capture"), interface="eth0", namespace=lan.namespace(net.phone))
    stage.processes.append(capture)
    capture.start()
    recording = tmp_path / "heard.wav"
    call = phone.call("1002", "--record", str(recording), "--record-side", "heard")
    wire = capture.read()
    assert (call.exit_status, call.result, call.via) == (0, "answered", "primary"), call.stderr
    assert call.hops == wire.route(net.phone), wire.ladder()
    assert len(wire.requests("BYE", source=net.phone)) == 1
    with wave.open(str(recording)) as heard:
        rate = heard.getframerate()
        samples = array("h", heard.readframes(heard.getnframes()))
    assert (rate, len(samples) > rate // 2) == (8000, True)
    assert loudest(samples[rate // 4 : rate // 2], rate) == TONE
