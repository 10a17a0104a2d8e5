"""The common options, as data: each command takes those that mean something to it."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from phone_emulator.durations import parse_duration
from phone_emulator.events import Address
from phone_emulator.numbers import number

from .certificates import identity_of, pem_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from phone_emulator.phone import PhoneOptions

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What the common options say."""

    overrides: tuple[str, ...] = ()
    """``--set``, then ``--set-from``"""
    read_from: tuple[str, ...] = ()
    """The files of ``--set-from``."""
    world: str | None = None
    format: str = "text"
    pcap: Path | None = None
    pcap_media: bool = False
    mask: bool = False
    seed: int | None = None
    silence: str = "auto"
    reaction: float = 0.0
    log_level: str = "warning"
    mac: str = "001565aabbcc"
    model: str = "SIP-T46S"
    firmware: str | None = None
    local_address: str = ""
    local_port: int | None = None
    dns: tuple[Address, ...] = ()
    zone: Path | None = None
    down: tuple[tuple[str, str], ...] = ()
    provision: str | None = None
    pnp: bool = False
    ca: Path | None = None
    client_cert: Path | None = None
    large_requests: str = "tcp"
    offer: str = "spoken"
    optional_srtp: str = "one-line"
    known: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @property
    def keys_file(self) -> Path | None:
        """Where the keys of the sound in ``--pcap`` go; None where none are written."""
        if self.pcap is None or not self.pcap_media or self.mask:
            return None
        return self.pcap.with_name(f"{self.pcap.name}.keys")

    @property
    def provisioned(self) -> bool:
        """Whether the phone fetches its files from a server."""
        return self.provision is not None or self.pnp

    @property
    def local_addresses(self) -> tuple[str, ...]:
        """Each address of ``--local-address``."""
        return tuple(filter(None, self.local_address.split(",")))

    @property
    def first_local_address(self) -> str:
        """The first of them; empty for none."""
        return self.local_address.partition(",")[0]

    @property
    def json(self) -> bool:
        """Whether stdout is for programs."""
        return self.format == "json"

    def phone_options(self) -> PhoneOptions:
        """The same, in the phone's words."""
        from phone_emulator.config.models import model
        from phone_emulator.media.codecs import Offer
        from phone_emulator.media.crypto import OptionalSrtp
        from phone_emulator.phone import Certificates, Device, PhoneOptions
        from phone_emulator.redundancy import Silence

        firmware = self.firmware or model(self.model).firmware
        given = Certificates()
        if self.client_cert is not None:
            given = Certificates(client_pem=identity_of(self.client_cert, "--client-cert"))
        return PhoneOptions(
            ca_pem=None if self.ca is None else pem_of(self.ca, "--ca"),
            certificates=given,
            large_requests_over_tcp=self.large_requests == "tcp",
            local_address=self.local_address,
            local_port=self.local_port,
            silence=Silence(self.silence),
            reaction=self.reaction,
            offer=Offer(self.offer),
            optional_srtp=OptionalSrtp(self.optional_srtp),
            device=Device(model=self.model, firmware=firmware, mac=self.mac),
            nameservers=self.dns,
            known=self.known,
        )


