"""What was heard: each expectation holds of what is so, and fails of what is not."""

from __future__ import annotations

import wave
from array import array
from pathlib import Path

import pytest

from phone_emulator.media import tones
from phone_emulator.media.judgement import strongest
from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import write_wav
from phone_emulator.report.result import ScenarioResult, Verdict
from phone_emulator.report.text import route_lines
from phone_emulator.scenario import runner
from phone_emulator.scenario.hearing import Heard, unheard
from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import parse_scenario, read_scenario
from phone_emulator.scenario.runner import run
from phone_emulator.scenario.schema import AudioModel
from phone_emulator.scenario.session import RunOptions, make_session, prepare
from tests.media.opus import needs_opus
from tests.scenario.playing import failures_of, played

HEAD = """\
name: t
WORLD
set:
  account.1.enable: 1
  account.1.user_name: 2001
  account.1.password: secret-1
  account.1.sip_server.1.address: 192.168.1.13
  account.1.sip_server.2.address: 192.168.1.14
  account.1.srtp_encryption: SRTP
servers: {primary: 192.168.1.13, fallback: 192.168.1.14}
steps:
"""
CALL = "call: {to: '1002', id: c1}"
PCMU = r'"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0\n"'
"""How a far end describes itself that speaks nothing else."""
LISTEN = "wait: 1s\n  expect: {audio: {heard: 440Hz}}"


def text(*steps: str, world: str = "simulated", srtp: int = 0) -> str:
    head = HEAD.replace("WORLD", f"world: {world}").replace("SRTP", str(srtp))
    return head + "".join(f"- {step}\n" for step in steps)


def failures(*steps: str, srtp: int = 0) -> list[str]:
    return failures_of(played(text(*steps, srtp=srtp)))


def judged(audio: str, *before: str, wait: str = "wait: 2s") -> list[str]:
    """What does not hold of *audio* in a call of which these steps went before."""
    told = failures(*before, CALL, f"{wait}\n  expect: {{audio: {audio}}}")
    place = f"step {len(before) + 2} (wait): expected "
    return [each.removeprefix(place) for each in told]


def refused(*steps: str) -> str:
    """The one fault of a file with these steps, which is on its last line."""
    with pytest.raises(ScenarioError) as error:
        prepare(parse_scenario(text(*steps), "t.yaml"), RunOptions())
    [fault] = error.value.faults
    place = f"t.yaml:{len(text(*steps).splitlines())}: "
    assert fault.startswith(place), fault
    return fault.removeprefix(place)


# -- what may be expected ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("audio", "why_not"),
    [
        ("{heard: 440Hz}", ""),
        ("{heard: 450Hz}", "450 Hz heard, heard 440 Hz, -22.2 dBov in all"),
        ("{heard: silence}", "silence heard, heard 440 Hz, -22.2 dBov in all"),
        ("{heard: [440Hz, 550Hz]}", "550 Hz heard, heard 440 Hz, -22.2 dBov in all"),
        ('{level: ">-30 dBov"}', ""),
        ('{level: "<= -20dBov"}', ""),
        ('{level: "<-30 dBov"}', "level <-30.0 dBov, got -22.2 dBov"),
        ('{gap: "<200ms"}', ""),
        ('{gap: ">1s"}', "gap >1000 ms, the longest silence of 2.0 s is 0 ms"),
        ('{lost: "<1%"}', ""),
        ('{lost: ">1%"}', "lost >1.00%, got 0.00%: 0 of 100 packets"),
        ('{mos: ">4.0"}', ""),
        ('{mos: "<4.0"}', "mos <4, got 4."),
        ("{heard: 440Hz, for: 1s}", ""),
        ("{heard: 440Hz, for: 9s}", "440 Hz heard, but there are 2.0 s of sound so far"),
    ],
)
def test_a_tone(audio: str, why_not: str) -> None:
    told = judged(audio)
    assert len(told) == bool(why_not)
    assert all(each.startswith(why_not) for each in told)


