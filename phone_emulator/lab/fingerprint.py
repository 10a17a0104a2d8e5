"""Fingerprints of requests: what a stateless server derives instead of remembering (RFC 3261 16.11)."""

from __future__ import annotations

import hashlib

from phone_emulator.sip.message import Request

MAGIC = "z9hG4bK"
"""The cookie that begins every branch of RFC 3261."""


class Fingerprint:
    """Tags, branches and nonces that are the same for the same request and differ between servers.

    *secret*: 16 random bytes, the server's own.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def tag(self, request: Request) -> str:
        """The To tag of the server's own responses to *request*; INVITE, CANCEL and ACK have the same."""
        return self._hash("tag", *_transaction(request))

    def branch(self, request: Request) -> str:
        """The branch under which *request* is forwarded; a CANCEL and a non-2xx ACK have their INVITE's."""
        return MAGIC + self._hash("branch", *_transaction(request))

    def nonce(self, request: Request, now: float) -> str:
        """A fresh nonce, made at *now* seconds, that tells its own age."""
        made = f"{int(now * 1000):x}"
        salt = self._hash("salt", *_transaction(request))
        return f"{made}-{salt}-{self._hash('nonce', made, salt)}"

    def nonce_age(self, nonce: str, now: float) -> float | None:
        """Seconds since *nonce* was made; None where this server did not make it."""
        made, _, rest = nonce.partition("-")
        salt, _, proof = rest.partition("-")
        if proof != self._hash("nonce", made, salt):
            return None
        return now - int(made, 16) / 1000

    def _hash(self, *parts: str) -> str:
        text = "\0".join(parts).encode("utf-8", "surrogateescape")
        return hashlib.blake2b(text, digest_size=8, key=self._secret).hexdigest()


def _transaction(request: Request) -> tuple[str, ...]:
    """What tells transactions apart; ACK and CANCEL belong to their INVITE."""
    sender = request.headers.values("Via")[0].partition(";")[0].lower()
    branch = request.branch or ""
    common = (sender, branch, request.call_id, request.from_tag or "", str(request.cseq.number))
    # Without the magic cookie a branch may repeat: the Request-URI tells more (RFC 3261 section 16.11).
    return common if branch.startswith(MAGIC) else (*common, request.uri)
