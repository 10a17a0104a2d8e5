"""What a tap is shown of the sound of one call: its datagrams, and how they are encrypted."""

from __future__ import annotations

from collections.abc import Mapping

from phone_emulator.events import Address, EncryptedStream, MediaPacket, Tap
from phone_emulator.media.codecs import CODECS
from phone_emulator.media.crypto import Security, told_key
from phone_emulator.world import World


class Tapped:
    """One call's sound, as far as *tap* sees it.

    Args:
        tap: who looks.
        world: whose time it is.
        local: this end's RTP address.
    """

    def __init__(self, tap: Tap, world: World, local: Address) -> None:
        self._tap = tap
        self._world = world
        self.local = local
        self._told: object = None

    def sent(self, remote: Address, data: bytes, clear: bytes) -> None:
        """*data* has left for *remote*, which is *clear* decrypted."""
        self._show(remote, data, clear, outwards=True)

    def received(self, remote: Address, data: bytes, clear: bytes | None) -> None:
        """*data* has come from *remote*; *clear* is None where it could not be decrypted."""
        self._show(remote, data, clear, outwards=False)

    def agreed(
        self, remote: Address, security: Security | None, sent: Mapping[int, str], heard: Mapping[int, str]
    ) -> None:
        """Both ends encrypt as *security* says from now on; each has the codecs' names by payload type."""
        agreed = self.local, remote, security, dict(sent), dict(heard)
        if security is None or agreed == self._told:
            return
        self._told = agreed
        now, suite = self._world.now(), security.suite
        own, far = told_key(suite, security.own), told_key(suite, security.far, security.far_mki)
        self._tap.stream(EncryptedStream(now, self.local, remote, _formats(sent), own))
        self._tap.stream(EncryptedStream(now, remote, self.local, _formats(heard), far))

    def _show(self, remote: Address, data: bytes, clear: bytes | None, *, outwards: bool) -> None:
        decrypted = None if clear == data else clear
        self._tap.packet(MediaPacket(self._world.now(), self.local, remote, outwards, data, decrypted))


def _formats(named: Mapping[int, str]) -> tuple[tuple[int, str], ...]:
    """What ``a=rtpmap`` says of each; what is no codec of the phone's is an event, at 8000 Hz."""
    return tuple(
        (payload, CODECS[name].rtpmap if name in CODECS else f"{name}/8000")
        for payload, name in named.items()
    )
