"""``call`` and ``register``: what they print where, and their exit statuses."""

from __future__ import annotations

import json
import re
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from phone_emulator.media import tones
from phone_emulator.media.judgement import silences, strongest
from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import read_wav, write_wav

Run = Callable[..., Result]


@pytest.fixture
def call(run: Run, example: Path, zone: Path) -> Run:
    """Call 1002 in the simulated world."""

    def call(*options: object) -> Result:
        return run("call", example, "1002", "--world", "simulated", "--zone", zone, *options)

    return call


def test_the_route_is_printed_as_it_grows(call: Run) -> None:
    result = call("--down", "primary=silent")
    assert result.exit_code == 0
    first, second, verdict = result.stdout.splitlines()
    assert first.split()[:4] == ["1", "primary", "192.168.1.13:5060/udp", "no-response"]
    assert second.split()[:4] == ["2", "secondary", "192.168.1.14:5060/udp", "answered"]
    assert verdict == "call call-1, line 1 to 1002: answered via secondary after 32.0 s: 200 OK"
    assert result.stderr == ""


def test_json_is_one_object_on_stdout(call: Run) -> None:
    result = call("--down", "primary=503", "--format", "json")
    told = json.loads(result.stdout)
    assert list(told) == [
        "schema", "id", "line", "direction", "to", "result", "status", "reason", "via", "started", "elapsed",
        "route", "ended", "tones", "media",
    ]  # fmt: skip
    assert {key: told["ended"][key] for key in ("by", "method", "answered")} == {
        "by": "us", "method": "BYE", "answered": True,
    }  # fmt: skip
    assert told["media"] == {
        "codec": "G722", "srtp": None, "keys_in_clear": False,
        "sent": {"packets": 0, "bytes": 0, "lost": None, "jitter_ms": None},
        "received": {
            "packets": 0, "bytes": 0, "lost": 0, "late": 0, "duplicated": 0, "out_of_order": 0,
            "jitter_ms": None,
        },
        "ptime_ms": None, "round_trip_ms": None, "r_factor": None, "mos": None, "scale": None,
        "longest_silence_ms": None, "digits": "",
    }, "in virtual time no sound flows: nothing is said of it"  # fmt: skip
    assert (told["to"], told["result"], told["via"]) == ("1002", "answered", "secondary")
    assert [(each["role"], each["outcome"]) for each in told["route"]] == [
        ("primary", "unavailable"),
        ("secondary", "answered"),
    ]


@pytest.mark.parametrize(
    ("down", "result", "status"),
    [
        (["callee=busy"], "rejected", 486),
        (["callee=reject"], "rejected", 603),
        (["primary=503", "secondary=503", "fallback=503"], "failed", 503),
    ],
)
def test_a_call_that_nobody_takes(call: Run, down: list[str], result: str, status: int) -> None:
    told = call("--format", "json", *(word for each in down for word in ("--down", each)))
    assert told.exit_code == 1
    call_told = json.loads(told.stdout)
    assert (call_told["result"], call_told["status"]) == (result, status)


def test_the_call_is_placed_though_nobody_registers_the_line(call: Run) -> None:
    # rule C10
    result = call("--down", "primary=REGISTER: 403", "--down", "fallback=REGISTER: 403")
    assert result.exit_code == 0
    assert "line 1 is registered nowhere" in result.stderr
    assert "the call is placed all the same" in result.stderr


def test_the_line_need_not_register(call: Run) -> None:
    down = ("--down", "primary=silent", "--down", "fallback=silent", "--format", "json")
    with_register = json.loads(call(*down).stdout)
    without = json.loads(call(*down, "--no-register").stdout)
    assert (with_register["started"], without["started"]) == (7.5, 0.0)


@pytest.mark.parametrize(("down", "started"), [("fallback", 0.0), ("primary", 7.5)])
def test_a_call_waits_for_server_1_to_take_the_line_and_for_no_other(
    call: Run, down: str, started: float
) -> None:
    placed = json.loads(call("--down", f"{down}=silent", "--format", "json").stdout)
    assert placed["started"] == started


