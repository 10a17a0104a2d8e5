"""What a line does when a connection is lost that it is registered over (R14)."""

from __future__ import annotations

from phone_emulator.events import Transport
from phone_emulator.phone.seat import Seat
from phone_emulator.sip.flow import Flow

from .binding import Binding
from .requests import Requests
from .servers import Servers

CLOSED = "closed by the far end"


class Losses:
    """The lost connections of one line.

    Args:
        seat: of the line.
        servers: where it is registered.
        requests: tell how its bindings stand.
    """

    def __init__(self, seat: Seat, servers: Servers, requests: Requests) -> None:
        self._seat = seat
        self._bindings = servers.bindings
        self._requests = requests

    def take(self, flow: Flow, reason: str) -> bool:
        """The connection *flow* has ended; *reason* is empty where the far end closed it in order.

        Returns:
            Whether a binding is to be renewed now: when, it says itself.
        """
        sooner = False
        for binding in self._bindings:
            if binding.live and binding.call_id in flow.registrations:
                sooner = self._lost(binding, flow, reason) or sooner
        return sooner

    def _lost(self, binding: Binding, flow: Flow, reason: str) -> bool:
        """Plan the next REGISTER of *binding*; whether there is one sooner than the refresh."""
        now, reach = self._seat.now, binding.reach
        known = reach.by_new_only
        bound = reach.lost(
            orderly=not reason,
            since_answer=now - binding.registered_at,
            lived=now - flow.opened,
            lease=(binding.expires_at or now) - binding.registered_at,
        )
        where = f"the connection with {binding.target}"
        if bound is None:
            reach.unreachable = f"reachable by a new connection only: {where} is closed behind each answer"
            if flow.transport is Transport.TLS:
                reach.unreachable += ", and this phone takes none over TLS"
            if not known:
                self._requests.change(binding, binding.state, reach.unreachable)
            return False
        due = now + bound * self._seat.context.world.random.random()
        sooner = binding.refresh_at is not None and due < binding.refresh_at
        if sooner:
            binding.refresh_at = binding.next_at = due
        reach.unreachable = f"may be unreachable: {where} is lost ({reason or CLOSED})"
        again = "" if binding.refresh_at is None else f"; REGISTER again in {binding.refresh_at - now:.1f} s"
        self._requests.change(binding, binding.state, f"{reach.unreachable}{again}")
        return sooner
