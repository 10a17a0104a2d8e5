"""The transaction machines, as ladders.

A line of a ladder is what happened and what came of it:

    0.5 >> fire() << send(INVITE) == Calling

The time stays what it was where a line names none; the state is compared where a line names one.
"""

from __future__ import annotations

import re

import pytest

from phone_emulator.sip.message import Headers, Request, Response, response_to
from phone_emulator.sip.tables import TABLES, Event, Kind, State
from phone_emulator.sip.timers import Timer, Timers
from phone_emulator.sip.transaction import (
    Action,
    Deliver,
    Ended,
    Failed,
    FailureKind,
    Send,
    Transaction,
    invite_client,
    invite_server,
    non_invite_client,
    non_invite_server,
)

LINE = re.compile(r"(?P<time>[\d.]+)? ?>> (?P<call>\w+)\((?P<what>\w*)\)(?P<state>.* == )?")

IC, NC, IS, NS = Kind.INVITE_CLIENT, Kind.NON_INVITE_CLIENT, Kind.INVITE_SERVER, Kind.NON_INVITE_SERVER


def request(method: str = "INVITE", *more: tuple[str, str]) -> Request:
    headers = [
        ("Via", "SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK776"),
        *more,
        ("From", '"Anne" <sip:101@yealink.pbx.com>;tag=2093912507'),
        ("To", "<sip:102@yealink.pbx.com>"),
        ("Call-ID", "0_1@192.168.1.50"),
        ("CSeq", f"7 {method}"),
        ("Max-Forwards", "70"),
    ]
    return Request(method, "sip:102@yealink.pbx.com", Headers(headers), b"")


def machine(
    kind: Kind, *, reliable: bool = False, timers: Timers | None = None, timeout: float | None = None
) -> Transaction:
    timers = timers or Timers()
    if kind is IC:
        return invite_client(request(), reliable=reliable, timers=timers, timeout=timeout)
    if kind is NC:
        return non_invite_client(request("OPTIONS"), reliable=reliable, timers=timers, timeout=timeout)
    if kind is IS:
        return invite_server(request(), reliable=reliable, timers=timers)
    return non_invite_server(request("OPTIONS"), reliable=reliable, timers=timers)


def told(action: Action) -> str:
    match action:
        case Send(message) | Deliver(message):
            what = message.method if isinstance(message, Request) else str(message.status)
            return f"{'send' if isinstance(action, Send) else 'deliver'}({what})"
        case Failed(reason):
            return f"failed({reason})"
        case Ended():
            return "ended()"


def happen(transaction: Transaction, call: str, what: str, now: float) -> list[Action]:
    message: Request | Response = request("OPTIONS")
    if what.isdigit():
        message = response_to(transaction.request, int(what), to_tag="far")
    elif what:
        message = request(what)
    match call:
        case "start":
            return transaction.start(now)
        case "receive":
            return transaction.receive(message, now)
        case "respond" if isinstance(message, Response):
            return transaction.respond(message, now)
        case "broken":
            return transaction.transport_failed(now, "ICMP port unreachable")
        case "fire":
            return transaction.fire(now)
    raise AssertionError(f"no such thing: {call}({what})")


def climb(transaction: Transaction, ladder: str) -> None:
    """Do what the left sides of *ladder* say and compare what came of it with the right sides."""
    expected = [" ".join(line.split()) for line in ladder.splitlines() if line.strip()]
    seen = []
    now = 0.0
    for line in expected:
        match = LINE.match(line)
        assert match, f"not a line of a ladder: {line}"
        now = float(match["time"] or now)
        actions = happen(transaction, match["call"], match["what"], now)
        text = f"{match['time']} " if match["time"] else ""
        text += f">> {match['call']}({match['what']})" + "".join(f" << {told(action)}" for action in actions)
        seen.append(f"{text} == {transaction.state}" if match["state"] else text)
    assert seen == expected


# -- every cell of every table ---------------------------------------------------------------------------