def test_the_call_stays_up_as_long_as_is_asked(call: Run) -> None:
    for duration, ended in (("0", "0.000"), ("90s", "90.000")):
        log = call("--duration", duration, "--log-level", "info").stderr
        assert [line.split()[0] for line in log.splitlines() if ": ended: hung up" in line] == [ended]


def test_the_same_seed_is_the_same_run(call: Run) -> None:
    logs = [call("--seed", seed, "--log-level", "debug").stderr for seed in (1, 1, 2)]
    assert logs[0] == logs[1] != logs[2]


@pytest.mark.parametrize(("world", "told"), [("simulated", False), ("lab", True)])
def test_a_seed_is_told_where_there_are_sockets(call: Run, own_address: str, world: str, told: bool) -> None:
    where = ("--local-address", own_address) if told else ()
    for seed, expected in ((("--seed", 1), told), ((), False)):
        done = call("--world", world, *where, *seed, "--duration", "0")
        assert ("foretells" in done.stderr) is expected


def test_the_debug_log_has_messages_and_no_secrets(call: Run) -> None:
    log = call("--log-level", "debug").stderr
    assert "INVITE sip:1002@yealink.pbx.com SIP/2.0" in log
    assert "Authorization: Digest" in log
    assert "response=" not in log
    assert "guide-Example-7" not in log


def test_the_phone_is_the_one_that_is_asked_for(call: Run) -> None:
    log = call(
        "--model", "SIP-T58", "--mac", "80:5E:C0:00:00:01", "--set", "sip.mac_in_ua=1", "--log-level", "debug"
    ).stderr
    assert "User-Agent: Yealink SIP-T58 58.86.0.15 805ec0000001" in log


def test_the_firmware_decides_how_sip_is_written(call: Run) -> None:
    said = ("--model", "SIP-T46G", "--log-level", "debug")
    log = call(*said, "--firmware", "28.73.0.48").stderr
    assert "User-Agent: Yealink SIP-T46G 28.73.0.48" in log
    assert "INVITE sip:1002@yealink.pbx.com SIP/2.0" in log
    assert "Contact: <sip:1001@192.168.1.21:5062>" in log
    assert log.index("Supported: replaces") < log.index("Allow-Events", log.index("Supported: replaces"))
    assert "<sip:1001@192.168.1.21:5070>" in call(*said, "--set", "sip.listen_port=5070").stderr
    assert "<sip:1001@192.168.1.21:5060>" in call(*said).stderr


def test_the_reading_of_silence_can_be_forced(call: Run) -> None:
    told = json.loads(
        call("--down", "primary=silent", "--silence", "retry-counts", "--format", "json").stdout
    )
    assert told["elapsed"] == 7.5  # rule C5


def test_a_capture_is_written(call: Run, tmp_path: Path) -> None:
    capture = tmp_path / "call.pcapng"
    assert call("--pcap", capture).exit_code == 0
    data = capture.read_bytes()
    assert data.startswith(b"\x0a\x0d\x0d\x0a")
    assert b"INVITE sip:1002@yealink.pbx.com SIP/2.0" in data
    assert b"SIP/2.0 200 OK" in data


ENCRYPTED = ("--set", "account.1.srtp_encryption=2", "--log-level", "error")


@pytest.mark.parametrize("world", ["simulated", "lab"])
def test_sound_is_captured_with_its_keys(call: Run, tmp_path: Path, world: str, own_address: str) -> None:
    capture, keys = tmp_path / "call.pcapng", tmp_path / "call.pcapng.keys"
    here = ("--local-address", own_address) if world == "lab" else ()
    sound = ("--world", world, "--pcap", capture, "--pcap-media", "--duration", "200ms", *here)
    assert call("--pcap", capture).exit_code == 0
    silent = len(capture.read_bytes())
    assert call(*sound).exit_code == 0
    assert len(capture.read_bytes()) > silent + 10 * 172, "ten packets of 20 ms at least"
    assert not keys.exists(), "nothing was encrypted"
    assert call(*sound, *ENCRYPTED).exit_code == 0
    data = capture.read_bytes()
    assert data.count(b"(decrypted)") == 1
    _, own, far = keys.read_text().splitlines()
    for line in (own, far):
        assert line.split()[-1].encode() in data, "as the session description has it"
    assert own.split()[1:3] == far.split()[2:0:-1]


