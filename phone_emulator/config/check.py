"""What will surprise the people who wrote the files: allowed values that do not do what one thinks.

Each rule looks at one enabled account and says what it finds; `RULES` is the list of them. What is wrong with
single keys is in `phone_emulator.config.keys`; those that need the redundancy rules are in
`phone_emulator.redundancy.surprises`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from phone_emulator.cleaning import brief
from phone_emulator.config.build import Built
from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.diagnostic import Code, Diagnostic, Findings, Severity
from phone_emulator.config.model import (
    AccountConfig,
    FailbackMode,
    PhoneConfig,
    RedundancyType,
    ServerConfig,
    TransportType,
)
from phone_emulator.config.reader import Setting
from phone_emulator.media.codecs import CODECS, spoken, told_of_none, told_of_unspoken
from phone_emulator.media.crypto import SUITES, suites_called

_COMMON_PASSWORDS = {"1234", "12345", "123456", "12345678", "0000", "admin", "password", "secret", "changeme"}


@dataclass(frozen=True, slots=True)
class Surprise:
    """One finding of a rule, before its place in the files is looked up."""

    code: Code
    severity: Severity
    keys: tuple[str, ...]
    """The keys concerned; the first one that a file sets is the place that is shown."""
    message: str
    by_default: Severity | None = None
    """How bad it is where no file sets any of the keys, and the same of all accounts; None: no less."""
    only_set: bool = False
    """Whether it is said only where a file sets one of the keys."""


Rule = Callable[[AccountConfig, PhoneConfig], Iterator[Surprise]]


def surprises(built: Built, more: Sequence[Rule] = ()) -> list[Diagnostic]:
    """What is surprising about the enabled accounts, by `RULES` and *more*."""
    findings, defaults = Findings(), set[str]()
    for account in built.config.lines:
        own = f"account.{account.index}"
        for rule in (*RULES, *more):
            for found in rule(account, built.config):
                keys = [f"{own}.{key}" for key in found.keys]
                place = next((key for key in keys if _is_set(built.values, key)), "")
                severity = found.severity
                if not place and found.only_set:
                    continue
                if not place and found.by_default is not None:
                    if found.message in defaults:
                        continue
                    defaults.add(found.message)
                    severity = found.by_default
                setting = built.values[place or f"{own}.enable"]
                message = f"{own}: {found.message}"
                findings.add(setting.file, setting.line, keys[0], severity, found.code, message)
    return findings.list()


def _is_set(values: Mapping[str, Setting], key: str) -> bool:
    return key in values and values[key].given is not None


def _several(server: ServerConfig) -> bool:
    """Whether the server's address can be more than one target: only a name can."""
    return not is_ip(server.address)


