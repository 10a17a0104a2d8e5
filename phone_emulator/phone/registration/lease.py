"""Leases: what registrars hold for a binding, and which of the Contacts of a 200 is the phone's own (R15)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from phone_emulator.events import Address, Target, Transport
from phone_emulator.sip import values
from phone_emulator.sip.headers import after_address, delta_seconds, parameter, unquoted
from phone_emulator.sip.message import Response
from phone_emulator.world.address import canonical

LONGEST_GRUU = 500
"""Characters; a longer one is not believed."""
Place = tuple[Address, Transport]
"""A registrar, as a binding tells them apart."""


def place_of(target: Target) -> Place:
    """Where *target* is, whatever role it has at the time."""
    return target.remote, target.transport


@dataclass(frozen=True, slots=True)
class Lease:
    """A Contact that a registrar holds for the phone, or may hold."""

    target: Target
    contact: str
    """The Contact as the REGISTER gave it."""
    expires_at: float
    """When it is gone at the latest."""
    sure: bool = True
    """False where the answer to the REGISTER was never heard: it may have been granted, or not."""
    asked: bool = False
    """Whether the registrar was asked to remove it, and has not said that it did."""


class Contact(NamedTuple):
    """A Contact's URI, as far as RFC 3261 section 19.1.4 compares it; an absent port is the default one."""

    user: str
    host: str
    port: int
    transport: str
    """As written, in lower case; empty for none. ``sips`` stands for TLS."""
    line: str
    """The phone's own mark of the line (``account.X.register_line``); empty for none."""

    def equals(self, other: Contact) -> bool:
        """Whether both lead to the same place: a parameter that only one of them has is passed over."""
        same_place = self[:3] == other[:3]
        pairs = ((self.transport, other.transport), (self.line, other.line))
        return same_place and all(one == another for one, another in pairs if one and another)

    @property
    def over(self) -> str:
        """The transport; UDP where none is written."""
        return self.transport or str(Transport.UDP)


def contact_of(value: str) -> Contact | None:
    """What a Contact *value* leads to; None where it is no SIP URI."""
    try:
        uri = values.read_address(value).uri
        host = canonical(uri.host.strip("[]"))
    except ValueError:
        host = ""
    if not host or uri.scheme not in ("sip", "sips"):
        return None
    parameters = {name.lower(): text or "" for name, text in uri.parameters.items()}
    transport = "tls" if uri.scheme == "sips" else parameters.get("transport", "").lower()
    default = Transport.TLS if transport == Transport.TLS else Transport.UDP
    return Contact(
        unquote(uri.user or ""), host, uri.port or default.default_port, transport, parameters.get("line", "")
    )


def host_of(value: str) -> str:
    """The IP address that a Contact *value* leads to; empty where it leads to none."""
    found = contact_of(value)
    return "" if found is None else found.host


def is_own(value: str, own: str) -> bool:
    """Whether the Contact *value* is the phone's *own* (RFC 3261 section 19.1.4)."""
    found, mine = contact_of(value), contact_of(own)
    return found is not None and mine is not None and found.equals(mine)


def _own(response: Response, own: str) -> list[str]:
    """The Contacts of *response* that are *own*: where there are several, those over its transport."""
    found = [value for value in response.headers.values("Contact") if is_own(value, own)]
    mine = contact_of(own)
    exact = [value for value in found if (each := contact_of(value)) and mine and each.over == mine.over]
    return exact or found


def granted_gruu(response: Response, own: str) -> str:
    """The public GRUU that a 200 to REGISTER gives this phone (RFC 5627 section 4.2); empty for none.

    Args:
        response: the 200; it lists every binding of the account, also those of other phones.
        own: this phone's Contact.
    """
    mine = _own(response, own)
    gruu = unquoted(parameter(after_address(mine[0]), "pub-gruu") or "") if mine else ""
    try:
        uri = values.uri(gruu[:LONGEST_GRUU])
    except ValueError:
        return ""
    return gruu if len(gruu) <= LONGEST_GRUU and "gr" in uri.parameters else ""


class Grant(NamedTuple):
    """What a 200 to REGISTER grants."""

    seconds: int
    """0 is no registration."""
    guessed: bool
    """Whether none of its Contacts is the phone's own, since a NAT on the way has rewritten it."""


def granted(response: Response, own: str, asked: int, strangers: Collection[Contact] = ()) -> Grant:
    """The lease that a 200 to REGISTER grants this phone (R8, R15).

    The own Contact's ``expires`` counts first, then ``Expires``, then what was asked. Where the account's
    Contacts are all others than the own one, it is the least of what may be meant.

    Args:
        response: the 200; it lists every binding of the account, also those of other phones.
        own: this phone's Contact.
        asked: seconds.
        strangers: Contacts that were there before this binding, so that they are of other phones.
    """
    said = delta_seconds(response.headers.get("Expires"))
    others = _of_same_user(response, own)
    mine = _own(response, own)
    if mine or not others:
        lease = own_lease(response, own)
        lease = said if lease is None else lease
        return Grant(asked if lease is None else lease, guessed=False)
    possible = [lease for contact, lease in others if lease and contact not in strangers]
    return Grant(min([asked, *possible, *([] if said is None else [said])]), guessed=True)


def own_lease(response: Response, own: str) -> int | None:
    """The seconds that the phone's *own* Contact in *response* says; None where there are none."""
    leases = (delta_seconds(parameter(after_address(value), "expires")) for value in _own(response, own))
    return next((each for each in leases if each is not None), None)


def _of_same_user(response: Response, own: str) -> list[tuple[Contact, int | None]]:
    """The Contacts of the same user as *own*, each with the seconds that it says."""
    mine = contact_of(own)
    return [
        (contact, delta_seconds(parameter(after_address(value), "expires")))
        for value in response.headers.values("Contact")
        if (contact := contact_of(value)) is not None and mine is not None and contact.user == mine.user
    ]


def contacts_of(response: Response) -> frozenset[Contact]:
    """Every Contact that *response* lists."""
    found = (contact_of(value) for value in response.headers.values("Contact"))
    return frozenset(contact for contact in found if contact is not None)
