"""Reports on the quality of a call, by the grammar of RFC 6035 (section 4.6.1) and its example."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.events import Address
from phone_emulator.media.xr import UNAVAILABLE, VoipMetrics
from phone_emulator.phone.wire.quality_report import (
    MediaEnd,
    QualityReport,
    SessionDescription,
    StreamQuality,
)
from tests.phone.wire.quality_grammar import follows, plain

EXAMPLE = """VQSessionReport: CallTerm
CallID:6dg37f1890463
LocalID:Alice <sip:alice@example.org>
RemoteID:Bill <sip:bill@example.net>
OrigID:Alice <sip:alice@example.org>
LocalAddr:IP=10.10.1.100 PORT=5000 SSRC=0x1a3b5c7d
RemoteAddr:IP=11.1.1.150 PORT=5002 SSRC=0x2468abcd
LocalGroup:example-phone-55671
RemoteGroup:example-gateway-09871
LocalMAC:00:1f:5b:cc:21:0f
RemoteMAC:00:26:08:8e:95:02
LocalMetrics:
Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-10T18:26:02Z
SessionDesc:PT=18 PD=G729 SR=8000 PPS=50 FD=20 FO=20 FPP=2 FMTP="annexb=no" PLC=3 SSUP=on
JitterBuffer:JBA=3 JBR=2 JBN=40 JBM=80 JBX=120
PacketLoss:NLR=5.0 JDR=2.0
BurstGapLoss:BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16
Delay:RTD=200 ESD=140 SOWD=200 IAJ=2 MAJ=10
Signal:SL=-21 NL=-50 RERL=55
QualityEst:RLQ=90 RCQ=85 EXTRI=90 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=P.564
RemoteMetrics:
Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-10T18:26:02Z
PacketLoss:NLR=5.0 JDR=2.0
DialogID:1890463548@alice.example.org;to-tag=8472761;from-tag=9123dh311
"""
"""Section 4.7.3, its lines in the order of the grammar, which its SSRC and its dates do not follow either."""

XR = VoipMetrics(
    7,
    burst_density=64,
    burst_duration=120,
    gap_density=5,
    gap_duration=500,
    round_trip_delay=200,
    end_system_delay=140,
    r_factor=85,
    mos_cq=43,
    configuration=1 << 6 | 3 << 4,
    nominal_delay=40,
    maximum_delay=80,
    absolute_maximum=120,
)
REPORTED = QualityReport(
    call_id="6dg37f1890463@192.0.2.1",
    from_tag="9123dh311",
    to_tag="8472761",
    local_id='"Alice" <sip:alice@example.org>',
    remote_id="<sip:bill@example.net>",
    caller_id='"Alice" <sip:alice@example.org>',
    local=MediaEnd(Address("10.10.1.100", 5000), 0x1A3B5C7D),
    remote=MediaEnd(Address("11.1.1.150", 5002), 0xABCD),
    mac="001565aabbcc",
    started=1097432623.9,
    stopped=1097432762.0,
    heard=StreamQuality(
        lost=0.05,
        discarded=0.02,
        jitter=0.0016,
        round_trip=0.2,
        metrics=XR,
        algorithm="G.107",
        description=SessionDescription(
            payload_type=0, encoding="PCMU", rate=8000, packets_per_second=50, silence_suppressed=False
        ),
    ),
    told=StreamQuality(lost=1 / 3, jitter=0.002),
)


def test_the_grammar_takes_the_example() -> None:
    assert follows(EXAMPLE)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("SSRC=0x1a3b5c7d", "SSRC=1a3b5c7d"),
        ("CallID:", "Call:"),
        ("NLR=5.0", "NLR=5.012"),
        ("PLC=3", "PLC=4"),
        ("JBA=3 JBR=2", "JBR=2 JBA=3"),
        ("LocalGroup:example-phone-55671\n", ""),
        ("Delay:RTD=200", "Delay:RTD=200.5"),
        ("STOP=2004-10-10T18:26:02Z", "STOP=2004-10-10"),
    ],
)
def test_the_grammar_takes_nothing_else(right: str, wrong: str) -> None:
    assert right in EXAMPLE
    assert not follows(EXAMPLE.replace(right, wrong, 1))


def test_what_a_report_says() -> None:
    body = REPORTED.to_bytes()
    assert follows(plain(body))
    assert body.decode().split("\r\n") == [
        "VQSessionReport: CallTerm",
        "CallID: 6dg37f1890463@192.0.2.1",
        'LocalID: "Alice" <sip:alice@example.org>',
        "RemoteID: <sip:bill@example.net>",
        'OrigID: "Alice" <sip:alice@example.org>',
        "LocalAddr: IP=10.10.1.100 PORT=5000 SSRC=0x1a3b5c7d",
        "RemoteAddr: IP=11.1.1.150 PORT=5002 SSRC=0x0000abcd",
        "LocalGroup: Unknown",
        "RemoteGroup: Unknown",
        "LocalMAC: 00:15:65:aa:bb:cc",
        "LocalMetrics:",
        "Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-10T18:26:02Z",
        "SessionDesc:PT=0 PD=PCMU SR=8000 PPS=50 PLC=1 SSUP=off",
        "JitterBuffer:JBA=3 JBR=0 JBN=40 JBM=80 JBX=120",
        "PacketLoss:NLR=5.00 JDR=2.00",
        "BurstGapLoss:BLD=25.00 BD=120 GLD=1.95 GD=500 GMIN=16",
        "Delay:RTD=200 ESD=140 IAJ=2",
        "QualityEst:RCQ=85 MOSCQ=4.3 QoEEstAlg=G.107",
        "RemoteMetrics:",
        "Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-10T18:26:02Z",
        "PacketLoss:NLR=33.33",
        "Delay:IAJ=2",
        "DialogID:6dg37f1890463@192.0.2.1;to-tag=8472761;from-tag=9123dh311",
        "",
    ]


def test_what_is_not_known_is_left_out() -> None:
    body = replace(REPORTED, heard=StreamQuality(), told=None).to_bytes()
    assert follows(plain(body))
    _, _, metrics = body.decode().partition("LocalMetrics:\r\n")
    assert [line.partition(":")[0] for line in metrics.splitlines()] == ["Timestamps", "DialogID"]


def test_no_name_begins_a_line() -> None:
    name = '"Bill\r\nRemoteGroup: mine" <sip:bill@example.net>'
    assert follows(plain(replace(REPORTED, remote_id=name, caller_id=name).to_bytes()))


SHARES = st.none() | st.floats(-1, 2)
SECONDS = st.none() | st.floats(0, 1000)
BYTES, WORDS = st.integers(0, 255), st.integers(0, 0xFFFF)
METRIC = st.builds(
    VoipMetrics,
    st.just(7),
    *(BYTES,) * 4,
    *(WORDS,) * 4,
    gmin=BYTES,
    r_factor=st.integers(0, 100) | st.just(UNAVAILABLE),
    mos_lq=st.integers(10, 50) | st.just(UNAVAILABLE),
    mos_cq=st.integers(10, 50) | st.just(UNAVAILABLE),
    configuration=BYTES,
    nominal_delay=WORDS,
    maximum_delay=WORDS,
    absolute_maximum=WORDS,
)
QUALITY = st.builds(
    StreamQuality,
    lost=SHARES,
    discarded=SHARES,
    jitter=SECONDS,
    round_trip=SECONDS,
    metrics=st.none() | METRIC,
    algorithm=st.sampled_from(["", "G.107", "G.107.1"]),
    description=st.none() | st.just(REPORTED.heard.description),
)


@given(QUALITY, st.none() | QUALITY, st.sampled_from(["192.0.2.7", "2001:db8::7"]), st.integers(0, 2**32 - 1))
def test_each_report_follows_the_grammar(
    heard: StreamQuality, told: StreamQuality | None, host: str, ssrc: int
) -> None:
    end = MediaEnd(Address(host, 4000), ssrc)
    assert follows(plain(replace(REPORTED, heard=heard, told=told, remote=end).to_bytes()))