@pytest.mark.parametrize(
    ("audio", "why_not"),
    [
        ("{heard: silence}", ""),
        ("{heard: 440Hz}", "440 Hz heard, heard silence"),
        ('{level: ">-30 dBov"}', "level >-30.0 dBov, got "),
        ('{gap: "<200ms"}', "gap <200 ms, the longest silence of 2.0 s is 2000 ms, 0.00 s after they began"),
        ('{lost: "<1%"}', ""),
    ],
)
def test_silence(audio: str, why_not: str) -> None:
    told = judged(audio, "callee: {tone: none}")
    assert len(told) == bool(why_not)
    assert all(each.startswith(why_not) for each in told)


def test_each_server_is_heard() -> None:
    assert judged("{heard: 550Hz}", "server: {name: primary, behaviour: 503}") == []


@needs_opus
def test_called_users_speak_opus_where_a_line_does() -> None:
    opus = text(f"{CALL}\n  expect: {{codec: opus}}", LISTEN).replace(
        "set:\n",
        "set:\n  account.1.codec.opus.enable: 1\n"
        + "".join(f"  account.1.codec.{name}.enable: 0\n" for name in ("g722", "pcmu", "pcma")),
    )
    assert failures_of(played(opus)) == []


def test_codec_and_encryption() -> None:
    assert failures(f"{CALL}\n  expect: {{codec: g722, srtp: false}}") == []
    assert failures(f"{CALL}\n  expect: {{codec: PCMU, srtp: true}}") == [
        "step 1 (call): expected codec PCMU, got G722",
        "step 1 (call): expected encrypted sound, got sound in the clear",
    ]
    assert failures(CALL, "wait: 1s\n  expect: {srtp: true, audio: {heard: 440Hz}}", srtp=2) == []
    told = failures(f"{CALL}\n  expect: {{srtp: false}}", srtp=2)
    assert told == ["step 1 (call): expected sound in the clear, got AES_CM_128_HMAC_SHA1_80"]


def test_of_a_call_that_never_came_up_nothing_is_heard() -> None:
    expect = "expect: {call: c1, codec: G722, srtp: false, audio: {heard: silence}}"
    assert failures("callee: busy", CALL, "wait: 1s", expect) == [
        "step 4 (expect): expected codec G722, got none",
        "step 4 (expect): expected sound in the clear, got no sound",
        "step 4 (expect): expected silence heard, but no sound was agreed",
    ]


def test_what_the_far_end_hears() -> None:
    play = "play: {tone: 700Hz, for: 1s}\n  expect: {audio: {by: them, heard: HEARD}}"
    assert failures(CALL, play.replace("HEARD", "700Hz")) == []
    assert failures(CALL, play.replace("HEARD", "440Hz")) == [
        "step 2 (play): expected the far end: 440 Hz heard, heard 700 Hz, -22.2 dBov in all"
    ]


# -- of which sound ------------------------------------------------------------------------------------------


def test_the_step_is_judged_and_nothing_before_it() -> None:
    change = "callee: {tone: 880Hz}", "hangup: c1", "call: {to: '1002', id: c2}"
    assert failures(CALL, "wait: 1s", *change, "wait: 1s\n  expect: {audio: {heard: 880Hz}}") == []
    hold = "hold: c1", "wait: 1s", "resume: c1"
    assert failures(CALL, *hold, 'wait: 1s\n  expect: {audio: {gap: "<50ms"}}') == []
    told = failures(CALL, *hold, 'wait: 1s\n  expect: {audio: {gap: "<50ms", for: 2s}}')
    assert len(told) == 1
    assert "the longest silence of 2.0 s is" in told[0]


def test_a_step_that_takes_no_time_judges_the_last_one_that_did() -> None:
    held = "hold: c1", "wait: 1s", "resume: c1"
    assert failures(CALL, *held, "expect: {audio: {heard: silence}}") == []
    assert failures(CALL, *held, "wait: 1s", "callee: busy", "expect: {audio: {heard: 440Hz}}") == []


