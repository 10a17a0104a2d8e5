"""The targets of the fuzzers for a moment each, and what the fuzzers have found."""

from __future__ import annotations

import asyncio
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.events import CallState
from phone_emulator.sip import values
from tests.phone.far_end import Play, offer, play
from tests.sip.fuzzing import SEEDS, TARGETS, mutation
from tests.sip.siege import SIEGES

ADDRESS = re.compile(values.PLAIN_ADDRESS.pattern.replace(r"\x80-\U0010ffff", ""), re.VERBOSE)
"""The same of ASCII; hypothesis takes 20 seconds to look through the rest of Unicode."""
BRIEF = settings(max_examples=150)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
@BRIEF
@given(data=st.data())
def test_mutations(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[name]))
    TARGETS[name](mutation(data.draw(st.randoms(use_true_random=False)), seed))


@pytest.mark.parametrize("name", TARGETS)
@BRIEF
@given(data=st.binary(max_size=500))
def test_any_bytes(name: str, data: bytes) -> None:
    TARGETS[name](data)


@BRIEF
@given(st.from_regex(ADDRESS, fullmatch=True, alphabet=st.characters(max_codepoint=126)))
def test_plain_addresses_read_as_by_the_whole_grammar(text: str) -> None:
    """A blank at its end makes it an address that only the grammar takes."""
    try:
        plain = values.address(text)
    except ValueError:
        with pytest.raises(ValueError):
            values.address(f"{text}\t")
        return
    whole = values.address(f"{text}\t")
    assert plain.uri == whole.uri
    assert plain.name == whole.name
    assert dict(plain.parameters) == dict(whole.parameters)


@BRIEF
@given(st.from_regex(values.PLAIN_VIA, fullmatch=True, alphabet=st.characters(max_codepoint=126)))
def test_plain_vias_read_as_by_the_whole_grammar(text: str) -> None:
    try:
        plain = values.via(text)
    except ValueError:
        with pytest.raises(ValueError):
            values.via(f"{text}\t")
        return
    whole = values.via(f"{text}\t")
    assert (plain.transport, plain.host, plain.port) == (whole.transport, whole.host, whole.port)
    assert dict(plain.parameters) == dict(whole.parameters)


@pytest.mark.parametrize("name", SIEGES)
def test_a_besieged_phone(name: str) -> None:
    dice, rounds = random.Random(4475), iter([True, False])
    SIEGES[name](dice, lambda: next(rounds), lambda target: target, 600)


def test_found_two_re_invites_of_one_cseq() -> None:
    """The second one is another transaction; the end of the first forgot the 2xx of both."""

    async def story(on: Play) -> None:
        invite, answered, call = await on.taken()
        own, phone = invite.headers.get("From") or "", answered.headers.get("To") or ""
        for branch in ("z9hG4bKone", "z9hG4bKtwo"):
            again = on.far.inside("INVITE", "in-1", own, phone, body=offer())
            again.headers.set("Via", f"SIP/2.0/UDP 192.168.1.13:5060;branch={branch}")
            on.far.send(again)
        await asyncio.sleep(100)
        assert call.state is CallState.ENDED

    play(story)


def test_found_an_answer_whose_formats_are_no_numbers() -> None:
    """It raised ValueError in the task that dials, and the call had no end."""

    async def story(on: Play) -> None:
        for formats in (b"RTP/AVP <0", b"RTP/SAVP algorithm=SHA-256,"):
            _, call = await on.talking(body=offer().replace(b"RTP/AVP 0", formats))
            assert call.voice.audio is not None
            assert not call.voice.audio.can_send
            hanging_up = asyncio.create_task(call.hang_up())
            on.far.answer(await on.far.heard("BYE"), 200)
            await hanging_up

    play(story)
