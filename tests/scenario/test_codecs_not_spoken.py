"""A scenario's report says which of the enabled codecs could not be spoken."""

from __future__ import annotations

from pathlib import Path

from tests.scenario.playing import played

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_report_names_the_codecs_that_could_not_be_spoken() -> None:
    text = (
        f"config: {CONFIGS / 'guide-example.cfg'}\nservers: {{primary: 192.168.1.13}}\n"
        "set: {account.1.codec.ilbc.enable: 1}\nsteps:\n- wait: 1s\n"
    )
    [told] = played(text).as_json()["codecs_not_spoken"]
    assert (told["line"], told["offered"]) == (1, False)
    assert set(told["codecs"]) == {"G.729", "iLBC"}
    assert told["reason"].endswith(" are enabled and cannot be spoken here: they are not offered")
