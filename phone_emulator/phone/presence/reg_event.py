"""The line's own registrations, as the registrar tells them (``account.X.subscribe_register``, RFC 3680)."""

from __future__ import annotations

from phone_emulator.phone.registration.lease import is_own
from phone_emulator.phone.registration.registrar import Registrar
from phone_emulator.phone.registration.servers import Servers
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire import xml_body
from phone_emulator.phone.wire.event_package import Topic
from phone_emulator.sip.body import Part

from .subscription import Subscription

EVENT = "reg"
CONTENT_TYPE = "application/reginfo+xml"
REGISTER_AGAIN = frozenset({"deactivated", "unregistered", "expired"})
"""Why a registrar removes a binding that the phone should make again at once (RFC 3680 section 5.2.4)."""


class OwnRegistrations:
    """Registers again when the registrar has removed the phone's binding at server 1.

    Args:
        seat: of the line.
        servers: are asked.
        registrar: registers again.
    """

    def __init__(self, seat: Seat, servers: Servers, registrar: Registrar) -> None:
        self._registrar = registrar
        topic = Topic(event=EVENT, content_types=(CONTENT_TYPE,), expires=seat.account.servers[0].expires)
        self.subscription = Subscription(seat, servers, topic, self._hear)

    def _hear(self, part: Part) -> None:
        """What a NOTIFY says; raises XmlError."""
        document = xml_body.read(part.body, "reginfo")
        own = self._registrar.bindings.own
        for registration in document.all("registration"):
            for contact in registration.all("contact"):
                event = contact.attributes.get("event")
                removed = contact.attributes.get("state") == "terminated" and event in REGISTER_AGAIN
                if removed and own is not None and is_own(f"<{contact.text_of('uri')}>", own):
                    self._registrar.removed(f"the registrar removed the binding: {event}")
                    return
