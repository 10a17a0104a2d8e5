"""What a server does to Contact, To and the tags on their way, and how it undoes that on the way back."""

from __future__ import annotations

from typing import NamedTuple

from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.lab.flow import Flow
from phone_emulator.lab.site import Site
from phone_emulator.lab.vocabulary import TARGETING
from phone_emulator.sip import values
from phone_emulator.sip.headers import after_address, split
from phone_emulator.sip.message import Message, Request, Response

HIDES = "hides-"
"""Begins the user part of a Contact that stands for another; the rest is that one, in hexadecimal."""
MAX_HIDDEN = 1000
"""Characters of a Contact that is hidden; a longer one stays."""
MAX_DIALOGS = 1000
"""Dialogs whose tags are kept; one more displaces the oldest."""
REWRITTEN = "rewritten"
"""The user that ``rewrite-to`` puts into To."""
BEFORE_A_DIALOG = frozenset(
    {"REGISTER", "INVITE", "CANCEL", "OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "PUBLISH"}
)
"""Requests that come without a tag in To; the answers to others have one to lose in a dialog only."""
MAKES_A_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER"})


class _Known(NamedTuple):
    """What was taken away from a caller."""

    tag: str
    """Of the called one."""
    cseq: int
    """Of the caller's request that it answered."""
    dialog: bool
    """Whether a dialog came of it."""


class Disguise:
    """The rewriting of one server.

    A Contact that it replaces tells where it leads, so that nothing has to be remembered. A tag that it takes
    away is remembered, by Call-ID and the caller's tag, and put back: the called one knows its dialog by it.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._tags: dict[tuple[str, str], _Known] = {}

    def taken_off(self, message: Message) -> Message:
        """*message*, which came in, as it would have come without any of this."""
        if isinstance(message, Request):
            hidden = self._hidden(message.uri)
            if hidden is not None:
                message = Request(message.method, hidden, message.headers.copy(), message.body)
            known = self._tags.get((message.call_id, message.from_tag or ""))
            if known is not None and message.to_tag is None and _continues(message, known):
                message.headers.set("To", f"{message.headers.get('To')};tag={known.tag}")
        elif message.from_tag is None and message.to_tag is not None:
            known = self._tags.get((message.call_id, message.to_tag))
            if known is not None:
                message.headers.set("From", f"{message.headers.get('From')};tag={known.tag}")
        return message

    def put_on(self, message: Message, own: Behaviour, flow: Flow) -> Message:
        """*message*, which goes to *flow*, as *own* says for its method."""
        if isinstance(message, Response):
            self._lose_to_tag(message, own)
            if own.rewrite_to:
                to = message.headers.get("To") or ""
                host = self._site.contact(flow.transport, user=REWRITTEN)
                message.headers.set("To", f"{host}{after_address(to)}")
        elif isinstance(message, Request):
            self._lose_from_tag(message)
        if own.rewrite_contact and message.cseq.method in TARGETING:
            self._replace_contact(message, flow)
        return message

    # -- tags ----------------------------------------------------------------------------------------------

    def _lose_to_tag(self, response: Response, own: Behaviour) -> None:
        tag, caller = response.to_tag, response.from_tag or ""
        if tag is None:
            return
        known = self._tags.get((response.call_id, caller))
        back = self._tags.get((response.call_id, tag))
        if back is not None and back.tag == caller:
            return  # an answer to the called one: the caller's own tag stays
        ours = known is not None and known.dialog and known.tag == tag
        method = response.cseq.method
        if not ours and not (own.no_to_tag and method in BEFORE_A_DIALOG):
            return
        if method in MAKES_A_DIALOG and response.status > 100:
            self._tags.pop((response.call_id, caller), None)
            while len(self._tags) >= MAX_DIALOGS:
                del self._tags[next(iter(self._tags))]
            dialog = ours or response.status < 300
            self._tags[response.call_id, caller] = _Known(tag, response.cseq.number, dialog)
        response.headers.set("To", _untagged(response.headers.get("To") or ""))

    def _lose_from_tag(self, request: Request) -> None:
        known = self._tags.get((request.call_id, request.to_tag or ""))
        if known is not None and known.dialog and known.tag == request.from_tag:
            request.headers.set("From", _untagged(request.headers.get("From") or ""))

    # -- Contact -------------------------------------------------------------------------------------------

    def _replace_contact(self, message: Message, flow: Flow) -> None:
        if isinstance(message, Response) and message.status >= 300:
            return  # there it says where else to try
        written = message.headers.values("Contact")
        if not written:
            return
        bindings = message.cseq.method == "REGISTER"
        replaced = [self._replacement(value, flow, bindings) for value in written]
        message.headers.remove("Contact")
        for value in replaced:
            message.headers.add("Contact", value)

    def _replacement(self, value: str, flow: Flow, binding: bool) -> str:
        try:
            text = values.uri_text(value)
            uri = values.uri(text)
        except ValueError:
            return value
        if len(text) > MAX_HIDDEN or (not binding and self._site.owns(uri)):
            return value
        user = (uri.user or "") if binding else HIDES + text.encode("utf-8", "surrogateescape").hex()
        return f"{self._site.contact(flow.transport, user=user)}{after_address(value)}"

    def _hidden(self, text: str) -> str | None:
        """What the Request-URI *text* stands for; None where it is one as others are."""
        if HIDES not in text:
            return None
        try:
            uri = values.uri(text)
            if not self._site.owns(uri) or not (uri.user or "").startswith(HIDES):
                return None
            found = bytes.fromhex((uri.user or "").removeprefix(HIDES)).decode("utf-8", "surrogateescape")
            values.uri(found)
        except ValueError:
            return None
        return found


def _continues(request: Request, known: _Known) -> bool:
    """Whether *request*, which has no tag in To, belongs to what is *known*."""
    number, method = request.cseq
    if method == "ACK":
        return number == known.cseq or known.dialog
    return known.dialog and number > known.cseq and method != "CANCEL"


def _untagged(value: str) -> str:
    """A From or To value without its tag."""
    parameters = after_address(value)
    if not parameters:
        return value
    kept = [part for part in split(parameters, ";")[1:] if part.partition("=")[0].strip().lower() != "tag"]
    return value.removesuffix(parameters) + "".join(f";{part}" for part in kept)
