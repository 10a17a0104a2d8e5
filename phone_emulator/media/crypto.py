"""Keys of sound in session descriptions (``a=crypto``, RFC 4568), and the ciphers that they are for.

A line that breaks the rules is passed over where it is offered, as section 7.1.2 wants it; what is wrong with
it is told where nothing was agreed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from phone_emulator.numbers import number

LONGEST_LIFETIME = 2**48
"""Packets that one key may serve (RFC 3711 section 9.2)."""
SMALLEST_WINDOW = 64
"""``WSH``: packets that are remembered against replays (RFC 4568 section 6.3.6)."""
MAX_TAG = 10**9 - 1
LONGEST_MKI = 128
"""Octets (RFC 4568 section 6.1)."""
_NAME = re.compile(r"[A-Za-z0-9_]{1,30}").fullmatch
"""What may be quoted to people; a key that stands in a wrong place is longer."""


class Srtp(StrEnum):
    """What a line makes of SRTP (``account.X.srtp_encryption``)."""

    OFF = "off"
    OPTIONAL = "optional"
    COMPULSORY = "compulsory"


class OptionalSrtp(StrEnum):
    """How optional encryption is offered (``--optional-srtp``): no public trace shows what the phone does."""

    ONE_LINE = "one-line"
    """RTP/AVP with keys: who knows no SRTP passes over them."""
    TWO_LINES = "two-lines"
    """RTP/SAVP, and RTP/AVP for those who know no SRTP."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A cipher with its authentication (RFC 4568 section 6.2, RFC 7714 section 12)."""

    name: str
    key_octets: int
    salt_octets: int
    behind_mki: int
    """Octets of a packet that follow a master key identifier (RFC 3711 section 3.1, RFC 7714 section 8.2)."""

    @property
    def octets(self) -> int:
        """How long key and salt are together."""
        return self.key_octets + self.salt_octets


SUITES = {
    suite.name: suite
    for suite in (
        Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, 10),
        Suite("AES_CM_128_HMAC_SHA1_32", 16, 14, 4),
        Suite("AEAD_AES_128_GCM", 16, 12, 0),
        Suite("AEAD_AES_256_GCM", 32, 12, 0),
    )
}
"""What can be done here; F8 and AES_CM with longer keys cannot."""


def suites_called(names: str) -> tuple[list[Suite], list[str]]:
    """The suites that the list *names* (``account.X.srtp.cipher_list``) has, and what else it has."""
    wanted = list(dict.fromkeys(name.upper() for name in re.split(r"[\s,;]+", names) if name))
    return [SUITES[name] for name in wanted if name in SUITES], [
        name for name in wanted if name not in SUITES
    ]


class Key(bytes):
    """A master key with its salt: shows itself as dots, and so reaches no log, no report and no screen."""

    def __repr__(self) -> str:
        return "••••"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("••••", spec)


class CryptoError(ValueError):
    """An ``a=crypto`` that cannot be used; the text says why, and holds no key."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """One ``a=crypto`` line: a key for what its author sends."""

    tag: int
    suite: Suite
    key: Key = field(repr=False)
    mki: bytes = b""
    """What each packet carries as the name of the key (MKI); empty for nothing, as in all of this end's."""

    def line(self) -> str:
        """The attribute as it goes out, with the key in it."""
        return f"a=crypto:{self.tag} {told_key(self.suite, self.key)}"


def told_key(suite: Suite, key: Key, mki: bytes = b"") -> str:
    """Cipher and key as ``a=crypto`` has them (RFC 4568 section 9.1): for what is meant to hold the key."""
    name = f"|{int.from_bytes(mki, 'big')}:{len(mki)}" if mki else ""
    return f"{suite.name} inline:{base64.b64encode(key).decode()}{name}"


@dataclass(frozen=True, slots=True)
class Security:
    """How the sound of a call is encrypted."""

    suite: Suite
    own: Key = field(repr=False)
    """For what this end sends."""
    far: Key = field(repr=False)
    """For what the far end sends."""
    far_mki: bytes = b""
    """What the far end's packets carry as the name of that; empty for nothing."""


