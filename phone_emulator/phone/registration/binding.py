"""One registration of a line: what is known of it, and what registrars hold for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from phone_emulator.config.model import AccountConfig, ServerConfig
from phone_emulator.events import Attempt, RegistrationState, Target
from phone_emulator.phone.wire.context import Context
from phone_emulator.phone.wire.identity import new_call_id
from phone_emulator.redundancy import hops

from .lease import Contact, Lease, Place, place_of
from .reach import Reach
from .turn import Turns

ATTEMPTS_KEPT = 1000


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
    own: str = ""
    """The phone's Contact, as the REGISTER that succeeded last gave it."""
    must_clear: bool = False
    """Whether ``Contact: *`` goes before the first REGISTER since the phone started (R11)."""
    least: int = 0
    """Seconds: the longest Min-Expires that a 423 has named (R15)."""
    reach: Reach = field(default_factory=Reach)
    """How it is reached over TCP or TLS (R14)."""
    turns: Turns = field(default_factory=Turns)
    """Who registers it now (R13)."""
    leases: dict[tuple[Place, str], Lease] = field(default_factory=dict)
    """What each registrar holds, by Contact: also those that were left, and of addresses of before (R12)."""
    strangers: dict[Place, frozenset[Contact]] = field(default_factory=dict)
    """The Contacts that each registrar listed while it held none of this binding (R15)."""

    @property
    def asks(self) -> int:
        """Seconds that a REGISTER asks for."""
        return max(self.server.expires, self.least)

    def held(self, target: Target, contact: str, until: float, now: float) -> None:
        """The registrar *target* holds *contact* from *now* on, *until* then at the latest."""
        self.leases = {key: lease for key, lease in self.leases.items() if lease.expires_at > now}
        self.leases[place_of(target), contact] = Lease(target, contact, until)

    def unheard(self, target: Target, contact: str, until: float, *, cut: bool) -> None:
        """The answer of *target* to a REGISTER was not heard: it may hold *contact* until then.

        That is so where nobody waited long enough (*cut*), and where it held a lease before. A server that is
        silent from the start has granted nothing.
        """
        place = place_of(target)
        before = self.leases.get((place, contact))
        if before is not None:
            until = max(before.expires_at, until)
            self.leases[place, contact] = replace(before, expires_at=until, asked=False)
        elif cut or any(place == known for known, _ in self.leases):
            self.leases[place, contact] = Lease(target, contact, until, sure=False)

    def removed(self, target: Target, contacts: Iterable[str]) -> None:
        """The registrar *target* holds none of *contacts* any more, over whichever transport they came."""
        gone = frozenset(contacts)
        for key in [key for key in self.leases if key[0][0] == target.remote and key[1] in gone]:
            del self.leases[key]

    def asked(self, lease: Lease) -> None:
        """The registrar is asked to remove *lease*: once is enough."""
        self.leases[place_of(lease.target), lease.contact] = replace(lease, asked=True)

    def ask_again(self, lease: Lease) -> None:
        """The registrar may be asked again to remove *lease*, where it still holds it."""
        key = place_of(lease.target), lease.contact
        if key in self.leases:
            self.leases[key] = replace(self.leases[key], asked=False)

    def others_at(self, target: Target, contact: str, now: float) -> list[str]:
        """What the registrar *target* holds of this binding at *now* beside *contact*: other Contacts.

        They are of addresses of before, and of another transport that DNS has named before.
        """
        held = (each for each in self.live_leases(now) if each.target.remote == target.remote)
        return [each.contact for each in held if each.contact != contact]

    def live_leases(self, now: float) -> list[Lease]:
        """What registrars hold at *now*."""
        return [lease for lease in self.leases.values() if lease.expires_at > now]

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
        self._attempts: list[Attempt] = []
        self._line = account.index

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
    def own(self) -> str | None:
        """The phone's own Contact at server 1; None while there is none."""
        return next((each.own for each in self if each.number == 1 and each.live), None)

    @property
    def attempts(self) -> list[Attempt]:
        """The latest REGISTER attempts, in order of time."""
        return sorted(self._attempts, key=lambda attempt: attempt.started)

    def began(self, attempt: Attempt) -> None:
        """A REGISTER attempt begins."""
        attempt.line = self._line
        self._attempts.append(attempt)
        del self._attempts[:-ATTEMPTS_KEPT]
