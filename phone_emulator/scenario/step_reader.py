"""The steps of a scenario, read in order, knowing which calls exist so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from phone_emulator.events import Transport

from .expectations import Calls, Made, Own, read_expectation
from .faults import Faults, read
from .files import read_zone, scalar_text
from .kinds import StepKind
from .model import Step, ZoneSource
from .schema import Model, meant, shown
from .steps import STEPS
from .steps.on_call import OnCall
from .tree import Node
from .worlds import why_not_there

_ALONE = "expect"
"""The kind whose key goes with every other, too."""
_NAMES = tuple(name for name in STEPS if name != _ALONE)


class StepReader:
    """Reads ``steps``.

    :param world: where the scenario runs; some steps cannot be done in the real one.
    :param folder: what paths are relative to.
    :param servers: the names of the file's servers.
    :param transports: what those of them speak that are without faults.
    """

    def __init__(
        self,
        world: str,
        folder: Path,
        file: str,
        servers: tuple[str, ...],
        faults: Faults,
        transports: Mapping[str, Collection[Transport]],
    ) -> None:
        self._world = world
        self._folder = folder
        self._file = file
        self._context: dict[str, object] = {"servers": servers, "transports": transports, "folder": folder}
        self._faults = faults
        self._calls = Calls()

    def read(self, node: Node | None) -> tuple[Step, ...]:
        """All steps without faults."""
        if node is None or not isinstance(node.value, list):
            return ()
        for number, item in enumerate(node.value, start=1):
            for name in (name for name, kind in STEPS.items() if kind.makes_call):
                given = scalar_text(_below(_below(item, name), "id"))
                if given is not None:
                    self._calls.given.setdefault(given, number)
        steps = (self._step(number, item) for number, item in enumerate(node.value, start=1))
        return tuple(step for step in steps if step is not None)

    def _step(self, number: int, item: Node) -> Step | None:
        if not isinstance(item.value, dict) or not item.value:
            bare = isinstance(item.value, str) and item.value in _NAMES
            hint = f": write '{item.value}: {{}}'" if bare else ""
            got = shown(item.plain()) if item.value != {} else "nothing"
            self._faults.add(
                item.line, f"step {number}: expected a mapping such as {{wait: 5s}}, got {got}{hint}"
            )
            return None
        keys: dict[str, Node] = item.value
        names = [key for key in keys if key != _ALONE]
        name = next((key for key in names if key in _NAMES), names[0] if names else _ALONE)
        if name not in STEPS:
            self._faults.add(keys[name].line, f"step {number}: unknown step {name!r}{meant(name, _NAMES)}")
            return None
        does = STEPS[name]
        where = f"step {number} ({name})"
        for extra in names:
            if extra != name:
                wrong = "a step does one thing" if extra in _NAMES else "only 'expect' stands there"
                self._faults.add(keys[extra].line, f"{where}: {extra!r} beside {name!r}: {wrong}")
        zone: ZoneSource | None = None
        args: Model | None
        if name == _ALONE:
            args, own = does.model(), Own(does)
        else:
            node = spelled_out(does, keys[name])
            args = read(does.model, node, where, self._faults, self._context)
            args, call = self._with_call(does, node, args, where)
            if wrong := why_not_there(self._world, does.where, name):
                self._faults.add(node.line, f"{where}: {wrong}")
            line = getattr(args, "line", None) if does.registers else self._calls.line_of(call)
            own = Own(does, call, line, getattr(args, "background", False))
            self._calls.latest = call or self._calls.latest
            if "zone" in does.model.model_fields:
                zone = read_zone(_below(node, "zone"), self._folder, self._file, self._faults)
        expect = None
        if "expect" in keys:
            expect = read_expectation(keys["expect"], own, self._calls, where, self._faults, self._context)
            if name == _ALONE and expect is not None:
                self._calls.latest = expect.call or self._calls.latest
        return None if args is None else Step(number, does, args, expect, keys[name].line, zone)

    # -- calls -------------------------------------------------------------------------------------------

    def _with_call(
        self, does: StepKind, node: Node, args: Model | None, where: str
    ) -> tuple[Model | None, str | None]:
        """The step with the id of its call filled in, and that id."""
        if does.makes_call:
            call = self._made(does.name, getattr(args, "line", None), node, where)
            return (None if args is None else args.model_copy(update={"id": call})), call
        if not issubclass(does.model, OnCall):
            return args, None
        found = self._named(_below(node, "call"), node.line, where)
        made = self._calls.made.get(found or "")
        there = not why_not_there(self._world, does.where, does.name)
        if does.takes_call and there and made is not None and made.kind == "call":
            self._faults.add(
                node.line, f"{where}: the phone made the call {found!r} itself: only incoming ones ring here"
            )
        other = _below(node, "with")
        if other is not None and self._named(other, node.line, where) == found:
            self._faults.add(other.line, f"{where}: 'with' names the call itself")
        return (args.model_copy(update={"call": found}) if isinstance(args, OnCall) else None), found

    def _made(self, kind: str, line: int | None, node: Node, where: str) -> str:
        """The id of the call that this step makes: its own, or the next free one of c1, c2, …"""
        given = scalar_text(_below(node, "id"))
        calls = self._calls
        if given in calls.made:
            self._faults.add(node.find(["id"]).line, f"{where}: there is a call {given!r} already")
        count = len(calls.made) + 1
        while given is None:
            free = f"c{count}"
            given = None if free in calls.given or free in calls.made else free
            count += 1
        calls.made[given] = Made(kind, line)
        return given

    def _named(self, node: Node | None, line: int, where: str) -> str | None:
        """The call that is named, or the last above."""
        if node is None:
            return self._calls.last(line, where, self._faults)
        return self._calls.named(node, scalar_text(node), where, self._faults)


def _below(node: Node | None, key: str) -> Node | None:
    """What stands at *key*, if *node* is a mapping that has it."""
    if node is None or not isinstance(node.value, dict):
        return None
    found = node.value.get(key)
    return found if isinstance(found, Node) else None


def spelled_out(does: StepKind, node: Node) -> Node:
    """The mapping that a shorthand stands for: ``wait: 5s`` is ``wait: {time: 5s}``."""
    if does.short_mapping and isinstance(node.value, dict) and node.value:
        short = does.model.model_fields.keys().isdisjoint(node.value)
        return Node(node.line, {does.shorthand: node}) if short else node
    if isinstance(node.value, dict | list) or (node.value is not None and not does.shorthand):
        return node
    return Node(node.line, {} if node.value is None else {does.shorthand: node})