# How each state is reached.
REACH: dict[tuple[Kind, State], str] = {
    (IC, State.CALLING): ">> start() << send(INVITE)",
    (IC, State.PROCEEDING): ">> start() << send(INVITE) \n >> receive(100) << deliver(100)",
    (IC, State.COMPLETED): ">> start() << send(INVITE) \n >> receive(486) << send(ACK) << deliver(486)",
    (IC, State.ACCEPTED): ">> start() << send(INVITE) \n >> receive(200) << deliver(200)",
    (NC, State.TRYING): ">> start() << send(OPTIONS)",
    (NC, State.PROCEEDING): ">> start() << send(OPTIONS) \n >> receive(100) << deliver(100)",
    (NC, State.COMPLETED): ">> start() << send(OPTIONS) \n >> receive(200) << deliver(200)",
    (IS, State.PROCEEDING): ">> start() << deliver(INVITE)",
    (IS, State.COMPLETED): ">> start() << deliver(INVITE) \n >> respond(486) << send(486)",
    (IS, State.CONFIRMED): ">> start() << deliver(INVITE) \n >> respond(486) << send(486) \n >> receive(ACK)",
    (IS, State.ACCEPTED): ">> start() << deliver(INVITE) \n >> respond(200) << send(200)",
    (NS, State.TRYING): ">> start() << deliver(OPTIONS)",
    (NS, State.PROCEEDING): ">> start() << deliver(OPTIONS) \n >> respond(100) << send(100)",
    (NS, State.COMPLETED): ">> start() << deliver(OPTIONS) \n >> respond(200) << send(200)",
}

