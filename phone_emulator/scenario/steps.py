"""The steps of a scenario, read in order, knowing which calls exist so far."""

from __future__ import annotations

from pathlib import Path

from .faults import Faults, read
from .files import read_zone, scalar_text
from .model import Expect, RouteExpectation, Step, ZoneSource
from .schema import (
    SHORTHAND,
    STEPS,
    CallStep,
    ExpectModel,
    ExpectStep,
    IncomingStep,
    OnCall,
    StepModel,
    meant,
    shown,
)
from .tree import Node

_OWN_SERVERS = ("server", "dns", "incoming", "callee")
_MAKES_CALL = ("call", "incoming")
_ABOUT_CALLS = ("state", "result", "status", "via", "route")
_NOT_OF_REGISTER = ("state", "result")
_CAN_FAIL = ("incoming", "hangup", "answer", "reject", "hold", "resume", "transfer", "dtmf")
"""Steps that a refusal or the state of the call can prevent. That a call finds nobody is its result."""


class StepReader:
    """Reads ``steps``.

    :param world: where the scenario runs; some steps cannot be done in the real one.
    :param folder: what paths are relative to.
    :param servers: the names of the file's servers.
    """

    def __init__(self, world: str, folder: Path, file: str, servers: tuple[str, ...], faults: Faults) -> None:
        self._world = world
        self._folder = folder
        self._file = file
        self._context = {"servers": servers}
        self._faults = faults
        self._calls: dict[str, str] = {}
        """Calls so far: id and the kind of step that made them."""
        self._given: dict[str, int] = {}
        """Ids that the file gives anywhere, and the number of the step that does."""

    def read(self, node: Node | None) -> tuple[Step, ...]:
        """All steps without faults."""
        if node is None or not isinstance(node.value, list):
            return ()
        for number, item in enumerate(node.value, start=1):
            for kind in _MAKES_CALL:
                given = scalar_text(_below(_below(item, kind), "id"))
                if given is not None:
                    self._given.setdefault(given, number)
        steps = (self._step(number, item) for number, item in enumerate(node.value, start=1))
        return tuple(step for step in steps if step is not None)

    def _step(self, number: int, item: Node) -> Step | None:
        if not isinstance(item.value, dict) or not item.value:
            bare = isinstance(item.value, str) and item.value in STEPS
            hint = f": write '{item.value}: {{}}'" if bare else ""
            got = shown(item.plain()) if item.value != {} else "nothing"
            self._faults.add(
                item.line, f"step {number}: expected a mapping such as {{wait: 5s}}, got {got}{hint}"
            )
            return None
        keys: dict[str, Node] = item.value
        kinds = [key for key in keys if key != "expect"]
        kind = next((key for key in kinds if key in STEPS), kinds[0] if kinds else "expect")
        if kind != "expect" and kind not in STEPS:
            self._faults.add(keys[kind].line, f"step {number}: unknown step {kind!r}{meant(kind, STEPS)}")
            return None
        where = f"step {number} ({kind})"
        for extra in kinds:
            if extra != kind:
                wrong = "a step does one thing" if extra in STEPS else "only 'expect' stands there"
                self._faults.add(keys[extra].line, f"{where}: {extra!r} beside {kind!r}: {wrong}")
        args: StepModel | None = ExpectStep()
        call: str | None = None
        if kind != "expect":
            node = _spelled_out(kind, keys[kind])
            args = read(STEPS[kind], node, where, self._faults, self._context)
            args, call = self._with_call(kind, node, args, where)
        zone = self._zone(kind, keys[kind], where)
        expect = self._expect(keys["expect"], kind, call, where) if "expect" in keys else None
        return None if args is None else Step(number, kind, args, expect, keys[kind].line, zone)

    def _zone(self, kind: str, node: Node, where: str) -> ZoneSource | None:
        if kind in _OWN_SERVERS and self._world == "real":
            self._faults.add(
                node.line, f"{where}: nobody can do that in the real world, only in simulated and lab"
            )
        if kind != "dns":
            return None
        return read_zone(_below(_spelled_out(kind, node), "zone"), self._folder, self._file, self._faults)

    # -- calls -------------------------------------------------------------------------------------------

    def _with_call(
        self, kind: str, node: Node, args: StepModel | None, where: str
    ) -> tuple[StepModel | None, str | None]:
        """The step with the id of its call filled in, and that id."""
        if kind in _MAKES_CALL:
            call = self._made(kind, node, where)
            made = args.model_copy(update={"id": call}) if isinstance(args, CallStep | IncomingStep) else None
            return made, call
        if not issubclass(STEPS[kind], OnCall):
            return args, None
        found = self._named(_below(node, "call"), node.line, where)
        if kind in ("answer", "reject") and self._calls.get(found or "") == "call":
            self._faults.add(
                node.line, f"{where}: the phone made the call {found!r} itself: only incoming ones ring here"
            )
        other = _below(node, "with")
        if other is not None and self._named(other, node.line, where) == found:
            self._faults.add(other.line, f"{where}: a call cannot be transferred to itself")
        return (args.model_copy(update={"call": found}) if isinstance(args, OnCall) else None), found

    def _made(self, kind: str, node: Node, where: str) -> str:
        """The id of the call that this step makes: its own, or the next free one of c1, c2, …"""
        given = scalar_text(_below(node, "id"))
        if given in self._calls:
            self._faults.add(node.find(["id"]).line, f"{where}: there is a call {given!r} already")
        count = len(self._calls) + 1
        while given is None:
            free = f"c{count}"
            given = None if free in self._given or free in self._calls else free
            count += 1
        self._calls[given] = kind
        return given

    def _named(self, node: Node | None, line: int, where: str) -> str | None:
        """The call that is named, or the last above."""
        if node is None:
            if not self._calls:
                self._faults.add(line, f"{where}: there is no call above this step")
                return None
            return next(reversed(self._calls))
        name = scalar_text(node)
        if name is not None and name not in self._calls:
            if name in self._given:
                late = f": it is only made in step {self._given[name]}"
            else:
                late = meant(name, self._calls)
            self._faults.add(node.line, f"{where}: there is no call {name!r}{late}")
        return name

    # -- expectations ------------------------------------------------------------------------------------

    def _expect(self, node: Node, kind: str, call: str | None, step: str) -> Expect | None:
        where = step if kind == "expect" else f"{step}: expect"
        model = read(ExpectModel, node, where, self._faults, self._context)
        if not isinstance(node.value, dict):
            return None
        keys: dict[str, Node] = node.value
        if not keys:
            self._faults.add(node.line, f"{where}: it expects nothing")
        if "fails" in keys and kind not in _CAN_FAIL:
            hint = ": write 'result: failed' or 'rejected'" if kind == "call" else ""
            self._faults.add(keys["fails"].line, f"{where}: a step {kind!r} does not fail{hint}")
        asked = [key for key in keys if key in _ABOUT_CALLS]
        if "call" in keys:
            call = self._named(keys["call"], node.line, where)
        elif kind in ("register", "unregister"):
            for key in asked:
                if key in _NOT_OF_REGISTER:
                    self._faults.add(keys[key].line, f"{where}: {key!r} is about a call: name it with 'call'")
        elif call is None and asked:
            call = self._named(None, keys[asked[0]].line, where)
        if model is None:
            return None
        route = None
        if model.route is not None:
            route = tuple(
                RouteExpectation(role, outcome, status, keys["route"].find([position]).line)
                for position, (role, outcome, status) in enumerate(model.route)
            )
        return Expect(
            fails=model.fails,
            registered=None if model.registered is None else tuple(model.registered),
            line=model.line,
            call=call,
            state=model.state,
            result=model.result,
            status=model.status,
            via=model.via,
            within=model.within,
            route=route,
            at=node.line,
            lines={key: entry.line for key, entry in keys.items()},
        )


def _below(node: Node | None, key: str) -> Node | None:
    """What stands at *key*, if *node* is a mapping that has it."""
    if node is None or not isinstance(node.value, dict):
        return None
    found = node.value.get(key)
    return found if isinstance(found, Node) else None


def _spelled_out(kind: str, node: Node) -> Node:
    """The mapping that a shorthand stands for: ``wait: 5s`` is ``wait: {time: 5s}``."""
    if isinstance(node.value, dict | list) or (node.value is not None and kind not in SHORTHAND):
        return node
    return Node(node.line, {} if node.value is None else {SHORTHAND[kind]: node})
