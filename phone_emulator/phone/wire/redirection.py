"""Where 3xx responses send a call: a set of URIs, each tried once (RFC 3261 sections 8.1.3.4 and 21.3)."""

from __future__ import annotations

import re

from phone_emulator.sip import values
from phone_emulator.sip.message import Response
from phone_emulator.sip.uri_request import UriRequest, request_of

MAX_TRIED = 6
"""URIs that one INVITE is sent to at one server, the dialled one included."""
MAX_WAITING = 20
"""Contacts that are remembered."""
_Q_VALUE = re.compile(r"0?\.[0-9]{1,20}|0\.?|1(?:\.0{0,20})?")
"""More digits, and fewer, than the grammar has: a number from 0 to 1 for certain."""


class Redirection:
    """The target set of one INVITE.

    Args:
        first: the URI that was dialled.
    """

    def __init__(self, first: str) -> None:
        self._tried = {first}
        self._waiting: list[tuple[float, UriRequest]] = []
        self.headers: tuple[tuple[str, str], ...] = ()
        """What the INVITE to the URI that `next` told last carries for its sake."""
        self.remark = ""
        """What was asked for beside calls, and is not done, for people; empty for nothing."""

    @property
    def begun(self) -> bool:
        """Whether anybody has redirected it yet."""
        return len(self._tried) > 1 or bool(self._waiting)

    def redirected(self, response: Response) -> None:
        """Add the Contacts of a 3xx, by q, the first among equals first; none twice."""
        known = self._tried | {asked.uri for _, asked in self._waiting}
        for text in response.headers.values("Contact"):
            try:
                contact, asked = values.address(text), request_of(values.uri_text(text), "Contact")
            except ValueError:
                continue
            if asked.method != "INVITE":
                self.remark = f"its Contact {asked.uri} asks for {asked.method}: this phone only calls"
            elif asked.uri not in known:
                known.add(asked.uri)
                self._waiting.append((_q_value(contact.parameters.get("q")), asked))
        self._waiting = sorted(self._waiting, key=lambda each: -each[0])[:MAX_WAITING]

    def next(self) -> str | None:
        """The URI to try next; None when there is none, or enough were tried."""
        if not self._waiting or len(self._tried) >= MAX_TRIED:
            return None
        _, asked = self._waiting.pop(0)
        self._tried.add(asked.uri)
        self.headers = asked.taken
        if asked.passed_over:
            self.remark = f"its Contact {asked.uri} asks for {asked.passed_over}: not taken"
        return asked.uri


def _q_value(text: str | None) -> float:
    """0 to 1 (RFC 3261 section 20.10); 1 where it is not said, 0 where it cannot be read."""
    if not text:
        return 1.0
    return float(text) if _Q_VALUE.fullmatch(text) else 0.0
