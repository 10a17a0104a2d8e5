"""``run``: scenario files, their verdicts and reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import trustme
from click.testing import Result

from phone_emulator.media import tones
from phone_emulator.media.judgement import tone
from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import read_wav, write_wav

Run = Callable[..., Result]

SCENARIO = """\
name: {name}
config: {cfg}
zone: {zone}
servers: {{primary: 192.168.1.13, secondary: 192.168.1.14, fallback: 192.168.1.15}}
steps:
  - call: {{to: "1002"}}
    expect: {{via: {via}}}
  - call: {{to: "1003"}}
    expect: {{via: {via}}}
"""


@pytest.fixture
def folder(tmp_path: Path, example: Path, zone: Path) -> Path:
    """Three scenarios, the second of which fails twice."""
    for name, via in (("a", "primary"), ("b", "secondary"), ("c", "primary")):
        text = SCENARIO.format(name=f"scenario {name}", cfg=example, zone=zone, via=via)
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_all_run_in_order_and_the_exit_status_is_the_verdict(run: Run, folder: Path) -> None:
    result = run("run", folder)
    assert result.exit_code == 1
    verdicts = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert verdicts == [
        "passed  scenario a (0.0 s, virtual)",
        "failed  scenario b (0.0 s, virtual)",
        "passed  scenario c (0.0 s, virtual)",
    ]
    assert result.stderr == "2 of 3 scenarios passed\n"
    assert run("run", folder / "a.yaml", folder / "c.yaml").exit_code == 0


def test_json_is_one_object_a_line(run: Run, folder: Path) -> None:
    result = run("run", folder, "--format", "json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["scenario"], each["verdict"]) for each in told] == [
        ("scenario a", "passed"),
        ("scenario b", "failed"),
        ("scenario c", "passed"),
    ]
    assert [len(each["failures"]) for each in told] == [0, 2, 0]
    assert result.stderr == ""


def test_fail_fast_stops_at_the_first_failure(run: Run, folder: Path) -> None:
    result = run("run", folder, "--fail-fast", "--format", "json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [len(each["failures"]) for each in told] == [0, 1]
    assert run("run", folder, "--fail-fast").stderr == "1 of 2 scenarios passed, 1 not run\n"


def test_reports_tell_what_did_not_run(run: Run, folder: Path, tmp_path: Path) -> None:
    junit, html = tmp_path / "report.xml", tmp_path / "report.html"
    run("run", folder, "--fail-fast", "--junit", junit, "--html", html)
    suite = ET.parse(junit).getroot()[0]
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    assert "1 of 2 scenarios passed, 1 not run" in html.read_text()


def test_reports_tell_what_the_machine_would_not_run(run: Run, folder: Path, tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    result = run("run", folder, "--world", "lab", "--local-address", "192.0.2.1", "--junit", junit)
    assert result.exit_code == 3
    suite = ET.parse(junit).getroot()[0]
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["3", "0", "1", "2"]


def test_reports(run: Run, folder: Path, tmp_path: Path) -> None:
    junit, html, pcap = (tmp_path / name for name in ("report.xml", "report.html", "report.pcapng"))
    run("run", folder, "--junit", junit, "--html", html, "--pcap", pcap)
    suite = ET.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert "<svg" in html.read_text()
    assert pcap.read_bytes().count(b"INVITE sip:1003@") >= 3


def test_the_sound_of_each_scenario_is_captured_as_its_own(run: Run, folder: Path, tmp_path: Path) -> None:
    pcap = tmp_path / "x.pcapng"
    run("run", folder, "--pcap", pcap, "--pcap-media", "--set", "account.1.srtp_encryption=2")
    calls = [part.count(b"INVITE sip:1003@") for part in pcap.read_bytes().split(b" (decrypted)")]
    assert len(calls) == 1 + 3, "one interface more for each"
    assert all(calls[1:])
    assert "inline:" in pcap.with_name("x.pcapng.keys").read_text()


def test_overrides_win_over_the_files(run: Run, folder: Path) -> None:
    moved = "account.1.sip_server.1.address=192.168.1.14"
    result = run("run", folder / "a.yaml", "--set", moved, "--format", "json")
    call = json.loads(result.stdout)["calls"][0]
    assert [each["address"] for each in call["route"]] == ["192.168.1.14"]


def test_another_world(run: Run, folder: Path, own_address: str) -> None:
    result = run(
        "run", folder / "a.yaml", "--world", "lab", "--local-address", own_address, "--format", "json"
    )
    told = json.loads(result.stdout)
    assert (told["verdict"], told["virtual"]) == ("passed", False)
    assert told["calls"][0]["route"][0]["address"] == own_address.rpartition(".")[0] + ".13"


def test_passed_scenarios_show_their_routes_when_asked(run: Run, folder: Path) -> None:
    assert "answered via primary" not in run("run", folder / "a.yaml").stdout
    assert "answered via primary" in run("run", folder / "a.yaml", "--routes").stdout


def test_certificates_are_read_before_anything_starts(run: Run, folder: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.pem"
    result = run("run", folder, "--client-cert", missing)
    assert result.exit_code == 2
    assert f"{missing}: No such file or directory" in result.stderr
    result = run("run", folder, "--set", f"static.trusted_certificates.url={missing}")
    assert result.exit_code == 2
    assert f"static.trusted_certificates.url: {missing}: No such file or directory" in result.stderr
    assert result.stdout == ""


def test_options_of_tls_and_large_requests(run: Run, folder: Path, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(trustme.CA().cert_pem.bytes())
    result = run("run", folder / "a.yaml", "--ca", ca, "--large-requests", "udp")
    assert result.exit_code == 0


def test_a_key_of_set_that_is_none_is_told_with_its_place(run: Run, folder: Path) -> None:
    scenario = folder / "a.yaml"
    text = scenario.read_text()
    scenario.write_text(f'{text}set: {{account.1.sip_server.1.failback_mod: "3"}}\n')
    result = run("run", scenario, "--set", "account.1.usr_name=1")
    assert result.exit_code == 0
    of_file, of_option, _ = result.stderr.splitlines()
    place = len(text.splitlines()) + 1
    assert of_file.startswith(
        f"{scenario}:{place}: set: warning: unknown-key: account.1.sip_server.1.failback_mod "
    )
    assert of_option.startswith("--set:1: warning: unknown-key: account.1.usr_name ")
    assert run("run", scenario, "--log-level", "error").stderr == "1 of 1 scenarios passed\n"


def test_every_call_says_a_file_and_is_recorded(run: Run, folder: Path) -> None:
    said, kept = folder / "said.wav", folder / "kept"
    write_wav(said, Sound(16000, tones.sine((700,), 1000, rate=16000)))
    (folder / "d").mkdir()
    again = (folder / "a.yaml").read_text() + "  - wait: 2s\n"
    (folder / "d" / "a.yaml").write_text(again)
    result = run("run", folder / "a.yaml", folder / "d", folder / "c.yaml", "--play", said, "--record", kept)
    assert (result.exit_code, result.stderr) == (0, "3 of 3 scenarios passed\n")
    names = [f"{name}.{call}.wav" for name in ("a.1", "a.2", "c") for call in ("c1", "c2")]
    assert sorted(each.name for each in kept.iterdir()) == names
    heard = read_wav(kept / "a.2.c2.wav")
    assert heard.seconds == pytest.approx(2.0, abs=0.03)
    assert tone(heard, 700) == pytest.approx(1.0, abs=0.1)
    assert tone(heard, 440) > 1.5
    assert run("run", folder / "d", "--play", said, "--repeat", "--record", kept).exit_code == 0
    assert tone(read_wav(kept / "a.c2.wav"), 700) > 1.5


def test_what_cannot_be_played_or_recorded(run: Run, folder: Path) -> None:
    result = run("run", folder / "a.yaml", "--play", folder / "none.wav")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "none.wav: No such file" in result.stderr
    for record, why in ((folder / "none" / "x", "No such file"), (folder / "a.yaml", "is a file")):
        result = run("run", folder / "a.yaml", "--record", record)
        assert result.exit_code in (2, 3)
        assert result.stdout == ""
        assert why in result.stderr
