"""The words of a what-if: spans of time, servers and attempts in short sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from phone_emulator.events import Attempt, Outcome, Target

_ROLES = {"primary": "the primary", "secondary": "the secondary", "fallback": "the fallback server"}
AT_ONCE = 0.05
"""Seconds below which nothing has been waited for."""
NOTICEABLE = 1.0
"""Seconds that a call may take to be answered before its caller wonders."""
_NO_ANSWER = re.compile(r"no answer after [0-9.]+ s \((?P<servers>[^()]*)\)")
_GIVEN_UP = re.compile(r"(, given up at | = )(?P<seconds>[0-9]+(?:\.[0-9]+)?) s$")


def span(seconds: float) -> str:
    """``32.0 s``, ``9 min``, ``1 h 5 min``; seconds beside minutes are whole ones."""
    if seconds < 119.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def clock(seconds: float) -> str:
    """``10:00.0``, ``1:00:00.0``."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def role(name: str) -> str:
    """``the primary``, ``target-3``; of another line, ``the primary`` of it."""
    return _ROLES.get(name, name)


def place(target: Target) -> str:
    """``the primary 192.168.1.13``; with its port where that is not the usual one."""
    if not target.address:
        return f"{role(target.role)} {target.host}"
    usual = target.port == target.transport.default_port
    return f"{role(target.role)} {target.address if usual else target.remote}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(text: str) -> str:
    """*text* with a capital first and a full stop last."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?", "!")) else ".")


def because(attempt: Attempt) -> str:
    """Why *attempt* ended as it did, without what the sentence around it says anyway."""
    detail = attempt.detail.removeprefix("answered ")
    detail = detail.removesuffix(": the server is not available").removeprefix(f"{attempt.target.host}: ")
    detail = _NO_ANSWER.sub(r"no answer from \g<servers>", detail)
    match = _GIVEN_UP.search(detail)
    if match and abs(float(match["seconds"]) - took(attempt)) < 0.05:
        detail = detail[: match.start()]
    return flat(detail)


def flat(text: str) -> str:
    """*text* for use in parentheses: its own become commas."""
    return text.replace(" (", ", ").replace("(", "").replace(")", "")


def after(seconds: float) -> str:
    """``at once``, ``after 32.0 s``."""
    return "at once" if seconds < AT_ONCE else f"after {span(seconds)}"


def took(attempt: Attempt) -> float:
    """Seconds from its start to its end."""
    return (attempt.ended if attempt.ended is not None else attempt.started) - attempt.started


def doing(attempt: Attempt) -> str:
    """What a request does in *attempt*: ``waits 32.0 s for the primary 192.168.1.13 (no response …)``."""
    where, why, waited = place(attempt.target), because(attempt), took(attempt)
    match attempt.outcome:
        case Outcome.ANSWERED:
            return f"is {'accepted' if attempt.method == 'REGISTER' else 'answered'} by {where}"
        case Outcome.REJECTED:
            return f"is refused by {where} ({why})"
        case Outcome.UNAVAILABLE:
            return f"is turned away by {where} ({why})"
        case Outcome.SKIPPED:
            return f"passes over {where} ({why})"
        case Outcome.UNRESOLVED:
            late = f"waits {span(waited)} and " if waited >= AT_ONCE else ""
            return f"{late}finds no address for {attempt.target.host} ({why})"
        case Outcome.NO_RESPONSE | Outcome.CANCELLED:
            return f"waits {span(waited)} for {where} ({why})"
        case _:
            late = f"waits {span(waited)} and " if waited >= AT_ONCE else ""
            return f"{late}cannot reach {where} ({why})"


def steps(attempts: Iterable[Attempt]) -> str:
    """What a request does along its route: ``waits …, then is answered by …``."""
    return ", then ".join(doing(attempt) for attempt in attempts)


def in_short(attempts: Sequence[Attempt]) -> str:
    """The attempts that did not succeed: ``primary no-response, secondary 503``."""
    failed = [each for each in attempts if not _answered(each)]
    return ", ".join(
        f"{each.target.role} {each.status if each.outcome in _BY_STATUS else each.outcome}" for each in failed
    )


_BY_STATUS = (Outcome.UNAVAILABLE, Outcome.REJECTED)


def _answered(attempt: Attempt) -> bool:
    """Whether its own request was answered: not the REGISTER that goes first (R9)."""
    return attempt.outcome in (Outcome.ANSWERED, Outcome.REJECTED) and not attempt.unregistered
