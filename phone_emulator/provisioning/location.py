"""Where a file is: the URLs that phones are given, with their defaults and variables.

A URL without a scheme is TFTP. What is not a single ``.cfg`` or ``.boot`` file is a folder, with or without a
slash at its end.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from phone_emulator.cleaning import brief
from phone_emulator.config.local_files import LocalFileRefused, named_file
from phone_emulator.config.model import Secret


class Scheme(StrEnum):
    """How a file is fetched."""

    TFTP = "tftp"
    FTP = "ftp"
    HTTP = "http"
    HTTPS = "https"
    FILE = "file"


PORTS = {Scheme.TFTP: 69, Scheme.FTP: 21, Scheme.HTTP: 80, Scheme.HTTPS: 443, Scheme.FILE: 0}
SINGLE_FILES = (".cfg", ".boot")
"""A URL that ends so names a file, every other a folder."""
MOST_CHARACTERS = 2048

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(file):(?!//)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(PN|MAC|MODEL|IP)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_QUERIED = (Scheme.HTTP, Scheme.HTTPS)
_SAFE = "/%:@!$&'()*+,;=~-._"


class LocationError(ValueError):
    """The text is no URL that a phone could fetch from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A file or a folder on a server, or on this machine."""

    scheme: Scheme
    host: str = ""
    """A domain name or an IP address, without brackets."""
    port: int = 0
    path: str
    """From the root, as a URL spells it; of `Scheme.FILE` as the machine spells it."""
    query: str = ""
    user: str = ""
    password: Secret = field(default_factory=Secret)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom the credentials are for."""
        return self.scheme, self.host.lower(), self.port

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them, the default port left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def plain_path(self) -> str:
        """The path with its escapes undone, for protocols that know none."""
        return self.path if self.scheme is Scheme.FILE else urllib.parse.unquote(self.path)

    @property
    def request_target(self) -> str:
        """Path and query as an HTTP request line has them (RFC 9112 section 3.2.1)."""
        path = urllib.parse.quote(self.path, safe=_SAFE)
        return f"{path}?{urllib.parse.quote(self.query, safe=_SAFE + '?')}" if self.query else path

    def __str__(self) -> str:
        """The URL, without credentials."""
        if self.scheme is Scheme.FILE:
            return f"file:{self.path}"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.authority}{self.path}{query}"

    @property
    def is_file(self) -> bool:
        """Whether it names one file, not a folder."""
        return self.path.lower().endswith(SINGLE_FILES)

    def file(self, name: str) -> Location:
        """The file *name* in this folder, or beside this file."""
        folder = self.path.rpartition("/")[0] if self.is_file else self.path.removesuffix("/")
        return replace(self, path=f"{folder}/{name}")


def parse_location(text: str, variables: Mapping[str, str] | None = None, *, source: str = "") -> Location:
    """The location that *text* names; raises LocationError.

    Args:
        text: a URL, or ``host/path`` for TFTP.
        variables: what stands for ``$PN``, ``$MAC``, …, by name in upper case.
        source: who says it, as `named_file` has it; empty for who sits at this machine.
    """
    text = _filled(text.strip(), variables or {})
    if not text:
        raise LocationError("is empty, expected a URL such as http://192.0.2.10/cfg")
    shown = brief(without_credentials(text))
    if len(text) > MOST_CHARACTERS or _CONTROL.search(text):
        raise LocationError(f"{shown} is no URL: too long, or with control characters")
    named = _SCHEME.match(text)
    if named is None:
        text = f"tftp://{text}"
        name = Scheme.TFTP.value
    else:
        name = (named[1] or named[2]).lower()
    if name not in {*Scheme}:
        raise LocationError(f"{shown}: expected tftp, ftp, http, https or file, not {brief(name)}")
    scheme = Scheme(name)
    if scheme is Scheme.FILE:
        return _of_this_machine(text, source)
    try:
        parts = urllib.parse.urlsplit(text, allow_fragments=False)
        port = parts.port
    except ValueError as error:
        raise LocationError(f"{shown} is no URL: {brief(str(error).lower())}") from None
    host = parts.hostname or ""
    if not host or port == 0 or re.search(r"[\s\\]", parts.netloc):
        raise LocationError(f"{shown} is no URL: expected {scheme}://HOST/FOLDER")
    queried = scheme in _QUERIED
    return Location(
        scheme=scheme,
        host=host,
        port=port or PORTS[scheme],
        path=(parts.path if queried or not parts.query else f"{parts.path}?{parts.query}") or "/",
        query=parts.query if queried else "",
        user=urllib.parse.unquote(parts.username or ""),
        password=Secret(urllib.parse.unquote(parts.password or "")),
    )


def _of_this_machine(text: str, source: str) -> Location:
    """The file that *text*, ``file:…``, names; raises LocationError where *source* may not name any."""
    try:
        path = named_file(text, source)
    except LocalFileRefused as error:
        raise LocationError(f"{brief(text)} {error}") from None
    return Location(scheme=Scheme.FILE, path=os.path.abspath(str(path).removeprefix("localhost")))


def resolve(
    base: Location, target: str, variables: Mapping[str, str] | None = None, *, source: str = ""
) -> Location:
    """*target* as a file at *base* means it: a URL, an absolute path, or relative to the folder of *base*.

    Raises LocationError; also where what came over the network names a file on this machine.

    Args:
        base: a file or a folder.
        target: what is named.
        variables: as of `parse_location`.
        source: who names it, where that is not the file at *base*.
    """
    source = source or str(base)
    target = _filled(target.strip(), variables or {})
    if _SCHEME.match(target):
        found = parse_location(target, source=source)
        if found.origin == base.origin and not found.user:
            found = replace(found, user=base.user, password=base.password)
        return found
    if not target or len(target) > MOST_CHARACTERS or _CONTROL.search(target):
        raise LocationError(f"{brief(target)!r} is no file name")
    path, _, query = target.partition("?") if base.scheme in _QUERIED else (target, "", "")
    if not path.startswith("/"):
        path = f"{base.file('').path}{path}"
    if base.scheme is Scheme.FILE:
        _of_this_machine(f"file:{path}", source)
    return replace(base, path=_without_dots(path), query=query)


def without_credentials(text: str) -> str:
    """*text* with nothing before the ``@`` of its authority, for messages."""
    return re.sub(r"^((?:[A-Za-z][A-Za-z0-9+.-]*://)?)[^/?#]*@", r"\1", text)


def _filled(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: variables.get(found[1].upper(), found[0]), text)


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4: no way leads above the root."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept[1:] = kept[1:-1]
        elif part != ".":
            kept.append(part)
    return "/".join(kept) or "/"
