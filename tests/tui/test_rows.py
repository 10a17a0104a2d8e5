"""The words and rows of the panes, and the tables of keys."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import (
    Address,
    AddressChanged,
    Attempt,
    CodecsNotSpoken,
    MessageReceived,
    MessageSent,
    Outcome,
    Source,
    Target,
    Transport,
    Wait,
)
from phone_emulator.tui.keymap import VIEWS, Scene, soft_keys
from phone_emulator.tui.layout import layout_of
from phone_emulator.tui.rows.ladder import rungs
from phone_emulator.tui.rows.log import LogRow, log_rows
from phone_emulator.tui.rows.registration import line_rows
from phone_emulator.tui.spans import bar, clock, seconds
from phone_emulator.tui.words import UNREACHABLE, outcome_word
from tests.phone.registration.test_losses import ALONE, cut, over, reset
from tests.phone.stage import Stage, play

PRIMARY = Target(1, "primary", "yealink.pbx.com", "192.168.1.13", 5060, Transport.UDP, Source.DNS, 300.0)
PHONE = Address("192.168.1.21", 5060)


def attempt(outcome: Outcome | None, status: int | None = None) -> Attempt:
    """An INVITE to the primary."""
    made = Attempt(1, "INVITE", PRIMARY, Wait(32.0, "within 64*T1 = 32.0 s"), "first", 0.0)
    made.outcome, made.status = outcome, status
    return made


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "00:00"), (59.9, "00:59"), (3492.4, "58:12"), (3661.0, "1:01:01")],
)
def test_clock(value: float, text: str) -> None:
    assert clock(value) == text


def test_seconds_have_one_decimal_and_never_run_below_zero() -> None:
    assert seconds(12.44) == "12.4 s"
    assert seconds(-0.3) == "0.0 s"


def test_a_bar_is_always_full_width() -> None:
    assert [len("".join(bar(share, 20))) for share in (-1.0, 0.0, 0.33, 1.0, 7.0)] == [20] * 5
    assert bar(0.5, 20)[0] == "━" * 10


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (attempt(None), "calling"),
        (attempt(None, 100), "100 trying"),
        (attempt(None, 183), "183 ringing"),
        (attempt(Outcome.ANSWERED, 200), "200 answered"),
        (attempt(Outcome.UNAVAILABLE, 503), "503 unavailable"),
        (attempt(Outcome.REJECTED, 486), "486 rejected"),
        (attempt(Outcome.NO_RESPONSE, 180), "no response"),
        (attempt(Outcome.ICMP), "port unreachable"),
    ],
)
def test_outcomes_in_words(made: Attempt, word: str) -> None:
    assert outcome_word(made) == word


def test_every_outcome_has_a_word_that_fits_its_column() -> None:
    assert all(len(outcome_word(attempt(outcome, 503))) <= 16 for outcome in Outcome)


@pytest.mark.parametrize(
    ("width", "height", "layout"),
    [
        (80, 24, "compact"),
        (200, 24, "compact"),
        (120, 40, "medium"),
        (109, 60, "compact"),
        (200, 60, "large"),
    ],
)
def test_layouts(width: int, height: int, layout: str) -> None:
    assert layout_of(width, height) == layout


def test_every_scene_has_soft_keys_and_no_key_twice() -> None:
    for scene in Scene:
        for calls in (1, 2):
            names = [key.key for key in soft_keys(scene, calls=calls, lines=2, lab=True)]
            assert names
            assert len(names) == len(set(names))
            assert set(names) <= {"f1", "f2", "f3", "f4"}
    assert len({view.key for view in VIEWS}) == len(VIEWS)


def test_soft_keys_that_cannot_be_pressed_are_not_offered() -> None:
    alone = [key.label for key in soft_keys(Scene.TALKING, calls=1, lines=1, lab=False)]
    assert alone == ["Transfer", "Hold", "New Call", "End Call"]
    two = [key.label for key in soft_keys(Scene.TALKING, calls=2, lines=1, lab=False)]
    assert two == ["Transfer", "Hold", "Swap", "End Call"]
    two_up = [key.label for key in soft_keys(Scene.TALKING, calls=2, up=2, lines=1, lab=False)]
    assert two_up == ["Transfer", "Swap", "Conf", "End Call"]
    together = [key.label for key in soft_keys(Scene.CONFERENCE, calls=2, up=2, lines=1, lab=False)]
    assert together == ["Hold", "Split", "End Call"]
    with_a_third = [key.label for key in soft_keys(Scene.HELD_CONFERENCE, calls=3, up=3, lines=1, lab=False)]
    assert with_a_third == ["Swap", "Resume", "Split", "End Call"]
    idle = [key.label for key in soft_keys(Scene.IDLE, calls=0, lines=2, lab=False)]
    assert idle == ["ReDial", "Line", "Register"]
    rings = [key.label for key in soft_keys(Scene.IDLE, calls=0, lines=2, lab=False, pickup=True)]
    assert rings == ["ReDial", "DPickup", "Register"]


def test_a_ladder_knows_the_way_the_role_and_what_is_sent_again() -> None:
    invite = b"INVITE sip:1002@yealink.pbx.com SIP/2.0\r\nCall-ID: a\r\n\r\n"
    busy = b"SIP/2.0 486 Busy Here\r\nCall-ID: a\r\n\r\n"

    def sent(at: float) -> MessageSent:
        return MessageSent(at=at, local=PHONE, remote=PRIMARY.remote, transport=Transport.UDP, data=invite)

    heard = MessageReceived(at=11.0, local=PHONE, remote=PRIMARY.remote, transport=Transport.UDP, data=busy)
    found = rungs([sent(10.0), sent(10.5), heard], {(PRIMARY.remote, Transport.UDP): "primary"}, 10.0)
    assert [(rung.at, rung.outwards, rung.peer, rung.summary, rung.again, rung.status) for rung in found] == [
        (0.0, True, "primary", "INVITE sip:1002@yealink.pbx.com", False, None),
        (0.5, True, "primary", "INVITE sip:1002@yealink.pbx.com", True, None),
        (1.0, False, "primary", "486 Busy Here", False, 486),
    ]


def test_a_call_begins_with_its_invite() -> None:
    """A call that comes in begins a moment after the INVITE that brings it."""
    invite = MessageReceived(
        at=10.0, local=PHONE, remote=PRIMARY.remote, transport=Transport.UDP, data=b"INVITE"
    )
    assert f"{rungs([invite], {}, 10.0003)[0].at:.3f}" == "0.000"


def test_a_line_that_has_lost_its_connection() -> None:
    # rule R14
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        (row,) = line_rows([stage.phone.line(1)], stage.world.now(), 1)
        assert (row.word, row.unreachable, row.bindings[0].symbol) == ("Registered", False, "✓")
        cut(stage, "primary", reset)
        await asyncio.sleep(0.001)
        (row,) = line_rows([stage.phone.line(1)], stage.world.now(), 1)
        assert (row.word, row.unreachable, row.registered) == (UNREACHABLE, True, True)
        (binding,) = row.bindings
        lost = "the connection with primary 192.168.1.13:5060/tcp is lost (connection reset by peer)"
        assert (binding.symbol, binding.unreachable) == ("!", f"may be unreachable: {lost}")

    play(story, over("tcp", **ALONE))


def test_an_address_in_the_log() -> None:
    changed = AddressChanged(at=1.0, before=("192.168.1.21",), now=(), reason="the phone has no address")
    assert log_rows([changed]) == [LogRow(1.0, "address", "the phone has no address", bad=True)]


def test_codecs_that_cannot_be_spoken_are_in_the_log() -> None:
    told = CodecsNotSpoken(at=0.0, line=2, codecs=("Opus",), offered=False, reason="Opus is not offered")
    assert log_rows([told]) == [LogRow(0.0, "line 2", "Opus is not offered")]
