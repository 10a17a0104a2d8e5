"""How good a call sounds by numbers: the E-model (ITU-T G.107; of wide band G.107.1).

It tells what people would say of the way between mouth and ear: R, 0..100 (wide band 0..129), and from that
the mean opinion score, 1..4.5, of a conversation. All but codec, loss and delay has the default values of the
recommendations: handsets, rooms and lines that nobody measures here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp, hypot, log10, sqrt


class Scale(StrEnum):
    """What the numbers are compared with; those of one scale say nothing on the other."""

    NARROW = "nb"
    """ITU-T G.107: a good call of 300 to 3400 Hz has R = 93.2."""
    WIDE = "wb"
    """ITU-T G.107.1: one of 50 to 7000 Hz has R = 129."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a codec does to speech (ITU-T G.113 appendices I and IV)."""

    ie: float
    """Equipment impairment factor, without loss: Ie, or Ie,wb."""
    bpl: float
    """Packet-loss robustness factor, without concealment, which nobody does here."""
    scale: Scale = Scale.NARROW
    delay: float = 0.0
    """Seconds that the codec looks ahead."""


IMPAIRMENTS = {
    "pcmu": Impairment(0, 4.3),
    "pcma": Impairment(0, 4.3),
    # No Bpl,wb without concealment is published: what a lost packet leaves is the silence that G.711 leaves.
    "g722": Impairment(13, 4.3, Scale.WIDE, 0.0015),
}
"""By the configuration name of a codec that is spoken here; of any other no figure is published."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The input parameters of G.107, with its default values (table 2)."""

    slr: float = 8.0
    """Send loudness rating, dB."""
    rlr: float = 2.0
    """Receive loudness rating, dB."""
    stmr: float = 15.0
    """Sidetone masking rating, dB."""
    ds: float = 3.0
    """D-value of the telephone, send side."""
    dr: float = 3.0
    """The same, receive side."""
    telr: float = 65.0
    """Talker echo loudness rating, dB."""
    wepl: float = 110.0
    """Weighted echo path loss, dB."""
    t: float = 0.0
    """Mean one-way delay of the echo path, ms."""
    tr: float = 0.0
    """Round-trip delay in a four-wire loop, ms."""
    ta: float = 0.0
    """Absolute delay in echo-free connections, ms."""
    qdu: float = 1.0
    """Quantization distortion units."""
    ie: float = 0.0
    """Equipment impairment factor."""
    bpl: float = 4.3
    """Packet-loss robustness factor."""
    ppl: float = 0.0
    """Packets lost, %."""
    burst_r: float = 1.0
    """Burst ratio."""
    nc: float = -70.0
    """Circuit noise, dBm0p."""
    n_for: float = -64.0
    """Noise floor at the receive side, dBmp."""
    ps: float = 35.0
    """Room noise at the send side, dB(A)."""
    pr: float = 35.0
    """Room noise at the receive side, dB(A)."""
    a: float = 0.0
    """Advantage factor."""


def narrowband(p: Parameters) -> float:
    """The transmission rating factor R of G.107 clause 7.1 (equation numbers are those of clause 7)."""
    no = _noise(p)
    ro = 15 - 1.5 * (p.slr + no)  # 7-2
    simultaneous = _loudness(p, no) + _sidetone(p) + _quantizing(p, ro)  # 7-8
    delay = _talker_echo(p, no) + _listener_echo(p, ro) + delay_impairment(p.ta)  # 7-19
    return ro - simultaneous - delay - effective(p.ie, p.bpl, p.ppl, p.burst_r) + p.a  # 7-1


def wideband(ie: float, bpl: float, ppl: float, burst_r: float = 1.0, ta: float = 0.0) -> float:
    """The rating factor of G.107.1 clause 7.1, of connections without echo, with all else by default.

    Losses in bursts count as in G.107.
    """
    return 129.0 - delay_impairment(ta) - effective(ie, bpl, ppl, burst_r)


def effective(ie: float, bpl: float, ppl: float, burst_r: float) -> float:
    """Ie-eff: codec and loss (7-29)."""
    return ie + (95 - ie) * ppl / (ppl / burst_r + bpl)