def test_silence_may_begin_with_what_was_under_way() -> None:
    assert failures(CALL, "wait: 1s", "hold: c1", "wait: 1s\n  expect: {audio: {heard: silence}}") == []


def test_what_is_too_short_shows_nothing() -> None:
    assert judged("{heard: silence}", wait="wait: 100ms") == [
        "silence heard, but 0.10 s of sound are judged, and that takes 0.2 s at least"
    ]
    assert judged('{gap: "<500ms"}', wait="wait: 300ms") == [
        "gap <500 ms, but 0.30 s of sound are judged, and that takes 0.5 s at least"
    ]


def test_what_is_waited_for() -> None:
    expect = "expect: {within: 5s, audio: {heard: HEARD, for: 1s}}"
    assert failures(CALL, expect.replace("HEARD", "440Hz")) == []
    assert failures(CALL, expect.replace("HEARD", "880Hz")) == [
        "step 2 (expect): not within 5 s: expected 880 Hz heard, heard 440 Hz, -22.1 dBov in all"
    ]
    result = played(text(CALL, expect.replace("HEARD", "440Hz")))
    assert result.elapsed == pytest.approx(1.0, abs=0.3)


# -- loss, delay and disorder of the simulated network -----------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "audio", "holds"),
    [
        ("loss: 0.05", '{lost: "<10%", heard: 440Hz, gap: "<200ms"}', True),
        ("loss: 0.05", '{lost: "<1%"}', False),
        ("loss: 5%", '{gap: "<20ms"}', False),
        ("loss: 0.3", '{mos: ">4.0"}', False),
        ("loss: 0.3", '{mos: "<3.5"}', True),
        ("loss: 1.0", '{mos: "<3.5"}', False),  # nothing was rated
        ("loss: 1.0", "{heard: silence}", True),
        ("loss: 1.0", "{heard: 440Hz}", False),
        ("loss: 1.0", '{lost: "<1%"}', False),  # no packet came
        ("duplicate: 1.0", '{lost: "<1%", gap: "<20ms"}', True),
        ("reorder: 0.3", '{lost: "<1%", gap: "<20ms", heard: 440Hz}', True),
    ],
)
def test_loss_disorder_and_doubles(behaviour: str, audio: str, holds: bool) -> None:
    assert (judged(audio, f"callee: {{{behaviour}}}", wait="wait: 10s") == []) is holds


def test_much_sound_is_not_judged_more_often_than_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[float] = []

    def count(wanted: AudioModel, heard: Heard) -> list[str]:
        looked.append(0.0 if heard.sound is None else heard.sound.seconds)
        return unheard(wanted, heard)

    monkeypatch.setattr(runner, "unheard", count)
    assert failures(CALL, "expect: {audio: {heard: 700Hz, for: 10s}, within: 20s}") == [
        "step 2 (expect): not within 20 s: expected 700 Hz heard, heard 440 Hz, -22.1 dBov in all"
    ]
    assert len(looked) < 40


# -- saying and keeping --------------------------------------------------------------------------------------


def ran(folder: Path, *steps: str, srtp: int = 0) -> ScenarioResult:
    """What becomes of a scenario file in *folder*."""
    path = folder / "t.scenario.yaml"
    path.write_text(text(*steps, srtp=srtp))
    return run(prepare(read_scenario(str(path)), RunOptions()), RunOptions())


