"""RTP encrypted and decrypted (RFC 3711, RFC 7714): a thin face over libsrtp, which knows no call.

A new key is a new cryptographic context, whose roll-over counter begins at 0 (RFC 4568 section 7.1.4); a key
that stays keeps its context, so that nothing is ever encrypted twice in the same way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from .crypto import Key, Security, Suite

if TYPE_CHECKING:
    import pylibsrtp

T = TypeVar("T")

MOST_STREAMS = 16
"""SSRCs of one far end that are known at a time."""
MOST_KEYS = 4
"""Keys of each end that are remembered: whoever goes back to one goes on where it was left."""
SRTCP_TAG = 10
"""Octets that authenticate SRTCP, also where SRTP has fewer (RFC 4568 section 6.2.2)."""
REPLAY_WINDOW = 128
"""Packets that are remembered against replays (RFC 3711 section 3.3.2 asks for 64)."""


class Failure(StrEnum):
    """Why a packet is not taken."""

    KEY = "it cannot be decrypted: the far end's key does not fit"
    REPLAY = "it came already, or is too old"
    MALFORMED = "it is no SRTP"


class SrtpError(ValueError):
    """A packet cannot be encrypted or decrypted; the text says why."""

    def __init__(self, failure: Failure, why: str = "") -> None:
        super().__init__(why or failure)
        self.failure = failure


_FAILURES = {
    "authentication failure": Failure.KEY,
    "cipher failure": Failure.KEY,
    "replay check failed (bad index)": Failure.REPLAY,
    "replay check failed (index too old)": Failure.REPLAY,
    "packet index is too old to consider": Failure.REPLAY,
}
"""By libsrtp's words; any other is Failure.MALFORMED."""


class _Receiver:
    """What the far end sends under one key."""

    def __init__(self, suite: Suite, key: Key, mki: bytes) -> None:
        self._context = _context(suite, key, inbound=True)
        self._mki = mki
        self._behind_mki = suite.behind_mki
        self._ssrcs: dict[int, None] = {}

    def unprotect(self, data: bytes) -> bytes:
        plain = _call(self._context.unprotect, self._without_mki(data, self._behind_mki))
        self._remember(int.from_bytes(plain[8:12], "big"))
        return plain

    def unprotect_rtcp(self, data: bytes) -> bytes:
        behind = SRTCP_TAG if self._behind_mki else 0
        plain = _call(self._context.unprotect_rtcp, self._without_mki(data, behind))
        self._remember(int.from_bytes(plain[4:8], "big"))
        return plain

    def _remember(self, ssrc: int) -> None:
        if ssrc not in self._ssrcs:
            self._ssrcs[ssrc] = None
            if len(self._ssrcs) > MOST_STREAMS:
                oldest = next(iter(self._ssrcs))
                del self._ssrcs[oldest]
                self._context.remove_stream(oldest)

    def _without_mki(self, data: bytes, behind: int) -> bytes:
        """*data* without the key identifier, which libsrtp's Python face does not know.

        *behind*: octets that follow it.
        """
        if not self._mki:
            return data
        end = len(data) - behind
        start = end - len(self._mki)
        if start < 0 or data[start:end] != self._mki:
            raise SrtpError(Failure.KEY)
        return data[:start] + data[end:]


class Protection:
    """Both ways of one RTP session; nothing is encrypted before `agree`."""

    def __init__(self) -> None:
        self._own: OrderedDict[tuple[Suite, Key], pylibsrtp.Session] = OrderedDict()
        """What this end sends, by key; that of today last."""
        self._far: OrderedDict[tuple[Suite, Key], _Receiver] = OrderedDict()
        """The same of the far end."""
        self._proven = False
        """Whether anything has come under the far end's key of today; others may still be on their way."""
        self.active = False
        """Whether what is sent is to be encrypted, and what comes to be decrypted."""

    def agree(self, security: Security | None) -> None:
        """Go on as *security* says; None: in the clear."""
        self.active = security is not None
        if security is None:
            return
        own, far = (security.suite, security.own), (security.suite, security.far)
        if own not in self._own:
            self._own[own] = _context(*own, inbound=False)
        if far not in self._far:
            self._far[far] = _Receiver(*far, security.far_mki)
            self._proven = False
        elif next(reversed(self._far)) != far:
            self._proven = False
        _make_latest(self._own, own)
        _make_latest(self._far, far)

    def protect(self, data: bytes) -> bytes:
        """The RTP packet *data*, encrypted; raises SrtpError."""
        return _call(next(reversed(self._own.values())).protect, data)

    def unprotect(self, data: bytes) -> bytes:
        """The SRTP packet *data*, decrypted; raises SrtpError.

        Until anything has come under a new key of the far end, what is under the one before is taken, too.
        """
        return self._by_either(lambda receiver: receiver.unprotect(data))

    def protect_rtcp(self, data: bytes) -> bytes:
        """The RTCP compound *data*, encrypted (RFC 3711 section 3.4); raises SrtpError."""
        return _call(next(reversed(self._own.values())).protect_rtcp, data)

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """The SRTCP packet *data*, decrypted; raises SrtpError, see `unprotect`."""
        return self._by_either(lambda receiver: receiver.unprotect_rtcp(data))

    def _by_either(self, unprotect: Callable[[_Receiver], bytes]) -> bytes:
        receivers = reversed(self._far.values())
        try:
            plain = unprotect(next(receivers))
        except SrtpError as error:
            before = None if self._proven or error.failure is not Failure.KEY else next(receivers, None)
            if before is None:
                raise
            return unprotect(before)
        self._proven = True
        return plain


def _make_latest(contexts: OrderedDict[tuple[Suite, Key], T], today: tuple[Suite, Key]) -> None:
    contexts.move_to_end(today)
    while len(contexts) > MOST_KEYS:
        contexts.popitem(last=False)


def _call(process: Callable[[bytes], bytes], data: bytes) -> bytes:
    from pylibsrtp import Error

    try:
        return process(bytes(data))
    except Error as error:
        raise SrtpError(_FAILURES.get(str(error), Failure.MALFORMED)) from None
    except ValueError:
        raise SrtpError(Failure.MALFORMED, f"{len(data)} octets are too many for one packet") from None


def _context(suite: Suite, key: Key, *, inbound: bool) -> pylibsrtp.Session:
    import pylibsrtp  # slow to import, and needed for encrypted calls only

    profiles = {
        "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
        "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
        "AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        "AEAD_AES_256_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    }
    way = pylibsrtp.Policy.SSRC_ANY_INBOUND if inbound else pylibsrtp.Policy.SSRC_ANY_OUTBOUND
    policy = pylibsrtp.Policy(key=bytes(key), ssrc_type=way, srtp_profile=profiles[suite.name])
    policy.window_size = REPLAY_WINDOW
    return pylibsrtp.Session(policy=policy)
