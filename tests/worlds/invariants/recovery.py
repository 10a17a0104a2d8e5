"""What holds of a line whose servers come and go: where its calls may go, and that it finds back."""

from __future__ import annotations

from collections.abc import Iterator

from phone_emulator.config.model import FailbackMode
from phone_emulator.events import AttemptEnded, Outcome, RegistrationChanged, Target
from phone_emulator.redundancy import hops
from phone_emulator.redundancy.servers import successive
from tests.worlds.invariants.registrations import REMOVED, STOPPED
from tests.worlds.recording import Recording

FIRST = ("primary", "fallback")
"""The roles of targets that come first in their list."""


def registered_where_it_calls(recording: Recording) -> Iterator[str]:
    """With register_on_enable no INVITE leaves for another target than the one registered at last.

    A primary that DNS puts in the place of another is no failover, and mode 0 does not remember one
    (F0): there it may be called unregistered (C10), as where the line is registered nowhere.
    """
    over = hops(recording.account)
    keyed = {hop.server for hop in over if hop.failover.register_on_enable}
    forgetful = {hop.server for hop in over if hop.failover.failback_mode is FailbackMode.NEW_REQUESTS}
    if not keyed or recording.reboots:
        return
    invites = {invite.place: invite for invite in recording.first_invites}
    last: dict[int, Target] = {}
    begun: set[int] = set()
    for place, event in enumerate(recording.events):
        if isinstance(event, AttemptEnded) and event.attempt.method == "REGISTER":
            attempt = event.attempt
            if attempt.why.startswith(STOPPED):
                last.pop(attempt.target.server, None)
            elif attempt.outcome is Outcome.ANSWERED and not attempt.why.startswith(REMOVED):
                last[attempt.target.server] = attempt.target
        elif isinstance(event, RegistrationChanged) and event.target is None:
            last.pop(event.server, None)
        elif place in invites:
            attempt = recording.attempt(invites[place])
            target = attempt.target
            if id(attempt) in begun:
                continue  # with credentials
            begun.add(id(attempt))
            there = last.get(target.server)
            # The other server's binding may be at the same place.
            if target.server not in keyed or target.remote in {each.remote for each in last.values()}:
                continue
            if there is None:
                continue
            if target.role not in FIRST or (there.role not in FIRST and target.server not in forgetful):
                yield f"INVITE to {target} at {event.at:g} s, though the line is registered at {there}"


def registered_again(recording: Recording) -> Iterator[str]:
    """After a calm the line is registered where the rules say, and the servers hold what it believes."""
    if recording.world.calm is None or not recording.bindings:
        return
    orders = [kind for step in recording.world.steps for kind in step if kind in ("register", "unregister")]
    moment = recording.bindings[-1]
    found = {target.server: target for target in moment.targets[1]}
    if orders[-1] == "unregister":
        if found:
            yield f"at {moment.at:g} s the line is unregistered, and registered at {found}"
        return
    over = hops(recording.account)
    wanted = {1} if successive(recording.account) else {hop.server for hop in over}
    for server in wanted - set(found):
        yield f"at {moment.at:g} s the line is not registered at server {server}: {found}"
    for hop in over:
        target = found.get(hop.server)
        never = hop.failover.failback_mode is FailbackMode.DURATION and not hop.failover.failback_timeout
        if target is not None and target.role not in FIRST and not never:
            yield f"at {moment.at:g} s the line has not returned to the primary: {target}"
    if found and successive(recording.account) and set(found) != {1}:
        yield f"at {moment.at:g} s the line has not returned to server 1: {found}"
    for target in found.values():
        name = next(
            (name for name, each in recording.world.servers.items() if each["address"] == target.address), ""
        )
        if not moment.by_server.get(name):
            yield f"at {moment.at:g} s {name} holds nothing of the line, which is registered at {target}"
