"""Settings by which strangers get in, listen, or learn a password: what `check` warns of.

Each rule looks at the whole phone and says what it finds; `RULES` is the list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from phone_emulator.config.certificates import OWN, TRUSTED, read_pem, weaknesses
from phone_emulator.config.diagnostic import Code, Diagnostic, Findings, Severity
from phone_emulator.config.local_files import as_url, named_file
from phone_emulator.config.model import PhoneConfig
from phone_emulator.config.reader import Setting
from phone_emulator.config.secret import Secret

_SERVER_URL = "static.auto_provision.server.url"
_ENCRYPTED = (
    "static.auto_provision.aes_key_16.com",
    "static.auto_provision.aes_key_16.mac",
)
"""Keys of a phone whose files may be encrypted, however they are fetched."""
_SSL_METHODS = ("static.security.default_ssl_method", "static.security.server_ssl_method")
_OLD_TLS = {"0": "TLS 1.0", "4": "TLS 1.1"}
"""Values of these: 3 agrees on the newest that both ends have, 5 is TLS 1.2."""
_IN_CLEAR = ("http://", "ftp://", "tftp://")

Settings = Mapping[str, Setting]


class Risk(NamedTuple):
    """One finding of a rule."""

    setting: Setting
    """The place that is shown."""
    key: str
    code: Code
    severity: Severity
    message: str


Rule = Callable[[PhoneConfig, Settings], Iterator[Risk]]


def risks(config: PhoneConfig, values: Settings) -> list[Diagnostic]:
    """What is risky about *config*, which is made of *values*, the settings by slot of today's name."""
    findings = Findings()
    for rule in RULES:
        for found in rule(config, values):
            setting, key, code, severity, message = found
            findings.add(setting.file, setting.line, key, severity, code, message)
    return findings.list()


def _answered_for_all(config: PhoneConfig, values: Settings) -> Iterator[Risk]:
    if "INVITE" in f"{config.validated_methods} {config.digested_methods}".upper():
        return  # sip.request_validation.* says who may call
    for account in config.lines:
        key = f"account.{account.index}.auto_answer"
        if account.auto_answer and not config.trust_ctrl:
            message = (
                f"account.{account.index}: auto_answer = 1 while sip.trust_ctrl = 0: whoever reaches the "
                "phone's port hears the room; sip.trust_ctrl = 1 leaves it to the line's servers"
            )
            yield Risk(values[key], key, "answers-strangers", Severity.WARNING, message)


def _unchecked(config: PhoneConfig, values: Settings) -> Iterator[Risk]:
    key = "static.security.trust_certificates"
    if not config.trust_certificates:
        message = (
            f"{key} = 0: whoever is on the way can pass for any server over TLS and HTTPS; "
            "static.trusted_certificates.url (or --ca) has the CA of your own servers trusted"
        )
        yield Risk(values[key], key, "unchecked-certificate", Severity.WARNING, message)
        return
    key = "static.security.cn_validation"
    if config.cn_validation is False:
        message = f"{key} = 0: whoever has any certificate of a trusted CA can pass for the SIP server"
        yield Risk(values[key], key, "unchecked-certificate", Severity.HINT, message)


def _passwords_in_clear(_: PhoneConfig, values: Settings) -> Iterator[Risk]:
    """Of files that came so, and of the URL that a phone would fetch them from."""
    if any(key in values and values[key].given for key in _ENCRYPTED):
        return
    secrets = [each for each in values.values() if isinstance(each.value, Secret) and each.given]
    files: set[str] = set()
    for setting in secrets:
        if setting.file not in files and (scheme := _in_clear(setting.file)):
            files.add(setting.file)
            message = f"the file holds passwords, and came over {scheme}, readable for others: expected https"
            yield Risk(setting, setting.key, "password-in-clear", Severity.WARNING, message)
    server = values.get(_SERVER_URL)
    if secrets and server is not None and (url := server.given) and (scheme := _in_clear(as_url(url))):
        message = f"{_SERVER_URL}: passwords come over {scheme}, readable for others: expected https"
        yield Risk(server, _SERVER_URL, "password-in-clear", Severity.WARNING, message)


def _in_clear(url: str) -> str:
    """The scheme of *url*, where it protects nothing; else empty."""
    return next((each.removesuffix("://") for each in _IN_CLEAR if url.lower().startswith(each)), "")


def _weak_keys(config: PhoneConfig, values: Settings) -> Iterator[Risk]:
    """Of certificates on this machine; what is wrong with the files otherwise is said elsewhere."""
    for key, url in ((TRUSTED, config.trusted_certificates_url), (OWN, config.server_certificates_url)):
        path = named_file(url, key) if url else None
        if path is None:
            continue
        try:
            found = weaknesses(read_pem(path))
        except ValueError:
            continue
        for why in found:
            yield Risk(values[key], key, "weak-key", Severity.WARNING, f"{key}: {path}: {why}")


def _old_tls(_: PhoneConfig, values: Settings) -> Iterator[Risk]:
    for key in _SSL_METHODS:
        setting = values.get(key)
        if setting is not None and setting.given in _OLD_TLS:
            version = _OLD_TLS[setting.given]
            message = f"{key} = {setting.given} has a phone speak {version}, which is broken: expected 3 or 5"
            yield Risk(setting, key, "old-tls", Severity.WARNING, message)


RULES: tuple[Rule, ...] = (_answered_for_all, _unchecked, _passwords_in_clear, _weak_keys, _old_tls)