def _words(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parameter's type that *read* reads; its ValueError is a usage error in its own words."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return convert


def _joined(read: Callable[[str], str]) -> Callable[..., str]:
    """A callback for an option that may be repeated: *read* reads its values as one list by commas."""

    def convert(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> str:
        return str(_words(read)(",".join(given))) if given else ""

    return convert


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is neither an IP address nor a network such as 192.0.2.0/24") from None


def _own_ips(text: str) -> str:
    """Addresses by commas, one of each IP version at most."""
    found = [_ip(each.strip()) for each in text.split(",")]
    if len(found) > len({":" in each for each in found}):
        raise ValueError(f"{text}: a phone has one IPv4 and one IPv6 address at most")
    return ",".join(found)


def _dns(text: str) -> Address:
    host, colon, port = text, "", ""
    if text.startswith("[") or text.count(":") == 1:
        host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    named = number(port, 65535) if colon else 53
    if not named:
        raise ValueError(f"{text!r}: expected ADDRESS or ADDRESS:PORT, with a port from 1 to 65535")
    return Address(_ip(host), named)


def _seed(text: str) -> int:
    seed = number(text, 2**64 - 1)
    if seed is None:
        raise ValueError(f"{text!r} is not a seed: expected a whole number below 2**64")
    return seed


def _port(text: str) -> int:
    port = number(text, 65535)
    if port is None:
        raise ValueError(f"{text!r} is not a port: expected a number from 0 to 65535")
    return port


def _line(text: str) -> int:
    line = number(text, 9999)
    if not line:
        raise ValueError(f"{text!r} is not the number of a line: they are counted from 1")
    return line


def _mac(text: str) -> str:
    digits = re.sub(r"[:.-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise ValueError(f"{text!r} is not a MAC address: expected 12 hexadecimal digits")
    return digits


def _model(text: str) -> str:
    from phone_emulator.config.models import model

    return model(text).name


def _firmware(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){1,4}", text):
        raise ValueError(f"{text!r} is not a firmware version: expected numbers such as 66.86.0.15")
    return text


def _down(text: str) -> tuple[str, str]:
    role, equals, behaviour = text.partition("=")
    if not equals or not role.strip() or not behaviour.strip():
        raise ValueError(f"{text!r}: expected ROLE=BEHAVIOUR, such as primary=silent or secondary=503")
    return role.strip(), behaviour.strip()


class _Output(click.Path):
    """A file that can be written, as far as can be told before."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """*value* as a path; raises click.BadParameter."""
        path = Path(value)
        if path.is_dir():
            self.fail(f"{value} is a folder, expected a file to write", param, ctx)
        if not path.parent.is_dir():
            self.fail(f"{value}: there is no folder {path.parent}", param, ctx)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            self.fail(f"{value} cannot be written: permission denied", param, ctx)
        return path


def complete_files(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """For the completion of shells: the shell's own list of files and folders."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _complete_models(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    from phone_emulator.config.models import models

    return [name for name in models() if name.startswith(incomplete.upper())]


DURATION = _words(parse_duration)
LINE = _words(_line)
OUTPUT = _Output()
WORLDS = ("simulated", "lab", "real")

_OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "overrides": (
        ("--set", "overrides"),
        {
            "multiple": True,
            "metavar": "KEY=VALUE",
            "help": "A cfg key; the last word wins. May be repeated.",
        },
    ),
    "set_from": (
        ("--set-from",),
        {
            "multiple": True,
            "metavar": "KEY=SOURCE",
            "help": "A cfg key whose value is in file:PATH or env:NAME, or asked for (prompt): passwords. "
            "Wins over --set. May be repeated.",
        },
    ),
    "world": (
        ("--world",),
        {"type": click.Choice(WORLDS), "help": "Where it happens: virtual time, loopback, or the network."},
    ),
    "format": (
        ("--format",),
        {"type": click.Choice(("text", "json")), "default": "text", "help": "What stdout gets."},
    ),
    "pcap": (
        ("--pcap",),
        {
            "type": OUTPUT,
            "metavar": "FILE.pcapng",
            "help": "Write every SIP message to a file for Wireshark.",
        },
    ),
    "pcap_media": (
        ("--pcap-media",),
        {
            "is_flag": True,
            "help": "Have the sound (RTP) in the file of --pcap, too; what was encrypted also in the clear, "
            "and its keys in FILE.pcapng.keys.",
        },
    ),
    "mask": (
        ("--mask",),
        {
            "is_flag": True,
            "help": "Leave nothing in the file of --pcap that a password can be guessed by, no SRTP key, and "
            "nothing in the clear that was encrypted.",
        },
    ),
    "seed": (
        ("--seed",),
        {"type": _words(_seed), "metavar": "N", "help": "Of all chance: the same N, the same run."},
    ),
    "silence": (
        ("--silence",),
        {
            "type": click.Choice(("auto", "timer-b", "retry-counts", "attempts")),
            "default": "auto",
            "help": "How long a silent server is waited for: as the cfg says, 64*T1, or the retry keys, "
            "counting retransmissions or (attempts) sends in all.",
        },
    ),
    "reaction": (
        ("--reaction",),
        {
            "type": DURATION,
            "metavar": "DURATION",
            "help": "How long the phone takes to act on an answer before it moves on, such as 70ms "
            "[default: 0s].",
        },
    ),
    "log_level": (
        ("--log-level",),
        {
            "type": click.Choice(("error", "warning", "info", "debug")),
            "default": "warning",
            "help": "What stderr tells: info adds states and lookups, debug every SIP message.",
        },
    ),
    "mac": (
        ("--mac",),
        {"type": _words(_mac), "metavar": "MAC", "help": "Of the phone [default: 00:15:65:aa:bb:cc]."},
    ),
    "model": (
        ("--model",),
        {
            "type": _words(_model),
            "shell_complete": _complete_models,
            "default": "SIP-T46S",
            "metavar": "MODEL",
            "help": "Of the phone [default: SIP-T46S].",
        },
    ),
    "firmware": (
        ("--firmware",),
        {
            "type": _words(_firmware),
            "metavar": "VERSION",
            "help": "Of the phone; its second number decides how it writes SIP and which keys it knows "
            "[default: the last of MODEL].",
        },
    ),
    "local_address": (
        ("--local-address",),
        {
            "multiple": True,
            "callback": _joined(_own_ips),
            "metavar": "ADDRESS[,ADDRESS]",
            "help": "The phone's own IP address, or an IPv4 and an IPv6 one; may be repeated "
            "[default: as the machine routes to the servers].",
        },
    ),
    "local_port": (
        ("--local-port",),
        {
            "type": _words(_port),
            "metavar": "PORT",
            "help": "Where SIP is awaited over UDP and TCP; 0 takes any that is free "
            "[default: sip.listen_port, else as the firmware does].",
        },
    ),
    "dns": (
        ("--dns",),
        {
            "type": _words(_dns),
            "multiple": True,
            "metavar": "ADDRESS[:PORT]",
            "help": "A DNS server to ask instead of the cfg's or the machine's. May be repeated.",
        },
    ),
    "known": (
        ("--known",),
        {
            "type": _words(_network),
            "multiple": True,
            "metavar": "ADDRESS[/BITS]",
            "help": "Addresses that count as the line's servers beside those that DNS gives: an SBC's pool. "
            "May be repeated.",
        },
    ),
    "zone": (
        ("--zone",),
        {
            "type": click.Path(path_type=Path),
            "metavar": "ZONE",
            "help": "A DNS master file for the lab's name server [default: two servers behind each name].",
        },
    ),
    "down": (
        ("--down",),
        {
            "type": _words(_down),
            "multiple": True,
            "metavar": "ROLE=BEHAVIOUR",
            "help": "How a server of the lab fails: silent, refuse, 503, 'next 3 503', … (callee=busy). "
            "May be repeated.",
        },
    ),
    "provision": (
        ("--provision",),
        {
            "metavar": "URL",
            "help": "Fetch the phone's files as a phone does: http, https, ftp, tftp (the default) or file.",
        },
    ),
    "pnp": (
        ("--pnp",),
        {
            "is_flag": True,
            "help": "Ask the network by multicast (PnP SUBSCRIBE) where the phone's files are.",
        },
    ),
    "ca": (
        ("--ca",),
        {
            "type": click.Path(path_type=Path),
            "metavar": "FILE.pem",
            "help": "CAs that sign SIP and provisioning servers [default: the machine's, or SSL_CERT_FILE].",
        },
    ),
    "client_cert": (
        ("--client-cert",),
        {
            "type": click.Path(path_type=Path),
            "metavar": "FILE.pem",
            "help": "The phone's own certificate and key, for SIP servers that ask for one over TLS.",
        },
    ),
    "large_requests": (
        ("--large-requests",),
        {
            "type": click.Choice(("tcp", "udp")),
            "help": "How requests of more than 1,300 bytes go to a UDP server [default: tcp].",
        },
    ),
    "offer": (
        ("--offer",),
        {
            "type": click.Choice(("spoken", "declared")),
            "help": "Which codecs are offered: those that can be spoken here, or all that the cfg enables "
            "[default: spoken].",
        },
    ),
    "optional_srtp": (
        ("--optional-srtp",),
        {
            "type": click.Choice(("one-line", "two-lines")),
            "help": "How optional encryption is offered: as RTP/AVP with keys, or as RTP/SAVP beside RTP/AVP "
            "[default: one-line].",
        },
    ),
}

PROVISIONING = ("mac", "model", "firmware", "provision", "pnp", "ca")
"""The options of commands that read a phone's files: which phone it is, and where else they are."""

FORECAST = ("overrides", "format", "seed", "silence", "log_level", "local_address", "zone", *PROVISIONING)
"""The options of commands that say what a phone would do, and do not put it into a world."""
REHEARSAL = (*FORECAST, "reaction")
"""The same, of commands that play it through in virtual time."""

SCENARIO = (
    "overrides",
    "world",
    "format",
    "pcap",
    "mask",
    "seed",
    "silence",
    "reaction",
    "log_level",
    "mac",
    "model",
    "firmware",
    "local_address",
    "known",
    "local_port",
    "dns",
)
"""The options of commands whose files are scenarios."""

TLS = ("ca", "client_cert", "large_requests")
"""The options that say how SIP servers are met over TCP and TLS."""

PHONE = (*SCENARIO, "zone", "down", "provision", "pnp", *TLS)
"""The options of commands that put a phone into a world."""
SOUND = ("offer", "optional_srtp", "pcap_media")
"""The options of commands whose phone makes calls."""


def common_options(*names: str, **defaults: Any) -> Callable[[_Command], Callable[..., Any]]:
    """Give a command the common options *names*; it gets them as its first argument, a :class:`Common`.

    Args:
        names: fields of :class:`Common`; whoever takes ``overrides`` takes ``--set-from`` too.
        defaults: of those that differ from the table's in this command.
    """

    options = [each for name in names for each in ((name, "set_from") if name == "overrides" else (name,))]

    def decorate(command: _Command) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_common(**given: Any) -> Any:
            said = {name: given.pop(name) for name in options}
            return command(_common(**{k: v for k, v in said.items() if v is not None}), **given)

        wrapped: Callable[..., Any] = with_common
        for name in reversed(options):
            words, settings = _OPTIONS[name]
            if name in defaults:
                settings = settings | {"default": defaults[name], "show_default": True}
            wrapped = click.option(*words, **settings)(wrapped)
        return wrapped

    unknown = set(names) - {field.name for field in fields(Common)}
    assert not unknown, unknown
    return decorate


def _common(set_from: tuple[str, ...] = (), **said: Any) -> Common:
    """What the options say; raises click.UsageError."""
    common = Common(**said)
    if common.mask and common.pcap is None:
        raise click.UsageError("--mask is about --pcap, which is not given.")
    if common.pcap_media and common.pcap is None:
        raise click.UsageError("--pcap-media is about --pcap, which is not given.")
    if not (set_from or common.overrides or common.provision):
        return common
    from .secrets import files_of, read_elsewhere, tell_of_exposed

    if common.log_level != "error":
        tell_of_exposed(common.overrides, common.provision)
    overrides = (*common.overrides, *read_elsewhere(set_from))
    return replace(common, overrides=overrides, read_from=files_of(set_from))


def cfg_argument(*, required: bool = True) -> Callable[[_Command], _Command]:
    """The argument ``CFG...``: cfg files, later ones winning.

    Args:
        required: whether the command refuses to run without any, `need_files`.
    """
    metavar = "CFG..." if required else "[CFG...]"
    return click.argument("cfg", nargs=-1, metavar=metavar, shell_complete=complete_files)


def need_files(cfg: Sequence[str], common: Common) -> None:
    """Refuse a command without files to read; raises click.UsageError."""
    if not cfg and not common.provisioned:
        raise click.UsageError("Missing argument 'CFG...', or --provision URL.")
