"""Dialogs of a phone as documents (RFC 4235): read for BLF keys, written for who watches this phone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from phone_emulator.numbers import number

from . import xml_body
from .xml_body import Element, XmlError

EVENT = "dialog"
CONTENT_TYPE = "application/dialog-info+xml"
NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"
PHASES = ("trying", "proceeding", "early", "confirmed", "terminated")
MAX_DIALOGS = 100
"""Of one watched number that are kept."""
LARGEST_VERSION = 2**64 - 1
"""More than the 32 bits of RFC 4235 section 4.1: some count in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogState:
    """One dialog of the watched number."""

    id: str
    phase: str
    """One of PHASES."""
    incoming: bool | None = None
    """Whether the watched one was called; None where that is not told."""
    held: bool = False
    """Whether the watched one renders no media (``+sip.rendering=no``, RFC 4235 section 5.1)."""
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    local: str = ""
    """URI of the watched one."""
    remote: str = ""
    """URI of whom it talks with."""
    remote_name: str = ""
    """Display name of the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogInfo:
    """One document."""

    entity: str
    """URI of the watched one."""
    version: int
    full: bool
    """Whether it tells every dialog, or only those that changed."""
    dialogs: tuple[DialogState, ...] = ()


def read(body: bytes) -> DialogInfo:
    """The document in *body*; raises XmlError. Dialogs in no known state are passed over."""
    root = xml_body.read(body, "dialog-info")
    named = root.attributes.get("version", "").strip()
    version = number(named, LARGEST_VERSION)
    if version is None:
        raise XmlError(f"expected a number as version, got {named[:20]!r}")
    state = root.attributes.get("state", "").strip()
    if state not in ("full", "partial"):
        raise XmlError(f"expected full or partial as state, got {state[:20]!r}")
    dialogs = (_dialog(element) for element in root.all("dialog"))
    return DialogInfo(
        entity=root.attributes.get("entity", ""),
        version=version,
        full=state == "full",
        dialogs=tuple(each for each in dialogs if each.phase in PHASES),
    )


def _dialog(element: Element) -> DialogState:
    attributes = element.attributes
    target = element.first("local", "target")
    parameters = target.all("param") if target is not None else ()
    rendering = {
        parameter.attributes.get("pname", "").lower(): parameter.attributes.get("pval", "").lower()
        for parameter in parameters
    }.get("+sip.rendering")
    identity = element.first("remote", "identity")
    direction = attributes.get("direction")
    return DialogState(
        id=attributes.get("id", ""),
        phase=element.text_of("state").lower(),
        incoming=None if direction is None else direction.strip() == "recipient",
        held=rendering == "no",
        call_id=attributes.get("call-id", ""),
        local_tag=attributes.get("local-tag", ""),
        remote_tag=attributes.get("remote-tag", ""),
        local=element.text_of("local", "identity"),
        remote="" if identity is None else identity.text,
        remote_name="" if identity is None else identity.attributes.get("display", ""),
    )


def write(info: DialogInfo) -> bytes:
    """The document, as the phone writes it."""
    state = "full" if info.full else "partial"
    lines = [
        '<?xml version="1.0"?>',
        f'<dialog-info xmlns="{NAMESPACE}" version="{info.version}" state="{state}" '
        f"entity={_quoted(info.entity)}>",
    ]
    for dialog in info.dialogs:
        lines += _lines(dialog)
    return "".join(f"{line}\n" for line in (*lines, "</dialog-info>")).encode()


def _lines(dialog: DialogState) -> Iterable[str]:
    named = {
        "id": dialog.id,
        "call-id": dialog.call_id,
        "local-tag": dialog.local_tag,
        "remote-tag": dialog.remote_tag,
        "direction": {True: "recipient", False: "initiator", None: ""}[dialog.incoming],
    }
    attributes = "".join(f" {name}={_quoted(value)}" for name, value in named.items() if value)
    yield f"<dialog{attributes}>"
    yield f"<state>{dialog.phase}</state>"
    if dialog.local:
        rendering = "no" if dialog.held else "yes"
        yield f"<local><identity>{escape(xml_body.fit(dialog.local))}</identity>"
        yield (
            f'<target uri={_quoted(dialog.local)}><param pname="+sip.rendering" pval="{rendering}"/>'
            "</target></local>"
        )
    if dialog.remote:
        display = f" display={_quoted(dialog.remote_name)}" if dialog.remote_name else ""
        yield f"<remote><identity{display}>{escape(xml_body.fit(dialog.remote))}</identity></remote>"
    yield "</dialog>"


def _quoted(text: str) -> str:
    return quoteattr(xml_body.fit(text))


@dataclass(slots=True)
class Watched:
    """What is known of one watched number: its documents put together (RFC 4235 section 4.3)."""

    version: int | None = None
    dialogs: dict[str, DialogState] = field(default_factory=dict)
    """Those that are not over, by their id."""

    def take(self, info: DialogInfo) -> bool:
        """Add what *info* tells; False where something was missed, so that all of it is wanted again.

        A document of the full state counts whatever its version is: the order of NOTIFYs is that of their
        CSeq, and there are servers that begin to count anew.
        """
        if not info.full and self.version is not None:
            if info.version <= self.version:
                return True
            if info.version > self.version + 1:
                return False
        if info.full:
            self.dialogs.clear()
        self.version = info.version
        for dialog in info.dialogs:
            if dialog.phase == "terminated":
                self.dialogs.pop(dialog.id, None)
            elif dialog.id in self.dialogs or len(self.dialogs) < MAX_DIALOGS:
                self.dialogs[dialog.id] = dialog
        return True

    def forget(self) -> None:
        """Nothing is known any more."""
        self.version = None
        self.dialogs.clear()
