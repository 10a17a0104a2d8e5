"""Voice mail that waits: what a message-summary says (RFC 3842), and what is subscribed to for it."""

from __future__ import annotations

import re

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.events import MessagesWaiting
from phone_emulator.numbers import MAX_UINT32, at_most
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.event_package import Topic
from phone_emulator.sip.headers import LWS

EVENT = "message-summary"
CONTENT_TYPE = "application/simple-message-summary"
LONGEST = 4096
"""Bytes of a summary that are looked at."""
_FOLD = re.compile(r"\r?\n[ \t]+")
_LINE_END = re.compile(r"\r?\n")
_COUNTS = re.compile(r"([0-9]+)[ \t]*/[ \t]*([0-9]+)[ \t]*(?:\([^()]*\))?")
"""New and old messages; of them the urgent ones, which are not told here."""


def mailbox_of(account: AccountConfig, config: PhoneConfig) -> Topic | None:
    """What *account* subscribes to (``account.X.subscribe_mwi``, ``.subscribe_mwi_to_vm``), if anything."""
    if not account.subscribe_mwi:
        return None
    return Topic(
        event=EVENT,
        content_types=(CONTENT_TYPE,),
        expires=account.subscribe_mwi_expires,
        number=config.voice_mail_number(account.index) if account.subscribe_mwi_to_vm else "",
    )


class Mailbox:
    """What is known of a line's voice mail.

    Args:
        seat: of the line.
    """

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.told: MessagesWaiting | None = None
        """What was told last; None before."""

    def take(self, body: bytes) -> None:
        """A NOTIFY told about voice mail, asked for or not."""
        summary = read_summary(body, self._seat.number, self._seat.now)
        if summary is not None:
            self.told = summary
            self._seat.tell(summary)


def read_summary(body: bytes, line: int, at: float) -> MessagesWaiting | None:
    """What a message-summary says (RFC 3842 section 5.2), or None where it says nothing.

    Its lines are those of headers: blanks around the colon, folds and the case of letters mean nothing. What
    follows an empty line is about single messages.
    """
    text = body[:LONGEST].decode("utf-8", "replace").lstrip("\r\n")
    said: dict[str, str] = {}
    for each in _LINE_END.split(_FOLD.sub(" ", text)):
        if not each:
            break
        name, _, value = each.partition(":")
        said.setdefault(name.strip(LWS).lower(), value.strip(LWS))
    waiting = said.get("messages-waiting", "").lower()
    if waiting not in ("yes", "no"):
        return None
    voice = _COUNTS.fullmatch(said.get("voice-message", ""))
    return MessagesWaiting(
        at=at,
        line=line,
        waiting=waiting == "yes",
        new=at_most(voice[1], MAX_UINT32) or 0 if voice else 0,
        old=at_most(voice[2], MAX_UINT32) or 0 if voice else 0,
    )