def _port_disables_srv(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Rule D1."""
    for server in account.servers:
        if not _several(server):
            continue
        own = f"sip_server.{server.number}"
        if server.port and server.transport_type is TransportType.DNS_NAPTR:
            message = (
                f"{own}: port {server.port} turns NAPTR and SRV off, only A records of {server.address} are"
                f" asked for; set {own}.port = 0"
            )
            yield Surprise(
                "port-disables-srv", Severity.WARNING, (f"{own}.port", f"{own}.transport_type"), message
            )
        elif not server.port and server.transport_type is not TransportType.DNS_NAPTR:
            message = (
                f"{own}: port 0 does not turn SRV on by itself, only A records of {server.address} are"
                f" asked for; set {own}.transport_type = 3"
            )
            keys = (f"{own}.transport_type", f"{own}.port")
            yield Surprise("srv-needs-transport-3", Severity.WARNING, keys, message)


def _no_failover(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Rule C12."""
    first = account.servers[0] if account.servers else None
    if first is None:
        return
    if first.number != 1:
        message = "only sip_server.2 is set: it is the fallback server, and there is nothing to fail over to"
        yield Surprise("no-failover", Severity.WARNING, ("sip_server.2.address",), message)
    elif not _several(first):
        message = f"sip_server.1 is the literal address {first.address}: one target, so there is no failover"
        if len(account.servers) > 1:
            message += "; sip_server.2 is the fallback server, not a second failover address"
        yield Surprise("no-failover", Severity.WARNING, ("sip_server.1.address",), message)


def _same_server(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    if len(account.servers) == 2 and len({server.address.lower() for server in account.servers}) == 1:
        message = (
            f"sip_server.1 and sip_server.2 are both {account.servers[0].address}: the fallback adds nothing"
        )
        yield Surprise("same-server", Severity.WARNING, ("sip_server.2.address",), message)


def _unknown_at_secondary(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Rule R9."""
    first = account.servers[0] if account.servers else None
    if first is not None and _several(first) and not first.failover.register_on_enable:
        message = (
            "register_on_enable = 0: after a failover the secondary gets calls from a phone that has not"
            " registered there; its 403 or 404 is an answer and ends the call"
        )
        keys = ("sip_server.1.register_on_enable", "sip_server.1.address")
        yield Surprise("unregistered-at-secondary", Severity.HINT, keys, message)


def _one_retry_key(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Rules C5 and R2."""
    for server in account.servers:
        own = f"sip_server.{server.number}"
        counts, invite = server.failover.retry_counts, server.failover.invite_retry_counts
        if counts is None and invite is not None:
            message = (
                f"{own}.invite_retry_counts = {invite} is for calls only; REGISTER keeps retry_counts = 3"
            )
            yield Surprise("one-retry-key", Severity.HINT, (f"{own}.invite_retry_counts",), message)
        elif counts is not None and invite is None:
            message = (
                f"{own}.retry_counts = {counts} goes for calls too, as {own}.invite_retry_counts is not set"
            )
            yield Surprise("one-retry-key", Severity.HINT, (f"{own}.retry_counts",), message)


def _two_bindings(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Rule R3."""
    if len(account.servers) == 2 and account.redundancy_type is RedundancyType.CONCURRENT:
        message = (
            "fallback.redundancy_type = 0 (concurrent) registers at both servers: two bindings, so a call may"
            " ring twice"
        )
        keys = ("fallback.redundancy_type", "sip_server.2.address")
        yield Surprise("two-bindings", Severity.HINT, keys, message)


def _no_effect(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Values that another value makes void (F3, R4, R6, R9)."""
    void: list[tuple[bool, str, str]] = []
    for server in account.servers:
        own, failover = f"sip_server.{server.number}", server.failover
        mode = failover.failback_mode
        new_requests = mode is FailbackMode.NEW_REQUESTS
        void += [
            (
                failover.failback_timeout != 3600 and mode is not FailbackMode.DURATION,
                f"{own}.failback_timeout",
                f"only {own}.failback_mode = 3 (duration) looks at it",
            ),
            (
                failover.only_signal_with_registered and (new_requests or not failover.register_on_enable),
                f"{own}.only_signal_with_registered",
                f"it needs {own}.register_on_enable = 1 and failback_mode 1, 2 or 3",
            ),
            (
                failover.failback_subscribe and new_requests,
                f"{own}.failback_subscribe.enable",
                f"it needs {own}.failback_mode 1, 2 or 3",
            ),
        ]
    concurrent = account.redundancy_type is RedundancyType.CONCURRENT
    successive = "only fallback.redundancy_type = 1 (successive) looks at it"
    void += [
        (concurrent and account.fallback_timeout != 120, "fallback.timeout", successive),
        (concurrent and account.redundancy_with_reg_fail, "redundancy_with_reg_fail.enable", successive),
        (
            bool(account.proxies) and not account.outbound_proxy_enable,
            f"outbound_proxy.{account.proxies[0].number}.address" if account.proxies else "",
            "outbound_proxy_enable is 0",
        ),
    ]
    for applies, key, why in void:
        if applies:
            yield Surprise("no-effect", Severity.HINT, (key,), f"{key} has no effect: {why}")


def _no_proxy(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    if account.outbound_proxy_enable and not account.proxies:
        message = "outbound_proxy_enable = 1, but no outbound_proxy address is set: requests go to the server"
        yield Surprise("no-proxy", Severity.WARNING, ("outbound_proxy_enable",), message)


def _tls_port(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    for server in account.servers:
        if server.transport_type is TransportType.TLS and server.port == 5060:
            own = f"sip_server.{server.number}"
            message = f"{own}: TLS at port 5060, which is for UDP and TCP as a rule; TLS is at 5061"
            yield Surprise("tls-port", Severity.HINT, (f"{own}.port", f"{own}.transport_type"), message)


def _unspoken(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Codecs that are enabled and that nobody here can speak."""
    names = [codec.name for codec in account.codecs]
    if not spoken(names):
        keys = tuple(f"codec.{name}.enable" for name in (*names, *CODECS))
        yield Surprise("no-codec", Severity.WARNING, keys, told_of_none(names))
        return
    for name in names:
        if not spoken([name]):
            keys = (f"codec.{name}.enable", f"codec.{name}.priority")
            message = told_of_unspoken([name])
            yield Surprise("codec-not-spoken", Severity.WARNING, keys, message, by_default=Severity.HINT)


def _keys_in_clear(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Keys of sound are in the messages (RFC 4568 section 8.1)."""
    if not account.srtp_encryption:
        return
    for server in account.servers:
        if server.transport_type in (TransportType.UDP, TransportType.TCP):
            own = f"sip_server.{server.number}"
            message = (
                f"srtp_encryption = {account.srtp_encryption}, and {own} is reached over"
                f" {server.transport_type.name}: the keys go in the clear, so whoever reads them can listen;"
                f" {own}.transport_type = 2 (TLS) hides them"
            )
            yield Surprise(
                "keys-in-clear", Severity.WARNING, ("srtp_encryption", f"{own}.transport_type"), message
            )
            return


def _ciphers(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """Ciphers that are named and that nobody here can use."""
    if not account.srtp_encryption:
        return
    usable, others = suites_called(account.srtp_ciphers)
    can = f"{', '.join(SUITES)} can be used"
    if not usable:
        message = f"srtp.cipher_list names no cipher that can be used here: nothing is encrypted; {can}"
        yield Surprise("no-cipher", Severity.WARNING, ("srtp.cipher_list",), message)
    for name in others if usable else ():
        message = f"srtp.cipher_list: {brief(name)} cannot be used here: it is not offered; {can}"
        yield Surprise("cipher-not-done", Severity.WARNING, ("srtp.cipher_list",), message)


def _conference(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    """A conference at a server that nothing names."""
    if account.conference_type and not account.conference_uri:
        message = "conf_type = 2, a server mixes conferences, but conf_uri names none: there are none"
        yield Surprise("no-conference", Severity.WARNING, ("conf_type",), message)


def _identity(account: AccountConfig, _: PhoneConfig) -> Iterator[Surprise]:
    if not account.user_name:
        yield Surprise("no-user", Severity.WARNING, ("user_name",), "enabled, but user_name is not set")
        return
    if "@" in account.user:
        message = "no domain follows the @ of user_name: it is taken for a part of the user, and sent as %40"
        yield Surprise("no-domain", Severity.WARNING, ("user_name",), message)
    if not account.password:
        message = "password is not set: a server that asks for one will refuse the phone"
        yield Surprise("no-password", Severity.HINT, ("password",), message)
    elif account.password.reveal() in (account.user_name, account.user, account.auth_name):
        yield Surprise("weak-password", Severity.HINT, ("password",), "the password is the user name")
    elif account.password.reveal().lower() in _COMMON_PASSWORDS:
        message = "the password is one of those that are tried first"
        yield Surprise("weak-password", Severity.HINT, ("password",), message)


RULES: tuple[Rule, ...] = (
    _identity,
    _port_disables_srv,
    _no_failover,
    _same_server,
    _unknown_at_secondary,
    _one_retry_key,
    _two_bindings,
    _no_effect,
    _no_proxy,
    _tls_port,
    _unspoken,
    _keys_in_clear,
    _ciphers,
    _conference,
)
