"""What subscribers and notifiers have in common (RFC 6665): event packages, and what their headers say."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.config.model import AccountConfig
from phone_emulator.sip.headers import before_parameters, delta_seconds, mended, parameter
from phone_emulator.sip.message import MessageError, Request

LONGEST_PAUSE = 86400.0
"""Seconds; a server that says to come back later than in a day is asked again after a day."""
LEAST_PAUSE = 10
"""Seconds until a failed subscription is made anew, at least, where the server says nothing."""

NEVER = frozenset({"rejected", "noresource", "invariant"})
"""Reasons for which a subscription that ended is not made anew (RFC 6665 section 4.1.3)."""
AT_ONCE = frozenset({"deactivated", "timeout"})
"""Reasons for which it is made anew at once; for every other one it may wait."""
GONE = frozenset({404, 405, 408, 410, 416, *range(480, 486), 489, 501, 503, 604})
"""Answers after which a subscription is over (RFC 5057 section 5.1; 503: the next server is wanted)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What is subscribed to."""

    event: str
    """The event package."""
    content_types: tuple[str, ...]
    """What the bodies of its NOTIFYs may be."""
    expires: int
    """Seconds asked for; 0 asks once and subscribes to nothing."""
    number: str = ""
    """Whose state it is; empty for the line's own."""
    supported: str = ""
    """Option tags that its SUBSCRIBEs name."""

    @property
    def accept(self) -> str:
        """The value of Accept."""
        return ", ".join(self.content_types)


@dataclass(frozen=True, slots=True)
class Over:
    """A subscription has ended."""

    reason: str
    """One sentence for people."""
    again: float | None
    """Seconds until it is made anew; None for never."""


def ended(value: str, account: AccountConfig) -> Over:
    """What to do when *value*, a Subscription-State, ends a subscription of *account* (section 4.1.3)."""
    reason = (parameter(value, "reason") or "").lower()
    said = f"the server ended it: {reason}" if reason else "the server ended it"
    if reason in NEVER:
        return Over(said, None)
    if reason in AT_ONCE:
        return Over(said, 0.0)
    return Over(said, pause(parameter(value, "retry-after"), account))


def pause(retry_after: str | None, account: AccountConfig) -> float:
    """Seconds until a subscription that may wait is made anew: what the server says, else the cfg."""
    said = delta_seconds(retry_after)
    if said is None:
        said = max(account.sub_fail_retry_interval, LEAST_PAUSE)
    return float(min(said, LONGEST_PAUSE))


def event_of(request: Request) -> str:
    """The event package that *request* names, in lower case; empty for none."""
    return before_parameters(request.headers.get("Event") or "").lower()


def event_parameters(request: Request) -> str:
    """What follows the name of the event, each parameter with the semicolon before it."""
    _, semicolon, parameters = (request.headers.get("Event") or "").partition(";")
    return semicolon + parameters


def event_id(request: Request) -> str:
    """Which of several subscriptions to its event *request* is about; empty for the one without an id.

    They are compared byte for byte (RFC 6665 section 8.2.1).
    """
    return parameter(event_parameters(request), "id") or ""


def expires_of(request: Request, default: int) -> int:
    """Seconds that a SUBSCRIBE asks for, *default* where it does not say; raises MessageError."""
    text = request.headers.get("Expires")
    asked = default if text is None else delta_seconds(text)
    if asked is None:
        raise MessageError(f"Expires: expected a number, got {mended(text or '')[:20]!r}")
    return asked


def state_of(notify: Request) -> str:
    """What the Subscription-State of *notify* says; without one, which RFC 3265 forbade, it is active."""
    return before_parameters(notify.headers.get("Subscription-State") or "active").lower()
