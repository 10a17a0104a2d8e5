"""Encrypted cfg files, with the user's own key: AES in ECB mode, padded as PKCS #7 says.

Two forms: the whole file is cipher text, or a text container ``#!encrypt:1.0.0.0`` holds it in base64. The
phone of the second form takes the key from ``#!key_ciphertext``, which only it can read; here the user gives
it. A key is 16 characters (AES-128), or 32 (AES-256, V84 and later).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_emulator.config.reader import HEADER

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import ECB

CONTAINER = b"#!encrypt:"
_BOM = b"\xef\xbb\xbf"
_BLOCK = 16
_KEY = re.compile(r"[0-9A-Za-z#$%*+,\-.:=?@\[\]^_{}~]*").fullmatch
_FIELD = re.compile(r"#!([a-z_]+):(.*)").fullmatch
_BEGIN, _END = "#!---BEGIN CONFIG DATA---", "#!---END CONFIG DATA---"


class CryptError(Exception):
    """The file, or the key, cannot be used."""


def read_key(text: str) -> bytes:
    """The key that *text* spells. Raises `CryptError` where it is none."""
    if len(text) not in (16, 32):
        raise CryptError(f"a key has 16 characters, or 32, and this one has {len(text)}")
    if not _KEY(text):
        raise CryptError("a key holds letters, digits and # $ % * + , - . : = ? @ [ ] ^ _ { } ~ only")
    return text.encode("ascii")


def is_plain(data: bytes) -> bool:
    """Whether *data* is a cfg file as it is: it begins with ``#!version``."""
    return data.removeprefix(_BOM).startswith(b"#!version")


def is_container(data: bytes) -> bool:
    """Whether *data* is an encrypted text container: it begins with ``#!encrypt``."""
    return data.removeprefix(_BOM).startswith(CONTAINER)


def encrypt(data: bytes, key: bytes) -> bytes:
    """*data* as cipher text of the first form. Raises `CryptError` where it is no plain cfg file."""
    if not is_plain(data):
        raise CryptError(f"the first line is not {HEADER}: no phone could tell that it was decrypted")
    from cryptography.hazmat.primitives.padding import PKCS7

    padder = PKCS7(8 * _BLOCK).padder()
    encryptor = _cipher(key).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def decrypt(data: bytes, keys: Iterable[bytes]) -> bytes:
    """The plain file within *data*, opened by the first of *keys* that fits; *data* itself if it is plain.

    Raises `CryptError` where no key opens it.
    """
    if is_plain(data):
        return data
    text = read_container(data).cipher_text if is_container(data) else data
    if not text or len(text) % _BLOCK:
        raise CryptError(
            f"is neither a plain nor an encrypted cfg file: {len(text)} bytes are no multiple of {_BLOCK}"
        )
    tried = 0
    for key in keys:
        tried += 1
        plain = _open(text, key)
        if plain is not None:
            return plain
    if not tried:
        raise CryptError("is encrypted, and there is no key for it")
    raise CryptError(f"the key does not open it: what comes out does not begin with {HEADER}")


@dataclass(frozen=True, slots=True)
class Container:
    """What an encrypted text container says."""

    version: str
    """``1.0.0.0``"""
    signature: str
    """How its key is encrypted: ``RSA_256``."""
    cipher: str
    """``AES_128`` or ``AES_256``."""
    key_cipher_text: bytes
    cipher_text: bytes


def read_container(data: bytes) -> Container:
    """Reads an encrypted text container. Raises `CryptError`, which tells the line, where it is none."""
    try:
        lines = data.removeprefix(_BOM).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        place = data.count(b"\n", 0, error.start) + 1
        raise CryptError(f"line {place} of the container is not ASCII text") from error
    facts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if stripped == _BEGIN:
            return _container(facts, lines, number)
        field = _FIELD(stripped)
        if field is not None:
            facts[field[1]] = field[2].strip()
        elif stripped:
            raise CryptError(f"line {number} of the container: expected #!name:value or {_BEGIN}")
    raise CryptError(f"the container has no line {_BEGIN}")


def _container(facts: dict[str, str], lines: list[str], begin: int) -> Container:
    """The container whose data begins after line *begin*."""
    ends = [number for number in range(begin, len(lines)) if lines[number].strip() == _END]
    if not ends:
        raise CryptError(f"the container has no line {_END}: the file is cut off")
    cipher = facts.get("conf_encryption", "")
    if cipher not in ("AES_128", "AES_256"):
        raise CryptError(f"the container says conf_encryption {cipher[:40]!r}, expected AES_128 or AES_256")
    # The name is misspelt in the format.
    signature = facts.get("key_signatue", facts.get("key_signature", ""))
    try:
        key = base64.b64decode(facts.get("key_ciphertext", ""), validate=True)
        text = base64.b64decode("".join("".join(lines[begin : ends[0]]).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CryptError(f"the container holds no base64: {error}") from error
    return Container(facts.get("encrypt", ""), signature, cipher, key, text)


def _open(text: bytes, key: bytes) -> bytes | None:
    """The plain cfg file, or None where *key* does not fit."""
    from cryptography.hazmat.primitives.padding import PKCS7

    decryptor = _cipher(key).decryptor()
    unpadder = PKCS7(8 * _BLOCK).unpadder()
    try:
        plain = unpadder.update(decryptor.update(text) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        return None
    return plain if is_plain(plain) else None


def _cipher(key: bytes) -> Cipher[ECB]:
    # Imported where it is needed: it is large.
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    return Cipher(AES(key), ECB())
