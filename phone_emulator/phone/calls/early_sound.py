"""Who is heard before a call is answered: the early media of one far end, or the phone's own ringback."""

from __future__ import annotations

from collections.abc import Iterable

from phone_emulator.media.negotiation import Unusable
from phone_emulator.sip.message import Response

from .early import Fork
from .session import Session

RINGING = 180


class EarlySound:
    """The sound of a call that is not up.

    Args:
        session: of the call.
        deal_180: whether a 180 without a description ends what was heard (``phone_setting.is_deal180``).
    """

    def __init__(self, session: Session, *, deal_180: bool) -> None:
        self._session = session
        self._deal_180 = deal_180
        self._from: Fork | None = None
        """Who is heard."""

    def take(self, fork: Fork, response: Response, offer: bytes, *, reliably: bool) -> None:
        """A 1xx of *fork* may bring its sound: the answer to *offer*."""
        if fork.describe(response, offer, reliably=reliably):
            if not self.hear(fork) and self._from is fork:
                self.silence()
        elif response.status == RINGING and self._from is fork and self._deal_180:
            self.silence()  # the phone's own ringback again

    def hear(self, fork: Fork) -> bool:
        """Hear *fork*, where it has described something that can be heard; whether it has."""
        if fork.agreement is None:
            return False
        try:
            self._session.voice.connect(fork.agreement)
        except Unusable:  # another may come before the call is up
            return False
        self._from = fork
        self._session.tell(far_held=False, early=True)
        return True

    def lose(self, fork: Fork, others: Iterable[Fork]) -> None:
        """*fork* will not answer: hear one of the *others*, if it was heard."""
        if self._from is fork and not any(self.hear(other) for other in others):
            self.silence()

    def silence(self) -> None:
        """Hear nobody."""
        if self._from is not None:
            self._from = None
            self._session.voice.silence()
            self._session.tell(far_held=False, early=False)
