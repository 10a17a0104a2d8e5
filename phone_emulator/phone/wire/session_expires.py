"""Session-Expires and Min-SE (RFC 4028): what one request and its 2xx agree on."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.config.model import AccountConfig
from phone_emulator.sip.headers import delta_seconds, parameter
from phone_emulator.sip.message import Message, Request, Response

from . import option_tags
from .option_tags import TIMER

MIN_INTERVAL = 90
"""Seconds below which no interval may be (section 4)."""
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What both ends have agreed on."""

    interval: int
    """Seconds, from one refresh to the end of the session."""
    ours: bool
    """Whether this end refreshes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A Session-Expires header."""

    interval: int
    refresher: str
    """``uac``, ``uas``, or empty where it is left open."""


def wish_of(message: Message) -> Wish | None:
    """The Session-Expires of *message*; None where it has none, or none that can be read."""
    value = message.headers.get("Session-Expires") or ""
    interval = delta_seconds(value)
    if interval is None:
        return None
    refresher = (parameter(value, "refresher") or "").lower()
    return Wish(interval, refresher if refresher in ("uac", "uas") else "")


def least_of(message: Message) -> int:
    """The Min-SE of *message*, 90 where it has none (section 5)."""
    return max(delta_seconds(message.headers.get("Min-SE")) or 0, MIN_INTERVAL)


def asked(account: AccountConfig, terms: Terms | None = None, least: int = MIN_INTERVAL) -> Headers:
    """What a session refresh request of this end carries (section 7.1), Supported aside.

    Args:
        account: ``account.X.session_timer.*``.
        terms: those in force; None in the first INVITE.
        least: the highest Min-SE that a 422 in this call has named, in seconds.
    """
    if not account.session_timer:
        return []
    wanted = Terms(account.session_expires, account.session_refresher == 0) if terms is None else terms
    refresher = "uac" if wanted.ours else "uas"
    headers = [("Session-Expires", f"{max(wanted.interval, least)};refresher={refresher}")]
    if least > MIN_INTERVAL:
        headers.append(("Min-SE", str(least)))
    return headers


def ask_longer(request: Request, response: Response) -> bool:
    """Raise the interval of *request* to what a 422 asks for (section 7.3); False where it does not help."""
    wish, least = wish_of(request), least_of(response)
    if wish is None or least <= max(wish.interval, least_of(request) if "Min-SE" in request.headers else 0):
        return False
    refresher = f";refresher={wish.refresher}" if wish.refresher else ""
    request.headers.set("Session-Expires", f"{least}{refresher}")
    if "Min-SE" in request.headers:
        request.headers.set("Min-SE", str(least))
    else:
        request.headers.insert_after("Session-Expires", "Min-SE", str(least))
    return True


def agreed(account: AccountConfig, response: Response) -> Terms | None:
    """What the 2xx to this end's session refresh request agrees on (section 7.2); None for no timer."""
    wish = wish_of(response) if account.session_timer else None
    return None if wish is None else Terms(max(wish.interval, MIN_INTERVAL), wish.refresher != "uas")


def too_brief(account: AccountConfig, request: Request) -> bool:
    """Whether *request* of the far end draws a 422 (section 9): it must understand one."""
    wish = wish_of(request) if account.session_timer else None
    return wish is not None and wish.interval < MIN_INTERVAL and option_tags.understood(request, TIMER)


def granted(
    account: AccountConfig, request: Request, terms: Terms | None = None
) -> tuple[Terms | None, Headers]:
    """What this end agrees to in its 2xx to *request*, and the headers that say so (section 9, table 2).

    *terms*: those in force, where the call is up: whoever refreshes goes on, unless *request* says otherwise.
    An interval that is too brief for 90 s or Min-SE is raised: who would understand a 422 has got one
    (`too_brief`), for the others section 9 says so as erratum 1687 corrects it.
    """
    if not account.session_timer:
        return None, []
    wish, least = wish_of(request), least_of(request)
    interval = max(account.session_expires, least)
    if wish is not None:
        interval = max(min(interval, wish.interval), least)
    understands = option_tags.understood(request, TIMER)
    if not understands:
        ours = True
    elif wish is not None and wish.refresher:
        ours = wish.refresher == "uas"
    else:
        ours = account.session_refresher == 1 if terms is None else terms.ours
    headers = [("Session-Expires", f"{interval};refresher={'uas' if ours else 'uac'}")]
    if understands:
        headers.append(("Require", TIMER))
    return Terms(interval, ours), headers
