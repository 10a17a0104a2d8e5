"""What a step expects, read: which line and which call it is about comes from the step itself.

Theory of operation: an expectation names its line and its call, or takes those of its own step. A step that
has none of its own (``wait``, ``server``, ``expect`` alone …) lends none: there the last call above, or the
only line of the phone, is meant, and the file has to name one where that could be misread. What could never
fail, or was settled before the step began, is a fault: it would be green whatever happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .faults import Faults, read
from .files import scalar_text
from .kinds import StepKind
from .model import Expect, RouteExpectation
from .schema import ExpectModel, meant
from .tree import Node

OF_SOUND = ("dtmf", "audio", "codec", "srtp")
"""What is about the sound of a call, which may change while it is up."""
ABOUT_CALLS = ("state", "result", "status", "via", "route", *OF_SOUND)
"""What is about a call, or, of a step that registers, about its REGISTERs."""
ONLY_OF_CALLS = ("state", "result", *OF_SOUND)
ONLY_OF_PLACED_CALLS = ("via", "route")
"""A call that comes in has taken no way along the phone's servers."""
SETTLED = ("result", "status", "via", "route")
"""What is known of a call as soon as it is up, and never changes."""
ENDING = ("state", *SETTLED)
"""What says whether a call has ended well or badly."""
HEARD = ("heard", "level", "gap", "lost", "mos")
"""What can hold or not of sound."""
JUDGED = ("fails", "registered", *ABOUT_CALLS)
"""What can hold or not; the other keys say of what, and until when."""


@dataclass(frozen=True, slots=True)
class Made:
    """A call that a step makes."""

    kind: str
    """``call`` or ``incoming``."""
    line: int | None
    """The phone's line that it is on; None where the step has a fault."""


@dataclass(slots=True)
class Calls:
    """The calls of the steps so far."""

    made: dict[str, Made] = field(default_factory=dict)
    """By id, the last one made last."""
    given: dict[str, int] = field(default_factory=dict)
    """Ids that the file gives anywhere, and the number of the step that does."""
    latest: str | None = None
    """The call that the last step on a call was about."""

    def named(self, node: Node, name: str | None, where: str, faults: Faults) -> str | None:
        """*name*, with a fault where no step above makes that call."""
        if name is not None and name not in self.made:
            if name in self.given:
                late = f": it is only made in step {self.given[name]}"
            else:
                late = meant(name, self.made)
            faults.add(node.line, f"{where}: there is no call {name!r}{late}")
        return name

    def last(self, line: int, where: str, faults: Faults) -> str | None:
        """The last call above; a fault on *line* where there is none."""
        if not self.made:
            faults.add(line, f"{where}: there is no call above this step")
        return next(reversed(self.made), None)

    def line_of(self, call: str | None) -> int | None:
        """The line of *call*, where that is known."""
        made = self.made.get(call or "")
        return made.line if made is not None else None


@dataclass(frozen=True, slots=True)
class Own:
    """What a step is about by itself: the defaults of its expectation."""

    does: StepKind
    call: str | None = None
    line: int | None = None
    background: bool = False


def read_expectation(
    node: Node, own: Own, calls: Calls, step: str, faults: Faults, context: Mapping[str, object]
) -> Expect | None:
    """The expectation that *node* is, or None and faults.

    :param own: the step that it belongs to.
    :param step: the step, as faults name it.
    :param context: of the models.
    """
    where = step if own.does.name == "expect" else f"{step}: expect"
    model = read(ExpectModel, node, where, faults, dict(context))
    if not isinstance(node.value, dict):
        return None
    keys: dict[str, Node] = node.value
    reader = _Reader(keys, own, calls, where, faults)
    if not any(key in JUDGED or key not in ExpectModel.model_fields for key in keys) and not (
        "within" in keys and own.does.name != "expect"
    ):
        faults.add(node.line, f"{where}: it expects nothing")
        return None
    call = reader.call()
    line = reader.line(call)
    reader.refuse_what_cannot_fail(call)
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
        line=line,
        call=call,
        state=model.state,
        result=model.result,
        status=model.status,
        via=model.via,
        dtmf=model.dtmf,
        audio=model.audio,
        codec=model.codec,
        srtp=model.srtp,
        within=model.within,
        route=route,
        at=node.line,
        lines={key: entry.line for key, entry in keys.items()},
    )


