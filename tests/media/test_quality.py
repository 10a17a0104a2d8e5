"""The E-model against what ITU-T G.107, its annex B, and G.107.1 print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media.codecs import CODECS
from phone_emulator.media.quality import (
    IMPAIRMENTS,
    Parameters,
    Scale,
    delay_impairment,
    effective,
    mos,
    narrowband,
    rated,
    wideband,
)

SHARE = st.floats(0, 1)
CODEC = st.sampled_from(sorted(IMPAIRMENTS))


def test_the_default_values_of_g_107_give_93_2() -> None:
    assert round(narrowband(Parameters()), 1) == 93.2


@pytest.mark.parametrize(("r", "score"), [(90, 4.34), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_a_rating_is_the_score_of_annex_b(r: float, score: float) -> None:
    """G.107 table B.1; its 4.03 at R = 80 is 4.024 by its own formula."""
    assert mos(r) == pytest.approx(score, abs=0.0051)


@pytest.mark.parametrize(("r", "score"), [(-20, 1.0), (0, 1.0), (6.5, 1.0), (100, 4.5), (120, 4.5)])
def test_scores_end_at_one_and_four_and_a_half(r: float, score: float) -> None:
    assert mos(r) == score


@given(st.floats(0, 99), st.floats(0.01, 1))
def test_a_better_rating_is_no_worse_score(r: float, more: float) -> None:
    assert mos(r) <= mos(r + more) + 1e-9


def test_wide_band_without_impairment_has_129_and_the_best_score() -> None:
    """G.107.1 clause 6.2, annex A."""
    assert wideband(0, 4.3, 0) == pytest.approx(129)
    assert mos(129, Scale.WIDE) == 4.5
    assert mos(129 * 0.7, Scale.WIDE) == pytest.approx(mos(90.3 / 1.29))


@pytest.mark.parametrize(("ta", "idd"), [(0, 0), (100, 0), (150, 0.2), (200, 3.0), (400, 24.1)])
def test_delay_counts_above_100_ms(ta: float, idd: float) -> None:
    """G.107 equations 7-27 and 7-28."""
    assert delay_impairment(ta) == pytest.approx(idd, abs=0.06)


@pytest.mark.parametrize(
    ("ppl", "burst_r", "ie_eff"),
    [(0, 1, 0.0), (1, 1, 17.92), (4.3, 1, 47.5), (4.3, 2, 63.33), (100, 1, 91.08)],
)
def test_loss_counts_by_the_codecs_robustness_and_more_in_bursts(
    ppl: float, burst_r: float, ie_eff: float
) -> None:
    """G.107 equation 7-29 with G.711's Bpl without concealment."""
    assert effective(0, 4.3, ppl, burst_r) == pytest.approx(ie_eff, abs=0.01)


def test_talker_echo_counts_with_its_delay() -> None:
    """G.107 clause 7.4: the same delay with echo is worse, the more so the louder it is."""
    free = narrowband(Parameters(ta=150))
    echo = narrowband(Parameters(ta=150, t=150, tr=300))
    loud = narrowband(Parameters(ta=150, t=150, tr=300, telr=35))
    assert free > echo > loud
    assert echo == pytest.approx(89.5, abs=0.1)


def test_weak_and_strong_sidetone_change_the_echo() -> None:
    """G.107 equations 7-23 and 7-24."""
    weak, usual = Parameters(t=100, stmr=25), Parameters(t=100, stmr=15)
    assert narrowband(weak) < narrowband(usual)
    assert narrowband(Parameters(t=100, stmr=7)) < narrowband(usual)


def test_g_711_on_a_good_line_is_what_everyone_says() -> None:
    quality = rated("pcmu", loss=0.0, burst_ratio=1.0, delay=0.08)
    assert quality is not None
    assert (round(quality.r_factor, 1), round(quality.mos, 2), quality.scale) == (93.2, 4.41, "nb")


def test_g_722_is_told_on_the_wide_band_scale() -> None:
    """G.113 appendix IV: Ie,wb = 13 at 64 kbit/s."""
    quality = rated("g722", loss=0.0, burst_ratio=1.0, delay=0.08)
    assert quality is not None
    assert (round(quality.r_factor, 1), round(quality.mos, 2), quality.scale) == (116.0, 4.34, "wb")


def test_nothing_is_told_of_a_codec_of_which_nothing_is_published() -> None:
    assert rated("opus", 0.0, 1.0, 0.0) is None
    assert all(CODECS[name].coder is not None for name in IMPAIRMENTS)


@given(CODEC, SHARE, st.floats(1, 50), st.floats(0, 5), SHARE, st.floats(0, 5))
def test_what_is_worse_is_never_rated_better(
    codec: str, loss: float, burst_ratio: float, delay: float, more_loss: float, more_delay: float
) -> None:
    quality = rated(codec, loss, burst_ratio, delay)
    worse = rated(codec, max(loss, more_loss), burst_ratio, delay + more_delay)
    assert quality is not None
    assert worse is not None
    assert 0 <= worse.r_factor <= quality.r_factor + 1e-9
    assert 1 <= worse.mos <= quality.mos + 1e-9