def delay_impairment(ta: float) -> float:
    """Idd: what a delay of *ta* ms does to a conversation (7-27, 7-28), with normal sensitivity."""
    if ta <= 100:
        return 0.0
    x = log10(ta / 100) / log10(2)
    return float(25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2))


def mos(r: float, scale: Scale = Scale.NARROW) -> float:
    """The mean opinion score of a rating factor (G.107 annex B; G.107.1 annex A)."""
    if scale is Scale.WIDE:
        r /= 1.29
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)  # it falls before it rises


@dataclass(frozen=True, slots=True)
class Quality:
    """What the E-model says."""

    r_factor: float
    mos: float
    """With the delay: MOS-CQ."""
    scale: Scale


def rated(codec: str, loss: float, burst_ratio: float, delay: float) -> Quality | None:
    """How good *codec* sounds; None where nothing is published of it.

    Args:
        codec: its configuration name.
        loss: the share of packets that were not heard, 0..1.
        burst_ratio: G.107's BurstR.
        delay: seconds from mouth to ear, without the codec's own; no echo is thought to come back.
    """
    impairment = IMPAIRMENTS.get(codec)
    if impairment is None:
        return None
    ta, ppl = 1000 * (delay + impairment.delay), 100 * loss
    if impairment.scale is Scale.WIDE:
        r = wideband(impairment.ie, impairment.bpl, ppl, burst_ratio, ta)
    else:
        r = narrowband(Parameters(ie=impairment.ie, bpl=impairment.bpl, ppl=ppl, burst_r=burst_ratio, ta=ta))
    r = max(r, 0.0)
    return Quality(r, mos(r, impairment.scale), impairment.scale)


# -- the parts of R ------------------------------------------------------------------------------------------


def _noise(p: Parameters) -> float:
    """No: the sum of all noises (7-3 to 7-7)."""
    olr = p.slr + p.rlr
    nos = p.ps - p.slr - p.ds - 100 + 0.004 * (p.ps - olr - p.ds - 14) ** 2
    pre = p.pr + 10 * log10(1 + 10 ** ((10 - (p.stmr + p.dr)) / 10))
    nor = p.rlr - 121 + pre + 0.008 * (pre - 35) ** 2
    nfo = p.n_for + p.rlr
    return 10 * log10(sum(10 ** (noise / 10) for noise in (p.nc, nos, nor, nfo)))


def _loudness(p: Parameters, no: float) -> float:
    """Iolr (7-9, 7-10)."""
    x = p.slr + p.rlr + 0.2 * (64 + no - p.rlr)
    return float(20 * ((1 + (x / 8) ** 8) ** (1 / 8) - x / 8))


def _sidetone(p: Parameters) -> float:
    """Ist (7-11, 7-12)."""
    stmro = -10 * log10(10 ** (-p.stmr / 10) + exp(-p.t / 4) * 10 ** (-p.telr / 10))
    return float(
        12 * (1 + ((stmro - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((stmro + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((stmro - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )


def _quantizing(p: Parameters, ro: float) -> float:
    """Iq (7-13 to 7-17)."""
    q = 37 - 15 * log10(p.qdu)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (ro - 100) / 15 + 46 / 8.4 - g / 9
    z = 46 / 30 - g / 40
    return 15 * log10(1 + 10**y + 10**z)


def _talker_echo(p: Parameters, no: float) -> float:
    """Idte (7-20 to 7-24)."""
    if p.t < 1:
        return 0.0
    terv = p.telr - 40 * log10((1 + p.t / 10) / (1 + p.t / 150)) + 6 * exp(-0.3 * p.t**2)
    if p.stmr < 9:
        terv += _sidetone(p) / 2
    roe = -1.5 * (no - p.rlr)
    re = 80 + 2.5 * (terv - 14)
    idte = ((roe - re) / 2 + sqrt((roe - re) ** 2 / 4 + 100) - 1) * (1 - exp(-p.t))
    return hypot(idte, _sidetone(p)) if p.stmr > 20 else idte


def _listener_echo(p: Parameters, ro: float) -> float:
    """Idle (7-25, 7-26)."""
    rle: float = 10.5 * (p.wepl + 7) * (p.tr + 1) ** -0.25
    return (ro - rle) / 2 + sqrt((ro - rle) ** 2 / 4 + 169)