def test_a_file_is_said_and_waited_for(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", Sound(44100, tones.sine((700,), 1500, rate=44000)))
    result = ran(tmp_path, CALL, "play: a.wav\n  expect: {audio: {by: them, heard: 702Hz}}")
    assert failures_of(result) == []
    assert result.elapsed == pytest.approx(1.5, abs=0.01)


def test_a_file_is_said_over_and_over(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", Sound(8000, tones.sine((700,), 1000)))
    repeated = "play: {file: a.wav, repeat: true}", 'wait: 5s\n  expect: {audio: {by: them, gap: "<50ms"}}'
    assert failures_of(ran(tmp_path, CALL, *repeated)) == []
    once = "play: a.wav", 'wait: 5s\n  expect: {audio: {by: them, gap: "<50ms"}}'
    assert len(failures_of(ran(tmp_path, CALL, *once))) == 1


def test_a_tone_goes_on_and_on() -> None:
    expect = "expect: {audio: {by: them, heard: 700Hz, gap: '<50ms'}}"
    assert failures(CALL, "play: {tone: 700Hz}", f"wait: 5s\n  {expect}") == []


def test_what_cannot_be_said_now() -> None:
    tone = "play: {tone: 700Hz, for: 1s}\n  expect: {fails: FAILS}"
    high = tone.replace("700", "6000").replace("FAILS", "too high")
    over = tone.replace("FAILS", "nothing can be said")
    assert failures(CALL, "hangup: c1", over) == []
    assert failures("callee: busy", CALL, over) == []
    assert failures(f"callee: {{sdp: {PCMU}}}", CALL, high) == []
    assert failures(CALL, high) == ["step 2 (play): expected the step to fail, it did not"]


def test_both_sides_are_recorded(tmp_path: Path) -> None:
    steps = "wait: 1s", "record: call.wav", "play: {tone: 700Hz, for: 2s}", "hangup: c1", "wait: 5s"
    assert failures_of(ran(tmp_path, CALL, *steps)) == []
    with wave.open(str(tmp_path / "call.wav")) as reader:
        assert reader.getnchannels() == 2
        rate, samples = reader.getframerate(), array("h", reader.readframes(reader.getnframes()))
    said, heard = Sound(rate, samples[0::2]), Sound(rate, samples[1::2])
    assert (strongest(said), strongest(heard)) == (700, 440)
    assert said.seconds == heard.seconds == pytest.approx(2.0, abs=0.03)


def test_a_recording_ends_where_somebody_hangs_up_though_no_server_hears_it(tmp_path: Path) -> None:
    silent = "server: {name: primary, behaviour: silent}"
    ran(tmp_path, CALL, "record: call.wav", "wait: 1s", silent, "hangup: c1", "wait: 40s")
    with wave.open(str(tmp_path / "call.wav"), "rb") as recorded:
        assert recorded.getnframes() == recorded.getframerate()


@pytest.mark.parametrize(("side", "hertz"), [("said", 700), ("heard", 440)])
def test_one_side_is_recorded(tmp_path: Path, side: str, hertz: int) -> None:
    record = f"record: {{file: call.wav, side: {side}}}"
    ran(tmp_path, CALL, record, "play: {tone: 700Hz, for: 1s}", "record: next.wav", "wait: 1s")
    with wave.open(str(tmp_path / "call.wav")) as reader:
        assert (reader.getnchannels(), reader.getnframes() / reader.getframerate()) == (1, 1.0)
        samples = array("h", reader.readframes(reader.getnframes()))
        assert strongest(Sound(reader.getframerate(), samples)) == hertz
    assert (tmp_path / "next.wav").exists()


# -- the gap of a failover -----------------------------------------------------------------------------------


def silences(*steps: str) -> list[tuple[float, float]]:
    """When nothing was heard in the last call, in seconds of the scenario."""
    result = played(text(*steps))
    found = result.calls[-1].silences
    assert found is not None
    return [(round(each.start, 1), round(each.seconds, 1)) for each in found]


def test_sound_goes_on_when_the_server_of_a_call_is_gone() -> None:
    gone = "server: {name: primary, behaviour: silent}"
    assert silences("wait: 1s", CALL, LISTEN, gone, "wait: 10s") == []


def test_silence_is_told_with_its_time() -> None:
    moved = "address: gone", "wait: 4100ms", "address: 192.168.1.22", "wait: 2s"
    assert silences("register:", "wait: 1s", CALL, LISTEN, "wait: 12s", *moved) == [(14.0, 4.1)]


def test_silence_that_does_not_end_is_told() -> None:
    assert silences(CALL, LISTEN, "hold: c1", "wait: 5s") == [(1.0, 5.0)]
    assert silences("callee: {tone: none}", CALL, "wait: 1s\n  expect: {audio: {heard: silence}}") == [
        (0.0, 1.0)
    ]


def test_of_a_call_that_nobody_listened_to_nothing_is_told() -> None:
    assert played(text(CALL, "wait: 5s")).calls[0].silences is None
    assert played(text("callee: busy", CALL, CALL.replace("c1", "c2"), LISTEN)).calls[0].silences is None


# -- in virtual time only where it is judged ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "flows"),
    [
        (("wait: 10s",), False),
        (("sound: true",), True),
        (("wait: 10s\n  expect: {audio: {heard: 440Hz}}",), True),
        (("play: {tone: 700Hz, for: 1s}",), True),
    ],
)
def test_sound_flows_where_somebody_judges_it(steps: tuple[str, ...], flows: bool) -> None:
    file = text(CALL, *(each for each in steps if each != "sound: true"))
    file = file.replace("name: t", "name: t\nsound: true") if "sound: true" in steps else file
    scenario = parse_scenario(file, "t.yaml")
    assert scenario.listens is flows
    session = make_session(prepare(scenario, RunOptions()), RunOptions())
    assert session.phone.options.listens is flows


def test_where_sound_flows_a_scenario_ends_before_it_takes_all_day() -> None:
    file = text("wait: 7h").replace("name: t", "name: t\nsound: true")
    scenario = parse_scenario(file, "t.yaml")
    result = run(prepare(scenario, RunOptions()), RunOptions())
    assert result.verdict is Verdict.ERROR
    assert "beyond the limit of 21600 s" in result.failures[0].message


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "why"),
    [
        ("audio: {}", "audio: it expects nothing: one of heard, level, gap, lost, mos"),
        ("audio: {for: 2s}", "audio: it expects nothing: one of heard, level, gap, lost, mos"),
        ("audio: 440Hz", "audio: expected a mapping (key: value), got '440Hz'"),
        ("audio: {herd: 440Hz}", "audio: unknown key 'herd' (did you mean 'heard'?)"),
        (
            "audio: {heard: 440}",
            "audio: heard: entry 1: expected a frequency such as 440Hz, or silence, got 440",
        ),
        ("audio: {heard: 20Hz}", "audio: heard: entry 1: '20Hz' cannot be heard here: 100 to 7000 Hz"),
        ("audio: {heard: []}", "audio: heard: expected at least one, got a list"),
        ("audio: {heard: [silence, 440Hz]}", "audio: heard: silence is heard alone"),
        ('audio: {level: "-30 dBov"}', "audio: level: expected a bound such as '>-30 dBov', got '-30 dBov'"),
        ('audio: {level: ">-30"}', "audio: level: expected a bound such as '>-30 dBov', got '>-30'"),
        ('audio: {level: "<9 dBov"}', "audio: level: '<9 dBov' holds whatever is heard"),
        ('audio: {level: ">0 dBov"}', "audio: level: '>0 dBov' holds for nothing that can be heard"),
        ('audio: {gap: "200ms"}', "audio: gap: expected a bound such as '<200ms', got '200ms'"),
        ('audio: {gap: "<soon"}', "audio: gap: expected a bound such as '<200ms', got '<soon'"),
        ('audio: {gap: ">=0s"}', "audio: gap: '>=0s' holds whatever is heard"),
        ("audio: {lost: 1}", "audio: lost: expected a bound such as '<1%', got '1'"),
        ('audio: {mos: "4"}', "audio: mos: expected a bound such as '>4.0', got '4'"),
        ('audio: {mos: ">5"}', "audio: mos: '>5' holds for nothing that can be heard"),
        ('audio: {lost: "<0%"}', "audio: lost: '<0%' holds for nothing that can be heard"),
        ("audio: {heard: 440Hz, for: 0s}", "audio: for: expected more than 0, got '0s'"),
        ("audio: {heard: 440Hz, by: me}", "audio: by: expected 'us' or 'them', got 'me'"),
        ("codec: G729", "codec: no codec 'G729' can be spoken here: one of G722, PCMA, PCMU"),
        ("srtp: 1", "srtp: expected true or false, got 1"),
        ("audio: null", "audio: it says nothing"),
        ("within: 5s, audio: {heard: 440Hz}", "audio: 'within' waits for it: say with 'for' how much"),
    ],
)
def test_what_cannot_be_expected(expect: str, why: str) -> None:
    assert refused(CALL, f"expect: {{{expect}}}").startswith(f"step 2 (expect): {why}")


