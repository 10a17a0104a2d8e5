"""Every invariant, with the rules that it is about."""

from __future__ import annotations

from tests.worlds.invariants import life, recovery, registrations, routes, wire
from tests.worlds.invariants.common import Invariant
from tests.worlds.recording import Recording

INVARIANTS = (
    Invariant("one-invite-at-a-time", "C1 C4", wire.one_invite_at_a_time),
    Invariant("finals-are-acknowledged", "C11 C8", wire.finals_are_acknowledged),
    Invariant("cancels", "C9 C11", wire.cancels),
    Invariant("hang-ups", "C9", wire.hang_ups),
    Invariant("same-request", "C3 C7", wire.same_request),
    Invariant("answers-are-acknowledged", "C8", wire.answers_are_acknowledged),
    Invariant("no-password", "R10", wire.no_password),
    Invariant("told", "C1", routes.told),
    Invariant("no-target-twice", "C1", routes.no_target_twice),
    Invariant("ends-at-an-answer", "C2 C3 C4 C9 R6", routes.ends_at_an_answer),
    Invariant("redundant-addresses", "D5", routes.redundant_addresses),
    Invariant("nobody-left-out", "C1 C12 D1 D2 D3", routes.nobody_left_out),
    Invariant("servers-in-order", "C1 R5", routes.servers_in_order),
    Invariant("targets-in-order", "C1 D4 F0 R1", routes.targets_in_order),
    Invariant("as-dns-says", "D4 D6", routes.as_dns_says),
    Invariant("waits", "C5 C6 R2", routes.waits),
    Invariant("silence", "C5 C6 R2 T", routes.silence),
    Invariant("results", "C1 C3", routes.results),
    Invariant("one-binding-a-server", "R3 R4", registrations.one_binding_a_server),
    Invariant("told-bindings", "R8", registrations.told_bindings),
    Invariant("nothing-after-unregister", "R12", registrations.nothing_after_unregister),
    Invariant("registers-count-up", "R8", registrations.registers_count_up),
    Invariant("one-register-at-a-time", "R13", registrations.one_register_at_a_time),
    Invariant("leases-are-given-back", "R12", registrations.leases_are_given_back),
    Invariant("registered-first", "R9", registrations.registered_first),
    Invariant("registered-where-it-calls", "R9", recovery.registered_where_it_calls),
    Invariant("registered-again", "F1 F2 F3 R1 R2 R4 R7 R8", recovery.registered_again),
    Invariant("failback", "F0 F1 F2 F3 F4 F5", registrations.failback),
    Invariant("every-call-ends", "C4 C9", life.every_call_ends),
    Invariant("no-outcome-is-empty", "R16", life.no_outcome_is_empty),
    Invariant("nothing-left", "R12", life.nothing_left),
    Invariant("can-be-told", "C1", life.can_be_told),
)


def broken(recording: Recording) -> list[tuple[Invariant, str]]:
    """What does not hold, in words."""
    return [(invariant, fault) for invariant in INVARIANTS for fault in invariant.check(recording)]
