"""SRTP as its RFCs write it, by AES and HMAC alone: what libsrtp is held against."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from phone_emulator.media.crypto import Suite

CIPHER, AUTHENTICATION, SALT = 0, 1, 2
"""Labels of derived keys (RFC 3711 section 4.3.2)."""


def keystream(key: bytes, start: int, octets: int) -> bytes:
    """AES in counter mode (RFC 3711 section 4.1.1)."""
    return Cipher(AES(key), CTR(start.to_bytes(16, "big"))).encryptor().update(bytes(octets))


def derived(master: bytes, salt: bytes, label: int, octets: int) -> bytes:
    """A session key (RFC 3711 section 4.3); a salt of 96 bits is padded (RFC 7714 section 11)."""
    padded = int.from_bytes(salt.ljust(14, b"\0"), "big")
    return keystream(master, (padded ^ (label << 48)) << 16, octets)


def protected(suite: Suite, key: bytes, packet: bytes, roll_over: int = 0) -> bytes:
    """The RTP *packet*, with a header of 12 octets, encrypted under the master *key*."""
    master, salt = key[: suite.key_octets], key[suite.key_octets :]
    header, payload = packet[:12], packet[12:]
    ssrc, index = int.from_bytes(header[8:12], "big"), roll_over << 16 | int.from_bytes(header[2:4], "big")
    cipher = derived(master, salt, CIPHER, suite.key_octets)
    salting = int.from_bytes(derived(master, salt, SALT, suite.salt_octets), "big")
    if suite.name.startswith("AEAD"):
        nonce = (salting ^ (ssrc << 48 | index)).to_bytes(12, "big")
        return header + AESGCM(cipher).encrypt(nonce, payload, header)
    stream = keystream(cipher, salting << 16 ^ ssrc << 64 ^ index << 16, len(payload))
    sealed = header + bytes(one ^ other for one, other in zip(payload, stream, strict=True))
    signing = derived(master, salt, AUTHENTICATION, 20)
    tag = hmac.digest(signing, sealed + roll_over.to_bytes(4, "big"), hashlib.sha1)
    return sealed + tag[: suite.behind_mki]
