"""One registration of a line: what is known of it, and what the registrar's 200 gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from phone_emulator.config.model import AccountConfig, ServerConfig
from phone_emulator.events import Address, Attempt, RegistrationState, Target, Transport
from phone_emulator.phone.wire.context import Context
from phone_emulator.phone.wire.identity import new_call_id
from phone_emulator.redundancy import hops
from phone_emulator.sip import values
from phone_emulator.sip.headers import after_address, delta_seconds, parameter, unquoted
from phone_emulator.sip.message import Response
from phone_emulator.world.address import canonical

ATTEMPTS_KEPT = 1000
LONGEST_GRUU = 500
"""Characters; a longer one is not believed."""


@dataclass(slots=True)
class Binding:
    """The line's registration at one server: what is known of it, and how its REGISTERs are numbered."""

    number: int
    """Of the hop that it goes through: 1 or 2. Two outbound proxies may lead to one SIP server (O1)."""
    server: ServerConfig
    call_id: str
    tag: str
    cseq: int = 0
    state: RegistrationState = RegistrationState.UNREGISTERED
    target: Target | None = None
    registered_at: float = 0.0
    """When the last REGISTER succeeded."""
    expires_at: float | None = None
    refresh_at: float | None = None
    next_at: float | None = None
    reason: str = "not yet tried"
    contact: Address | None = None
    """The phone's own, as its Contact gave it."""
    must_clear: bool = False
    """Whether ``Contact: *`` goes before the first REGISTER since the phone started (R11)."""

    def take_cseq(self) -> int:
        """The next CSeq: whoever registers this binding, no number is used twice (RFC 3261 section 10.2)."""
        self.cseq += 1
        return self.cseq

    @property
    def live(self) -> bool:
        """Whether a server holds this binding, as far as the phone knows."""
        return self.target is not None


class Bindings:
    """The line's registrations at its servers, by the number of the server.

    Args:
        context: the phone.
        account: ``account.X.*``.
    """

    def __init__(self, context: Context, account: AccountConfig) -> None:
        source = context.world.unguessable
        self._all = {
            hop.server: Binding(
                hop.server,
                hop.identity,
                new_call_id(source, account, context.host, context.device.style),
                str(source.getrandbits(32)),
                must_clear=account.unregister_on_reboot,
            )
            for hop in hops(account)
        }
        self.attempts: list[Attempt] = []
        """The latest REGISTER attempts, in order of time."""

    def __getitem__(self, server: int) -> Binding:
        return self._all[server]

    def __iter__(self) -> Iterator[Binding]:
        return iter([self._all[number] for number in sorted(self._all)])

    @property
    def working_server(self) -> int | None:
        """The number of the server that works: the lowest one with a live binding, or None."""
        return next((binding.number for binding in self if binding.live), None)

    @property
    def targets(self) -> list[Target]:
        """Where the line is registered, server 1 first."""
        return [binding.target for binding in self if binding.target is not None]

    @property
    def contact(self) -> Address | None:
        """The phone's own address as its Contact at server 1 gives it; None while there is none."""
        return next((each.contact for each in self if each.number == 1 and each.live), None)

    def began(self, attempt: Attempt) -> None:
        """A REGISTER attempt begins."""
        self.attempts.append(attempt)
        del self.attempts[:-ATTEMPTS_KEPT]


def leads_to(value: str, own: Address) -> bool:
    """Whether a Contact's *value* leads to the address *own*; a default port may be left out."""
    try:
        uri = values.read_address(value).uri
        host = canonical(uri.host.strip("[]"))
    except ValueError:
        return False
    secure = uri.scheme == "sips" or (uri.parameters.get("transport") or "").lower() == Transport.TLS
    default = (Transport.TLS if secure else Transport.UDP).default_port
    return (host, uri.port or default) == (canonical(own.host), own.port)


def _own(response: Response, contact: Address) -> list[str]:
    """The Contacts of *response* that are this phone's."""
    return [value for value in response.headers.values("Contact") if leads_to(value, contact)]


def granted_gruu(response: Response, contact: Address) -> str:
    """The public GRUU that a 200 to REGISTER gives this phone (RFC 5627 section 4.2); empty for none.

    Args:
        response: the 200; it lists every binding of the account, also those of other phones.
        contact: this phone's address, as its Contact gave it.
    """
    own = _own(response, contact)
    gruu = unquoted(parameter(after_address(own[0]), "pub-gruu") or "") if own else ""
    try:
        uri = values.uri(gruu[:LONGEST_GRUU])
    except ValueError:
        return ""
    return gruu if len(gruu) <= LONGEST_GRUU and "gr" in uri.parameters else ""


def granted_lease(response: Response, contact: Address, asked: int) -> int:
    """Seconds that a 200 to REGISTER grants (R8).

    Contact's ``expires`` counts first, then ``Expires``, then what was asked.

    Args:
        response: the 200; it lists every binding of the account, also those of other phones.
        contact: this phone's address, as its Contact gave it.
        asked: seconds.
    """
    for value in _own(response, contact) or response.headers.values("Contact"):
        lease = delta_seconds(parameter(after_address(value), "expires"))
        if lease is not None:
            return lease
    lease = delta_seconds(response.headers.get("Expires"))
    return asked if lease is None else lease
