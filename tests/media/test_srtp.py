"""RTP encrypted and decrypted, held against the RFCs' own arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media import rtp
from phone_emulator.media.crypto import SUITES, Key, Security, Suite
from phone_emulator.media.srtp import MOST_KEYS, MOST_STREAMS, Failure, Protection, SrtpError

from .srtp_reference import AUTHENTICATION, CIPHER, SALT, derived, keystream, protected

CM = SUITES["AES_CM_128_HMAC_SHA1_80"]


def key(number: int, suite: Suite = CM) -> Key:
    return Key(bytes((number + each) % 256 for each in range(suite.octets)))


def ends(suite: Suite = CM, mki: bytes = b"") -> tuple[Protection, Protection]:
    """Two that have agreed; the first one's packets carry *mki* as far as the second one knows."""
    one, other = Protection(), Protection()
    one.agree(Security(suite, key(1, suite), key(2, suite)))
    other.agree(Security(suite, key(2, suite), key(1, suite), mki))
    return one, other


def packet(sequence: int = 0, ssrc: int = 7, payload: bytes = b"sound" * 32) -> bytes:
    return rtp.Packet(0, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc, payload).pack()


def failure(end: Protection, data: bytes) -> Failure:
    with pytest.raises(SrtpError) as caught:
        end.unprotect(data)
    return caught.value.failure


def test_the_reference_against_the_vectors_of_rfc_3711() -> None:
    # Appendix B.2 and B.3.
    stream = keystream(
        bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), 0xF0F1F2F3F4F5F6F7F8F9FAFBFCFD0000, 32
    )
    assert stream.hex().upper() == "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"
    master = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
    salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    assert derived(master, salt, CIPHER, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert derived(master, salt, SALT, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    signing = derived(master, salt, AUTHENTICATION, 20).hex().upper()
    assert signing == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_what_leaves_is_what_the_rfcs_say_and_is_understood(suite: Suite) -> None:
    one, other = ends(suite)
    for sequence in (0, 1, 2, 40000):
        sealed = one.protect(packet(sequence))
        assert sealed == protected(suite, key(1, suite), packet(sequence))
        assert other.unprotect(sealed) == packet(sequence)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_the_roll_over_counter_goes_on_where_sequence_numbers_begin_anew(suite: Suite) -> None:
    one, other = ends(suite)
    for sequence in range(32000, 32000 + 2 * 65536, 16):
        sealed = one.protect(packet(sequence))
        assert other.unprotect(sealed) == packet(sequence)
        if not sequence % 4096:
            assert sealed == protected(suite, key(1, suite), packet(sequence), sequence >> 16)
    assert sequence >> 16 == 2


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_what_is_not_taken_is_said_why(suite: Suite) -> None:
    one, other = ends(suite)
    sealed = [one.protect(packet(sequence)) for sequence in range(300)]
    other.unprotect(sealed[299])
    assert failure(other, sealed[299]) is Failure.REPLAY
    assert failure(other, sealed[0]) is Failure.REPLAY
    assert other.unprotect(sealed[298]) == packet(298)
    changed = bytearray(one.protect(packet(300)))
    changed[20] ^= 1
    assert failure(other, bytes(changed)) is Failure.KEY
    assert failure(other, packet(301)) in (Failure.KEY, Failure.MALFORMED)  # in the clear
    stranger, _ = Protection(), None
    stranger.agree(Security(suite, key(9, suite), key(2, suite)))
    assert failure(other, stranger.protect(packet(302))) is Failure.KEY
    assert failure(other, b"") is Failure.MALFORMED
    assert failure(other, b"\x80" * 1600) is Failure.MALFORMED
    with pytest.raises(SrtpError, match="1600 octets are too many"):
        one.protect(b"\x80" * 1600)


def test_a_new_key_is_a_new_context_and_stragglers_are_still_taken() -> None:
    one, other = ends()
    before = [one.protect(packet(sequence)) for sequence in (10, 11, 12)]
    other.unprotect(before[0])
    other.agree(Security(CM, key(2), key(3)))
    assert other.unprotect(before[1]) == packet(11)
    one.agree(Security(CM, key(3), key(2)))
    assert other.unprotect(one.protect(packet(13))) == packet(13)
    assert failure(other, before[2]) is Failure.KEY


def test_a_key_that_comes_back_goes_on_where_it_was() -> None:
    """Nothing is encrypted twice in the same way, and nothing that came is taken again."""
    one, other = ends()
    for sequence in range(65000, 65000 + 1000):
        sealed = one.protect(packet(sequence))
        other.unprotect(sealed)
    for end in (one, other):
        end.agree(None)
        assert not end.active
    one.agree(Security(CM, key(1), key(2)))
    other.agree(Security(CM, key(2), key(1)))
    assert one.active
    assert failure(other, sealed) is Failure.REPLAY
    sealed = one.protect(packet(66000))
    assert sealed == protected(CM, key(1), packet(66000), 1)
    assert other.unprotect(sealed) == packet(66000)


def test_keys_and_streams_are_bounded() -> None:
    one, other = ends()
    for number in range(3, 30):
        other.agree(Security(CM, key(2), key(number)))
    assert len(other._far) == MOST_KEYS
    one, other = ends()
    sealed = [one.protect(packet(5, ssrc)) for ssrc in range(1000, 1100)]
    for each in sealed:
        other.unprotect(each)
    [receiver] = other._far.values()
    assert len(receiver._ssrcs) == MOST_STREAMS
    assert failure(other, sealed[-1]) is Failure.REPLAY


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_packets_that_name_their_key(suite: Suite) -> None:
    one, other = ends(suite, mki=b"\0\x01")
    sealed = one.protect(packet(1))
    at = len(sealed) - suite.behind_mki
    assert failure(other, sealed) is Failure.KEY
    assert failure(other, sealed[:at] + b"\0\x02" + sealed[at:]) is Failure.KEY
    assert failure(other, b"\x80") is Failure.KEY
    assert other.unprotect(sealed[:at] + b"\0\x01" + sealed[at:]) == packet(1)


@given(
    st.lists(st.binary(max_size=1600), max_size=20),
    st.sampled_from(list(SUITES.values())),
    st.binary(max_size=3),
)
def test_whatever_comes_nothing_but_its_own_error_is_raised(
    noise: list[bytes], suite: Suite, mki: bytes
) -> None:
    one, other = ends(suite, mki)
    for data in noise:
        for each in (data, b"\x80\0" + data):
            failure(other, each)
    if not mki:
        assert other.unprotect(one.protect(packet(3))) == packet(3)
