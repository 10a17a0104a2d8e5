"""RTP and RTCP as they were on the wire, for who asks for them: too many to be events on the bus.

A tap is given to `Bus.tap` before the phone starts. It sees every datagram of each call's sound, and the keys
that some of it is encrypted with, which no event ever has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from .route import Address


@dataclass(frozen=True, slots=True)
class MediaPacket:
    """One datagram of the sound of a call."""

    at: float
    """Seconds since the world began."""
    local: Address
    remote: Address
    outwards: bool
    """Whether this end has sent it."""
    data: bytes
    """As it was on the wire."""
    clear: bytes | None = None
    """The same decrypted; None where it was not encrypted, or its key was not known."""

    @property
    def source(self) -> Address:
        """Who sent it."""
        return self.local if self.outwards else self.remote

    @property
    def destination(self) -> Address:
        """Where it went."""
        return self.remote if self.outwards else self.local


@dataclass(frozen=True, slots=True)
class EncryptedStream:
    """One direction of a call's sound, as it is encrypted from now on."""

    at: float
    source: Address
    destination: Address
    formats: tuple[tuple[int, str], ...]
    """Its payload types, each with what ``a=rtpmap`` says of it."""
    crypto: str = field(repr=False)
    """Cipher and key as in ``a=crypto``: ``AES_CM_128_HMAC_SHA1_80 inline:…`` (RFC 4568 section 9.1)."""


class Tap(Protocol):
    """Who is shown every datagram of sound. It raises nothing: a call does not suffer from who looks on."""

    def packet(self, packet: MediaPacket) -> None:
        """*packet* has left, or has come in."""

    def stream(self, stream: EncryptedStream) -> None:
        """*stream* begins, or goes on in another way."""
