"""Settings in, `PhoneConfig` out: every value typed, checked and given its default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from phone_emulator.config.catalogue import SERVERS, Parameter, catalogue, fill, is_ip
from phone_emulator.config.codec_slots import by_factory_number
from phone_emulator.config.diagnostic import Code, Diagnostic, Findings, Severity
from phone_emulator.config.local_files import LocalFileRefused, as_url, from_network, named_file
from phone_emulator.config.model import (
    AccountConfig,
    CodecConfig,
    DnsCacheType,
    DnsConfig,
    FailbackMode,
    FailoverConfig,
    ForwardConfig,
    KeyConfig,
    PhoneConfig,
    ProxyConfig,
    RedundancyType,
    ServerConfig,
    StaticRecord,
    TimerConfig,
    TransportType,
)
from phone_emulator.config.models import accounts_of, line_keys_of
from phone_emulator.config.reader import OVERRIDES, Reading, Setting

_ENUMS = {
    "transport_type": TransportType,
    "failback_mode": FailbackMode,
    "redundancy_type": RedundancyType,
    "dns_cache_type": DnsCacheType,
}
_AS_SERVER = "-1"
"""What a proxy's failover key says to take ``sip_server.Y``'s (rule O2)."""

_INDEX = re.compile(r"[1-9][0-9]{0,3}").fullmatch
_STATIC_RECORD = re.compile(
    r"(?:account\.([1-9][0-9]?)\.)?dns_cache_(a|srv|naptr)\.([0-9]{1,5})\.[a-z]+"
).fullmatch
_DNS_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?").fullmatch
_NAPTR_TEXT = re.compile(r"[A-Za-z0-9+.-]*").fullmatch
_VOICE_MAIL = re.compile(r"voice_mail\.number\.([1-9][0-9]?)").fullmatch
_LINE_KEY = re.compile(r"linekey\.([1-9][0-9]?)\.type").fullmatch
_CODEC = re.compile(r"account\.X\.codec\.([a-z0-9_]+)\.enable").fullmatch

_RECORDS = {
    "a": ("ip", "an IPv4 address", "{ip}"),
    "srv": ("target", "a domain name", "{priority} {weight} {port} {target}"),
    "naptr": ("replace", "a domain name", '{order} {preference} "{flags}" "{service}" "" {replace}'),
}
"""Kind of a static record: its main key, what that holds, and the record in master-file form."""


@dataclass(frozen=True, slots=True)
class Built:
    """The configuration, and what it was made of."""

    config: PhoneConfig
    values: Mapping[str, Setting]
    """The settings by today's names: a value given under an older name stands here too."""
    diagnostics: list[Diagnostic]


def build(reading: Reading) -> Built:
    """The configuration that *reading* asks for.

    A value out of range keeps the default and is reported; so is an enabled account that could never work.
    """
    mentioned = _mentioned(reading.settings, "account.", blank=True)
    accounts, keys = accounts_of(reading.model), line_keys_of(reading.model)
    indices = [index for index in mentioned if index <= accounts]
    builder = _Builder(todays_names(reading.settings, indices))
    has = f"a {reading.model} has {accounts} account{'s' * (accounts != 1)}"
    for index in list(mentioned)[len(indices) :]:
        builder.ignored("no-such-account", f"account.{index}", mentioned[index], has)
    config = builder.phone(indices, keys)
    # Templates for several models leave the keys of the larger ones blank.
    has = f"a {reading.model} has {keys or 'no'} line key{'s' * (keys != 1)}"
    for index, setting in _mentioned(reading.settings, "linekey.", blank=False).items():
        if index > keys:
            builder.ignored("no-such-linekey", f"linekey.{index}", setting, has)
    builder.judge(config, reading.files)
    return Built(config, builder.values, builder.findings.list())


def _mentioned(settings: Mapping[str, Setting], start: str, *, blank: bool) -> dict[int, Setting]:
    """Each X of keys ``startX``, in order, with a setting that mentions it, *blank* or not."""
    found = {
        key.split(".", 2)[1]: setting
        for key, setting in settings.items()
        if key.startswith(start) and (blank or setting.given)
    }
    return {int(index): found[index] for index in sorted(filter(_INDEX, found), key=int)}


def todays_names(settings: Mapping[str, Setting], accounts: list[int]) -> dict[str, Setting]:
    """*settings* plus, under today's name, each one given by an older name only."""
    values = dict(settings)
    settings = by_factory_number(settings)
    for new, olds in catalogue().synonyms.items():
        for old in olds:
            for x in accounts if ".X." in old else (1,):
                setting = settings.get(fill(old, X=x))
                if setting is None or not setting.value:
                    continue
                for y in SERVERS if ".Y." in new else (1,):
                    key = fill(new, X=x, Y=y)
                    if key not in values or not values[key].value:
                        values[key] = setting
    return values


