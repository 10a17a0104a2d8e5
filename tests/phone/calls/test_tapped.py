"""What a tap is shown of the sound of a call."""

from __future__ import annotations

import asyncio

from phone_emulator.events import Address, EncryptedStream, MediaPacket
from phone_emulator.media.crypto import SUITES, Key, Security
from phone_emulator.media.srtp import Protection
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.world import SimulatedWorld

SUITE = SUITES["AES_CM_128_HMAC_SHA1_80"]
HERE, THERE, STRANGER = (Address(f"192.0.2.{end}", 11780) for end in (1, 2, 3))
OWN, FAR = Key(bytes(SUITE.octets)), Key(bytes(range(SUITE.octets)))


class Keeper:
    """A tap that keeps all."""

    def __init__(self) -> None:
        self.packets: list[MediaPacket] = []
        self.streams: list[EncryptedStream] = []
        self.packet, self.stream = self.packets.append, self.streams.append


def talk(security: Security | None, *, again: bool = False) -> tuple[Keeper, Keeper]:
    """Two ends talk for 100 ms, while a stranger sends rubbish to the first; what the tap of each sees."""
    world, taps = SimulatedWorld(seed=1), (Keeper(), Keeper())

    async def main() -> None:
        one, other = (
            Audio(world, place, stream=True, tap=tap) for place, tap in zip((HERE, THERE), taps, strict=True)
        )
        await one.open()
        await other.open()
        for audio, remote in ((one, THERE), (other, HERE)):
            mirrored = security and Security(SUITE, security.far, security.own)
            agreed = security if audio is one else mirrored
            audio.set_remote(remote, security=agreed)
            if again:
                audio.set_remote(remote, security=agreed)
        stranger = await world.open_udp(STRANGER, one)
        stranger.send(b"rubbish", HERE)
        await asyncio.sleep(0.11)
        for audio in (one, other):
            audio.close()

    world.run(main())
    return taps


def test_each_datagram_is_shown_as_it_was_on_the_wire_and_decrypted() -> None:
    one, other = talk(Security(SUITE, OWN, FAR), again=True)
    sent = [packet for packet in one.packets if packet.outwards]
    came = [packet for packet in other.packets if not packet.outwards]
    assert len(sent) == len(came) >= 5
    for gone, heard in zip(sent, came, strict=True):
        assert (gone.data, gone.clear) == (heard.data, heard.clear)
        assert (gone.source, gone.destination) == (heard.source, heard.destination) == (HERE, THERE)
        assert gone.clear is not None
        assert gone.clear not in gone.data
    rubbish = [packet for packet in one.packets if packet.remote == STRANGER]
    assert [(packet.data, packet.clear) for packet in rubbish] == [(b"rubbish", None)]


def test_each_direction_is_told_once_with_its_key() -> None:
    one, _ = talk(Security(SUITE, OWN, FAR), again=True)
    own, far = one.streams
    assert (own.source, own.destination) == (far.destination, far.source) == (HERE, THERE)
    assert own.formats == far.formats == ((0, "PCMU/8000"), (101, "telephone-event/8000"))
    listener = Protection()
    listener.agree(Security(SUITE, FAR, OWN))
    assert all(listener.unprotect(packet.data) == packet.clear for packet in one.packets if packet.outwards)
    assert "inline" not in repr(own)


def test_what_is_not_encrypted_is_there_once() -> None:
    one, _ = talk(None)
    assert len(one.packets) >= 10
    assert {packet.clear for packet in one.packets} == {None}
    assert one.streams == []
