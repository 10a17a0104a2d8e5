"""Voice mail: every user has a mailbox, and each is empty (RFC 3842, RFC 6665)."""

from __future__ import annotations

from phone_emulator.lab.fingerprint import Fingerprint
from phone_emulator.lab.flow import Flow, Unroutable, flow_of_uri
from phone_emulator.lab.site import Site
from phone_emulator.phone.presence import mwi
from phone_emulator.phone.wire.event_package import event_of, expires_of
from phone_emulator.sip import values
from phone_emulator.sip.message import Request, Response

LONGEST = 3600
"""Seconds that are granted at most, and where the subscriber names none (RFC 3842 section 3.4)."""
LINGER = 32.0
"""Seconds that a subscription which was ended is still known: its SUBSCRIBE may be repeated so long."""
MAX_SUBSCRIPTIONS = 1000
"""One more displaces the oldest."""
EMPTY = b"Messages-Waiting: no\r\n"

Answer = tuple[int, list[tuple[str, str]]]
"""Status and headers of a response."""


class Mailbox:
    """Answers SUBSCRIBEs to voice mail, and tells once for each that there is none.

    A NOTIFY is made of its SUBSCRIBE alone: a repeated one draws the same NOTIFY again, which is all that
    brings a lost one back.
    """

    def __init__(self, site: Site, fingerprint: Fingerprint) -> None:
        self._site = site
        self._fingerprint = fingerprint
        self._lapses: dict[tuple[str, str, str], float] = {}
        """When each subscription ends: by Call-ID, subscriber's tag, own tag."""

    def concerns(self, request: Request) -> bool:
        """Whether *request* subscribes to voice mail."""
        return request.method == "SUBSCRIBE" and event_of(request) == mwi.EVENT

    def subscribe(
        self, request: Request, source: Flow, now: float
    ) -> tuple[Answer, tuple[Request, Flow] | None]:
        """The answer to a SUBSCRIBE from *source*, and the NOTIFY that follows it; raises MessageError."""
        contacts = request.contacts
        if not contacts:
            return (400, []), None
        known = request.to_tag
        tag = known or self._fingerprint.tag(request)
        key = (request.call_id, request.from_tag or "", tag)
        if known is not None and self._lapses.get(key, now) <= now:
            return (481, []), None
        granted = min(expires_of(request, LONGEST), LONGEST)
        self._lapses.pop(key, None)
        if len(self._lapses) >= MAX_SUBSCRIPTIONS:
            del self._lapses[next(iter(self._lapses))]
        self._lapses[key] = now + (granted or LINGER)
        contact = ("Contact", self._site.contact(source.transport))
        told = self._notify(request, tag, str(contacts[0].uri), source, granted)
        return (200, [contact, ("Expires", str(granted))]), told

    def answered(self, response: Response) -> bool:
        """Whether *response* is to a NOTIFY of the mailbox; one that refuses it ends the subscription."""
        key = (response.call_id, response.to_tag or "", response.from_tag or "")
        if response.cseq.method != "NOTIFY" or key not in self._lapses:
            return False
        if response.status == 481:
            del self._lapses[key]
        return True

    def _notify(
        self, subscribe: Request, tag: str, target: str, source: Flow, granted: int
    ) -> tuple[Request, Flow] | None:
        """The NOTIFY to *target*, and where it goes; None where it leads nowhere."""
        routes = subscribe.headers.values("Record-Route")
        try:
            uri = values.address(routes[0]).uri if routes else values.uri(target)
            flow = source if source.transport.reliable else flow_of_uri(uri)
        except (ValueError, Unroutable):
            flow = source
        if flow.transport not in self._site.ports:
            return None
        request = Request("NOTIFY", target, body=EMPTY)
        add = request.headers.add
        add("Via", self._site.via(flow.transport, self._fingerprint.branch(subscribe)))
        for route in routes:
            add("Route", route)
        own = subscribe.headers.get("To") or ""
        add("From", own if subscribe.to_tag else f"{own};tag={tag}")
        add("To", subscribe.headers.get("From") or "")
        add("Call-ID", subscribe.call_id)
        # The subscriber counts for both: each SUBSCRIBE draws one NOTIFY.
        add("CSeq", f"{subscribe.cseq.number} NOTIFY")
        add("Contact", self._site.contact(flow.transport))
        add("Max-Forwards", "70")
        add("Event", subscribe.headers.get("Event") or mwi.EVENT)
        add("Subscription-State", f"active;expires={granted}" if granted else "terminated;reason=timeout")
        add("Content-Type", mwi.CONTENT_TYPE)
        return request, flow
