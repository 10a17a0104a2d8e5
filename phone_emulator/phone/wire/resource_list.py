"""Lists of resources in one NOTIFY (RFC 4662): an RLMI document, and the states that it points to."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.sip.body import LAST, Part, media_type, part_in, split
from phone_emulator.sip.message import MessageError

from . import xml_body
from .xml_body import XmlError

CONTENT_TYPE = "multipart/related"
RLMI = "application/rlmi+xml"
MAX_PARTS = 500


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
    parts = _parts(body, content_type)
    root = next((part for part in parts if media_type(part.content_type) == RLMI), None)
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


def _parts(body: bytes, content_type: str) -> list[Part]:
    """The parts of a multipart *body*; raises XmlError for what is none."""
    try:
        pieces = split(body, content_type)
    except MessageError as error:
        raise XmlError(str(error)) from None
    if len(pieces) > MAX_PARTS:
        raise XmlError(f"{len(pieces)} parts are more than {MAX_PARTS}")
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(LAST):
            return parts
        part = part_in(piece)
        parts += [] if part is None else [part]
    raise XmlError("the last boundary is missing")
