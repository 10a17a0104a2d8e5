"""Keys in session descriptions: what is read, what is passed over, and that none is ever shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media.crypto import (
    SUITES,
    Crypto,
    CryptoError,
    Key,
    Security,
    chosen,
    read,
    read_all,
    suites_called,
)

SHA1_80, SHA1_32, GCM, LONG_GCM = SUITES.values()
MATERIAL = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
"""That of the first example of RFC 4568."""
KEY = base64.b64decode(MATERIAL)
LINE = f"1 AES_CM_128_HMAC_SHA1_80 inline:{MATERIAL}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (LINE, Crypto(1, SHA1_80, Key(KEY))),
        (f"  7   aes_cm_128_hmac_sha1_32 INLINE:{MATERIAL} ", Crypto(7, SHA1_32, Key(KEY))),
        (f"{LINE}|2^20", Crypto(1, SHA1_80, Key(KEY))),
        (f"{LINE}|1048576", Crypto(1, SHA1_80, Key(KEY))),
        (f"{LINE}|2^48 KDR=0 WSH=128", Crypto(1, SHA1_80, Key(KEY))),
        (f"{LINE} -UNKNOWN=7 -ALSO", Crypto(1, SHA1_80, Key(KEY))),
        (f"{LINE}|2^20|1:4", Crypto(1, SHA1_80, Key(KEY), b"\0\0\0\x01")),
        (f"{LINE}|1:1", Crypto(1, SHA1_80, Key(KEY), b"\x01")),
        (f"{LINE}|2^20|9:128", Crypto(1, SHA1_80, Key(KEY), b"\x09".rjust(128, b"\0"))),
        (
            f"999999999 AEAD_AES_128_GCM inline:{base64.b64encode(KEY[:28]).decode()}",
            Crypto(999999999, GCM, Key(KEY[:28])),
        ),
        (
            f"2 AEAD_AES_256_GCM inline:{base64.b64encode(bytes(44)).decode().rstrip('=')}",
            Crypto(2, LONG_GCM, Key(bytes(44))),
        ),
    ],
)
def test_lines_that_are_read(line: str, expected: Crypto) -> None:
    assert read(line) == expected


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "expected a=crypto with a tag, a cipher and a key"),
        ("1 AES_CM_128_HMAC_SHA1_80", "expected a=crypto with a tag, a cipher and a key"),
        (LINE.replace("1 ", "x ", 1), "expected a=crypto with a tag, a cipher and a key"),
        (LINE.replace("1 ", "1000000000 ", 1), "expected a=crypto with a tag, a cipher and a key"),
        (LINE.replace("1 ", "٣ ", 1), "expected a=crypto with a tag, a cipher and a key"),
        (LINE.replace("AES_CM", "F8"), "the cipher F8_128_HMAC_SHA1_80 cannot be done here"),
        (LINE.replace("AES_CM_128", "AES_256_CM"), "the cipher AES_256_CM_HMAC_SHA1_80 cannot be done here"),
        (f"1 inline:{MATERIAL} AES_CM_128_HMAC_SHA1_80", "the cipher cannot be done here"),
        (f"1 {MATERIAL} AES_CM_128_HMAC_SHA1_80", "the cipher cannot be done here"),
        (LINE.replace("inline", "uri"), "expected the key as inline:"),
        (LINE[:-4], "a key of 30 octets was expected, not 27"),
        (LINE + "AAAA", "a key of 30 octets was expected, not 33"),
        (LINE.replace("inline:W", "inline:*"), "the key is no base64"),
        (LINE.replace("inline:W", "inline:é"), "the key is no base64"),
        (LINE[:-1], "the key is no base64|a key of 30 octets was expected, not 29"),
        (f"{LINE};inline:{MATERIAL}|1:4", "several keys in one line cannot be used here"),
        (f"{LINE}|2^49", "the lifetime of the key was expected as 1 to 2^48 packets"),
        (f"{LINE}|0", "the lifetime of the key was expected as 1 to 2^48 packets"),
        (f"{LINE}|", "the lifetime of the key was expected as 1 to 2^48 packets"),
        (f"{LINE}|2^20|2^20", "expected a lifetime and an identifier (MKI) behind the key, and nothing else"),
        (f"{LINE}|1:4|2^20", "expected a lifetime and an identifier (MKI) behind the key, and nothing else"),
        (f"{LINE}|2^20|256:1", "the identifier of the key (MKI) was expected as a number of 1 to 128 octets"),
        (f"{LINE}|2^20|1:0", "the identifier of the key (MKI) was expected as a number of 1 to 128 octets"),
        (f"{LINE}|2^20|1:129", "the identifier of the key (MKI) was expected as a number of 1 to 128 octets"),
        (f"{LINE}|2^20|x:1", "the identifier of the key (MKI) was expected as a number of 1 to 128 octets"),
        (f"{LINE} KDR=3", "the parameter KDR cannot be used here"),
        (f"{LINE} UNENCRYPTED_SRTCP", "the parameter UNENCRYPTED_SRTCP cannot be used here"),
        (f"{LINE} UNENCRYPTED_SRTP", "the parameter UNENCRYPTED_SRTP cannot be used here"),
        (f"{LINE} UNAUTHENTICATED_SRTP", "the parameter UNAUTHENTICATED_SRTP cannot be used here"),
        (f"{LINE} FEC_ORDER=FEC_SRTP", "the parameter FEC_ORDER cannot be used here"),
        (f"{LINE} inline:{MATERIAL}", "the parameter cannot be used here"),
        (f"{LINE} WSH=63", "WSH was expected as a number from 64"),
        (f"{LINE} WSH=many", "WSH was expected as a number from 64"),
    ],
)
def test_lines_that_cannot_be_used_say_why_and_show_no_key(line: str, why: str) -> None:
    with pytest.raises(CryptoError) as caught:
        read(line)
    assert str(caught.value) in why.split("|")
    assert MATERIAL[:8] not in str(caught.value)


def test_of_several_lines_the_usable_ones_are_read() -> None:
    lines = [LINE.replace("AES_CM", "F8"), LINE, LINE.replace("_80", "_32"), LINE.replace("1 ", "2 ", 1)]
    found, wrong = read_all(lines)
    assert found == (Crypto(1, SHA1_80, Key(KEY)), Crypto(2, SHA1_80, Key(KEY)))
    assert wrong == "the cipher F8_128_HMAC_SHA1_80 cannot be done here"
    assert read_all([LINE, LINE]) == (found[:1], "the tag 1 is there twice")
    assert read_all([]) == ((), "")


def test_the_first_line_that_this_end_can_is_chosen() -> None:
    offered = [Crypto(1, GCM, Key(KEY[:28])), Crypto(2, SHA1_32, Key(KEY)), Crypto(3, SHA1_80, Key(KEY))]
    assert chosen(offered, [SHA1_80, SHA1_32]) == offered[1]
    assert chosen(offered, [LONG_GCM]) is None


def test_the_list_of_ciphers() -> None:
    # account.X.srtp.cipher_list
    assert suites_called(
        "AES_CM_128_HMAC_SHA1_32, aead_aes_256_gcm;F8_128_HMAC_SHA1_80 AES_CM_128_HMAC_SHA1_32"
    ) == (
        [SHA1_32, LONG_GCM],
        ["F8_128_HMAC_SHA1_80"],
    )
    assert suites_called("") == suites_called(" ,, ") == ([], [])


def test_a_key_is_never_shown() -> None:
    key = Key(KEY)
    crypto = Crypto(1, SHA1_80, key)
    shown = [repr(key), str(key), f"{key}", f"{key:>40}", repr(crypto), str(crypto)]
    shown += [repr(Security(SHA1_80, key, key)), str([key]), f"{key!r}"]
    for text in shown:
        assert "YS___" not in text
        assert MATERIAL[:8] not in text
    assert crypto.line() == f"a=crypto:{LINE}"


@given(st.lists(st.text(max_size=80) | st.builds(lambda tail: LINE + tail, st.text(max_size=30)), max_size=5))
def test_whatever_the_lines_say_nothing_is_raised(lines: list[str]) -> None:
    found, wrong = read_all(lines)
    assert len(found) <= len(lines)
    assert MATERIAL[:8] not in wrong
    for each in found:
        assert read(each.line().removeprefix("a=crypto:")).key == each.key
