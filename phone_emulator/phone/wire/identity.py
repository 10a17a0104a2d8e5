"""How the phone looks on the wire: its requests and responses, header by header.

Whoever builds a message adds headers as they come; `WireStyle` puts them where the phone's firmware does.
Via is added by the endpoint, Content-Length by the message.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from phone_emulator.config.model import AccountConfig, PhoneConfig, ServerConfig
from phone_emulator.events import Address, Transport
from phone_emulator.sip.body import SDP
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.message import Request, Response, response_to
from phone_emulator.sip.tel import number_in
from phone_emulator.sip.uri_request import request_uri
from phone_emulator.sip.values import REMEMBERED
from phone_emulator.world.chance import Chance

from . import option_tags
from .wire_style import V8X, M, WireStyle, dressed, style_of

ALLOW = (
    "INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, "
    "NOTIFY, REGISTER, SUBSCRIBE, REFER, PUBLISH, UPDATE, MESSAGE"
)
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
ALLOW_EVENTS = "talk,hold,conference,refer,check-sync"
MAX_FORWARDS = "70"
INSTANCE_PREFIX = "00000000-0000-1000-8000-"
"""What stands before the MAC address in an instance id (RFC 5626 section 4.1): a version 1 UUID's shape."""
USER_SAFE = "-_.!~*'()&=+$,;?/"
"""What a user part may hold unescaped (RFC 3261 section 25.1, ``user``)."""


@dataclass(frozen=True, slots=True)
class Device:
    """The modelled phone."""

    model: str = "SIP-T46S"
    firmware: str = "66.86.0.15"
    mac: str = "001565aabbcc"

    @property
    def style(self) -> WireStyle:
        """How its firmware writes messages."""
        return style_of(self.firmware)

    def user_agent(self, config: PhoneConfig, account: AccountConfig | None = None) -> str:
        """The User-Agent header (``account.X.custom_ua``, ``sip.mac_in_ua``)."""
        if account is not None and account.custom_ua:
            return account.custom_ua
        mac = f" {self.mac}" if config.mac_in_ua else ""
        return f"Yealink {self.model} {self.firmware}{mac}"