# What happens next there. Written from the RFCs, not from the tables.
CELLS: dict[tuple[Kind, State, Event | Timer], str] = {
    (IC, State.INITIAL, Event.START): ">> start() << send(INVITE) == Calling",
    (IC, State.CALLING, Timer.A): "0.5 >> fire() << send(INVITE) == Calling",
    (IC, State.CALLING, Timer.B): "32.0 >> fire() << failed(timeout) << ended() == Terminated",
    (IC, State.CALLING, Event.PROVISIONAL): ">> receive(180) << deliver(180) == Proceeding",
    (IC, State.CALLING, Event.SUCCESS): ">> receive(200) << deliver(200) == Accepted",
    (IC, State.CALLING, Event.FAILURE): ">> receive(503) << send(ACK) << deliver(503) == Completed",
    (IC, State.CALLING, Event.TRANSPORT_ERROR): ">> broken() << failed(transport) << ended() == Terminated",
    (IC, State.PROCEEDING, Event.PROVISIONAL): ">> receive(183) << deliver(183) == Proceeding",
    (IC, State.PROCEEDING, Event.SUCCESS): ">> receive(202) << deliver(202) == Accepted",
    (IC, State.PROCEEDING, Event.FAILURE): ">> receive(603) << send(ACK) << deliver(603) == Completed",
    (IC, State.COMPLETED, Timer.D): "32.0 >> fire() << ended() == Terminated",
    (IC, State.COMPLETED, Event.FAILURE): ">> receive(486) << send(ACK) == Completed",
    (IC, State.COMPLETED, Event.TRANSPORT_ERROR): ">> broken() << failed(transport) << ended() == Terminated",
    (IC, State.ACCEPTED, Timer.M): "32.0 >> fire() << ended() == Terminated",
    (IC, State.ACCEPTED, Event.SUCCESS): ">> receive(200) << deliver(200) == Accepted",
    (NC, State.INITIAL, Event.START): ">> start() << send(OPTIONS) == Trying",
    (NC, State.TRYING, Timer.E): "0.5 >> fire() << send(OPTIONS) == Trying",
    (NC, State.TRYING, Timer.F): "32.0 >> fire() << failed(timeout) << ended() == Terminated",
    (NC, State.TRYING, Event.PROVISIONAL): ">> receive(100) << deliver(100) == Proceeding",
    (NC, State.TRYING, Event.SUCCESS): ">> receive(200) << deliver(200) == Completed",
    (NC, State.TRYING, Event.FAILURE): ">> receive(401) << deliver(401) == Completed",
    (NC, State.TRYING, Event.TRANSPORT_ERROR): ">> broken() << failed(transport) << ended() == Terminated",
    (NC, State.PROCEEDING, Timer.E): "0.5 >> fire() << send(OPTIONS) == Proceeding",
    (NC, State.PROCEEDING, Timer.F): "32.0 >> fire() << failed(timeout) << ended() == Terminated",
    (NC, State.PROCEEDING, Event.PROVISIONAL): ">> receive(100) << deliver(100) == Proceeding",
    (NC, State.PROCEEDING, Event.SUCCESS): ">> receive(200) << deliver(200) == Completed",
    (NC, State.PROCEEDING, Event.FAILURE): ">> receive(404) << deliver(404) == Completed",
    (
        NC,
        State.PROCEEDING,
        Event.TRANSPORT_ERROR,
    ): ">> broken() << failed(transport) << ended() == Terminated",
    (NC, State.COMPLETED, Timer.K): "5.0 >> fire() << ended() == Terminated",
    (IS, State.INITIAL, Event.START): ">> start() << deliver(INVITE) == Proceeding",
    (IS, State.PROCEEDING, Timer.TRYING): "0.2 >> fire() << send(100) == Proceeding",
    (IS, State.PROCEEDING, Event.REQUEST): """
        >> respond(180) << send(180) == Proceeding
        >> receive(INVITE) << send(180) == Proceeding""",
    (IS, State.PROCEEDING, Event.PROVISIONAL): ">> respond(180) << send(180) == Proceeding",
    (IS, State.PROCEEDING, Event.SUCCESS): ">> respond(200) << send(200) == Accepted",
    (IS, State.PROCEEDING, Event.FAILURE): ">> respond(486) << send(486) == Completed",
    (IS, State.PROCEEDING, Event.TRANSPORT_ERROR): ">> broken() << failed(transport) == Proceeding",
    (IS, State.COMPLETED, Timer.G): "0.5 >> fire() << send(486) == Completed",
    (IS, State.COMPLETED, Timer.H): "32.0 >> fire() << failed(timeout) << ended() == Terminated",
    (IS, State.COMPLETED, Event.REQUEST): ">> receive(INVITE) << send(486) == Completed",
    (IS, State.COMPLETED, Event.ACK): ">> receive(ACK) == Confirmed",
    (IS, State.COMPLETED, Event.TRANSPORT_ERROR): ">> broken() << failed(transport) == Completed",
    (IS, State.CONFIRMED, Timer.I): "5.0 >> fire() << ended() == Terminated",
    (IS, State.ACCEPTED, Timer.L): "32.0 >> fire() << ended() == Terminated",
    (IS, State.ACCEPTED, Event.SUCCESS): ">> respond(200) << send(200) == Accepted",
    (IS, State.ACCEPTED, Event.ACK): ">> receive(ACK) << deliver(ACK) == Accepted",
    (IS, State.ACCEPTED, Event.TRANSPORT_ERROR): ">> broken() << failed(transport) == Accepted",
    (NS, State.INITIAL, Event.START): ">> start() << deliver(OPTIONS) == Trying",
    (NS, State.TRYING, Event.PROVISIONAL): ">> respond(100) << send(100) == Proceeding",
    (NS, State.TRYING, Event.SUCCESS): ">> respond(200) << send(200) == Completed",
    (NS, State.TRYING, Event.FAILURE): ">> respond(404) << send(404) == Completed",
    (NS, State.PROCEEDING, Event.REQUEST): ">> receive(OPTIONS) << send(100) == Proceeding",
    (NS, State.PROCEEDING, Event.PROVISIONAL): ">> respond(183) << send(183) == Proceeding",
    (NS, State.PROCEEDING, Event.SUCCESS): ">> respond(200) << send(200) == Completed",
    (NS, State.PROCEEDING, Event.FAILURE): ">> respond(500) << send(500) == Completed",
    (
        NS,
        State.PROCEEDING,
        Event.TRANSPORT_ERROR,
    ): ">> broken() << failed(transport) << ended() == Terminated",
    (NS, State.COMPLETED, Timer.J): "32.0 >> fire() << ended() == Terminated",
    (NS, State.COMPLETED, Event.REQUEST): ">> receive(OPTIONS) << send(200) == Completed",
    (NS, State.COMPLETED, Event.TRANSPORT_ERROR): ">> broken() << failed(transport) << ended() == Terminated",
}

TABLE_CELLS = [
    (kind, state, event) for kind, table in TABLES.items() for state, row in table.items() for event in row
]
STATES = [(kind, state) for kind, table in TABLES.items() for state in table if state is not State.INITIAL]


