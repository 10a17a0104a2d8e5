"""The words of a what-if."""

from __future__ import annotations

import pytest

from phone_emulator.events import Attempt, Outcome, Source, Target, Transport, Wait
from phone_emulator.whatif.words import because, clock, doing, in_short, listed, place, span, steps


def attempt(
    outcome: Outcome, took: float = 0.0, detail: str = "", *, port: int = 5060, address: str = "192.168.1.13"
) -> Attempt:
    target = Target(1, "primary", "pbx.example", address, port, Transport.UDP, Source.DNS)
    return Attempt(
        1, "INVITE", target, Wait(took, ""), "", 5.0, ended=5.0 + took, outcome=outcome, detail=detail
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (32.0, "32.0 s"),
        (119.94, "119.9 s"),
        (119.96, "2 min"),
        (540.0, "9 min"),
        (3478.0, "57 min 58 s"),
        (3600.0, "1 h"),
        (3660.0, "1 h 1 min"),
    ],
)
def test_a_span_has_the_units_that_it_needs(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0:00.0"), (59.96, "1:00.0"), (600.0, "10:00.0"), (3607.5, "1:00:07.5")],
)
def test_the_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_sentence_says_each_number_once() -> None:
    silent = attempt(Outcome.NO_RESPONSE, 32.0, "no response within 64*T1 = 32.0 s")
    assert doing(silent) == "waits 32.0 s for the primary 192.168.1.13 (no response within 64*T1)"
    counted = attempt(
        Outcome.NO_RESPONSE, 7.5, "no response to 3 retransmissions (retry_counts = 3), given up at 7.5 s"
    )
    assert because(counted) == "no response to 3 retransmissions, retry_counts = 3"


def test_another_number_is_kept() -> None:
    late = attempt(Outcome.NO_RESPONSE, 40.0, "no response within 64*T1 = 32.0 s")
    assert because(late) == "no response within 64*T1 = 32.0 s"


def test_what_a_server_says_is_no_number_of_ours() -> None:
    said = attempt(Outcome.UNAVAILABLE, 1.0, "answered 503 load = 1.1.1 s")
    assert because(said) == "503 load = 1.1.1 s"


def test_a_name_without_an_address() -> None:
    lost = attempt(Outcome.UNRESOLVED, 9.0, "pbx.example: no answer after 9.0 s (192.0.2.53:53)", address="")
    assert doing(lost) == "waits 9.0 s and finds no address for pbx.example (no answer from 192.0.2.53:53)"


def test_an_unusual_port_is_told() -> None:
    assert place(attempt(Outcome.ANSWERED, port=5070).target) == "the primary 192.168.1.13:5070"


def test_a_route_in_words_and_in_short() -> None:
    route = [
        attempt(Outcome.ICMP, 0.0, "ICMP port unreachable"),
        attempt(Outcome.ANSWERED, 0.0, "200 OK"),
    ]
    assert steps(route) == (
        "cannot reach the primary 192.168.1.13 (ICMP port unreachable), "
        "then is answered by the primary 192.168.1.13"
    )
    assert in_short(route) == "primary icmp"


def test_a_list() -> None:
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
