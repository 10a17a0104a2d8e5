"""The registrar: who can be reached where (RFC 3261 section 10.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from phone_emulator.lab.flow import Flow
from phone_emulator.sip import values
from phone_emulator.sip.headers import after_address, delta_seconds, parameter
from phone_emulator.sip.message import Request

DEFAULT_EXPIRES = 3600
"""Seconds that a binding lives where the phone asks for nothing, or for nonsense (RFC 3261 section 20.19)."""

MAX_CONTACTS = 10
"""Bindings that one user may have; one more displaces the one that would have lapsed first."""

Answer = tuple[int, list[tuple[str, str]]]
"""Status and headers of a response."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One Contact of one user."""

    uri: str
    """The Contact's URI as the phone wrote it."""
    source: Flow
    """Where the REGISTER came from."""
    expires_at: float
    """When it lapses, in seconds since the world began."""
    call_id: str
    cseq: int


class Registrar:
    """Keeps the bindings of *users*.

    *max_expires* (s) is the longest lease granted; shorter ones than *min_expires* (s) are refused with 423.
    """

    def __init__(self, users: Collection[str], *, max_expires: int = 3600, min_expires: int = 0) -> None:
        self._users = users
        self._max_expires = max_expires
        self._min_expires = min_expires
        self._bindings: dict[str, dict[str, Binding]] = {}

    def bindings(self, now: float) -> dict[str, tuple[Binding, ...]]:
        """The live bindings of each user, the latest last."""
        live = {user: self._live(user, now) for user in list(self._bindings)}
        return {user: tuple(contacts.values()) for user, contacts in live.items() if contacts}

    def knows(self, user: str) -> bool:
        """Whether *user* is one of those who may register."""
        return user in self._users

    def lookup(self, user: str, now: float) -> Binding | None:
        """The latest live binding of *user*."""
        contacts = self._live(user, now)
        return contacts[next(reversed(contacts))] if contacts else None

    def register(self, request: Request, source: Flow, now: float, min_expires: int = 0) -> Answer:
        """Carry out an authenticated REGISTER from *source*; raises MessageError for a broken To.

        *min_expires* (s) is asked for where it is more than the registrar's own.
        """
        least = max(min_expires, self._min_expires)
        user = request.to.uri.user or ""
        if user not in self._users:
            return 404, []
        contacts = dict(self._live(user, now))
        call_id, cseq = request.call_id, request.cseq.number
        values = request.headers.values("Contact")
        default = delta_seconds(request.headers.get("Expires"))
        if "*" in values:
            if len(values) > 1 or default != 0:
                return 400, []
            if any(_outdated(old, call_id, cseq) for old in contacts.values()):
                return 500, []
            contacts.clear()
            values = []
        for value in values:
            uri = _uri(value)
            if uri is None:
                return 400, []
            named = delta_seconds(parameter(after_address(value), "expires"))
            asked = next(each for each in (named, default, DEFAULT_EXPIRES) if each is not None)
            if 0 < asked < least:
                return 423, [("Min-Expires", str(least))]
            old = contacts.get(uri)
            if old is not None and _outdated(old, call_id, cseq):
                return 500, []
            if old is not None and (old.call_id, old.cseq) == (call_id, cseq):
                continue
            contacts.pop(uri, None)
            if asked:
                expires_at = now + min(asked, max(least, self._max_expires))
                contacts[uri] = Binding(uri, source, expires_at, call_id, cseq)
        while len(contacts) > MAX_CONTACTS:
            del contacts[min(contacts, key=lambda uri: contacts[uri].expires_at)]
        self._bindings[user] = contacts
        return 200, [
            ("Contact", f"<{b.uri}>;expires={max(1, round(b.expires_at - now))}") for b in contacts.values()
        ]

    def _live(self, user: str, now: float) -> dict[str, Binding]:
        contacts = self._bindings.get(user)
        if contacts is None:
            return {}
        live = {uri: binding for uri, binding in contacts.items() if binding.expires_at > now}
        if live:
            self._bindings[user] = live
        else:
            del self._bindings[user]
        return live


def _outdated(binding: Binding, call_id: str, cseq: int) -> bool:
    """Whether a REGISTER comes after a later one of the same phone (RFC 3261 section 10.3 step 7)."""
    return binding.call_id == call_id and cseq < binding.cseq


def _uri(contact: str) -> str | None:
    """The URI of a Contact value as written; None where it is no SIP URI."""
    try:
        uri = values.uri_text(contact)
        return uri if values.uri(uri).scheme in ("sip", "sips") else None
    except ValueError:
        return None