@pytest.mark.parametrize(("kind", "state", "event"), TABLE_CELLS)
def test_cell(kind: Kind, state: State, event: Event | Timer) -> None:
    climb(machine(kind), REACH.get((kind, state), "") + "\n" + CELLS[kind, state, event])


def test_no_cell_of_the_rfc_is_missing_in_the_tables() -> None:
    assert set(CELLS) == set(TABLE_CELLS)


@pytest.mark.parametrize(("kind", "state"), STATES)
def test_what_has_no_cell_is_ignored(kind: Kind, state: State) -> None:
    """Whatever the row of a state does not name leaves the machine as it was."""
    method = machine(kind).request.method
    answer = "receive" if kind.is_client else "respond"
    stimuli = {
        Event.PROVISIONAL: (answer, "180"),
        Event.SUCCESS: (answer, "200"),
        Event.FAILURE: (answer, "486"),
        Event.REQUEST: ("receive", method),
        Event.ACK: ("receive", "ACK"),
        Event.TRANSPORT_ERROR: ("broken", ""),
    }
    for event, (call, what) in stimuli.items():
        if event in TABLES[kind][state]:
            continue
        transaction = machine(kind)
        climb(transaction, REACH[kind, state])
        before = (transaction.state, transaction.next_timer, transaction.last_sent)
        assert happen(transaction, call, what, 0.1) == [], event
        assert (transaction.state, transaction.next_timer, transaction.last_sent) == before
        assert transaction.state is state


@pytest.mark.parametrize("kind", Kind)
def test_nothing_happens_before_the_start(kind: Kind) -> None:
    climb(
        machine(kind), ">> receive(180) == Initial \n >> receive(ACK) == Initial \n 99 >> fire() == Initial"
    )
    assert machine(kind).next_timer is None


@pytest.mark.parametrize("kind", Kind)
def test_starting_twice_is_a_mistake_of_the_program(kind: Kind) -> None:
    transaction = machine(kind)
    transaction.start(0.0)
    with pytest.raises(RuntimeError, match="was started before"):
        transaction.start(1.0)


@pytest.mark.parametrize("kind", [IC, NC])
def test_a_client_gives_no_responses(kind: Kind) -> None:
    transaction = machine(kind)
    transaction.start(0.0)
    with pytest.raises(RuntimeError, match="gives none"):
        transaction.respond(response_to(transaction.request, 200), 0.0)


@pytest.mark.parametrize("kind", [IS, NS])
def test_a_server_ignores_responses_and_other_requests(kind: Kind) -> None:
    climb(machine(kind), f"{REACH[kind, State.PROCEEDING]} \n >> receive(200) \n >> receive(BYE)")


# -- silence ---------------------------------------------------------------------------------------------


def silence(transaction: Transaction, start: float = 0.0) -> tuple[list[float], list[tuple[float, Action]]]:
    """Start it and hear nothing: when it sent, counted from the start, and what else it did."""
    sends: list[float] = []
    others: list[tuple[float, Action]] = []
    now: float | None = start
    actions = transaction.start(start)
    while now is not None:
        for action in actions:
            if isinstance(action, Send):
                sends.append(now - start)
            else:
                others.append((now - start, action))
        now = transaction.next_timer
        actions = [] if now is None else transaction.fire(now)
    return sends, others


def test_silent_invite_is_sent_seven_times_in_32_seconds() -> None:
    # rule C2, rule T: the ladder that every timeline of the project counts on, exact to the last bit
    sends, others = silence(machine(IC))
    assert sends == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert others == [
        (32.0, Failed(FailureKind.TIMEOUT, "no response within 64*T1 = 32.0 s")),
        (32.0, Ended()),
    ]


def test_silent_register_is_sent_every_t2_in_the_end() -> None:
    # rule R2
    sends, others = silence(machine(NC))
    assert sends == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert [told(action) for _, action in others] == ["failed(timeout)", "ended()"]
    assert others[0][0] == 32.0


@pytest.mark.parametrize("t1", [0.5, 0.6, 0.7, 1.0, 3.3, 10.0])
@pytest.mark.parametrize("start", [0.0, 1000.1])
def test_invite_ladder_with_other_t1(t1: float, start: float) -> None:
    sends, others = silence(machine(IC, timers=Timers(t1=t1)), start)
    assert sends == pytest.approx([t1 * (2**n - 1) for n in range(7)])
    assert others[0][0] == pytest.approx(64 * t1)