@dataclass(slots=True)
class _Reader:
    keys: Mapping[str, Node]
    own: Own
    calls: Calls
    where: str
    faults: Faults

    @property
    def asked(self) -> list[str]:
        return [key for key in self.keys if key in ABOUT_CALLS]

    def fault(self, key: str, message: str) -> None:
        self.faults.add(self.keys[key].line, f"{self.where}: {message}")

    def call(self) -> str | None:
        """The call that the expectation is about; None for none, and for the REGISTERs of its step."""
        if "call" in self.keys:
            node = self.keys["call"]
            return self.calls.named(node, scalar_text(node), self.where, self.faults)
        if self.own.does.registers:
            for key in self.asked:
                if key in ONLY_OF_CALLS:
                    self.fault(key, f"{key!r} is about a call: name it with 'call'")
            return None
        if self.own.call is not None or not self.asked:
            return self.own.call
        return self._only_call()

    def _only_call(self) -> str | None:
        """The call that a step without one of its own can only mean."""
        line = _number(self.keys.get("line"))
        calls = self.calls
        on_line = [call for call, made in calls.made.items() if line is None or made.line in (line, None)]
        if not on_line:
            of_line = f" on line {line}" if calls.made else ""
            self.fault(self.asked[0], f"there is no call{of_line} above this step")
            return None
        last = on_line[-1]
        latest = calls.latest if calls.latest in on_line else last
        if latest != last:
            self.fault(
                self.asked[0],
                f"it could be about {last!r}, the last call that was made, or {latest!r}, which the last "
                "step was about: name it with 'call'",
            )
        return last

    def line(self, call: str | None) -> int | None:
        """The line that the expectation is about; None for each of the step, or the phone's only one."""
        own, registers = self.own, self.own.does.registers and call is None
        called = self.calls.line_of(call) if "call" in self.keys else None
        given = _number(self.keys.get("line"))
        if given is not None:
            if "registered" not in self.keys:
                about, what = (own.line, "the step") if registers else (self.calls.line_of(call), f"{call!r}")
                if not self.asked:
                    self.fault("line", "'line' is about 'registered', which is not expected")
                elif about is not None and about != given:
                    self.fault("line", f"it names line {given}, but {what} is on line {about}")
            elif registers and self.asked and own.line not in (None, given):
                self.fault("line", f"it names line {given}, but the step is about line {own.line}")
            return given
        if "registered" in self.keys and None not in (own.line, called) and own.line != called:
            self.fault(
                "registered",
                f"it could be about line {own.line}, which the step is about, or line {called} of {call!r}: "
                "name it with 'line'",
            )
        return own.line if own.line is not None else called

    def refuse_what_cannot_fail(self, call: str | None) -> None:
        """Faults for what holds, or does not, whatever the step does."""
        own, does = self.own, self.own.does
        kind = does.name
        for key, node in self.keys.items():
            if node.value is None and key in ExpectModel.model_fields and key != "fails":
                hint = ": write [] for nowhere" if key == "registered" else ""
                self.fault(key, f"{key}: it says nothing{hint}")
        if "fails" in self.keys and not does.can_fail:
            hint = ": write 'result: failed' or 'rejected'" if kind == "call" else ""
            self.fault("fails", f"a step {kind!r} does not fail{hint}")
        self._refuse_unheard()
        made = self.calls.made.get(call or "")
        for key in self.asked:
            if key in ONLY_OF_PLACED_CALLS and made is not None and made.kind == "incoming":
                self.fault(key, f"{key!r} is about calls that the phone places, and {call!r} comes in")
            elif key in SETTLED and does.in_a_call and "call" not in self.keys:
                self.fault(
                    key,
                    f"{key!r} was settled before this step: expect 'state' or 'fails', or name the call",
                )
        if "within" not in self.keys:
            return
        if not does.takes_time or own.background:
            shown = "in the background" if own.background else repr(kind)
            self.fault(
                "within", f"'within' bounds nothing: a step {shown} waits for nothing; use 'expect' alone"
            )
        elif does.ends_badly_by and not any(key in self.keys for key in does.ends_badly_by):
            keys = " or ".join(does.ends_badly_by)
            self.fault("within", f"'within' alone would hold if the step failed at once: expect {keys}, too")

    def _refuse_unheard(self) -> None:
        """Faults for sound of which nothing, or nothing certain, is expected."""
        does = self.own.does
        if "call" not in self.keys:
            for key in ("codec", "srtp"):
                if key in self.keys and does.unanswered:
                    self.fault(key, f"{key!r}: nothing is agreed yet: the call is not answered by this step")
        audio = self.keys.get("audio")
        if audio is None or not isinstance(audio.value, dict):
            return
        if (does.makes_call or does.takes_call) and "call" not in self.keys:
            self.fault(
                "audio", "'audio': nothing can have been heard yet: expect it of a 'wait' behind this step"
            )
        elif audio.value.keys() <= {"by", "for"}:
            self.fault("audio", f"audio: it expects nothing: one of {', '.join(HEARD)}")
        elif "within" in self.keys and does.name == "expect" and "for" not in audio.value:
            self.fault(
                "audio", "audio: 'within' waits for it: say with 'for' how much of the sound is judged"
            )


def _number(node: Node | None) -> int | None:
    value = None if node is None else node.value
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None
