"""What is odd about single keys: unknown, fused, of another firmware generation, no value of theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from phone_emulator.cleaning import brief
from phone_emulator.config.catalogue import MOST_REMEMBERED, SERVERS, Parameter, catalogue, suggestion
from phone_emulator.config.diagnostic import Code, Diagnostic, Findings, Severity
from phone_emulator.config.effective import canonical
from phone_emulator.config.models import generation_of
from phone_emulator.config.reader import COMMAND_LINE, Reading, Setting
from phone_emulator.config.secret import Secret

LONGEST_REMEMBERED = 100
"""Characters of a value that is remembered to be in order."""
MOST_SUGGESTIONS = 20
"""Looking for the nearest name takes milliseconds each."""

_SERVER = re.compile(r"account\.[0-9]{1,4}\.(?:sip_server|outbound_proxy)\.([0-9]{1,4})\.").match
_FUSED = re.compile(r"([a-z0-9_]+(?:\.[A-Za-z0-9_]+)+)[ \t]*=").match
_FACTORY_USERS = {"admin:admin", "user:user", "var:var"}
_USER_PASSWORD = "static.security.user_password"


class Oddity(NamedTuple):
    """One finding about a setting, before its place is looked up."""

    severity: Severity
    code: Code
    message: str


def oddities(reading: Reading, firmware: str = "") -> list[Diagnostic]:
    """What is odd about the keys of *reading*, each once, to a phone of that *firmware* (`generation_of`)."""
    findings = Findings()
    judge = _Judge(reading, generation_of(reading.model, firmware))
    harmless = _harmless(judge.generation)
    for setting in reading.settings.values():
        said = setting[:2]
        if said in harmless:
            continue
        found = list(judge.look_at(setting))
        for severity, code, message in found:
            findings.add(setting.file, setting.line, setting.key, severity, code, message)
        if not found and len(setting.value) <= LONGEST_REMEMBERED and len(harmless) < MOST_REMEMBERED:
            harmless.add(said)
    return findings.list()


@cache
def _harmless(generation: int) -> set[tuple[str, str]]:
    """Keys and values that a phone of that generation has nothing against: most files say the same."""
    return set()


class _Judge:
    def __init__(self, reading: Reading, generation: int) -> None:
        self._settings = reading.settings
        self._model = reading.model
        self.generation = generation
        self._suggestions = 0

    def look_at(self, setting: Setting) -> Iterator[Oddity]:
        """What is odd about one setting."""
        key = setting.key
        server = _SERVER(key)
        if server is not None and int(server[1]) not in SERVERS:
            if setting.value:
                message = f"{key} is ignored: a phone has server 1 and server 2 only"
                yield Oddity(Severity.WARNING, "no-such-server", message)
            return
        parameter = catalogue().find(key)
        if parameter is None:
            if setting.file not in COMMAND_LINE:
                yield self._unknown(key)
            return
        yield from self._of_another_generation(setting, parameter)
        fused = _FUSED(setting.value) if "=" in setting.value else None
        if fused is not None and catalogue().pattern(fused[1]) is not None:
            message = (
                f"two settings on one line: all that follows {key} = is its value, {fused[1]} is not set"
            )
            yield Oddity(Severity.WARNING, "fused-line", message)
        elif setting.value:
            yield from self._of_its_value(setting, parameter)

    def _unknown(self, key: str) -> Oddity:
        in_case = catalogue().in_case(key)
        if in_case is not None:
            return Oddity(Severity.WARNING, "key-case", f"{key} is not known as it is spelt, {in_case} is")
        near = suggestion(key) if self._suggestions < MOST_SUGGESTIONS else ""
        self._suggestions += 1
        return Oddity(Severity.HINT, "unknown-key", f"{brief(key)} is not a known parameter{near}")

    def _of_another_generation(self, setting: Setting, parameter: Parameter) -> Iterator[Oddity]:
        todays = catalogue().todays(setting.key)
        if todays != (setting.key,):
            name = " and ".join(todays)
            winner = self._settings.get(todays[0])
            if winner is not None and winner.value and setting.value not in ("", winner.value):
                place = f"{winner.file}:{winner.line}"
                message = f"{setting.key} is ignored: {name}, its name today, is in {place}"
                yield Oddity(Severity.WARNING, "older-name", message)
            elif setting.value:
                message = f"{setting.key} is a name of V80 and before; today it is {name}"
                yield Oddity(Severity.HINT, "older-name", message)
        elif parameter.since > self.generation:
            phone = f"a {self._model} of V{self.generation}"
            message = f"{setting.key} came with V{parameter.since}: {phone} ignores it"
            yield Oddity(Severity.HINT, "newer-key", message)

    def _of_its_value(self, setting: Setting, parameter: Parameter) -> Iterator[Oddity]:
        text = setting.given
        if parameter.type == "secret":
            value = text.reveal() if isinstance(text, Secret) else text
            name = catalogue().todays(setting.key)[0]
            if value and (value == parameter.default or (name == _USER_PASSWORD and value in _FACTORY_USERS)):
                yield Oddity(Severity.HINT, "default-password", f"{name} is the factory's password")
        elif text and not parameter.field and canonical(parameter, text) is None:
            # Those with a field are told when the configuration is built.
            severity = Severity.WARNING if parameter.use else Severity.HINT
            default = f"the default {parameter.default}" if parameter.default else "no value"
            message = f"{setting.key} = {setting.quoted}: expected {parameter.expected}; {default} is kept"
            yield Oddity(severity, "bad-value", message)