@pytest.mark.parametrize(
    ("t1", "t2", "expected"),
    [
        (1.0, 2.0, [0, 1, *range(3, 64, 2)]),
        (2.0, 40.0, [0, 2, 6, 14, 30, 62, 102]),
        (10.0, 4.0, [0, *range(10, 640, 4)]),
    ],
)
def test_register_ladder_with_other_t1_and_t2(t1: float, t2: float, expected: list[float]) -> None:
    sends, others = silence(machine(NC, timers=Timers(t1=t1, t2=t2)))
    assert sends == expected
    assert others[0][0] == 64 * t1


@pytest.mark.parametrize("kind", [IC, NC])
def test_reliable_transports_send_once_and_wait_as_long(kind: Kind) -> None:
    # rule C6
    sends, others = silence(machine(kind, reliable=True))
    assert sends == [0]
    assert [at for at, _ in others] == [32.0, 32.0]


@pytest.mark.parametrize("retries", range(6))
@pytest.mark.parametrize("t1", [0.5, 0.6, 0.7, 1.1, 3.3, 10.0])
@pytest.mark.parametrize("start", [0.0, 77.7])
def test_giving_up_wins_when_the_next_retransmission_is_due_too(
    retries: int, t1: float, start: float
) -> None:
    # rule C5: N retransmissions, gives up when retransmission N+1 would be due
    timeout = (2 ** (retries + 1) - 1) * t1
    sends, others = silence(machine(IC, timers=Timers(t1=t1), timeout=timeout), start)
    assert len(sends) == retries + 1
    assert others[0][0] == pytest.approx(timeout)


def test_a_shorter_wait_says_how_long_it_was() -> None:
    # rule C5
    _, others = silence(machine(IC, timeout=7.5))
    assert others[0] == (7.5, Failed(FailureKind.TIMEOUT, "no response within 7.5 s"))


def test_register_gives_up_after_its_own_wait() -> None:
    # rule R2
    sends, others = silence(machine(NC, timeout=7.5))
    assert sends == [0, 0.5, 1.5, 3.5]
    assert others[0] == (7.5, Failed(FailureKind.TIMEOUT, "no response within 7.5 s"))


def test_a_late_clock_does_not_shift_the_beat() -> None:
    transaction = machine(IC)
    climb(transaction, ">> start() << send(INVITE) \n 0.9 >> fire() << send(INVITE)")
    assert transaction.next_timer == 1.5


def test_missed_beats_are_made_up_for_once() -> None:
    transaction = machine(IC)
    climb(transaction, ">> start() << send(INVITE) \n 4.0 >> fire() << send(INVITE)")
    assert transaction.next_timer == 7.5


def test_nothing_is_sent_once_it_is_too_late() -> None:
    climb(machine(IC), ">> start() << send(INVITE) \n 40.0 >> fire() << failed(timeout) << ended()")


def test_firing_early_does_nothing() -> None:
    climb(machine(IC), ">> start() << send(INVITE) \n 0.4 >> fire() \n 0.5 >> fire() << send(INVITE)")


# -- INVITE client ---------------------------------------------------------------------------------------


def test_a_1xx_ends_the_wait_for_good() -> None:
    # rule C4
    transaction = machine(IC)
    climb(
        transaction,
        """
        >> start() << send(INVITE) == Calling
        0.5 >> fire() << send(INVITE)
        0.6 >> receive(100) << deliver(100) == Proceeding
        """,
    )
    assert transaction.next_timer is None
    climb(transaction, "3600 >> fire() == Proceeding")


def test_late_icmp_after_a_1xx_is_ignored() -> None:
    # rule C4
    climb(machine(IC), REACH[IC, State.PROCEEDING] + "\n >> broken() == Proceeding")


def test_every_repeated_failure_draws_the_same_ack_and_is_told_once() -> None:
    # rule C8
    transaction = machine(IC)
    climb(
        transaction,
        """
        >> start() << send(INVITE)
        0.1 >> receive(503) << send(ACK) << deliver(503) == Completed
        0.6 >> receive(503) << send(ACK)
        1.6 >> receive(503) << send(ACK)
        1.7 >> receive(100)
        1.8 >> receive(200)
        32.1 >> fire() << ended() == Terminated
        32.2 >> receive(503)
        """,
    )


