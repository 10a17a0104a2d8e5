"""Within which time a binding is renewed whose connection was lost."""

from __future__ import annotations

import pytest

from phone_emulator.phone.registration.reach import BEHIND_THE_ANSWER, FIRST_BOUND, Reach

LEASE = 3600.0


def lost(reach: Reach, *, lived: float = 10.0, orderly: bool = True, lease: float = LEASE) -> float | None:
    return reach.lost(orderly=orderly, since_answer=lived, lived=lived, lease=lease)


def test_the_first_loss_is_mended_within_two_seconds() -> None:
    # rule R14
    assert lost(Reach()) == FIRST_BOUND == 2.0


def test_each_further_loss_doubles_the_bound_up_to_half_the_lease() -> None:
    # rule R14
    reach = Reach()
    bounds = [lost(reach) for _ in range(13)]
    assert bounds == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1800, 1800, 1800]


@pytest.mark.parametrize(("lived", "bound"), [(LEASE / 2 - 1, 8), (LEASE / 2, 2), (LEASE, 2)])
def test_a_connection_that_has_lived_for_half_a_lease_begins_anew(lived: float, bound: float) -> None:
    # rule R14
    reach = Reach()
    assert [lost(reach), lost(reach), lost(reach, lived=lived)] == [2, 4, bound]


def test_no_bound_is_above_half_a_short_lease() -> None:
    # rule R14
    assert lost(Reach(), lived=0.0, orderly=False, lease=3.0) == 1.5


@pytest.mark.parametrize(
    ("orderly", "lived", "none"),
    [
        (True, 0.0, True),
        (True, BEHIND_THE_ANSWER, True),
        (True, BEHIND_THE_ANSWER + 0.1, False),
        (False, 0.0, False),
    ],
)
def test_two_closes_behind_an_answer_ask_for_nothing(orderly: bool, lived: float, none: bool) -> None:
    # rule R14
    reach = Reach()
    assert lost(reach, lived=lived, orderly=orderly) == FIRST_BOUND
    assert (lost(reach, lived=lived, orderly=orderly) is None, reach.by_new_only) == (none, none)


def test_one_behind_a_challenge_counts_as_well() -> None:
    # rule R14
    reach = Reach()
    reach.renewed(survived=False, closed=1)
    assert lost(reach, lived=0.0) is None


def test_one_close_behind_an_answer_may_be_a_server_that_is_stopped() -> None:
    # rule R14
    reach = Reach()
    bounds = [lost(reach, lived=0.0), lost(reach, lived=1.0), lost(reach, lived=0.0)]
    assert bounds == [2, 4, 8]


def test_a_registrar_that_begins_to_keep_connections_is_believed_after_one_that_survives() -> None:
    # rule R14
    reach = Reach()
    assert [lost(reach, lived=0.0), lost(reach, lived=0.0)] == [2, None]
    reach.unreachable = "by a new connection only"
    reach.renewed(survived=False)
    assert reach.unreachable
    reach.renewed(survived=True)
    assert (reach.unreachable, reach.by_new_only) == ("", False)


def test_a_registrar_that_kept_its_connection_needs_two_closes_again() -> None:
    # rule R14
    reach = Reach()
    lost(reach, lived=0.0)
    reach.renewed(survived=True)
    assert [lost(reach, lived=0.0), lost(reach, lived=0.0)] == [2 * FIRST_BOUND, None]