class _Builder:
    """Fills the dataclasses of `phone_emulator.config.model` from settings."""

    def __init__(self, values: Mapping[str, Setting]) -> None:
        self.values = values
        self.findings = Findings()

    def phone(self, indices: list[int], line_keys: int) -> PhoneConfig:
        facts = self._fields("", "", "PhoneConfig")
        low, high = facts.get("min_rtp_port", 11780), facts.get("max_rtp_port", 12780)
        if low >= high:
            ends = ("static.network.port.max_rtpport", "static.network.port.min_rtpport")
            setting = next(self.values[key] for key in ends if key in self.values)
            message = f"RTP ports {low}..{high} are no range; the default 11780..12780 is kept"
            self._warn(setting, "rtp-ports", message)
            facts["min_rtp_port"], facts["max_rtp_port"] = 11780, 12780
        return PhoneConfig(
            accounts=tuple(self._account(index) for index in indices),
            keys=tuple(self._keys(line_keys)),
            voice_mail_numbers=tuple(self._voice_mail_numbers()),
            timers=TimerConfig(**self._fields("", "", "TimerConfig")),
            forward=ForwardConfig(**self._fields("forward.", "forward.", "ForwardConfig")),
            dns=DnsConfig(**self._fields("", "", "DnsConfig"), static_records=tuple(self._static_records())),
            **facts,
        )

    def _account(self, index: int) -> AccountConfig:
        own = f"account.{index}."
        servers, proxies = [], []
        for number in SERVERS:
            scope, prefix = "account.X.sip_server.Y.", f"{own}sip_server.{number}."
            failover = self._fields(scope, prefix, "FailoverConfig")
            facts = self._fields(scope, prefix, "ServerConfig")
            if facts.get("address"):
                servers.append(ServerConfig(number=number, failover=FailoverConfig(**failover), **facts))
            scope, prefix = "account.X.outbound_proxy.Y.", f"{own}outbound_proxy.{number}."
            facts = self._fields(scope, prefix, "ProxyConfig")
            # rule O2
            failover |= self._fields(scope, prefix, "FailoverConfig", inherit=_AS_SERVER)
            if facts.get("address"):
                proxies.append(ProxyConfig(number=number, failover=FailoverConfig(**failover), **facts))
        return AccountConfig(
            index=index,
            servers=tuple(servers),
            proxies=tuple(proxies),
            codecs=tuple(self._codecs(own)),
            forward=ForwardConfig(**self._fields("account.X.", own, "ForwardConfig")),
            **self._fields("account.X.", own, "AccountConfig"),
        )

    def _voice_mail_numbers(self) -> list[tuple[int, str]]:
        numbers = {int(match[1]) for match in map(_VOICE_MAIL, self.values) if match is not None}
        found = ((number, self.values[f"voice_mail.number.{number}"].given) for number in sorted(numbers))
        return [(number, text) for number, text in found if text]

    def _keys(self, last: int) -> list[KeyConfig]:
        numbers = {int(match[1]) for match in map(_LINE_KEY, self.values) if match is not None}
        return [
            KeyConfig(index=number, **facts)
            for number in sorted(numbers)
            if number <= last
            and (facts := self._fields("linekey.X.", f"linekey.{number}.", "KeyConfig")).get("type")
        ]

    def _codecs(self, own: str) -> list[CodecConfig]:
        codecs = [
            CodecConfig(name=name, priority=self._value(f"{own}codec.{name}.priority", priority))
            for name, enable, priority in _codec_parameters()
            if self._value(f"{own}codec.{name}.enable", enable)
        ]
        return sorted(codecs, key=lambda codec: codec.priority)

    def _fields(self, scope: str, prefix: str, model: str, inherit: str | None = None) -> dict[str, Any]:
        """The fields of *model* that the settings below *prefix* give; a value *inherit* gives none."""
        facts = {}
        for suffix, attribute, parameter in catalogue().section(scope, model):
            setting = self.values.get(prefix + suffix)
            if setting is None:
                continue
            text = setting.given
            if text is None or text == inherit:
                continue
            value = self._parse(setting, parameter, text)
            if value is not None:
                facts[attribute] = _ENUMS[attribute](value) if attribute in _ENUMS else value
        return facts

    def _value(self, key: str, parameter: Parameter) -> Any:
        """The value of *key*, or its default."""
        setting = self.values.get(key)
        text = None if setting is None else setting.given
        value = None if setting is None or text is None else self._parse(setting, parameter, text)
        return parameter.default_value if value is None else value

    def _parse(self, setting: Setting, parameter: Parameter, text: str) -> Any:
        """*text* typed, or None where it is no value of *parameter*; what was odd is noted."""
        if text == "" and parameter.type == "host":
            return None
        try:
            value = parameter.parse(text)
        except ValueError as error:
            default = f"the default {parameter.default}" if parameter.default else "no value"
            message = f"{_said(setting, parameter)}: {error}; {default} is kept"
            self._warn(setting, "bad-value", message)
            return None
        if parameter.type == "url" and from_network(setting.file):
            return self._url_of_server(setting, text)
        if parameter.gap is not None and parameter.gap[0] <= int(text) <= parameter.gap[1]:
            self._warn(setting, "raised", f"{_said(setting, parameter)} counts as {value}")
        return value

    def _url_of_server(self, setting: Setting, text: str) -> str | None:
        """*text*, which a server's file says, as a URL; None where it is a file of this machine."""
        try:
            named_file(text, setting.file)
        except LocalFileRefused as error:
            self._warn(setting, "local-file", f"{setting.key} = {setting.quoted} {error}; no value is kept")
            return None
        return as_url(text)

    def _static_records(self) -> list[StaticRecord]:
        """Rule D7, both spellings."""
        places = dict.fromkeys(
            match.groups()
            for key in self.values
            if "dns_cache_" in key and (match := _STATIC_RECORD(key)) is not None
        )
        found = (self._static_record(*place) for place in places)
        return [record for record in found if record is not None]

    def _static_record(self, account: str | None, kind: str, number: str) -> StaticRecord | None:
        scope = f"dns_cache_{kind}.N."
        own = f"{f'account.{account}.' if account else ''}dns_cache_{kind}.{number}."
        facts = {
            suffix: self._value(own + suffix, parameter)
            for suffix, _, parameter in catalogue().section(scope, "StaticRecord")
        }
        data, expected, form = _RECORDS[kind]
        if not facts["name"] and not facts[data]:
            return None
        texts = [facts.get("flags", ""), facts.get("service", "")]
        fits = _is_ipv4(facts[data]) if kind == "a" else _DNS_NAME(facts[data]) is not None
        if not _DNS_NAME(facts["name"]) or not fits or not all(map(_NAPTR_TEXT, texts)):
            setting = self.values.get(own + "name") or self.values[own + data]
            what = f"ignored: {own}* is no {kind.upper()} record, expected a domain name as .name"
            self._warn(setting, "static-record", f"{what} and {expected} as .{data}")
            return None
        if kind != "a":
            facts[data] = facts[data].rstrip(".") + "."
        return StaticRecord(
            name=facts["name"].rstrip("."),
            rdtype=kind.upper(),
            text=form.format_map(facts),
            account=int(account) if account else None,
            **({"ttl": facts["ttl"]} if kind == "a" else {}),
        )

    def ignored(self, code: Code, what: str, setting: Setting, why: str) -> None:
        """Notes that *what*, which *setting* mentions, is beyond the last that the phone has."""
        self._warn(setting, code, f"{what} is ignored: {why}")

    def judge(self, config: PhoneConfig, files: list[str]) -> None:
        """Notes what no phone could start with."""
        for account in config.lines:
            if not account.servers:
                own = f"account.{account.index}"
                key = f"{own}.sip_server.1.address"
                setting = self.values.get(key)
                if setting is None or not setting.given:
                    setting, why = self.values[f"{own}.enable"], "is not set"
                else:
                    why = f"= {setting.quoted} is neither a domain name nor an IP address"
                message = f"{own}: enabled, but no server: {key} {why}"
                self._add(Severity.ERROR, setting, "no-server", message)
        if not config.lines:
            file = files[0] if files else OVERRIDES
            message = "no account is enabled: expected account.1.enable = 1"
            self.findings.add(file, 1, "account.1.enable", Severity.ERROR, "no-account", message)

    def _warn(self, setting: Setting, code: Code, message: str) -> None:
        self._add(Severity.WARNING, setting, code, message)

    def _add(self, severity: Severity, setting: Setting, code: Code, message: str) -> None:
        self.findings.add(setting.file, setting.line, setting.key, severity, code, message)


def _said(setting: Setting, parameter: Parameter) -> str:
    """``key = value``, as a message may show it."""
    return f"{setting.key} = {'the value' if parameter.type == 'secret' else setting.quoted}"


@cache
def _codec_parameters() -> list[tuple[str, Parameter, Parameter]]:
    """(name, ``.enable``, ``.priority``) of every codec."""
    known = catalogue().parameters
    names = [match[1] for match in map(_CODEC, known) if match is not None]
    start = "account.X.codec."
    return [(name, known[f"{start}{name}.enable"], known[f"{start}{name}.priority"]) for name in names]


def _is_ipv4(text: str) -> bool:
    return is_ip(text) and ":" not in text
