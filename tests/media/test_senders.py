"""Whose RTP counts (``features.rtp_symmetric.enable``, ``sip.trust_ctrl``)."""

from __future__ import annotations

import pytest

from phone_emulator.events import Address
from phone_emulator.media.senders import SILENCE, Senders, Symmetric

FAR, ITS_OTHER_PORT = Address("192.0.2.1", 4000), Address("192.0.2.1", 4002)
ITS_NAT, STRANGER = Address("198.51.100.1", 4000), Address("203.0.113.1", 6000)


def test_who_was_heard_first_is_heard() -> None:
    senders = Senders()
    senders.negotiated(FAR)
    assert senders.admits(ITS_NAT, 0.0)
    assert not senders.admits(STRANGER, 1.0)
    assert not senders.admits(STRANGER, 1000.0)
    assert senders.admits(ITS_NAT, 1001.0)


def test_the_negotiated_address_takes_the_place_of_who_was_faster() -> None:
    senders = Senders()
    senders.negotiated(FAR)
    assert senders.admits(STRANGER, 0.0)
    assert senders.admits(FAR, 0.01)
    assert not senders.admits(STRANGER, 0.02)


def test_before_anything_is_agreed_the_first_is_heard() -> None:
    senders = Senders()
    assert senders.admits(FAR, 0.0)
    assert not senders.admits(STRANGER, 0.1)
    senders.negotiated(FAR)
    assert not senders.admits(STRANGER, 0.2)


def test_who_came_before_anything_was_agreed_does_not_stay_unless_it_is_the_host_that_is_agreed() -> None:
    senders = Senders()
    assert senders.admits(STRANGER, 0.0)
    senders.negotiated(FAR)
    assert senders.admits(ITS_NAT, 0.1)
    assert not senders.admits(STRANGER, 0.2)
    early = Senders()
    assert early.admits(ITS_OTHER_PORT, 0.0)
    early.negotiated(FAR)
    assert not early.admits(STRANGER, 0.1)


@pytest.mark.parametrize(
    ("symmetric", "trust", "source", "why"),
    [
        (Symmetric.OFF, False, STRANGER, f"the far end's comes from {FAR}"),
        (Symmetric.ADDRESS, False, STRANGER, f"{FAR} is agreed (features.rtp_symmetric.enable = 1)"),
        (Symmetric.ADDRESS, True, STRANGER, f"{FAR} is agreed (features.rtp_symmetric.enable = 1)"),
        (Symmetric.ADDRESS, False, ITS_OTHER_PORT, f"the far end's comes from {FAR}"),
        (Symmetric.PORT, False, STRANGER, f"{FAR} is agreed (features.rtp_symmetric.enable = 2)"),
        (Symmetric.PORT, True, ITS_NAT, f"{FAR} is agreed (sip.trust_ctrl = 1)"),
        (Symmetric.BOTH, False, ITS_OTHER_PORT, f"{FAR} is agreed (features.rtp_symmetric.enable = 3)"),
        (Symmetric.OFF, True, ITS_NAT, f"{FAR} is agreed (sip.trust_ctrl = 1)"),
    ],
)
def test_why_somebody_does_not_count(symmetric: Symmetric, trust: bool, source: Address, why: str) -> None:
    senders = Senders(symmetric, negotiated_only=trust)
    senders.negotiated(FAR)
    assert senders.admits(FAR, 0.0)
    assert not senders.admits(source, 0.1)
    assert senders.why_not(source) == why


def test_nothing_counts_by_a_setting_before_anything_is_agreed() -> None:
    senders = Senders(Symmetric.ADDRESS)
    assert not senders.admits(FAR, 0.0)
    assert senders.why_not(FAR) == "no address is agreed (features.rtp_symmetric.enable = 1)"


def test_a_nat_that_binds_anew_is_followed_when_the_old_port_is_silent() -> None:
    senders = Senders()
    senders.negotiated(FAR)
    assert senders.admits(FAR, 0.0)
    assert not senders.admits(ITS_OTHER_PORT, 1.0)
    assert senders.admits(ITS_OTHER_PORT, SILENCE)
    assert not senders.admits(STRANGER, 2 * SILENCE)


def test_another_agreement_is_waited_for_anew() -> None:
    """Early media of one server, then the callee itself; a transfer."""
    senders = Senders()
    senders.negotiated(FAR)
    assert senders.admits(FAR, 0.0)
    senders.negotiated(FAR)  # a hold, and back
    assert not senders.admits(ITS_NAT, 0.1)
    senders.negotiated(STRANGER)
    assert senders.admits(ITS_NAT, 0.2)


@pytest.mark.parametrize(
    ("symmetric", "heard"),
    [
        (Symmetric.ADDRESS, [FAR, ITS_OTHER_PORT]),
        (Symmetric.PORT, [FAR, ITS_NAT]),
        (Symmetric.BOTH, [FAR]),
    ],
)
def test_what_the_guide_has_rejected(symmetric: Symmetric, heard: list[Address]) -> None:
    found = []
    for source in (FAR, ITS_OTHER_PORT, ITS_NAT, STRANGER):
        senders = Senders(symmetric)
        assert not senders.admits(source, 0.0), "nothing is negotiated yet"
        senders.negotiated(FAR)
        if senders.admits(source, 1.0):
            found.append(source)
    assert found == heard


def test_trust_ctrl_wants_the_negotiated_address_at_any_port() -> None:
    senders = Senders(negotiated_only=True)
    senders.negotiated(FAR)
    assert senders.admits(ITS_OTHER_PORT, 0.0)
    assert not senders.admits(ITS_NAT, 100.0)


def test_reports_count_from_the_host_that_is_heard_at_any_port() -> None:
    """RFC 3550 section 11: RTCP has a port of its own."""
    senders = Senders()
    assert not senders.reports(FAR)
    senders.negotiated(FAR)
    assert senders.reports(ITS_OTHER_PORT)
    assert not senders.reports(ITS_NAT)
    assert senders.admits(ITS_NAT, 0.0)
    assert senders.reports(ITS_NAT)
    assert not senders.reports(FAR)


@pytest.mark.parametrize("symmetric", Symmetric)
def test_reports_are_rejected_by_their_host_never_by_their_port(symmetric: Symmetric) -> None:
    senders = Senders(symmetric)
    senders.negotiated(FAR)
    assert senders.reports(ITS_OTHER_PORT)
    assert not senders.reports(STRANGER)
