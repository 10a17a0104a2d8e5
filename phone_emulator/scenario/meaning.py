"""From a tree to a scenario: the file's own keys, its servers, and what paths in it lead to.

Theory of operation: each server, step and expectation is read by its own model, so that a fault in one hides
none in another. References (servers, calls) are checked against the names that the file *tries* to give, also
where the thing named has faults of its own: one mistake makes one fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phone_emulator.events import Transport
from phone_emulator.lab.behaviour import CalleeBehaviour

from .faults import Faults, read
from .files import read_zone, scalar_text
from .model import Scenario, ServerSpec
from .schema import FileModel, ServerModel, WorldName, near_word
from .step_reader import StepReader, spelled_out
from .steps import callee
from .steps.callee import CalleeStep
from .tree import Node
from .worlds import FILE, SERVER, Where, why_not


def is_scenario(root: Node) -> bool:
    """Whether a key of a scenario, or nearly one, stands in *root*. Of other files nothing is shown."""
    known = FileModel.model_fields
    keys = _entries(root)
    return isinstance(root.value, dict) and (not keys or any(near_word(key, known) for key in keys))


def scenario(root: Node, file: str, world: WorldName | None, faults: Faults) -> Scenario | None:
    """The scenario that *root* describes; None, or something incomplete, when there are faults."""
    top = read(FileModel, root, "", faults)
    keys = _entries(root)
    folder = Path(file).parent
    servers = _servers(keys.get("servers"), faults)
    config = _config(keys.get("config"), folder, faults)
    zone = read_zone(keys.get("zone"), folder, file, faults)
    called = _callee(keys.get("callee"), folder, faults)
    asked = world or scalar_text(keys.get("world")) or "simulated"
    _refuse_elsewhere(keys, FILE, asked, "", faults)
    named = _entries(keys.get("servers"))
    for name, entry in named.items():
        _refuse_elsewhere(_entries(entry), SERVER, asked, f"server {name!r}: ", faults)
    transports = {name: spec.transports for name, spec in servers.items()}
    steps = StepReader(asked, folder, file, tuple(named), faults, transports).read(keys.get("steps"))
    if top is None:
        return None
    lines = {key: node.line for key, node in keys.items()}
    if top.set:
        lines |= {f"set.{key}": node.line for key, node in keys["set"].value.items()}
    return Scenario(
        name=top.name or Path(file).name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".scenario"),
        file=file,
        world=world or top.world,
        config=config,
        set=top.set,
        zone=zone,
        servers=servers,
        callee=called,
        sound=top.sound,
        steps=steps,
        lines=lines,
    )


def _entries(node: Node | None) -> dict[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _refuse_elsewhere(
    keys: Mapping[str, Node], table: Mapping[str, Where], world: str, where: str, faults: Faults
) -> None:
    """A fault for each of *keys* that means nothing in *world*."""
    for key, node in keys.items():
        if wrong := why_not(world, table, key):
            faults.add(node.line, where + wrong)


def _config(node: Node | None, folder: Path, faults: Faults) -> tuple[Path, ...]:
    found: list[Path] = []
    entries: list[Node] = [] if node is None else node.value if isinstance(node.value, list) else [node]
    for entry in entries:
        name = scalar_text(entry)
        if name is None:
            continue
        path = folder / name
        try:
            wrong = "no such file" if not path.exists() else "a folder, not a file" if path.is_dir() else ""
        except (OSError, ValueError) as error:
            wrong = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        if wrong:
            faults.add(entry.line, f"config: {path}: {wrong}")
        found.append(path)
    return tuple(found)


def _callee(node: Node | None, folder: Path, faults: Faults) -> CalleeBehaviour:
    if node is None:
        return CalleeBehaviour.ANSWER
    model = read(CalleeStep, spelled_out(callee.KIND, node), "callee", faults, {"folder": folder})
    return model.behaviour if model is not None else CalleeBehaviour.ANSWER


def _servers(node: Node | None, faults: Faults) -> dict[str, ServerSpec]:
    servers: dict[str, ServerSpec] = {}
    taken: dict[tuple[str, int, bool], str] = {}
    for name, given in _entries(node).items():
        entry = given
        if not isinstance(entry.value, dict | list | None):
            entry = Node(entry.line, {"address": entry})
        model = read(ServerModel, entry, f"server {name!r}", faults)
        if model is None:
            continue
        servers[name] = spec = _spec(name, model, entry.line)
        for transport in spec.transports:
            place = (spec.address, spec.port_for(transport), transport.reliable)
            other = taken.setdefault(place, name)
            if other != name:
                faults.add(
                    spec.line, f"server {name!r}: {place[0]} port {place[1]} is taken by server {other!r}"
                )
                break
    return servers


def _spec(name: str, model: ServerModel, line: int) -> ServerSpec:
    only_tls = model.transports == [Transport.TLS] and "port" in model.model_fields_set
    return ServerSpec(
        name=name,
        address=model.address,
        port=model.port,
        tls_port=model.tls_port or (model.port if only_tls else min(model.port + 1, 65535)),
        transports=tuple(dict.fromkeys(model.transports)),
        behaviour=model.behaviour,
        names=tuple(model.names),
        line=line,
    )