def test_the_repeated_ack_is_the_first_one() -> None:
    transaction = machine(IC)
    transaction.start(0.0)
    transaction.receive(response_to(transaction.request, 486, to_tag="far"), 0.1)
    first = transaction.last_sent
    again = transaction.receive(response_to(transaction.request, 486, to_tag="other"), 0.2)
    assert again == [Send(first)] if first else False


def test_ack_to_a_failure_has_what_the_phone_sends_and_nothing_else() -> None:
    # spec phone.md T4
    invite = request("INVITE", ("Route", "<sip:p1;lr>"), ("Route", "<sip:p2;lr>"))
    transaction = invite_client(invite, reliable=False, timers=Timers())
    transaction.start(0.0)
    transaction.receive(response_to(invite, 486, to_tag="far"), 0.1)
    ack = transaction.last_sent
    assert ack is not None
    assert ack.to_bytes().decode() == (
        "ACK sip:102@yealink.pbx.com SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK776\r\n"
        "Route: <sip:p1;lr>\r\n"
        "Route: <sip:p2;lr>\r\n"
        'From: "Anne" <sip:101@yealink.pbx.com>;tag=2093912507\r\n'
        "To: <sip:102@yealink.pbx.com>;tag=far\r\n"
        "Call-ID: 0_1@192.168.1.50\r\n"
        "CSeq: 7 ACK\r\n"
        "Content-Length: 0\r\n\r\n"
    )


def test_accepted_lets_every_2xx_through_and_nothing_else() -> None:
    # RFC 6026: retransmissions, and the 2xx of other branches of a forked INVITE
    climb(
        machine(IC),
        """
        >> start() << send(INVITE)
        1.0 >> receive(180) << deliver(180)
        2.0 >> receive(200) << deliver(200) == Accepted
        2.5 >> receive(200) << deliver(200)
        2.6 >> receive(180)
        2.7 >> receive(486)
        2.8 >> broken() == Accepted
        33.9 >> receive(200) << deliver(200)
        34.0 >> fire() << ended()
        34.1 >> receive(200)
        """,
    )


def test_over_tcp_a_failure_ends_it_at_once_and_a_2xx_does_not() -> None:
    climb(
        machine(IC, reliable=True),
        ">> start() << send(INVITE) \n >> receive(486) << send(ACK) << deliver(486) << ended() == Terminated",
    )
    climb(
        machine(IC, reliable=True),
        """
        >> start() << send(INVITE)
        >> receive(200) << deliver(200) == Accepted
        31.9 >> fire() == Accepted
        32.0 >> fire() << ended()
        """,
    )


def test_transport_failure_keeps_the_words_it_was_told() -> None:
    transaction = machine(IC)
    transaction.start(0.0)
    assert transaction.transport_failed(0.0, "connection refused") == [
        Failed(FailureKind.TRANSPORT, "connection refused"),
        Ended(),
    ]


# -- non-INVITE client -----------------------------------------------------------------------------------


def test_after_a_1xx_the_request_is_repeated_every_t2_until_timer_f() -> None:
    climb(
        machine(NC),
        """
        >> start() << send(OPTIONS)
        0.5 >> fire() << send(OPTIONS)
        0.7 >> receive(100) << deliver(100) == Proceeding
        1.5 >> fire() << send(OPTIONS)
        5.4 >> fire()
        5.5 >> fire() << send(OPTIONS)
        9.5 >> fire() << send(OPTIONS)
        32.0 >> fire() << failed(timeout) << ended()
        """,
    )


def test_a_provisional_answer_is_not_called_silence() -> None:
    transaction = machine(NC)
    climb(transaction, REACH[NC, State.PROCEEDING])
    failed = transaction.fire(32.0)[0]
    assert failed == Failed(FailureKind.TIMEOUT, "no final response within 64*T1 = 32.0 s")


def test_repeated_final_answers_are_soaked_up() -> None:
    climb(
        machine(NC),
        """
        >> start() << send(OPTIONS)
        0.1 >> receive(200) << deliver(200) == Completed
        0.6 >> receive(200)
        0.7 >> receive(404)
        5.1 >> fire() << ended()
        """,
    )


