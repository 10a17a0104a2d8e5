"""What the screen calls the state of a call."""

from __future__ import annotations

from phone_emulator.tui.rows.log import log_rows
from phone_emulator.tui.words import call_word
from tests.phone.far_end import Play, offer, play


def test_a_call_that_the_far_end_holds() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        words = [call_word(call)]
        for number, direction in ((101, "sendonly"), (102, "sendrecv")):
            on.far.send(on.from_far("UPDATE", invite, number, body=offer(direction)))
            await on.far.response(200, "UPDATE")
            words.append(call_word(call))
        assert words == ["Talking", "Held", "Talking"]
        said = [row.text for row in log_rows(on.events) if "far end" in row.text]
        assert said == ["held by the far end", "resumed by the far end"]

    play(story)
