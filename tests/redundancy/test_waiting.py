"""How long a silent target is waited for: the table of rule C5, for REGISTER too, and for connections."""

from __future__ import annotations

import pytest

from phone_emulator.config.model import FailoverConfig, TimerConfig
from phone_emulator.events import Transport
from phone_emulator.redundancy import Silence, wait_for

T1 = TimerConfig()
UDP = Transport.UDP
reliable = pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS])

# When retransmission N + 1 would be due: 0.5 * (2^(N+1) - 1), never later than 32 s.
INVITE = {0: 0.5, 1: 1.5, 2: 3.5, 3: 7.5, 4: 15.5, 5: 31.5} | dict.fromkeys(range(6, 21), 32.0)
# The same with intervals of at most T2 = 4 s: 0.5, 1, 2, 4, 4, …
REGISTER = {0: 0.5, 1: 1.5, 2: 3.5} | {n: 7.5 + 4 * (n - 3) for n in range(3, 10)} | {9: 31.5}
REGISTER |= dict.fromkeys(range(10, 21), 32.0)


def seconds(method: str, keys: FailoverConfig, *, last: bool = False, timers: TimerConfig = T1) -> float:
    return wait_for(method, keys, timers, UDP, last=last).seconds


@pytest.mark.parametrize(("count", "expected"), INVITE.items())
def test_invite_retry_counts(count: int, expected: float) -> None:
    # rule C5
    assert seconds("INVITE", FailoverConfig(invite_retry_counts=count)) == expected
    assert seconds("INVITE", FailoverConfig(retry_counts=count)) == expected
    assert seconds("INVITE", FailoverConfig(invite_retry_counts=count, retry_counts=7)) == expected


@pytest.mark.parametrize(("count", "expected"), REGISTER.items())
def test_retry_counts_of_register(count: int, expected: float) -> None:
    # rule R2
    assert seconds("REGISTER", FailoverConfig(retry_counts=count)) == expected
    assert seconds("REGISTER", FailoverConfig(retry_counts=count, invite_retry_counts=1)) == expected


def test_neither_key_set() -> None:
    # rule C5
    # rule R2
    assert seconds("INVITE", FailoverConfig()) == 32.0
    assert seconds("REGISTER", FailoverConfig()) == 7.5
    assert seconds("REGISTER", FailoverConfig(invite_retry_counts=1)) == 7.5


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "SUBSCRIBE"])
@pytest.mark.parametrize("silence", list(Silence))
def test_the_last_target_gets_64_t1(method: str, silence: Silence) -> None:
    # rule C5
    # rule R2
    keys = FailoverConfig(retry_counts=1, invite_retry_counts=1)
    wait = wait_for(method, keys, T1, UDP, last=True, silence=silence)
    assert (wait.seconds, wait.why) == (32.0, "within 64*T1 = 32.0 s")


@pytest.mark.parametrize(
    ("silence", "keys", "invite", "register"),
    [
        (Silence.AUTO, FailoverConfig(), 32.0, 7.5),
        (Silence.AUTO, FailoverConfig(retry_counts=1), 1.5, 1.5),
        (Silence.AUTO, FailoverConfig(invite_retry_counts=1), 1.5, 7.5),
        (Silence.TIMER_B, FailoverConfig(), 32.0, 32.0),
        (Silence.TIMER_B, FailoverConfig(retry_counts=1, invite_retry_counts=1), 32.0, 32.0),
        (Silence.RETRY_COUNTS, FailoverConfig(), 7.5, 7.5),
        (Silence.RETRY_COUNTS, FailoverConfig(retry_counts=1, invite_retry_counts=2), 3.5, 1.5),
        (Silence.RETRY_COUNTS, FailoverConfig(retry_counts=1), 1.5, 1.5),
        (Silence.RETRY_COUNTS, FailoverConfig(invite_retry_counts=1), 1.5, 7.5),
        (Silence.ATTEMPTS, FailoverConfig(), 3.5, 3.5),
        (Silence.ATTEMPTS, FailoverConfig(retry_counts=3, invite_retry_counts=3), 3.5, 3.5),
        (Silence.ATTEMPTS, FailoverConfig(retry_counts=1), 0.5, 0.5),
        (Silence.ATTEMPTS, FailoverConfig(invite_retry_counts=4), 7.5, 3.5),
        (Silence.ATTEMPTS, FailoverConfig(retry_counts=5, invite_retry_counts=20), 32.0, 11.5),
    ],
)
def test_the_silence_option(silence: Silence, keys: FailoverConfig, invite: float, register: float) -> None:
    """``retry-counts`` and ``attempts``: the keys, or their documented default, 3, where none is set."""
    # rule C5
    for method, expected in (("INVITE", invite), ("REGISTER", register)):
        assert wait_for(method, keys, T1, UDP, last=False, silence=silence).seconds == expected


