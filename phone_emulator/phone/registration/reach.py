"""How a binding is reached over its connection, and when one that has lost it is renewed (R14). Pure.

Theory of operation: a registrar sends calls over the connection that the REGISTER came by. When that is lost,
nobody may reach the line, so that the binding is renewed within a random part of a bound. The bound doubles
with each loss, as the waits of RFC 5626 section 4.5 do, until a connection has lived for half a lease. A
registrar that closes each connection behind its answer never meant to use one: nothing is renewed for that.
Two such closes in a row show it, also one behind a challenge: a single one may be a server that is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_BOUND = 2.0
"""Seconds within which a binding is renewed after its first loss."""
BEHIND_THE_ANSWER = 0.5
"""Seconds after an answer within which a registrar closes that keeps no connection: the close follows it."""
ENOUGH = 2
"""Closes behind an answer in a row, after which a registrar is known to keep no connection."""


@dataclass(slots=True)
class Reach:
    """How one binding is reached."""

    unreachable: str = ""
    """Why the line may be unreachable there, for people; empty where nothing speaks against it."""
    by_new_only: bool = False
    """Whether its registrar keeps no connection: only by a new one can the line be reached."""
    _bound: float | None = None
    """The last one, in seconds; None before the first loss."""
    _behind: int = 0
    """How many connections in a row were closed behind an answer."""

    def renewed(self, *, survived: bool, closed: int = 0) -> None:
        """A REGISTER has succeeded.

        Args:
            survived: whether it went over the connection that the last one went over, too.
            closed: how many connections were closed behind an answer to it that was not the last.
        """
        self._behind = 0 if survived else self._behind + closed
        if survived or not self.by_new_only:
            self.unreachable, self.by_new_only = "", False

    def moved(self, why: str) -> None:
        """The phone's own address has changed, or gone; *why*, for people, it cannot be reached."""
        self.unreachable, self.by_new_only = why, False

    def forgotten(self) -> None:
        """The binding is no more: nobody is to reach it."""
        self.unreachable, self.by_new_only = "", False

    def lost(self, *, orderly: bool, since_answer: float, lived: float, lease: float) -> float | None:
        """The connection is lost: seconds within which the binding is to be renewed; None: not for that.

        Args:
            orderly: whether the far end closed it in order, rather than reset it.
            since_answer: seconds since the last REGISTER's 200 came over it.
            lived: seconds that the connection was up.
            lease: seconds that the 200 granted.
        """
        self._behind = self._behind + 1 if orderly and since_answer <= BEHIND_THE_ANSWER else 0
        self.by_new_only = self._behind >= ENOUGH
        if self.by_new_only:
            return None
        again = self._bound is not None and lived < lease / 2
        self._bound = min(2 * self._bound if again and self._bound is not None else FIRST_BOUND, lease / 2)
        return self._bound