@pytest.mark.parametrize("step", [CALL, "incoming: {id: c1}"])
def test_of_a_call_that_begins_nothing_has_been_heard(step: str) -> None:
    told = refused(f"{step}\n  expect: {{audio: {{heard: 440Hz}}}}")
    assert told.endswith("'audio': nothing can have been heard yet: expect it of a 'wait' behind this step")


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("play:", "it plays a file or a tone: {file: hello.wav}, or {tone: 440Hz, for: 2s}"),
        ("play: none.wav", "file: none.wav: No such file or directory"),
        ("play: {tone: 440Hz, file: none.wav}", "file: none.wav: No such file or directory"),
        ("play: {tone: 440}", "tone: expected a frequency such as 440Hz, got 440"),
        ("play: {tone: 440Hz, repeat: true}", "'repeat' goes with a file"),
        ("play: {tone: 440Hz, for: 1h}", "600 s of a tone are the most; without 'for' it goes on and on"),
        ("play: {tone: 440Hz, for: 0}", "for: expected more than 0, got 0"),
        ("record:", "the key 'file' is missing"),
        ("record: /nowhere/a.wav", "file: /nowhere/a.wav has no folder to be in"),
        ("record: .", "file: . is a folder"),
        ("record: t.yaml", "file: t.yaml is no name of a WAV file: it ends in .wav"),
        ("record: {file: a.wav, side: left}", "side: expected 'both', 'said' or 'heard', got 'left'"),
        ("callee: {play: none.wav}", "behaviour: play: none.wav: No such file or directory"),
    ],
)
def test_what_cannot_be_played_or_recorded(step: str, why: str) -> None:
    assert why in refused(CALL, step)