@pytest.mark.parametrize(
    ("timers", "full", "three"),
    [
        (TimerConfig(t1=1.0), 64.0, 15.0),
        (TimerConfig(t1=10.0, t2=40.0), 640.0, 150.0),
        (TimerConfig(t1=0.5, t2=2.0), 32.0, 7.5),
    ],
)
def test_other_timers(timers: TimerConfig, full: float, three: float) -> None:
    # rule T
    # rule C5
    keys = FailoverConfig(invite_retry_counts=3)
    assert seconds("INVITE", FailoverConfig(), timers=timers) == full
    assert seconds("INVITE", keys, timers=timers) == three
    assert seconds("INVITE", keys, timers=timers, last=True) == full


def test_register_intervals_are_bound_by_t2() -> None:
    # rule R2
    assert seconds("REGISTER", FailoverConfig(retry_counts=3), timers=TimerConfig(t2=2.0)) == 0.5 + 1 + 2 + 2


@reliable
@pytest.mark.parametrize(
    ("keys", "last", "connect", "why"),
    [
        (FailoverConfig(), False, 32.0, "within 64*T1 = 32.0 s"),
        (FailoverConfig(invite_retry_counts=3), False, 7.5, "within 7.5 s (invite_retry_counts = 3)"),
        (FailoverConfig(retry_counts=1), False, 1.5, "within 1.5 s (retry_counts = 1)"),
        (FailoverConfig(invite_retry_counts=3), True, 32.0, "within 64*T1 = 32.0 s"),
    ],
)
def test_connections(
    transport: Transport, keys: FailoverConfig, last: bool, connect: float, why: str
) -> None:
    """The keys bound the connect; once connected, silence costs 64*T1."""
    # rule C6
    wait = wait_for("INVITE", keys, T1, transport, last=last)
    assert (wait.seconds, wait.why) == (32.0, "within 64*T1 = 32.0 s")
    assert (wait.connect, wait.connect_why) == (connect, why)


def test_why_names_the_key_and_its_value() -> None:
    # rule C5
    wait = wait_for("INVITE", FailoverConfig(invite_retry_counts=3), T1, UDP, last=False)
    assert wait.why == "to 3 retransmissions (invite_retry_counts = 3), given up at 7.5 s"
    assert wait.connect is None
    wait = wait_for("INVITE", FailoverConfig(retry_counts=1), T1, UDP, last=False)
    assert wait.why == "to 1 retransmission (retry_counts = 1), given up at 1.5 s"
    wait = wait_for("INVITE", FailoverConfig(retry_counts=20), T1, UDP, last=False)
    assert wait.why == "within 64*T1 = 32.0 s"


def test_attempts_count_sends() -> None:
    # rule C5
    wait = wait_for(
        "INVITE", FailoverConfig(invite_retry_counts=3), T1, UDP, last=False, silence=Silence.ATTEMPTS
    )
    assert (wait.seconds, wait.why) == (3.5, "to 3 sends (invite_retry_counts = 3), given up at 3.5 s")


@pytest.mark.parametrize("silence", [Silence.AUTO, Silence.RETRY_COUNTS, Silence.ATTEMPTS])
@pytest.mark.parametrize("timers", [T1, TimerConfig(t1=2.0)])
def test_no_retry_is_one_send_given_up_at_t1(silence: Silence, timers: TimerConfig) -> None:
    # rule C5
    keys = FailoverConfig(retry_counts=0, invite_retry_counts=0)
    for method in ("INVITE", "REGISTER"):
        assert wait_for(method, keys, timers, UDP, last=False, silence=silence).seconds == timers.t1


def test_what_the_option_is_called() -> None:
    # rule C5
    assert [str(silence) for silence in Silence] == ["auto", "timer-b", "retry-counts", "attempts"]
