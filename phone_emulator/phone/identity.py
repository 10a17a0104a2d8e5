"""How the phone looks on the wire: its requests, header by header, in the phone's own order.

Via is added by the endpoint, Content-Length by the message. Firmware V8x; the facts are those of public
traces of Yealink phones.
"""

from __future__ import annotations

import hashlib
import random
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

from phone_emulator.config.model import AccountConfig, PhoneConfig, ServerConfig
from phone_emulator.events import Address, Transport
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.message import Request, Response, response_to

ALLOW = (
    "INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, "
    "NOTIFY, REGISTER, SUBSCRIBE, REFER, PUBLISH, UPDATE, MESSAGE"
)
ALLOW_EVENTS = "talk,hold,conference,refer,check-sync"
MAX_FORWARDS = "70"
USER_SAFE = "-_.!~*'()&=+$,;?/"
"""What a user part may hold unescaped (RFC 3261 section 25.1, ``user``)."""


@dataclass(frozen=True, slots=True)
class Device:
    """The modelled phone."""

    model: str = "SIP-T46S"
    firmware: str = "66.86.0.15"
    mac: str = "001565aabbcc"

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

    @property
    def host(self) -> str:
        """The server's address and port as URIs carry them; a port of 0 is left to DNS and out of the URI."""
        host = f"[{self.server.address}]" if ":" in self.server.address else self.server.address
        return f"{host}:{self.server.port}" if self.server.port else host

    @property
    def address_of_record(self) -> str:
        """The line's own URI."""
        return f"sip:{self._user(self.account.user_name)}@{self.host}"

    def uri_of(self, number: str) -> str:
        """The URI that *number*, as dialled, stands for."""
        if number.lower().startswith(("sip:", "sips:")):
            return number
        user, at, host = number.rpartition("@")
        if at:
            return f"sip:{self._user(user)}@{host}"
        phone = ";user=phone" if self.account.user_equal_phone else ""
        return f"sip:{self._user(number)}@{self.host}{phone}"

    def register(self, call_id: str, tag: str, cseq: int, expires: int, contact: str) -> Request:
        """A REGISTER (RFC 3261 section 10.2)."""
        request = Request("REGISTER", f"sip:{self.host}")
        add = request.headers.add
        add("From", f"{self._name_addr()};tag={tag}")
        add("To", self._name_addr())
        add("Call-ID", call_id)
        add("CSeq", f"{cseq} REGISTER")
        add("Contact", contact)
        add("Allow", ALLOW)
        self._add_common(request)
        add("Expires", str(expires))
        add("Allow-Events", ALLOW_EVENTS)
        if self.account.register_line:
            add("Line", str(self.account.index - 1))
        if self.account.register_mac:
            add("MAC", self.mac)
        return request

    def invite(self, number: str, call_id: str, tag: str, contact: str, sdp: bytes) -> Request:
        """An INVITE that starts a call to *number*."""
        uri = self.uri_of(number)
        request = Request("INVITE", uri, body=sdp)
        add = request.headers.add
        add("From", f"{self._name_addr()};tag={tag}")
        add("To", f"<{uri}>")
        add("Call-ID", call_id)
        add("CSeq", "1 INVITE")
        add("Contact", contact)
        add("Content-Type", "application/sdp")
        add("Allow", ALLOW)
        self._add_common(request)
        add("Allow-Events", ALLOW_EVENTS)
        add("Supported", "replaces")
        return request

    def subscribe(self, call_id: str, tag: str, event: str, accept: str, expires: int) -> Request:
        """A SUBSCRIBE of the line to its own *event* (RFC 6665 section 4.1)."""
        request = Request("SUBSCRIBE", self.address_of_record)
        add = request.headers.add
        add("From", f"{self._name_addr()};tag={tag}")
        add("To", self._name_addr())
        add("Call-ID", call_id)
        add("CSeq", "1 SUBSCRIBE")
        add("Contact", "<sip:0.0.0.0>")
        add("Accept", accept)
        self._add_common(request)
        add("Expires", str(expires))
        add("Event", event)
        return request

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
            add("Supported", "replaces")
        for name, value in extra:
            add(name, value)
        return request

    def contact(self, local: Address, transport: Transport) -> str:
        """The Contact header of this line at the local address *local*."""
        parameters = "" if transport is Transport.UDP else f";transport={transport.upper()}"
        if self.account.register_line:
            parameters += f";line={self.line_mark}"
        return f"<sip:{self._user(self.account.user_name)}@{local}{parameters}>"

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
        """A response in the phone's own header order, *extra* before User-Agent."""
        headers = [("Contact", contact)] if contact else []
        if body:
            headers.append(("Content-Type", "application/sdp"))
        session = request.method == "INVITE" and 180 <= status < 300
        if session:
            headers.append(("Allow", ALLOW))
        headers += [*extra, ("User-Agent", self.user_agent)]
        if session:
            headers.append(("Allow-Events", ALLOW_EVENTS))
        return response_to(request, status, to_tag=to_tag, extra=headers, body=body)

    def _add_common(self, request: Request) -> None:
        request.headers.add("Max-Forwards", MAX_FORWARDS)
        request.headers.add("User-Agent", self.user_agent)

    def _name_addr(self) -> str:
        name = self.account.display_name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <{self.address_of_record}>' if name else f"<{self.address_of_record}>"

    def _user(self, user: str) -> str:
        escaped = urllib.parse.quote(user, safe=USER_SAFE)
        return escaped if self.hash_as_23 else escaped.replace("%23", "#")


def new_call_id(source: random.Random, account: AccountConfig, local_host: str) -> str:
    """A Call-ID as V8x makes them: account from 0, a decimal number, the local address."""
    return f"{account.index - 1}_{source.getrandbits(32)}@{local_host}"


def cancel_of(invite: Request, user_agent: str) -> Request:
    """The CANCEL of *invite*, without Via (RFC 3261 section 9.1)."""
    cancel = Request("CANCEL", invite.uri)
    for name in ("Route", "From", "To", "Call-ID"):
        for value in invite.headers.get_all(name):
            cancel.headers.add(name, value)
    cancel.headers.add("CSeq", f"{invite.cseq.number} CANCEL")
    cancel.headers.add("Max-Forwards", MAX_FORWARDS)
    cancel.headers.add("User-Agent", user_agent)
    return cancel


def with_authorization(request: Request, name: str, value: str) -> None:
    """Put credentials where the phone puts them: after Contact, else after CSeq."""
    request.headers.remove(name)
    request.headers.insert_after("Contact" if "Contact" in request.headers else "CSeq", name, value)
