"""The card of a live call: how it is encrypted, and how its sound fares."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.tui.rows.call import CallRow, call_rows
from phone_emulator.tui.widgets.call import _cards
from tests.phone.calls.test_tapped import Keeper
from tests.phone.stage import Stage, play, server_1

SHA1_80 = "AES_CM_128_HMAC_SHA1_80"


@pytest.mark.parametrize(
    ("encryption", "transport", "said"),
    [
        (0, 0, ""),
        (1, 0, f"encrypted ({SHA1_80}), keys in the clear"),
        (2, 1, f"encrypted ({SHA1_80}), keys in the clear"),
        (2, 2, f"encrypted ({SHA1_80})"),
    ],
)
def test_the_card_says_how_a_call_is_encrypted(encryption: int, transport: int, said: str) -> None:
    keys = server_1(transport_type=transport, port=5061 if transport == 2 else 5060)

    async def story(on: Stage) -> None:
        call = on.phone.dial("1002")
        await call.settled()
        [row] = call_rows([call], call, on.world.now())
        assert row.secrecy == said
        card = _cards([row], 100).plain.split("\n")
        assert [line.strip() for line in card[1:]] == ([said] if said else [])
        await call.hang_up()

    play(story, {"account.1.srtp_encryption": str(encryption), **keys})


def card_of(sound: tuple[str, ...], columns: int) -> list[str]:
    row = CallRow(
        in_hand=True,
        arrow="→",
        remote="1002",
        word="Talking",
        time="00:12",
        where="line 1",
        secrecy="",
        tone="",
        levels="",
        sound=sound,
        up=True,
        ringing=False,
    )
    return _cards([row], columns).plain.split("\n")[1:]


def test_the_line_of_the_sound_takes_what_fits() -> None:
    words = ("G722", "MOS 4.3 (R 116 wb)", "500 heard", "jitter 0.4 ms")
    assert card_of((), 80) == []
    assert card_of(words, 80) == ["    G722 · MOS 4.3 (R 116 wb) · 500 heard · jitter 0.4 ms"]
    assert card_of(words, 41) == ["    G722 · MOS 4.3 (R 116 wb) · 500 heard"]
    assert card_of(words, 40) == ["    G722 · MOS 4.3 (R 116 wb)"]
    assert card_of(words, 15)[-1] == "    G722"


def test_the_card_has_the_numbers_of_the_sound_while_it_flows() -> None:
    async def story(on: Stage) -> None:
        quiet = on.phone.dial("1002")
        await quiet.settled()
        await quiet.send_dtmf("1")
        assert call_rows([quiet], quiet, on.world.now())[0].sound == ()
        await quiet.hang_up()
        on.phone.bus.tap = on.lab.callee._phone.context.bus.tap = Keeper()
        call = on.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(10)
        [row] = call_rows([call], call, on.world.now())
        numbers = call.numbers
        assert numbers is not None
        heard, sent = numbers.heard.packets, numbers.sent.packets
        assert row.sound == (
            "G722", "MOS 4.3 (R 116 wb)", f"{heard} heard", "jitter 0.0 ms", "round trip 0 ms",
            f"{sent} sent",
        )  # fmt: skip
        await call.hang_up()

    play(story)