def read(value: str) -> Crypto:
    """Read what stands behind ``a=crypto:`` (RFC 4568 section 9.2); raises CryptoError.

    Lifetimes are accepted: it is for the author of a key to bring the next one in time. Several keys in one
    line are not.
    """
    words = value.split()
    tag = number(words[0], MAX_TAG) if len(words) > 2 else None
    if tag is None:
        raise CryptoError("expected a=crypto with a tag, a cipher and a key")
    _, name, keys, *parameters = words
    suite = SUITES.get(name.upper())
    if suite is None:
        raise CryptoError(f"{_quoted(name, 'the cipher')} cannot be done here")
    found = _key(keys, suite)
    for parameter in parameters:
        _check_parameter(parameter)
    return Crypto(tag, suite, *found)


def read_all(values: Iterable[str]) -> tuple[tuple[Crypto, ...], str]:
    """The usable ones of the ``a=crypto`` lines *values*, the first of each tag; what is wrong with one."""
    usable, wrong = dict[int, Crypto](), ""
    for value in values:
        try:
            found = read(value)
        except CryptoError as error:
            wrong = wrong or str(error)
            continue
        if found.tag in usable:
            wrong = wrong or f"the tag {found.tag} is there twice"
        usable.setdefault(found.tag, found)
    return tuple(usable.values()), wrong


def chosen(offered: Sequence[Crypto], suites: Sequence[Suite]) -> Crypto | None:
    """The one of *offered* that an end takes which has *suites*: the first (RFC 4568 section 7.1.2)."""
    return next((crypto for crypto in offered if crypto.suite in suites), None)


def _key(text: str, suite: Suite) -> tuple[Key, bytes]:
    """The key, and its identifier (MKI)."""
    if ";" in text:
        raise CryptoError("several keys in one line cannot be used here")
    method, _, info = text.partition(":")
    if method.lower() != "inline":
        raise CryptoError("expected the key as inline:")
    encoded, *rest = info.split("|")
    mki = _mki(rest.pop()) if rest and ":" in rest[-1] else b""
    if rest:
        _check_lifetime(rest.pop())
    if rest:
        raise CryptoError("expected a lifetime and an identifier (MKI) behind the key, and nothing else")
    try:
        # Some leave out the padding that the length makes superfluous.
        key = base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise CryptoError("the key is no base64") from None
    if len(key) != suite.octets:
        raise CryptoError(f"a key of {suite.octets} octets was expected, not {len(key)}")
    return Key(key), mki


def _mki(text: str) -> bytes:
    """``1:4`` in octets."""
    value, _, length = text.partition(":")
    octets = number(length, LONGEST_MKI)
    named = number(value, min(256**octets - 1, 10**19)) if octets else None
    if not octets or named is None:
        raise CryptoError(
            f"the identifier of the key (MKI) was expected as a number of 1 to {LONGEST_MKI} octets"
        )
    return named.to_bytes(octets, "big")


def _check_lifetime(text: str) -> None:
    power = text.startswith("2^")
    digits = number(text.removeprefix("2^"), 48 if power else LONGEST_LIFETIME)
    if not digits:
        raise CryptoError("the lifetime of the key was expected as 1 to 2^48 packets")


def _check_parameter(text: str) -> None:
    """A session parameter (RFC 4568 section 6.3); one that begins with a dash may be passed over."""
    name, _, value = text.partition("=")
    if text.startswith("-") or (name == "KDR" and value == "0"):
        return
    if name == "WSH":
        window = number(value, 2**31)
        if window is None or window < SMALLEST_WINDOW:
            raise CryptoError(f"WSH was expected as a number from {SMALLEST_WINDOW}")
        return
    raise CryptoError(f"{_quoted(name, 'the parameter')} cannot be used here")


def _quoted(name: str, what: str) -> str:
    return f"{what} {name}" if _NAME(name) else what
