"""Whose requests the phone obeys: ``sip.trust_ctrl`` and ``sip.request_validation.*``."""

from __future__ import annotations

from collections import deque

from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.event_package import event_of
from phone_emulator.sip.digest import Verdict, challenge_value, verify
from phone_emulator.sip.message import Request
from phone_emulator.sip.server import ServerTransaction

from .desk import Desk, Station

MAX_NONCES = 100
"""Challenges that may be open at once; older ones are forgotten, and asked anew."""


KNOWN_ONLY = frozenset(
    {
        ("SUBSCRIBE", "dialog"),
        ("NOTIFY", "dialog"),
        ("NOTIFY", "talk"),
        ("NOTIFY", "hold"),
        ("NOTIFY", "check-sync"),
    }
)
"""Requests of no dialog, by method and event, that are taken from the line's own servers only, whatever
``sip.trust_ctrl`` says: they hear of calls, or operate the phone. REFER and Replaces are read elsewhere."""
NO_SERVER = "is none of the line's servers"


class RequestValidator:
    """Refuses requests of no dialog that do not come from where they may.

    Args:
        desk: whose requests they are.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._nonces = {known: deque[str](maxlen=MAX_NONCES) for known in (False, True)}
        """Each is good for one request, so that none can be replayed; strangers' and those of the servers."""

    def minds(self, request: Request) -> bool:
        """Whether it matters for *request*, of no dialog, that its sender is a server.

        Of an INVITE it does for where sound may be sent, and for what its headers ask for.
        """
        config, called = self._desk.config, (request.method, event_of(request))
        asks = request.method in ("INVITE", "REFER") or called in KNOWN_ONLY
        return asks or config.trust_ctrl or self._named(config.validated_methods, request)

    def refusal(self, server: ServerTransaction, line: Station | None) -> Answer | None:
        """What the request of *server* is refused with, or None where nothing speaks against it.

        Args:
            server: the request, and where it came from.
            line: that it is for; None where it is for the phone: any line's server, any line's password.
        """
        config, request = self._desk.config, server.request
        lines = self._desk.lines.values() if line is None else (line,)
        known = any(server.source.host in each.seat.known for each in lines)
        if not known and (request.method, event_of(request)) in KNOWN_ONLY:
            return Answer(403, why=f"{server.source.host} {NO_SERVER}")
        restricted = config.trust_ctrl or self._named(config.validated_methods, request)
        if restricted and not known:
            return Answer(403, why=f"{server.source.host} {NO_SERVER}")
        if not self._named(config.digested_methods, request):
            return None
        passwords = {
            each.seat.account.digest_user: each.seat.account.password.reveal()
            for each in lines
            if each.seat.account.password
        }
        return self._unproven(request, passwords, known=known)

    def _unproven(self, request: Request, passwords: dict[str, str], *, known: bool) -> Answer | None:
        """The challenge to *request*, or a 403, unless it proves that its sender knows one of *passwords*.

        *known*: whether it came from one of the line's servers.
        """
        realm = self._desk.config.validation_realm
        values = request.headers.get_all("Authorization")
        if not passwords or len(values) > 1:
            return Answer(403)
        verdict = Verdict.MALFORMED
        if values:
            verdict = verify(values[0], request.method, passwords, realm, self._spend, request.body).verdict
        if verdict is Verdict.OK:
            return None
        if verdict in (Verdict.WRONG, Verdict.UNKNOWN):
            return Answer(403)
        nonce = f"{self._desk.world.unguessable.getrandbits(128):032x}"
        self._nonces[known].append(nonce)
        challenge = challenge_value(realm, nonce, stale=verdict is Verdict.STALE)
        return Answer(401, (("WWW-Authenticate", challenge),))

    def _spend(self, nonce: str) -> bool:
        """Whether *nonce* is one of the phone's that was not used yet."""
        for nonces in self._nonces.values():
            if nonce in nonces:
                nonces.remove(nonce)
                return True
        return False

    def _named(self, methods: str, request: Request) -> bool:
        """Whether *methods* names that of *request*, and ``sip.request_validation.event`` its event."""
        if request.method not in _listed(methods.upper()):
            return False
        events = _listed(self._desk.config.validated_events.lower())
        return request.method not in ("NOTIFY", "SUBSCRIBE") or not events or event_of(request) in events


def _listed(text: str) -> set[str]:
    return set(text.replace(",", " ").split())
