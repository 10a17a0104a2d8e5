"""The card of a live call: how it is encrypted."""

from __future__ import annotations

import pytest

from phone_emulator.tui.rows.call import call_rows
from phone_emulator.tui.widgets.call import _cards
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
