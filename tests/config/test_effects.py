"""Keys that do nothing here: which are told, and what is missed."""

from __future__ import annotations

import pytest

from phone_emulator.config import Diagnostic, Severity, load_settings, load_text
from phone_emulator.config.catalogue import Effect, catalogue
from phone_emulator.config.diagnostic import MOST_PER_FILE_AND_CODE
from phone_emulator.config.effects import in_one_line, missed, without_effect
from phone_emulator.config.loading import examine_reading
from phone_emulator.config.model import KeyType
from phone_emulator.config.reader import HEADER, read_text

IDLE = [each.name for each in catalogue() if each.effect is Effect.NONE]


def told(text: str) -> list[str]:
    found = without_effect(read_text(f"{HEADER}\n{text}", "x.cfg").settings.values())
    return [f"{each.line}:{each.severity}" for each in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("account.1.nat.nat_traversal = 2", ["2:warning"]),
        ("account.1.nat.nat_traversal = 0", []),
        ("account.1.nat.nat_traversal = 00", []),
        ("account.1.nat.nat_traversal =", []),
        ("account.1.nat.nat_traversal = %NULL%", []),
        ("account.1.nat.nat_traversal = 7", []),  # no value of it: the default is kept, as is told
        ("features.call_num_filter = %EMPTY%", []),
        ("static.sip.nat_stun.enable = 0", []),
        ("dialplan.replace.prefix.1 = 0", ["2:warning"]),
        ("static.sip.nat_stun.enable = 1", ["2:warning"]),
        ("static.sip.nat_stun.port = 3478", ["2:warning"]),
        ("sip.nat_stun.enable = 1", ["2:warning"]),
        ("account.1.hoteling.enable = 1", ["2:hint"]),
        ("account.1.hoteling.pin = hunter2", ["2:hint"]),
        ("account.16.hoteling.enable = 1", ["2:hint"]),
        ("account.1.dns_cache_a.1.ip = 192.0.2.1", []),
        ("account.1.codec.6.enable = 1", []),
        ("account.1.transport = 1", []),
        ("account.1.label = Reception", []),
        ("linekey.1.type = 13", ["2:hint"]),
        ("linekey.1.type = 16", []),
        ("linekey.1.type = 015", []),
        ("linekey.1.type = 999", []),
        ("static.auto_provision.repeat.enable = 1", []),
        ("made.up = 1", []),
    ],
)
def test_which_settings_are_told(text: str, expected: list[str]) -> None:
    assert told(text) == expected
    assert told(text) == expected  # what was judged once is judged so again


@pytest.mark.parametrize(
    ("key", "severity", "sentence"),
    [
        (
            "account.X.srtp.unencrypted_rtcp.enable",
            "hint",
            "encrypted calls have their RTCP encrypted, too",
        ),
        ("account.X.srtp_lifetime", "hint", "keys are offered without a lifetime"),
        (
            "dialplan.replace.prefix.X",
            "warning",
            "numbers are dialled as they are typed, nothing is replaced",
        ),
        ("dialplan.transfer.mode", "hint", "a transfer goes as the keys pressed say"),
        ("ldap.host", "hint", "there is no LDAP phone book"),
        ("location", "hint", "there is nothing here that looks at it"),
    ],
)
def test_the_most_specific_sentence_counts(key: str, severity: str, sentence: str) -> None:
    assert (str(missed(key).severity), missed(key).sentence) == (severity, sentence)


def test_the_types_of_key_that_act() -> None:
    assert {str(each.value) for each in KeyType} < {*catalogue().parameters["linekey.X.type"].acting}
    assert missed("linekey.X.type").sentence == "a key of this type does nothing"


def test_each_key_without_effect_has_a_sentence() -> None:
    assert len(IDLE) > 1200
    assert all(missed(name).sentence for name in IDLE)


MATTERS = (
    "static.security.default_ssl_method",
    "static.network.vpn_enable",
    "account.X.nat.",
    "static.sip.nat_",
    "static.ice.",
    "dialplan.dialnow.",
    "dialplan.replace.",
    "dialplan.digitmap.",
    "dialplan.emergency.",
    "features.dnd.allow",
    "features.dnd_mode",
    "account.X.dnd.",
    "account.X.always_fwd.",
    "forward.always.",
    "account.X.codec.G722_1",
    "account.X.codec.ilbc_1",
)


@pytest.mark.parametrize("beginning", MATTERS)
def test_what_decides_about_calls_is_a_warning(beginning: str) -> None:
    names = [name for name in IDLE if name.startswith(beginning)]
    assert names
    assert {missed(name).severity for name in names} == {Severity.WARNING}


def test_warnings_are_not_lost_among_many_hints() -> None:
    many = "\n".join(f"linekey.{n}.shortlabel = x" for n in range(1, MOST_PER_FILE_AND_CODE + 21))
    found = examine_reading(read_text(f"{HEADER}\n{many}\naccount.1.nat.nat_traversal = 2", "x.cfg"))
    idle = [each for each in found if each.code == "no-effect-here"]
    assert sum(each.severity is Severity.WARNING for each in idle) == 1
    assert "20 more like this" in [each.message for each in idle]


def diagnostic(severity: Severity) -> Diagnostic:
    return Diagnostic("x.cfg", 1, "k", severity, "no-effect-here", "m")


@pytest.mark.parametrize(
    ("hints", "warnings", "said"),
    [
        (0, 0, ""),
        (1, 0, "1 key of these files has no effect here: see phone-emulator check"),
        (0, 1, "1 key of these files has no effect here, and it matters: see phone-emulator check"),
        (2, 0, "2 keys of these files have no effect here: see phone-emulator check"),
        (2, 1, "3 keys of these files have no effect here, 1 of them matters: see phone-emulator check"),
        (20, 3, "23 keys of these files have no effect here, 3 of them matter: see phone-emulator check"),
    ],
)
def test_the_sum(hints: int, warnings: int, said: str) -> None:
    found = [diagnostic(Severity.HINT)] * hints + [diagnostic(Severity.WARNING)] * warnings
    assert in_one_line(found) == said


def test_a_key_that_stands_for_two_is_counted_once() -> None:
    text = f"{HEADER}\naccount.1.nat.nat_traversal = 2\naccount.1.transport = 1\n"
    loaded = load_text(text, strict=False)
    again = load_settings(
        {**loaded.settings, "another.slot": loaded.settings["account.1.nat.nat_traversal"]}, strict=False
    )
    assert len(loaded.without_effect()) == len(again.without_effect()) == 1


def test_a_phone_starts_without_a_word_of_it() -> None:
    text = f"{HEADER}\naccount.1.nat.nat_traversal = 2\n"
    assert "no-effect-here" not in {each.code for each in load_text(text, strict=False).diagnostics}
