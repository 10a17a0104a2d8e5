"""Lists of resources in one NOTIFY (RFC 4662): an RLMI document, and the states that it points to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from phone_emulator.sip.headers import parameter

from . import xml_body
from .xml_body import XmlError

CONTENT_TYPE = "multipart/related"
RLMI = "application/rlmi+xml"
MAX_PARTS = 500
MAX_LINES = 50
"""Header lines of one part."""
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}").fullmatch


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body (RFC 2046 section 5.1)."""

    headers: Mapping[str, str]
    """By name, in lower case."""
    body: bytes

    @property
    def content_type(self) -> str:
        """Its type, without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a list."""

    uri: str
    bodies: tuple[bytes, ...]
    """The states that this NOTIFY tells."""
    gone: bool
    """Whether nothing is known of it any more: every instance of it has ended."""


@dataclass(frozen=True, slots=True)
class ResourceList:
    """What a NOTIFY tells of a list."""

    full: bool
    """Whether it names every resource."""
    resources: tuple[Resource, ...]


def read(body: bytes, content_type: str) -> ResourceList:
    """The list in *body*, whose Content-Type is *content_type*; raises XmlError."""
    parts = read_parts(body, content_type)
    root = next((part for part in parts if part.content_type == RLMI), None)
    if root is None:
        raise XmlError(f"expected a part of {RLMI}")
    by_id = {part.headers.get("content-id", "").strip("<> "): part for part in parts}
    document = xml_body.read(root.body, "list")
    resources = []
    for element in document.all("resource"):
        instances = list(element.all("instance"))
        # Each part is one instance's: a list cannot have the same one read over and over.
        found = [by_id.pop(instance.attributes.get("cid", ""), None) for instance in instances]
        bodies = tuple(part.body for part in found if part is not None)
        gone = bool(instances) and all(each.attributes.get("state") == "terminated" for each in instances)
        resources.append(Resource(element.attributes.get("uri", ""), bodies, gone))
    return ResourceList(document.attributes.get("fullState", "").lower() in ("true", "1"), tuple(resources))


def read_parts(body: bytes, content_type: str) -> list[Part]:
    """The parts of a multipart *body*; raises XmlError for what is none."""
    boundary = (parameter(content_type, "boundary") or "").strip('"')
    if not _BOUNDARY(boundary):
        raise XmlError("expected a boundary of the parts in Content-Type")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(pieces) > MAX_PARTS:
        raise XmlError(f"{len(pieces)} parts are more than {MAX_PARTS}")
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        head, _, rest = piece.partition(b"\r\n")[2].partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")[:MAX_LINES]
        fields = (line.partition(":") for line in lines)
        parts.append(Part({name.strip().lower(): value.strip() for name, _, value in fields}, rest))
    raise XmlError("the last boundary is missing")
