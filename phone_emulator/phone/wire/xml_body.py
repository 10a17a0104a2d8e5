"""XML bodies of NOTIFYs, read with limits: no document type, so no entities; bounded in size and depth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 65_535
MAX_DEPTH = 20
MAX_ELEMENTS = 2_000
ENCODINGS = frozenset({"utf-8", "utf-16", "us-ascii", "iso-8859-1"})
"""Those that the parser knows by itself; it would ask Python for others, which remembers every name."""
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""


class XmlError(ValueError):
    """The bytes are no XML that the phone reads; the text says why, in one line."""


@dataclass(slots=True)
class Element:
    """One element of the document's own namespace, whatever that is."""

    name: str
    attributes: dict[str, str]
    """Those without a prefix."""
    children: list[Element] = field(default_factory=list)
    text: str = ""
    """What stands in it beside its children, without blanks around."""

    def all(self, name: str) -> Iterator[Element]:
        """Its children of that name."""
        return (child for child in self.children if child.name == name)

    def first(self, *path: str) -> Element | None:
        """The first element along *path*, a name for each level; None where there is none."""
        found: Element | None = self
        for name in path:
            found = None if found is None else next(found.all(name), None)
        return found

    def text_of(self, *path: str) -> str:
        """The text of the first element along *path*; empty where there is none."""
        found = self.first(*path)
        return "" if found is None else found.text


def read(body: bytes, root: str) -> Element:
    """The document in *body*, whose outermost element is called *root*; raises XmlError."""
    if len(body) > MAX_BYTES:
        raise XmlError(f"{len(body)} bytes are more than such a document may have ({MAX_BYTES})")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.XmlDeclHandler = builder.declared
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(body, True)
    except XmlError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise XmlError(f"no well-formed XML: {error}") from None
    document = builder.document
    if document is None or document.name != root:
        raise XmlError(f"expected a document <{root}>")
    return document


def fit(text: str) -> str:
    """*text* without the characters that no XML document may hold."""
    return _UNFIT.sub("", text)


class _Builder:
    def __init__(self) -> None:
        self.document: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self._namespace = ""
        """That of the outermost element."""

    def declared(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ENCODINGS:
            raise XmlError(f"the encoding {encoding[:20]} is not read here")

    def doctype(self, *declaration: object) -> None:
        raise XmlError("a document type is not allowed here")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            limits = f"more than {MAX_ELEMENTS} elements, or more than {MAX_DEPTH} in one another"
            raise XmlError(limits)
        namespace, _, local = name.rpartition(" ")
        element = Element(local, {key: value for key, value in attributes.items() if " " not in key})
        if not self._open:
            self.document, self._namespace = element, namespace
        elif namespace == self._namespace:  # extensions mean nothing here, and may use the same names
            self._open[-1].children.append(element)
        self._open.append(element)

    def end(self, name: str) -> None:
        element = self._open.pop()
        element.text = element.text.strip()

    def characters(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text
