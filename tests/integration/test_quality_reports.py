"""A report on a call with baresip, as a collector takes it and as tshark reads it (RFC 6035)."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime

import pytest

from phone_emulator.events import AttemptEnded
from tests.integration.harness.baresip import Account, Baresip
from tests.integration.harness.capture import Capture
from tests.integration.harness.far_end import FarEnd, Transport, only_server
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import SIP_PORT, Net
from tests.integration.harness.script import hear, reply
from tests.integration.harness.stage import Stage
from tests.integration.test_reports import PCMU, measured, tshark
from tests.phone.wire.quality_grammar import follows, plain

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_is_reported_to_its_collector(
    transport: Transport, stage: Stage, net: Net, lone: LivePhone, capture: Capture
) -> None:
    """What is too large for a datagram goes over TCP, and over UDP where nobody listens there."""
    account = Account("1002", "", f"{net.primary}:{SIP_PORT}", registers=False, outbound=False)
    peer = Baresip(net.primary, stage.folder("baresip"), [account])
    stage.processes.append(peer)
    peer.start()
    event = hear("PUBLISH", Event="vq-rtcpxr", Content_Type="application/vq-rtcpxr", body="LocalMetrics:")
    collector = FarEnd(stage, net.peer, transport, [event, reply(200)], "collector").start()
    stage.processes.append(collector)
    began = time.time()

    async def story() -> None:
        call = lone.phone.dial("1002")
        assert await call.settled() == "answered", call.reason
        await measured(call)
        await call.hang_up()
        await asyncio.to_thread(collector.done)

    reports = {
        "phone_setting.vq_rtcpxr.session_report.enable": "1",
        "account.1.vq_rtcpxr.collector_name": "quality",
        "account.1.vq_rtcpxr.collector_server_host": net.peer,
    }
    lone.play(story, only_server(peer.address, "udp") | PCMU | reports)
    assert collector.done(), collector.story
    [attempt] = [each.attempt for each in lone.told(AttemptEnded) if each.attempt.method == "PUBLISH"]
    assert (attempt.outcome, attempt.status) == ("answered", 200), attempt.detail

    wire = capture.read()
    assert {each.transport for each in wire.requests("PUBLISH", source=net.phone)} == {transport}
    publish = wire.requests("PUBLISH", source=net.phone)[0]
    assert publish.uri == f"sip:quality@{net.peer}:{SIP_PORT}"
    fields = ("-T", "fields", "-e", "sip.Event", "-e", "sip.Content-Type", "-e", f"{transport}.payload")
    [read] = tshark(capture.file, "-Y", 'sip.Method=="PUBLISH"', *fields).splitlines()[:1]
    event_told, content_type, payload = read.split("\t")
    assert (event_told, content_type) == ("vq-rtcpxr", "application/vq-rtcpxr")
    told = plain(bytes.fromhex(payload.replace(":", "")).partition(b"\r\n\r\n")[2])
    assert follows(told), told
    assert tshark(capture.file, "-Y", "sip and _ws.expert.severity==error") == ""

    [invite] = {each.call_id: each for each in wire.requests("INVITE", source=net.phone)}.values()
    assert f"CallID: {invite.call_id}\n" in told
    start, stop = (
        datetime.fromisoformat(each.removesuffix("Z")).replace(tzinfo=UTC).timestamp()
        for each in re.findall(r"(?:START|STOP)=(\S+)", told)[:2]
    )
    assert int(began) <= start < stop <= time.time()
    sources = ("-T", "fields", "-e", "ip.src", "-e", "rtp.ssrc")
    streams = {
        tuple(line.split("\t"))
        for line in tshark(capture.file, "-Y", "rtp and not icmp", *sources).splitlines()
    }
    (own,), (far,) = (
        [ssrc for source, ssrc in streams if (source == net.phone) is phone] for phone in (True, False)
    )
    ends = re.findall(r"Addr: IP=(\S+) PORT=\d+ SSRC=(\S+)", told)
    assert ends == [(net.phone, own), (net.primary, far)]
    assert re.search(r"RemoteMetrics:\nTimestamps:.*\nPacketLoss:NLR=0.00", told), told
