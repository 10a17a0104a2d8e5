"""Whatever happens in whatever order: no exception, a good end, and a timer just where one is due."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.sip.message import Headers, Request, response_to
from phone_emulator.sip.tables import Kind, State
from phone_emulator.sip.timers import Timers
from phone_emulator.sip.transaction import Action, Ended, Failed, Send, Transaction

HAPPENINGS = st.sampled_from(["100", "180", "200", "404", "503", "again", "ACK", "broken", "fire", "due"])
HISTORIES = st.lists(st.tuples(HAPPENINGS, st.floats(0, 40, allow_nan=False)), max_size=30)
TIMERS = st.builds(Timers, t1=st.floats(0.5, 10), t2=st.floats(2, 40), t4=st.floats(2.5, 60))

# Where nobody but the far end or the user can move it.
WAITING = {
    (Kind.INVITE_CLIENT, State.PROCEEDING),
    (Kind.INVITE_SERVER, State.PROCEEDING),
    (Kind.NON_INVITE_SERVER, State.TRYING),
    (Kind.NON_INVITE_SERVER, State.PROCEEDING),
}


def request(method: str) -> Request:
    headers = [
        ("Via", "SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK776"),
        ("From", "<sip:101@x>;tag=a"),
        ("To", "<sip:102@x>"),
        ("Call-ID", "c1"),
        ("CSeq", f"7 {method}"),
    ]
    return Request(method, "sip:102@x", Headers(headers), b"")


def happen(transaction: Transaction, what: str, now: float) -> list[Action]:
    if what.isdigit():
        response = response_to(transaction.request, int(what), to_tag="far")
        act = transaction.receive if transaction.kind.is_client else transaction.respond
        return act(response, now)
    if what == "broken":
        return transaction.transport_failed(now, "connection reset")
    if what == "again":
        return transaction.receive(transaction.request, now)
    if what == "ACK":
        return transaction.receive(request("ACK"), now)
    return transaction.fire(now)


def check(transaction: Transaction, actions: list[Action]) -> None:
    if transaction.kind.is_client and any(isinstance(action, Failed) for action in actions):
        assert transaction.ended
    assert [action for action in actions if isinstance(action, Ended)] == (
        [Ended()] if transaction.ended else []
    )
    assert Ended() not in actions[:-1]
    waiting = (transaction.kind, transaction.state) in WAITING
    if transaction.kind is Kind.INVITE_SERVER and waiting:
        waiting = transaction.last_sent is not None
    assert (transaction.next_timer is None) == (transaction.ended or waiting)


@given(st.sampled_from(Kind), st.booleans(), TIMERS, HISTORIES, st.none() | st.floats(0.5, 700))
def test_any_history(
    kind: Kind,
    reliable: bool,
    timers: Timers,
    history: list[tuple[str, float]],
    timeout: float | None,
) -> None:
    method = "INVITE" if kind in (Kind.INVITE_CLIENT, Kind.INVITE_SERVER) else "OPTIONS"
    transaction = Transaction(
        kind, request(method), reliable=reliable, timers=timers, timeout=timeout if kind.is_client else None
    )
    now = 0.0
    sent = 0
    actions = transaction.start(now)
    check(transaction, actions)
    final: list[tuple[str, float]] = [("404", 1.0), *[("due", 0.0)] * 400]
    for what, pause in history + final:
        now += pause
        if what == "due":
            if transaction.next_timer is None:
                continue
            now = max(now, transaction.next_timer)
        if transaction.ended:
            assert happen(transaction, what, now) == []
            assert transaction.next_timer is None
            continue
        actions = happen(transaction, what, now)
        check(transaction, actions)
        sent += sum(isinstance(action, Send) and action.message.cseq.method == method for action in actions)
        if what in ("fire", "due") and transaction.next_timer is not None:
            assert transaction.next_timer > now
    assert transaction.ended
    if kind is Kind.INVITE_CLIENT and timeout is None:
        assert sent <= 6  # besides the one that start() sent
    if kind.is_client and reliable:
        assert sent == 0
