"""The SIP extensions that a line speaks, by their option tags (RFC 3261 section 19.2)."""

from __future__ import annotations

from phone_emulator.config.model import AccountConfig
from phone_emulator.sip.message import Message

from .caller import renames

REPLACES = "replaces"
RELIABLE = "100rel"
TIMER = "timer"
FROM_CHANGE = "from-change"
EVENT_LIST = "eventlist"


def spoken(account: AccountConfig | None) -> tuple[str, ...]:
    """The option tags of the line of *account*, as Supported has them; None: of every line, whatever it is.

    ``replaces`` always; ``100rel`` with ``account.X.100rel_enable``; ``timer`` with
    ``account.X.session_timer.enable``; ``from-change`` with ``account.X.cp_source = 2`` (RFC 4916). What is
    switched off is not spoken: who requires it draws a 420.
    """
    tags = [REPLACES]
    if account is not None and account.reliable_provisional:
        tags.append(RELIABLE)
    if account is not None and account.session_timer:
        tags.append(TIMER)
    if account is not None and renames(account):
        tags.append(FROM_CHANGE)
    return tuple(tags)


def supported(account: AccountConfig | None) -> str:
    """The value of Supported in what the line of *account* sends."""
    return ", ".join(spoken(account))


def missing(request: Message, account: AccountConfig | None) -> list[str]:
    """What *request* requires and the line of *account* does not speak, for the Unsupported of a 420."""
    known = spoken(account)
    if account is not None and account.blf_list_uri and request.cseq.method == "NOTIFY":
        known += (EVENT_LIST,)  # RFC 4662 section 4.3: every NOTIFY of a list requires it
    return [tag for tag in request.headers.values("Require") if tag.lower() not in known]


def understood(request: Message, tag: str) -> bool:
    """Whether the sender of *request* speaks *tag* itself."""
    return named(request, "Supported", tag) or named(request, "Require", tag)


def named(message: Message, header: str, tag: str) -> bool:
    """Whether *header* of *message*, Supported or Require, holds *tag*."""
    return any(value.lower() == tag for value in message.headers.values(header))
