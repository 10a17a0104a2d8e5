"""The numbers in ``tel:`` URIs (RFC 3966)."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[-.()]")
"""What a number may hold to be read by people (section 5.1.1)."""


def number_in(text: str) -> str:
    """The number in a ``tel:`` URI, without its separators and parameters; other text as it is."""
    scheme, _, rest = text.partition(":")
    return _SEPARATORS.sub("", rest.partition(";")[0]) if scheme.lower() == "tel" else text
