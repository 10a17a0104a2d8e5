"""What a line proves itself with: the answers to the challenges that it has met (RFC 3261 section 22)."""

from __future__ import annotations

from dataclasses import replace

from phone_emulator.config.model import AccountConfig
from phone_emulator.events import Address
from phone_emulator.sip import digest
from phone_emulator.sip.message import Request, Response
from phone_emulator.sip.reason import said_by
from phone_emulator.world.chance import Chance

from .identity import with_authorization
from .known import KnownServers

MAX_KNOWN = 20
"""Realms whose nonces are remembered."""

Key = tuple[Address, bool, str]
"""Who challenged: the next hop, whether as a proxy (407), and the realm."""
Shown = dict[Key, tuple[str, int]]
"""What a request carried: key -> nonce, and how often it was used by then."""


def words_of(response: Response) -> str:
    """What *response*, which refuses, says, for people; of a challenge also why none was answered."""
    why = digest.unanswerable(response) if response.status in (401, 407) else ""
    return f"{said_by(response)}{f', and {why}' if why else ''}"


class Credentials:
    """The digest sessions of one dialog, of one request on its way, or of a line's registrations.

    A nonce that has been answered once is answered again in the next request, its count one higher, so that
    only a new nonce costs a round trip. Credentials are shown to the next hop that asked for them only.

    Args:
        account: user and password.
        chance: of the cnonces.
        known: whose challenges are answered.
        withheld: whether none is: the way to whoever asks was chosen by a stranger, or by what was dialled.
    """

    def __init__(
        self, account: AccountConfig, chance: Chance, known: KnownServers, *, withheld: bool = False
    ) -> None:
        self.withheld = withheld
        self._account = account
        self._chance = chance
        self._known = known
        self._sessions: dict[Key, digest.Session] = {}

    def attach(self, request: Request, remote: Address) -> Shown:
        """Add the credentials that *remote* has asked for; tells which, for `learn`."""
        shown: Shown = {}
        written: set[str] = set()
        for key, session in self._sessions.items():
            if key[0] != remote:
                continue
            name, value = digest.header_name(session.challenge), self._answer(session, request)
            if name in written:
                request.headers.insert_after(name, name, value)
            else:
                with_authorization(request, name, value)
            written.add(name)
            shown[key] = session.challenge.nonce, session.count
        return shown

    def shown_to(self, remote: Address, source: Address) -> bool:
        """Whether a challenge is answered that came from *source* to a request that went to *remote*."""
        return not self.withheld and remote.host in self._known and source.host in self._known

    def learn(self, response: Response, shown: Shown, remote: Address, source: Address) -> bool:
        """Take over the challenges of a 401 or 407 to a request that carried *shown*.

        Args:
            response: the 401 or 407.
            shown: what `attach` has told.
            remote: where the request went.
            source: where the response came from.

        Returns:
            Whether it is worth another try. It is not where no challenge can be answered, and where the
            answer to a fresh nonce was refused: the password is wrong (R10).
        """
        by_realm: dict[str, list[digest.Challenge]] = {}
        for challenge in digest.challenges(response):
            by_realm.setdefault(challenge.realm, []).append(challenge)
        chosen = [each for each in map(digest.choose, by_realm.values()) if each is not None]
        if not chosen or not self._account.password or not self.shown_to(remote, source):
            return False
        for challenge in chosen:
            nonce, count = shown.get((remote, challenge.proxy, challenge.realm), ("", 0))
            if count and not challenge.stale and (count == 1 or challenge.nonce == nonce):
                return False
        for challenge in chosen:
            key = remote, challenge.proxy, challenge.realm
            self._sessions.pop(key, None)
            self._sessions[key] = digest.Session(challenge)
        while len(self._sessions) > MAX_KNOWN:
            del self._sessions[next(iter(self._sessions))]
        return True

    def accepted(self, response: Response, shown: Shown) -> None:
        """Take over the next nonce that the 2xx *response* names (Authentication-Info, RFC 7615)."""
        for key in shown:
            nonce = digest.next_nonce(response, proxy=key[1])
            session = self._sessions.get(key)
            if nonce and session is not None:
                self._sessions[key] = digest.Session(replace(session.challenge, nonce=nonce, stale=False))

    def _answer(self, session: digest.Session, request: Request) -> str:
        account = self._account
        return session.authorize(
            request.method,
            request.uri,
            account.digest_user,
            account.password.reveal(),
            f"{self._chance.getrandbits(32):08x}",
            request.body,
        )
