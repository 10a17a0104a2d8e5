"""RTCP with baresip and pjsip, and as tshark reads it: round trips both ways, nothing lost or malformed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

import pytest

from phone_emulator.events import MediaMeasured
from phone_emulator.events.numbers import MediaNumbers
from phone_emulator.phone import Call
from phone_emulator.report.text import sound_line
from phone_emulator.scenario.session import call_report
from tests.integration.harness.baresip import Account, Baresip
from tests.integration.harness.capture import Capture
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import only_server
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.pjsip import Pjsip
from tests.integration.harness.scene import CAST, kamailio
from tests.integration.harness.stage import Stage
from tests.patience import NET, until

pytestmark = pytest.mark.integration

PCMU = {"account.1.codec.g722.enable": "0", "account.1.codec.pcma.enable": "0"}
SR, RR, SDES, BYE, XR = 200, 201, 202, 203, 207


def tshark(file: Path, *options: str) -> str:
    """What tshark says of the packets in *file*."""
    command = ["tshark", "-n", "-r", str(file), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=NET, check=True).stdout


def compounds(file: Path, source: str) -> list[list[int]]:
    """The packet types of each RTCP compound that *source* sent, as tshark reads them."""
    fields = ("-T", "fields", "-e", "rtcp.pt", "-E", "aggregator=,")
    found = tshark(file, "-Y", f"rtcp and not icmp and ip.src=={source}", *fields)
    return [[int(kind) for kind in line.split(",")] for line in found.splitlines()]


async def measured(call: Call) -> MediaNumbers:
    """The numbers of *call* once both ends have heard of each other's reports."""
    audio = call.voice.audio
    assert audio is not None
    await until(lambda: audio.numbers.round_trip is not None, "a round trip")
    return audio.numbers


def assert_good(numbers: MediaNumbers) -> None:
    assert numbers.round_trip is not None
    assert numbers.round_trip < 1
    assert numbers.sent.lost == numbers.heard.lost == 0
    assert numbers.heard.packets > 100
    assert numbers.mos is not None
    assert numbers.mos > 3.5


def assert_told(call: Call, lone: LivePhone, *, encrypted: bool) -> None:
    """What is told of *call*, which is over: as an event, in JSON and in a line."""
    *_, last = lone.told(MediaMeasured)
    assert last.last
    assert call.numbers is last.numbers
    assert_good(last.numbers)
    report = call_report(call)
    media = report.as_json()["media"]
    assert (media["srtp"] is not None) is encrypted
    for way in ("sent", "received"):
        assert media[way]["packets"] > 100
        assert media[way]["bytes"] > 100 * media[way]["packets"]
        assert media[way]["lost"] == 0
        assert media[way]["jitter_ms"] < 100
    assert 0 < media["round_trip_ms"] < 1000
    assert 3.5 < media["mos"] < 4.5
    assert media["r_factor"] > 70
    assert media["ptime_ms"] == 20
    assert media["longest_silence_ms"] < 1000
    assert sound_line(report).strip() == str(last)


@pytest.mark.parametrize(
    ("caller", "mux", "encryption"),
    [("phone", False, ""), ("baresip", False, ""), ("baresip", True, ""), ("phone", False, "srtp-mand")],
)
def test_baresip_and_the_phone_report_to_each_other(
    caller: str,
    mux: bool,
    encryption: Literal["", "srtp-mand"],
    stage: Stage,
    net: Net,
    lone: LivePhone,
    capture: Capture,
) -> None:
    account = Account(
        "1002", "", f"{net.primary}:5060", registers=False, outbound=False, encryption=encryption
    )
    peer = Baresip(net.primary, stage.folder("baresip"), [account], rtcp_mux=mux)
    stage.processes.append(peer)
    peer.start()
    numbers = list[MediaNumbers]()

    async def story() -> None:
        call = await lone.talking_with(peer, caller)
        numbers.append(await measured(call))
        assert call.voice.agreed is not None
        assert call.voice.agreed.rtcp_mux is mux
        await call.hang_up()
        assert_told(call, lone, encrypted=bool(encryption))

    settings = PCMU | ({"account.1.srtp_encryption": "2"} if encryption else {})
    lone.play(story, only_server(peer.address, "udp") | settings | {"voice.rtcp_xr.enable": "1"})
    assert_good(numbers[0])
    capture.read()
    if encryption:
        return  # nobody reads it without the keys
    told = compounds(capture.file, net.phone)
    assert [kinds[:2] for kinds in told] == [[SR, SDES]] * len(told)
    assert told[-1][-1] == BYE
    assert [XR in kinds for kinds in told] == [True] * len(told)
    assert tshark(capture.file, "-Y", "_ws.malformed or _ws.expert.severity==error") == ""
    streams = [
        line for line in tshark(capture.file, "-q", "-z", "rtp,streams").splitlines() if "g711U" in line
    ]
    assert len(streams) == 2
    for stream in streams:
        assert " 0 (0.0%)" in stream


@pytest.mark.parametrize("mux", [False, True])
def test_pjsip_and_the_phone_report_to_each_other(
    mux: bool, lone: LivePhone, stage: Stage, certificates: Certificates, net: Net
) -> None:
    server = kamailio(stage, certificates).start()

    async def story() -> None:
        pjsip = Pjsip(
            stage.folder("1002"),
            {
                "address": net.peer,
                "transport": "udp",
                "server": f"{server.address}:5060",
                "user": "1002",
                "password": CAST["1002"],
                "rtcp_mux": "yes" if mux else "",
            },
        )
        async with pjsip:
            await lone.phone.register()
            pjsip.do("call", "1001")
            call = await lone.called()
            call.answer()
            await pjsip.told("confirmed")
            numbers = await measured(call)
            assert call.voice.agreed is not None
            assert call.voice.agreed.rtcp_mux is mux
            assert_good(numbers)
            await call.hang_up()
            await until(lambda: not lone.phone.calls, "all calls to end")
            assert_told(call, lone, encrypted=False)

    lone.play(story, only_server(server.address, "udp") | PCMU)