def test_a_scenario_in_the_lab_hears_the_same() -> None:
    expect = "expect: {audio: {heard: 440Hz, level: '>-30 dBov', lost: '<1%'}, codec: G722}"
    result = played(text(CALL, f"wait: 1s\n  {expect}", world="lab"))
    assert failures_of(result) == []
    assert result.verdict is Verdict.PASSED


def test_where_sound_flows_the_report_has_its_numbers() -> None:
    result = played(text("callee: {loss: 0.1}", CALL, "wait: 10s\n  expect: {audio: {lost: '<50%'}}", srtp=2))
    assert failures_of(result) == []
    [call] = result.calls
    media = call.as_json()["media"]
    sent, received = media["sent"], media["received"]
    assert sent["packets"] == pytest.approx(500, abs=5)
    assert received["packets"] + received["lost"] == pytest.approx(500, abs=5)
    assert 20 < received["lost"] < 80
    assert 2 < media["mos"] < 4
    assert (media["scale"], sent["lost"]) == ("wb", 0)
    assert media["round_trip_ms"] == pytest.approx(0, abs=0.05), "as finely as RTCP tells it"
    assert media["longest_silence_ms"] < 200
    assert f"sound: G722 20 ms, SRTP, {sent['packets']} sent, " in "\n".join(route_lines(result))


def test_where_none_flows_nothing_is_claimed() -> None:
    result = played(text(CALL, "wait: 10s"))
    [call] = result.calls
    media = call.as_json()["media"]
    assert (media["sent"]["packets"], media["received"]["packets"]) == (0, 0)
    unknown = ("ptime_ms", "round_trip_ms", "r_factor", "mos", "scale", "longest_silence_ms")
    assert {media[name] for name in unknown} == {None}
    assert "sound: " not in "\n".join(route_lines(result))