@dataclass(frozen=True, slots=True)
class Identity:
    """A line as it names itself towards one of its SIP servers."""

    account: AccountConfig
    server: ServerConfig
    user_agent: str
    mac: str
    hash_as_23: bool
    """``sip.use_23_as_pound``"""
    style: WireStyle = V8X
    gruu: str = ""
    """The line's URI that leads to this phone alone, where the server has given one (RFC 5627)."""

    @property
    def host(self) -> str:
        """The line's domain as Request-URIs carry it.

        It is that of its user name (C7), else the server's address and port; a port of 0 is left to DNS.
        """
        if self.account.domain:
            return self.account.domain
        port = self.server.port
        written = port if self.style.port_in_uri or port != 5060 else 0
        return f"{self._address}:{written}" if written else self._address

    @property
    def domain(self) -> str:
        """The same as From and To carry it."""
        return self.account.domain or (self.host if self.style.port_in_uri else self._address)

    @property
    def address_of_record(self) -> str:
        """The line's own URI."""
        return f"sip:{self._user(self.account.user)}@{self.domain}"

    def uri_of(self, number: str, own_host: str = "") -> str:
        """The URI that *number*, as dialled, stands for; *own_host* where it names none, else `host`."""
        if number.lower().startswith(("sip:", "sips:")):
            return request_uri(number)
        number = number_in(number)
        user, at, host = number.rpartition("@")
        if at:
            return f"sip:{self._user(user)}@{host}"
        phone = ";user=phone" if self.account.user_equal_phone else ""
        return f"sip:{self._user(number)}@{own_host or self.host}{phone}"

    def register(self, call_id: str, tag: str, cseq: int, expires: int, contact: str) -> Request:
        """A REGISTER (RFC 3261 section 10.2)."""
        request = Request("REGISTER", f"sip:{self.host}")
        add = request.headers.add
        add("From", f"{self.name_addr()};tag={tag}")
        add("To", self.name_addr())
        add("Call-ID", call_id)
        add("CSeq", f"{cseq} REGISTER")
        add("Contact", contact)
        add("Allow", ALLOW)
        self._add_common(request)
        add("Expires", str(expires))
        if self.style.register_allow_events:
            add("Allow-Events", ALLOW_EVENTS)
        if self.account.register_line:
            add("Line", str(self.account.index - 1))
        if self.account.register_mac:
            add("MAC", self.mac)
        tags = [tag for tag, on in (("path", self.account.path), ("gruu", self.account.gruu)) if on]
        if tags:
            add("Supported", ", ".join(tags))
        return self._dressed(request)

    def invite(
        self,
        number: str,
        call_id: str,
        tag: str,
        contact: str,
        sdp: bytes,
        *,
        extra: Iterable[tuple[str, str]] = (),
    ) -> Request:
        """An INVITE that starts a call to *number*, with the headers *extra*."""
        uri = self.uri_of(number)
        request = Request("INVITE", uri, body=sdp)
        add = request.headers.add
        add("From", f"{self._caller()};tag={tag}")
        add("To", f"<{self.uri_of(number, self.domain)}>")
        add("Call-ID", call_id)
        add("CSeq", "1 INVITE")
        add("Contact", contact)
        add("Content-Type", SDP)
        add("Allow", ALLOW)
        self._add_common(request)
        add("Allow-Events", ALLOW_EVENTS)
        add("Supported", option_tags.supported(self.account))
        if self.account.anonymous_call:
            # Who it is, for the server only (RFC 3325 sections 9.2 and 9.3).
            add("P-Preferred-Identity", self.name_addr())
            add("Privacy", "id")
        for name, value in extra:
            add(name, value)
        return self._dressed(request)

    def subscribe(
        self, call_id: str, tag: str, event: str, accept: str, expires: int, *, number: str = ""
    ) -> Request:
        """A SUBSCRIBE to the *event* of *number*, or of the line itself (RFC 6665 section 4.1)."""
        request = Request("SUBSCRIBE", self.uri_of(number) if number else self._own_uri)
        add = request.headers.add
        add("From", f"{self.name_addr()};tag={tag}")
        add("To", f"<{self.uri_of(number, self.domain)}>" if number else self.name_addr())
        add("Call-ID", call_id)
        add("CSeq", "1 SUBSCRIBE")
        add("Contact", "<sip:0.0.0.0>")
        add("Accept", accept)
        self._add_common(request)
        add("Expires", str(expires))
        add("Event", event)
        return self._dressed(request)

    def outside(
        self, method: str, call_id: str, tag: str, contact: str, extra: Iterable[tuple[str, str]] = ()
    ) -> Request:
        """A request of no dialog from the line to itself: OPTIONS (T11), NOTIFY."""
        request = Request(method, self._own_uri)
        add = request.headers.add
        add("From", f"{self.name_addr()};tag={tag}")
        add("To", self.name_addr())
        add("Call-ID", call_id)
        add("CSeq", f"1 {method}")
        add("Contact", contact)
        self._add_common(request)
        for name, value in extra:
            add(name, value)
        return self._dressed(request)

    def publish(
        self, uri: str, call_id: str, tag: str, event: str, content_type: str, body: bytes
    ) -> Request:
        """A PUBLISH to *uri* of the *event* that *body* tells (RFC 3903 section 4)."""
        request = Request("PUBLISH", uri, body=body)
        add = request.headers.add
        add("From", f"{self.name_addr()};tag={tag}")
        add("To", f"<{uri}>")
        add("Call-ID", call_id)
        add("CSeq", "1 PUBLISH")
        add("Contact", "<sip:0.0.0.0>")
        add("Content-Type", content_type)
        self._add_common(request)
        add("Event", event)
        return self._dressed(request)

    def in_dialog(
        self,
        dialog: Dialog,
        method: str,
        contact: str,
        *,
        extra: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> Request:
        """A request within *dialog*, with the headers *extra*."""
        request = dialog.start_request(method)
        add = request.headers.add
        add("Contact", contact)
        if body:
            add("Content-Type", content_type)
            request.body = body
        if method == "INVITE":
            add("Allow", ALLOW)
        self._add_common(request)
        if method == "INVITE":
            add("Allow-Events", ALLOW_EVENTS)
            add("Supported", option_tags.supported(self.account))
        if method == "REFER" and self.style.refer_event:
            add("Event", "refer")
        for name, value in extra:
            add(name, value)
        return self._dressed(request)

    def contact(self, local: Address, transport: Transport) -> str:
        """The Contact header of this line at the local address *local*: its GRUU, where it has one."""
        return f"<{self.gruu}>" if self.gruu else self._address_at(local, transport)

    def binding(self, local: Address, transport: Transport) -> str:
        """The Contact header of a REGISTER from the local address *local*."""
        contact = self._address_at(local, transport)
        if self.account.gruu:
            contact += f';+sip.instance="<urn:uuid:{INSTANCE_PREFIX}{self.mac.lower()}>"'
        return contact

    def _address_at(self, local: Address, transport: Transport) -> str:
        parameters = "" if transport is Transport.UDP else f";transport={transport.upper()}"
        if self.account.register_line:
            parameters += f";line={self.line_mark}"
        return f"<sip:{self._user(self.account.user)}@{local}{parameters}>"

    @property
    def line_mark(self) -> str:
        """What tells this line's Contact from that of others (``account.X.register_line``): 15 hex digits."""
        return hashlib.sha256(f"{self.mac} {self.account.index}".encode()).hexdigest()[:15]

    def response(
        self,
        request: Request,
        status: int,
        *,
        to_tag: str | None = None,
        contact: str = "",
        body: bytes = b"",
        extra: Iterable[tuple[str, str]] = (),
    ) -> Response:
        """A response in the phone's own header order."""
        headers = [("Contact", contact)] if contact else []
        if body:
            headers.append(("Content-Type", SDP))
        session = request.method == "INVITE" and 180 <= status < 300
        if session:
            headers.append(("Allow", ALLOW))
        if session and status >= 200:
            headers.append(("Supported", option_tags.supported(self.account)))
        headers += [*extra, ("User-Agent", self.user_agent)]
        if session:
            headers.append(("Allow-Events", ALLOW_EVENTS))
        return self._dressed(response_to(request, status, to_tag=to_tag, extra=headers, body=body))

    def _dressed(self, message: M) -> M:
        """*message* in the order and the spelling of this line."""
        return dressed(message, self.style, compact=self.account.compact_headers)

    @property
    def _address(self) -> str:
        return f"[{self.server.address}]" if ":" in self.server.address else self.server.address

    @property
    def _own_uri(self) -> str:
        """The line's own URI, as Request-URIs have it."""
        return f"sip:{self._user(self.account.user)}@{self.host}"

    def _add_common(self, request: Request) -> None:
        request.headers.add("Max-Forwards", MAX_FORWARDS)
        request.headers.add("User-Agent", self.user_agent)

    def _caller(self) -> str:
        """Who calls, as From says it (``account.X.anonymous_call``, RFC 3323 section 4.1.1.3)."""
        return ANONYMOUS if self.account.anonymous_call else self.name_addr()

    def name_addr(self) -> str:
        """The line's display name and URI, as From and To carry them."""
        name = self.account.display_name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <{self.address_of_record}>' if name else f"<{self.address_of_record}>"

    def _user(self, user: str) -> str:
        escaped = _escaped(user)
        return escaped if self.hash_as_23 else escaped.replace("%23", "#")


@lru_cache(maxsize=REMEMBERED)
def _escaped(user: str) -> str:
    return urllib.parse.quote(user, safe=USER_SAFE)


def new_call_id(source: Chance, account: AccountConfig, local_host: str, style: WireStyle = V8X) -> str:
    """A Call-ID: the account from 0 (in V8x), a decimal number, the local address."""
    account_mark = f"{account.index - 1}_" if style.numbered_call_id else ""
    return f"{account_mark}{source.getrandbits(32)}@{local_host}"


def cancel_of(invite: Request, user_agent: str) -> Request:
    """The CANCEL of *invite*, without Via (RFC 3261 section 9.1)."""
    cancel = Request("CANCEL", invite.uri, type(invite.headers)())
    for name in ("Route", "From", "To", "Call-ID"):
        for value in invite.headers.get_all(name):
            cancel.headers.add(name, value)
    cancel.headers.add("CSeq", f"{invite.cseq.number} CANCEL")
    cancel.headers.add("Max-Forwards", MAX_FORWARDS)
    cancel.headers.add("User-Agent", user_agent)
    return cancel


def with_authorization(request: Request, name: str, value: str) -> None:
    """Put credentials where the phone puts them: after Contact, else after CSeq."""
    headers = request.headers
    headers.remove(name)
    before = ("Authorization", "Contact", "CSeq") if name == "Proxy-Authorization" else ("Contact", "CSeq")
    headers.insert_after(next(each for each in before if each in headers), name, value)
