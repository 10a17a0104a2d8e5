"""Encrypted cfg files."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config.crypt import (
    CryptError,
    decrypt,
    encrypt,
    is_container,
    is_plain,
    read_container,
    read_key,
)

KEY = read_key("0123456789abcdef")
OTHER = read_key("0123456789abcdeF")
PLAIN = b"#!version:1.0.0.1\naccount.1.enable = 1\n"
# AES-128-ECB of PLAIN, padded, under KEY: by openssl enc -aes-128-ecb -K 30313233343536373839616263646566
KNOWN = "22e88b18521c9155c78839d7ac8c1c4464b2eedd5c902cd2497a504b9fa739266e9eadf6e04c1ffcf49e5582b7f100fd"


def container(cipher: str = "AES_128", body: bytes | None = None) -> bytes:
    data = base64.encodebytes(encrypt(PLAIN, KEY)) if body is None else body
    return b"\n".join(
        [
            b"#!encrypt:1.0.0.0",
            b"#!key_signatue:RSA_256",
            f"#!conf_encryption:{cipher}".encode(),
            b"#!key_ciphertext:" + base64.b64encode(b"only the phone reads this"),
            b"#!---BEGIN CONFIG DATA---",
            data.rstrip(b"\n"),
            b"#!---END CONFIG DATA---",
            b"",
        ]
    )


def test_the_cipher_text_is_that_of_openssl() -> None:
    assert encrypt(PLAIN, KEY) == bytes.fromhex(KNOWN)
    assert decrypt(bytes.fromhex(KNOWN), [KEY]) == PLAIN


@settings(max_examples=50)
@given(st.binary(max_size=100), st.sampled_from([KEY, read_key("#$%*+,-.:=?@[]^_{}~0123456789abc")]))
def test_what_is_encrypted_is_decrypted(data: bytes, key: bytes) -> None:
    cipher_text = encrypt(PLAIN + data, key)
    assert len(cipher_text) % 16 == 0
    assert not is_plain(cipher_text)
    assert decrypt(cipher_text, [OTHER, key]) == PLAIN + data


def test_a_plain_file_needs_no_key() -> None:
    for data in (PLAIN, b"\xef\xbb\xbf" + PLAIN):
        assert decrypt(data, []) == data


def test_a_container() -> None:
    data = container()
    assert (is_container(data), is_plain(data)) == (True, False)
    found = read_container(data)
    assert (found.version, found.signature, found.cipher) == ("1.0.0.0", "RSA_256", "AES_128")
    assert found.key_cipher_text == b"only the phone reads this"
    assert decrypt(data, [KEY]) == PLAIN
    assert decrypt(data.replace(b"\n", b"\r\n"), [KEY]) == PLAIN


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (encrypt(PLAIN, OTHER), r"^the key does not open it: what comes out does not begin with #!version"),
        (container(body=base64.b64encode(encrypt(PLAIN, OTHER))), "^the key does not open it"),
        (b"x" * 32, "^the key does not open it"),
        (b"x" * 17, "17 bytes are no multiple of 16"),
        (b"", "0 bytes are no multiple of 16"),
        (container(cipher="DES"), "conf_encryption 'DES', expected AES_128 or AES_256"),
        (container(body=b"?"), "holds no base64"),
        (container(body=b""), "0 bytes"),
        (container().replace(b"END", b"ENDE"), r"no line #!---END CONFIG DATA---: the file is cut off"),
        (container().replace(b"#!---BEGIN", b"#!--BEGIN"), "line 5 of the container: expected"),
        (b"#!encrypt:1.0.0.0\n", "no line #!---BEGIN CONFIG DATA---"),
        (b"#!encrypt:1.0.0.0\n\n\xff", "line 3 of the container is not ASCII text"),
    ],
)
def test_what_cannot_be_opened(data: bytes, fault: str) -> None:
    with pytest.raises(CryptError, match=fault):
        decrypt(data, [KEY])


def test_no_key_at_all() -> None:
    with pytest.raises(CryptError, match=r"^is encrypted, and there is no key for it$"):
        decrypt(encrypt(PLAIN, KEY), [])


def test_only_a_cfg_file_is_encrypted() -> None:
    with pytest.raises(CryptError, match=r"^the first line is not #!version:1\.0\.0\.1"):
        encrypt(b"account.1.enable = 1\n", KEY)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "this one has 0"),
        ("short", "this one has 5"),
        ("0123456789abcdef0", "this one has 17"),
        ("0123456789abcde!", "letters, digits and"),
        ("0123456789abcdeé", "letters, digits and"),
    ],
)
def test_what_is_no_key(text: str, fault: str) -> None:
    with pytest.raises(CryptError, match=fault) as caught:
        read_key(text)
    assert text == "" or text not in str(caught.value)


@settings(max_examples=80)
@given(st.binary(max_size=200), st.sampled_from([b"", b"#!encrypt:1.0.0.0\n", container()[:150]]))
def test_random_bytes_are_opened_or_refused(data: bytes, before: bytes) -> None:
    plain, fault = PLAIN, ""
    try:
        plain = decrypt(before + data, [KEY])
    except CryptError as error:
        fault = str(error)
    assert is_plain(plain)
    assert "\n" not in fault
