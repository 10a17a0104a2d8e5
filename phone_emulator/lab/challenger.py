"""The challenger: asks phones for credentials and judges them (RFC 3261 section 22, RFC 7616)."""

from __future__ import annotations

from collections.abc import Mapping

from phone_emulator.lab.fingerprint import Fingerprint
from phone_emulator.lab.vocabulary import BrokenChallenge
from phone_emulator.sip.digest import Verdict, challenge_value, verify
from phone_emulator.sip.message import Request

NONCE_LIFETIME = 300.0
"""Seconds that a nonce is good for; an older one is challenged again with ``stale=true``."""

UNKNOWN_ALGORITHM = "X-UNKNOWN-512"
"""Registered nowhere, and so spoken by nobody."""

Answer = tuple[int, list[tuple[str, str]]]
"""Status and headers of a response."""


class Challenger:
    """Guards one realm with digest (MD5, qop auth). *accounts*: user -> password."""

    def __init__(self, realm: str, accounts: Mapping[str, str], fingerprint: Fingerprint) -> None:
        self.realm = realm
        self._accounts = accounts
        self._fingerprint = fingerprint

    def challenge(self, request: Request, status: int, now: float, *, stale: bool = False) -> Answer:
        """The 401 or 407 to *request*."""
        nonce = self._fingerprint.nonce(request, now)
        return status, [(_header(status), challenge_value(self.realm, nonce, stale=stale))]

    def broken(self, request: Request, status: int, now: float, wrong: BrokenChallenge) -> Answer:
        """A 401 or 407 to *request* that nobody can answer, for what is *wrong* with it."""
        nonce = self._fingerprint.nonce(request, now)
        value = {
            BrokenChallenge.NO_NONCE: f'Digest realm="{self.realm}", algorithm=MD5, qop="auth"',
            BrokenChallenge.NO_HEADER: "",
            BrokenChallenge.ALGORITHM: challenge_value(self.realm, nonce, UNKNOWN_ALGORITHM),
            BrokenChallenge.BASIC: f'Basic realm="{self.realm}"',
        }[wrong]
        return status, [(_header(status), value)] if value else []

    def judge(self, request: Request, status: int, now: float) -> Answer | None:
        """None where the credentials of *request* are good; else a challenge with *status*, or 403."""
        name = "Proxy-Authorization" if status == 407 else "Authorization"
        value = next((value for value in request.headers.get_all(name) if self.concerns(value)), None)
        if value is None:
            return self.challenge(request, status, now)

        def fresh(nonce: str) -> bool:
            age = self._fingerprint.nonce_age(nonce, now)
            return age is not None and age <= NONCE_LIFETIME

        verdict, _ = verify(value, request.method, self._accounts, self.realm, fresh, request.body)
        if verdict is Verdict.OK:
            return None
        if verdict in (Verdict.WRONG, Verdict.UNKNOWN):
            return 403, []
        return self.challenge(request, status, now, stale=verdict is Verdict.STALE)

    def concerns(self, value: str) -> bool:
        """Whether the credentials *value* are for this realm."""
        return f'realm="{self.realm}"' in value


def _header(status: int) -> str:
    """The header of a challenge with *status*."""
    return "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
