"""Dialogs (RFC 3261 section 12): pure state, from which in-dialog requests are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import sipmessage

from . import values
from .message import MessageError, Request, Response
from .uri_request import request_uri


@dataclass(slots=True, kw_only=True)
class Dialog:
    """One end's view of a dialog, early or confirmed."""

    call_id: str
    local_tag: str
    remote_tag: str
    """Empty for the null tag of a peer of RFC 2543 (section 12.1.2)."""
    local_address: str
    """The value of this end's From, tag included."""
    remote_address: str
    """The value of this end's To, tag included."""
    remote_target: str
    """The peer's Contact URI (section 12.2.1.1)."""
    route_set: list[str] = field(default_factory=list)
    """Values of Route, first hop first."""
    local_cseq: int = 0
    invite_cseq: int = 0
    """Of this end's last INVITE: the one that an ACK is for, whatever was sent since."""
    target_cseq: int = 0
    """The least number of a request of this end whose 2xx still tells something new of the remote target."""
    remote_cseq: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What in-dialog messages are matched by: Call-ID, local tag, remote tag."""
        return self.call_id, self.local_tag, self.remote_tag

    def start_request(self, method: str) -> Request:
        """A request within the dialog, with the headers that the dialog decides (section 12.2.1.1)."""
        if method != "ACK":
            self.local_cseq += 1
        if method == "INVITE":
            self.invite_cseq = self.local_cseq
        number = self.invite_cseq if method == "ACK" else self.local_cseq
        uri, routes = self._request_uri_and_routes()
        request = Request(method, uri)
        for route in routes:
            request.headers.add("Route", route)
        request.headers.add("From", self.local_address)
        request.headers.add("To", self.remote_address)
        request.headers.add("Call-ID", self.call_id)
        request.headers.add("CSeq", f"{number} {method}")
        return request

    @property
    def route_uris(self) -> list[str]:
        """The URIs of the route set, first hop first."""
        return [_uri_of(route) for route in self.route_set]

    def next_hop(self) -> str:
        """The URI that in-dialog requests are sent to: the first route, else the remote target."""
        return _uri_of(self.route_set[0]) if self.route_set else self.remote_target

    def refresh_target(self, message: Request | Response) -> bool:
        """Take over the peer's Contact, if any, from a target refresh (section 12.2.2); raises MessageError.

        The 2xx to a request that was sent before the target moved last tells nothing new, however late it
        comes: a peer that moves says so in a request of its own wherever it can (RFC 6141 section 4).

        Returns:
            Whether the Contact was taken over.
        """
        contacts = message.contacts
        number = self.local_cseq + 1 if isinstance(message, Request) else message.cseq.number
        if not contacts or number < self.target_cseq:
            return False
        self.remote_target, self.target_cseq = request_uri(str(contacts[0].uri)), number
        return True

    def rename_remote(self, request: Request) -> None:
        """Take over the peer's From as the remote URI: it is someone else now (RFC 4916 section 4.4).

        The caller sees to it that *request* is of this dialog, and that its From is believed.
        """
        self.remote_address = request.headers.get("From") or self.remote_address

    def accept_cseq(self, request: Request) -> bool:
        """Whether *request* is in order; remembers its CSeq (section 12.2.2)."""
        number = request.cseq.number
        if self.remote_cseq is not None and number < self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def _request_uri_and_routes(self) -> tuple[str, list[str]]:
        if self.route_set and not _loose(self.route_set[0]):
            # A strict router first: it expects itself in the Request-URI (section 12.2.1.1).
            return _uri_of(self.route_set[0]), [*self.route_set[1:], f"<{self.remote_target}>"]
        return self.remote_target, self.route_set


def dialog_of_response(request: Request, response: Response) -> Dialog:
    """The dialog that *response* to this end's *request* makes (section 12.1.2); raises MessageError.

    A response without a To tag makes one whose remote tag is null. The remote URI is that of the request,
    whatever the response has made of it.
    """
    return _dialog_with(
        request,
        response.to_tag or "",
        _contact(response, fallback=request.uri),
        _routes(reversed(response.headers.values("Record-Route"))),
    )


def dialog_to_end(request: Request, response: Response) -> Dialog:
    """What is needed to end the dialog of a 2xx that `dialog_of_response` cannot use (section 13.2.2.4).

    Its ACK and its BYE are to go the way of the *request*: where they should go is not to be read.
    """
    return _dialog_with(request, response.to_tag or "", request.uri, request.headers.values("Route"))


def dialog_of_request(request: Request, local_tag: str) -> Dialog:
    """The dialog that *request* makes, answered with *local_tag* (section 12.1.1); raises MessageError."""
    return Dialog(
        call_id=request.call_id,
        local_tag=local_tag,
        remote_tag=request.from_tag or "",
        local_address=f"{request.headers.get('To') or ''};tag={local_tag}",
        remote_address=request.headers.get("From") or "",
        remote_target=_contact(request, fallback=str(request.from_address.uri)),
        route_set=_routes(request.headers.values("Record-Route")),
        remote_cseq=request.cseq.number,
    )


def dialog_of_notify(subscribe: Request, notify: Request) -> Dialog:
    """The dialog that the first NOTIFY to this end's *subscribe* makes (RFC 6665 section 4.4.1).

    Raises MessageError.
    """
    return _dialog_with(
        subscribe,
        notify.from_tag or "",
        _contact(notify, fallback=str(notify.from_address.uri)),
        _routes(notify.headers.values("Record-Route")),
    )


def _dialog_with(request: Request, remote_tag: str, remote_target: str, route_set: list[str]) -> Dialog:
    """The dialog of this end's *request* with the peer of that tag; a null tag is written nowhere."""
    to = request.headers.get("To") or ""
    return Dialog(
        call_id=request.call_id,
        local_tag=request.from_tag or "",
        remote_tag=remote_tag,
        local_address=request.headers.get("From") or "",
        remote_address=f"{to};tag={remote_tag}" if remote_tag else to,
        remote_target=remote_target,
        route_set=route_set,
        local_cseq=request.cseq.number,
        invite_cseq=request.cseq.number if request.method == "INVITE" else 0,
    )


def _contact(message: Request | Response, fallback: str) -> str:
    contacts = message.contacts
    return request_uri(str(contacts[0].uri)) if contacts else fallback


def _routes(recorded: Iterable[str]) -> list[str]:
    """The route set, once each of its values is known to be readable; raises MessageError."""
    routes = list(recorded)
    for route in routes:
        _address_of(route)
    return routes


def _loose(route: str) -> bool:
    return any(name.lower() == "lr" for name in _address_of(route).uri.parameters)


def _uri_of(value: str) -> str:
    return str(_address_of(value).uri)


def _address_of(value: str) -> sipmessage.Address:
    try:
        return values.address(value)
    except ValueError as error:
        raise MessageError(f"Record-Route: {error}") from None