def test_a_masked_capture_has_no_sound_in_the_clear(call: Run, tmp_path: Path) -> None:
    capture = tmp_path / "call.pcapng"
    assert call("--pcap", capture, "--pcap-media", "--mask", *ENCRYPTED).exit_code == 0
    data = capture.read_bytes()
    assert len(data) > 40 * 182, "what was on the wire"
    assert b"(decrypted)" not in data
    assert [file.name for file in tmp_path.iterdir() if "pcapng" in file.name] == [capture.name]


def test_captured_sound_needs_a_capture_and_a_file_of_its_own(call: Run, tmp_path: Path) -> None:
    said = call("--pcap-media")
    assert said.exit_code == 2
    assert said.stderr.startswith("--pcap-media is about --pcap, which is not given.")
    capture, taken = tmp_path / "x", tmp_path / "x.keys"
    said = call("--world", "lab", "--pcap", capture, "--pcap-media", "--record", taken)
    assert said.exit_code == 2
    assert "--record and --pcap-media name the same file" in said.stderr


def test_warnings_go_to_stderr_one_a_line(call: Run) -> None:
    wrong = ("--set", "account.1.sip_server.1.prot=5060")
    assert call(*wrong).stderr.startswith("--set:1: warning: unknown-key: ")
    assert call(*wrong, "--log-level", "error").stderr == ""


def test_without_a_zone_each_name_has_two_servers(run: Run, example: Path) -> None:
    result = run(
        "call", example, "1002", "--world", "simulated", "--format", "json",
        "--set", "account.1.sip_server.1.address=sip.example.com",
        "--set", "account.1.sip_server.1.port=5070",
        "--down", "primary=refuse",
    )  # fmt: skip
    told = json.loads(result.stdout)
    assert [(each["role"], each["host"], each["port"]) for each in told["route"]] == [
        ("primary", "sip.example.com", 5070),
        ("secondary", "sip.example.com", 5070),
    ]


@pytest.mark.parametrize("world", ["simulated", "lab"])
@pytest.mark.parametrize("side", ["both", "said", "heard", None])
def test_a_call_with_sound(call: Run, own_address: str, tmp_path: Path, world: str, side: str | None) -> None:
    said, kept = tmp_path / "said.wav", tmp_path / "kept.wav"
    write_wav(said, Sound(8000, tones.sine((700,), 500)))
    here = ("--local-address", own_address) if world == "lab" else ()
    which = ("--record-side", side) if side else ()
    result = call("--world", world, *here, "--duration", "0", "--play", said, "--record", kept, *which)
    assert (result.exit_code, result.stderr) == (0, "")
    told, sound, silence = result.stdout.splitlines()[-3:]
    assert told.startswith("call call-1, line 1 to 1002: answered via primary")
    assert re.match(
        r"     sound: G722 20 ms, \d+ sent, \d+ heard, jitter .* ms, MOS 4\.\d \(R \d+ wb\)$", sound
    )
    assert silence == "     sound went on"
    with wave.open(str(kept)) as reader:
        voices, rate = reader.getnchannels(), reader.getframerate()
        samples = array("h", reader.readframes(reader.getnframes()))
    assert (voices, rate) == (1 if side in ("said", "heard") else 2, 16000)  # G.722
    heard = [strongest(Sound(rate, samples[voice::voices])) for voice in range(voices)]
    assert heard == {"said": [700], "heard": [440]}.get(side or "", [700, 440])


def test_a_file_is_said_over_and_over(call: Run, tmp_path: Path) -> None:
    said, kept = tmp_path / "said.wav", tmp_path / "kept.wav"
    write_wav(said, Sound(8000, tones.sine((700,), 500)))
    files = (
        "--world",
        "simulated",
        "--duration",
        "5s",
        "--play",
        said,
        "--record",
        kept,
        "--record-side",
        "said",
    )
    assert call(*files).exit_code == 0
    assert silences(read_wav(kept), 0.2)
    assert call(*files, "--repeat").exit_code == 0
    assert not silences(read_wav(kept), 0.2)
    assert read_wav(kept).seconds == pytest.approx(5.0, abs=0.05)


