"""What may be sent to who has not shown to be there (RFC 9000 section 8.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from phone_emulator.events import Address, MessageSent
from phone_emulator.sip.allowance import FACTOR, MOST, PROOF_LASTS, Allowance, Allowances
from phone_emulator.sip.message import response_to
from tests.sip.ends import THERE, Ends, Far, incoming, run


def test_less_than_three_times_what_came() -> None:
    allowance = Allowance(0.0)
    assert not allowance.spend(1)
    allowance.received(100)
    assert [allowance.spend(100) for _ in range(4)] == [True, True, False, False]
    assert allowance.spend(99)
    assert not allowance.spend(1)


def test_whoever_is_proven_may_have_more() -> None:
    allowance = Allowance(0.0)
    allowance.prove(5.0)
    assert allowance.spend(10**9)
    assert allowance.fresh_until == 5.0 + PROOF_LASTS


def test_a_proof_is_not_for_ever() -> None:
    allowances = Allowances()
    first = allowances.of("192.0.2.1", 0.0)
    first.prove(0.0)
    assert allowances.of("192.0.2.1", PROOF_LASTS - 1) is first
    assert not allowances.of("192.0.2.1", PROOF_LASTS).proven
    assert first.spend(10**9)  # a call that holds it goes on


def test_memory_is_bounded_and_forgets_no_debt() -> None:
    allowances = Allowances()
    for number in range(MOST + 1):
        allowances.of(str(number), 0.0).received(100)
    assert not allowances.of("0", 0.0).spend(1)


def nobody(host: str) -> bool:
    return False


def sent(ends: Ends) -> int:
    return sum(len(event.data) for event in ends.events if isinstance(event, MessageSent))


@pytest.mark.parametrize("known", [nobody, lambda host: True])
def test_repetitions_count(known: Callable[[str], bool]) -> None:
    """A refusal is repeated until its ACK comes (timer G), but for strangers not for long."""

    async def story(ends: Ends) -> None:
        ends.endpoint.transports.known = known
        far = await Far(ends.world).bind()
        invite = incoming("INVITE")
        far.send(invite)
        await asyncio.sleep(0.01)
        ends.requests[-1].respond(response_to(invite, 486, to_tag="t"))
        await asyncio.sleep(40)
        size = len(invite.to_bytes())
        if known is nobody:
            assert sent(ends) < FACTOR * size
            told = f"not sent: it would make 3 times the bytes that came from {THERE.host}"
            assert ends.ignored.count(f"{told}, where nobody has shown to be") == 1
        else:
            assert sent(ends) > FACTOR * size

    run(story)


def test_an_ack_with_our_tag_proves_it() -> None:
    async def story(ends: Ends) -> None:
        ends.endpoint.transports.known = nobody
        far = await Far(ends.world).bind()
        first = incoming("INVITE")
        far.send(first)
        await asyncio.sleep(0.01)
        ends.requests[-1].respond(response_to(first, 486, to_tag="ours"))
        await asyncio.sleep(0.01)
        far.send(incoming("ACK", to="<sip:b@x>;tag=guessed"))
        second = incoming("INVITE", branch="z9hG4bK2", call_id="c2")
        far.send(second)
        await asyncio.sleep(0.01)
        ends.requests[-1].respond(response_to(second, 486, to_tag="ours too"))
        await asyncio.sleep(0.01)
        far.send(incoming("ACK", branch="z9hG4bK2", call_id="c2", to="<sip:b@x>;tag=ours too"))
        third = incoming("INVITE", branch="z9hG4bK3", call_id="c3")
        far.send(third)
        await asyncio.sleep(0.01)
        before = sent(ends)
        ends.requests[-1].respond(response_to(third, 486, to_tag="t"))
        await asyncio.sleep(40)
        assert sent(ends) - before > 9 * len(response_to(third, 486, to_tag="t").to_bytes())

    run(story)


def test_another_port_of_the_host_shares_it() -> None:
    async def story(ends: Ends) -> None:
        ends.endpoint.transports.known = nobody
        for port in range(7000, 7020):
            far = await Far(ends.world).bind(Address(THERE.host, port))
            far.raw(b"OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n")
        await asyncio.sleep(1)
        assert sent(ends) < FACTOR * 20 * 45

    run(story)
