"""Warning: why a request is refused, for the people at the other end (RFC 3261 section 20.43)."""

from __future__ import annotations

MISCELLANEOUS = 399


def warning(text: str, agent: str, code: int = MISCELLANEOUS) -> tuple[str, str]:
    """The header that says *text*.

    Args:
        text: for people; what cannot stand in a quoted string becomes a question mark.
        agent: who warns, a host or an IP address.
        code: 300 to 399.
    """
    plain = (each.isprintable() and each.isascii() and each not in '"\\' for each in text)
    said = "".join(each if may else "?" for each, may in zip(text, plain, strict=True))
    return "Warning", f'{code} {f"[{agent}]" if ":" in agent else agent} "{said}"'