def test_in_virtual_time_nobody_listens_unasked(call: Run) -> None:
    assert (
        call("--world", "simulated", "--duration", "100h").stdout.splitlines()[-1].startswith("call call-1")
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--repeat"], "--repeat is about --play, which is not given"),
        (["--record-side", "said"], "--record-side is about --record, which is not given"),
    ],
)
@pytest.mark.parametrize("command", [("call", "x.cfg", "1002"), ("run", "x.yaml")])
def test_what_is_about_another_option(
    run: Run, command: tuple[str, ...], options: list[str], why: str
) -> None:
    result = run(*command, *options)
    assert result.exit_code == 2
    assert why in result.stderr


def test_every_codec_of_the_cfg_can_be_offered_and_the_route_says_so(call: Run, run: Run) -> None:
    remark = "offers G.729, which it cannot speak: --offer declared"
    assert remark not in call().stdout
    told = json.loads(call("--offer", "declared", "--format", "json").stdout)
    assert told["route"][0]["detail"] == f"200 OK ({remark})"
    assert run("register", "x.cfg", "--offer", "declared").exit_code == 2  # it offers nothing


def test_a_phone_that_can_speak_nothing_says_so_and_sends_nothing(call: Run) -> None:
    off = [
        word for codec in ("pcmu", "pcma", "g722") for word in ("--set", f"account.1.codec.{codec}.enable=0")
    ]
    result = call(*off, "--log-level", "info")
    assert result.exit_code == 1
    assert "no enabled codec can be spoken here (G.729): there is nothing to offer" in result.stdout
    assert "--set:1: warning: no-codec: " in result.stderr
    assert "G.729 is enabled and cannot be spoken here: it is not offered" in result.stderr


def test_register_tells_who_is_registered_where(run: Run, example: Path) -> None:
    result = run("register", example, "--world", "simulated")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "line 1 (1001), server 1: registered at primary 192.168.1.13:5060/udp, expires in 3600 s",
        "line 1 (1001), server 2: registered at fallback 192.168.1.15:5060/udp, expires in 3600 s",
    ]


def test_register_as_json(run: Run, example: Path) -> None:
    told = json.loads(run("register", example, "--world", "simulated", "--format", "json").stdout)
    assert list(told) == ["schema", "line", "user", "registered", "registrations"]
    primary, fallback = told["registered"]
    assert primary == {
        "server": 1, "role": "primary", "host": "yealink.pbx.com", "address": "192.168.1.13", "port": 5060,
        "transport": "udp", "expires_in": 3600, "unreachable": None,
    }  # fmt: skip
    assert (fallback["role"], fallback["expires_in"]) == ("fallback", 3600)


def test_register_is_content_with_one_server(run: Run, example: Path) -> None:
    result = run("register", example, "--world", "simulated", "--down", "primary=403")
    assert result.exit_code == 0
    failed, registered = result.stdout.splitlines()
    assert failed.startswith("line 1 (1001), server 1: failed: primary: answered 403 Forbidden")
    assert "registered at fallback" in registered


def test_a_line_that_is_registered_nowhere(run: Run, example: Path) -> None:
    result = run(
        "register", example, "--world", "simulated", "--format", "json",
        "--down", "primary=403", "--down", "fallback=silent",
    )  # fmt: skip
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["line"], told["user"], told["registered"]) == (1, "1001", [])
    assert {(each["role"], each["outcome"]) for each in told["registrations"]} == {
        ("primary", "rejected"),
        ("fallback", "no-response"),
    }


def test_a_line_goes_by_its_label(run: Run, example: Path, zone: Path) -> None:
    options = ("--world", "simulated", "--zone", zone, "--set", "account.1.label=Reception")
    assert "line 1 (Reception), server 1" in run("register", example, *options).stdout
