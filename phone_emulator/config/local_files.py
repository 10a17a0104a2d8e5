"""Files of this machine: who sits at it may name them, what came over the network may not.

Every name of a file passes here: what a boot file includes, where a redirect or PnP leads to, where local
settings are, which certificates a cfg file wants.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

NETWORK = "network://"
"""The source of what a server says in no file."""

_NETWORK = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://", re.IGNORECASE).match
_FILE = re.compile(r"file:", re.IGNORECASE).match
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|file:", re.IGNORECASE).match
_PATHS = ("/", "./", "../")


class LocalFileRefused(ValueError):
    """Somebody on the network named a file of this machine; the text says so, for people."""


def from_network(source: str) -> bool:
    """Whether *source*, a file as it is called in messages, came from a server: its name is a URL then."""
    return _NETWORK(source) is not None


def named_file(text: str, source: str) -> Path | None:
    """The file of this machine that *text* names, by its path or as ``file:``; None for one on a server.

    Args:
        text: a URL, or a path.
        source: who said it: a file, an option, or the URL of what came from a server.

    Raises LocalFileRefused where it names one and *source* is on the network. Whether there is such a file
    is not looked at then.
    """
    url = _FILE(text) is not None
    if from_network(source):
        if url or text.startswith(_PATHS):
            raise LocalFileRefused("is on this machine, which what a server says may not name")
        return None
    if url:
        return Path(text[len("file:") :].removeprefix("//"))
    here = text.startswith(_PATHS) or os.path.isfile(text)  # which no odd name makes raise
    return Path(text) if here else None


def as_url(text: str) -> str:
    """*text*, which is no path, as a URL: one without a scheme is TFTP."""
    return text if _URL(text) is not None else f"tftp://{text}"
