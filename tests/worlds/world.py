"""A random world as data: zone, servers, cfg keys, steps; and the scenario file that it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DOMAINS = ("work.pbx.test", "fall.pbx.test")
"""What server 1 and server 2 are called, where they have names."""
LABELS = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
SERVICES = {"udp": "SIP+D2U", "tcp": "SIP+D2T", "tls": "SIPS+D2T"}


@dataclass(frozen=True)
class Srv:
    """One SRV record."""

    priority: int
    weight: int
    host: str
    """A key of ``Domain.hosts``."""


@dataclass(frozen=True)
class Domain:
    """What DNS says about one server name."""

    name: str
    naptr: tuple[str, ...] = ()
    """Transports that NAPTR records offer, best first; a NAPTR record may lead to no SRV record."""
    srv: Mapping[str, tuple[Srv, ...]] = field(default_factory=dict)
    """SRV records by transport."""
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Addresses of the SRV records' hosts; none: the host does not resolve."""
    own: tuple[str, ...] = ()
    """Addresses of the name itself."""
    ttl: int = 300

    def text(self) -> str:
        """As a master file."""
        lines = [f"$ORIGIN {self.name}.", f"$TTL {self.ttl}"]
        for place, transport in enumerate(self.naptr, 1):
            label, service = LABELS[transport], SERVICES[transport]
            lines.append(f'@ NAPTR {10 * place} 10 "s" "{service}" "" {label}.{self.name}.')
        for transport, records in self.srv.items():
            for record in records:
                port = 5061 if transport == "tls" else 5060
                lines.append(
                    f"{LABELS[transport]} SRV {record.priority} {record.weight} {port} {record.host}"
                )
        lines += [f"{host} A {address}" for host, found in self.hosts.items() for address in found]
        lines += [f"@ A {address}" for address in self.own]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class World:
    """Everything that is drawn."""

    domains: tuple[Domain, ...]
    servers: Mapping[str, Mapping[str, Any]]
    """As ``servers`` of a scenario file."""
    cfg: Mapping[str, str]
    steps: tuple[Mapping[str, Any], ...]
    callee: str = "answer"
    seed: int = 0
    overlapping: bool = False
    """Whether no step waits for another to end, a ``wait`` is the time between two, and the phone stops after
    the last."""
    zones: tuple[Domain, ...] = ()
    """What DNS says from each step on that changes its zone, where everything overlaps."""
    calm: float | None = None
    """Seconds at the end in which nothing happens and every server is well; None for none."""

    @property
    def zone(self) -> str:
        """Every domain's records."""
        return zone_text(self.domains)

    def text(self) -> str:
        """The scenario file: everything in it, nothing beside it."""
        whole: dict[str, Any] = {"name": "a random world", "world": "simulated"}
        whole["set"] = dict(self.cfg)
        if self.domains:
            whole["zone"] = Block(self.zone)
        whole["servers"] = _plain(self.servers)
        whole["callee"] = self.callee
        whole["steps"] = [_plain(step) for step in self.steps]
        dumped = yaml.dump(whole, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
        head = f"# phone-emulator run --seed {self.seed} THIS-FILE\n"
        if self.overlapping:
            head += "# In tests/worlds no step waits for another to end.\n"
        return head + dumped

    def setting(self, key: str, default: str = "") -> str:
        """A cfg value."""
        return self.cfg.get(key, default)

    def server_key(self, number: int, key: str, default: str = "") -> str:
        """``account.1.sip_server.<number>.<key>``."""
        return self.setting(f"account.1.sip_server.{number}.{key}", default)

    def number(self, key: str, default: float) -> float:
        """A cfg value that is a number."""
        return float(self.setting(key, str(default)))

    def has_step(self, *kinds: str) -> bool:
        """Whether a step of one of the *kinds* is among the steps."""
        return any(kind in step for step in self.steps for kind in kinds)


def zone_text(domains: Sequence[Domain]) -> str:
    """The zone of several domains."""
    return "".join(domain.text() for domain in domains)


def save(world: World, name: str, folder: Path) -> Path:
    """Write the scenario file of *world* to *folder*, in the place of an earlier one of that *name*."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(world.text(), encoding="utf-8")
    return path


class Block(str):
    """Text that YAML shows line by line."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(dumper: yaml.SafeDumper, text: Block) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(Block, _block)


def _plain(value: Any) -> Any:
    """Mappings and tuples as YAML knows them; zones within steps as blocks."""
    plain = json.loads(json.dumps(value))
    if isinstance(plain, dict) and isinstance(plain.get("dns"), dict) and "zone" in plain["dns"]:
        plain["dns"]["zone"] = Block(plain["dns"]["zone"])
    return plain