def test_over_tcp_the_first_final_answer_is_the_end() -> None:
    climb(
        machine(NC, reliable=True),
        ">> start() << send(OPTIONS) \n >> receive(200) << deliver(200) << ended()",
    )


# -- INVITE server ---------------------------------------------------------------------------------------


def test_100_is_sent_for_a_slow_user_once() -> None:
    transaction = machine(IS)
    climb(
        transaction,
        """
        >> start() << deliver(INVITE)
        0.1 >> receive(INVITE)
        0.2 >> fire() << send(100)
        0.5 >> receive(INVITE) << send(100)
        1.0 >> respond(180) << send(180)
        1.5 >> receive(INVITE) << send(180)
        """,
    )
    assert transaction.next_timer is None


@pytest.mark.parametrize("status", [100, 180])
def test_a_quick_user_speaks_for_itself(status: int) -> None:
    transaction = machine(IS)
    climb(transaction, f">> start() << deliver(INVITE) \n 0.1 >> respond({status}) << send({status})")
    assert transaction.next_timer is None


def test_lost_ack() -> None:
    transaction = machine(IS)
    transaction.start(0.0)
    transaction.respond(response_to(transaction.request, 486, to_tag="far"), 1.0)
    sends: list[float] = []
    failures: list[tuple[float, Action]] = []
    while (now := transaction.next_timer) is not None:
        for action in transaction.fire(now):
            if isinstance(action, Send):
                sends.append(now - 1.0)
            else:
                failures.append((now - 1.0, action))
    assert sends == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert failures == [
        (32.0, Failed(FailureKind.TIMEOUT, "no ACK within 64*T1 = 32.0 s")),
        (32.0, Ended()),
    ]


def test_ack_silences_the_failure_and_is_soaked_up() -> None:
    climb(
        machine(IS),
        """
        >> start() << deliver(INVITE)
        >> respond(486) << send(486)
        0.5 >> fire() << send(486)
        0.6 >> receive(ACK) == Confirmed
        0.7 >> receive(ACK) == Confirmed
        0.8 >> receive(INVITE) == Confirmed
        1.5 >> fire() == Confirmed
        5.6 >> fire() << ended()
        """,
    )


def test_over_tcp_the_ack_ends_it_and_a_missing_one_is_told() -> None:
    climb(
        machine(IS, reliable=True),
        ">> start() << deliver(INVITE) \n >> respond(486) << send(486) \n >> receive(ACK) << ended()",
    )
    climb(
        machine(IS, reliable=True),
        """
        >> start() << deliver(INVITE)
        >> respond(486) << send(486)
        31.9 >> fire()
        32.0 >> fire() << failed(timeout) << ended()
        """,
    )


@pytest.mark.parametrize("reliable", [False, True])
def test_accepted_soaks_up_the_invite_and_sends_the_users_2xx_again(reliable: bool) -> None:
    # RFC 6026: without this state a repeated INVITE would look like a new call
    climb(
        machine(IS, reliable=reliable),
        """
        >> start() << deliver(INVITE)
        0.1 >> respond(180) << send(180)
        1.0 >> respond(200) << send(200) == Accepted
        1.1 >> receive(INVITE) == Accepted
        1.5 >> respond(200) << send(200)
        1.6 >> receive(ACK) << deliver(ACK) == Accepted
        1.7 >> receive(ACK) << deliver(ACK)
        1.8 >> respond(486) == Accepted
        1.9 >> broken() << failed(transport) == Accepted
        32.9 >> receive(INVITE) == Accepted
        33.0 >> fire() << ended()
        33.1 >> respond(200)
        """,
    )


# -- non-INVITE server -----------------------------------------------------------------------------------


def test_a_repeated_request_waits_for_the_user_too() -> None:
    transaction = machine(NS)
    climb(
        transaction,
        """
        >> start() << deliver(OPTIONS)
        0.5 >> receive(OPTIONS) == Trying
        1.0 >> respond(200) << send(200) == Completed
        1.5 >> receive(OPTIONS) << send(200)
        1.6 >> respond(500) == Completed
        1.7 >> receive(OPTIONS) << send(200)
        33.0 >> fire() << ended()
        """,
    )


def test_over_tcp_the_answer_is_the_end() -> None:
    climb(
        machine(NS, reliable=True),
        ">> start() << deliver(OPTIONS) \n >> respond(200) << send(200) << ended()",
    )
