"""Draw the state machines from their tables: docs/transactions.md and docs/calls.md.

python scripts/diagrams.py           writes the pages
python scripts/diagrams.py --check   says whether they are up to date; exit status 1 when one is not
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Protocol

from pages import DOCS, write_or_check

from phone_emulator.events import CallState
from phone_emulator.phone.calls import states
from phone_emulator.sip import tables
from phone_emulator.sip.tables import TABLES, Kind, State
from phone_emulator.sip.timers import RETRANSMITS, Timer, Timers

CALLS = """\
# The states of a call

Drawn by `scripts/diagrams.py` from the table in `phone_emulator/phone/calls/states.py`: change that, not this
page. An arrow says *event / what the call does*, besides telling its new state.
"""

HEAD = """\
# SIP transactions

Drawn by `scripts/diagrams.py` from the tables in `phone_emulator/sip/tables.py`: change those, not this page.
An arrow says *event / what the machine does*. "deliver" hands the message to the user of the transaction
(a registration, a call); a response that a server sends comes from that user.
"""


class Step(Protocol):
    """One cell of a table."""

    @property
    def do(self) -> tuple[str, ...]:
        """What is done."""

    @property
    def then(self) -> str:
        """The next state."""


Table = Mapping[str, Mapping[str, Step]]


def render() -> dict[Path, str]:
    """Every page."""
    transactions = [HEAD, _theory(tables), *(_machine(kind) for kind in Kind), _durations()]
    calls = [CALLS, _theory(states), *_drawn(states.TABLE, {CallState.ENDED})]
    return {DOCS / "transactions.md": "\n".join(transactions), DOCS / "calls.md": "\n".join([*calls, ""])}


def _theory(module: ModuleType) -> str:
    title, _, body = (module.__doc__ or "").partition("Theory of operation\n-------------------\n")
    if not body:
        raise ValueError(f"{module.__name__}: no theory of operation under {title!r}")
    return f"## Theory of operation\n\n{body.strip()}\n"


def _machine(kind: Kind) -> str:
    title = kind[0].upper() + kind[1:]
    return "\n".join([f"## {title}", "", *_drawn(TABLES[kind], {State.INITIAL, State.TERMINATED}), ""])


def _drawn(table: Table, ends: set[str]) -> list[str]:
    """*table* as a picture and in words; *ends*: states drawn as the beginning and the end."""
    diagram = ["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in _arrows(table, ends)), "```"]
    words = ["| state | event | does | next state |", "|---|---|---|---|"]
    words += [
        f"| {state} | {event} | {', '.join(step.do) or '-'} | {step.then} |"
        for state, row in table.items()
        for event, step in row.items()
    ]
    return [*diagram, "", *words]


def _arrows(table: Table, ends: set[str]) -> Iterator[str]:
    """One arrow from state to state, however many events lead along it."""
    for state, row in table.items():
        labels: dict[str, list[str]] = {}
        for event, step in row.items():
            labels.setdefault(step.then, []).append(f"{event} / {', '.join(step.do)}" if step.do else event)
        for then, lines in labels.items():
            yield f"{_node(state, ends)} --> {_node(then, ends)} : {'<br/>'.join(lines)}"


def _node(state: str, ends: set[str]) -> str:
    return "[*]" if state in ends else str(state)


def _durations() -> str:
    timers = Timers()
    lines = [
        "## Timers",
        "",
        f"With T1 = {timers.t1} s, T2 = {timers.t2} s and T4 = {timers.t4} s, in seconds. "
        "Those that send again have the first interval here.",
        "",
        "| timer | runs in | over UDP | over TCP, TLS | then |",
        "|---|---|---|---|---|",
    ]
    for timer in Timer:
        where = ", ".join(
            f"{kind} {state}"
            for kind, running in tables.RUNNING.items()
            for state, names in running.items()
            if timer in names
        )
        lines.append(
            f"| {timer} | {where} | {_seconds(timers, timer, False)} | {_seconds(timers, timer, True)} "
            f"| {_then(timers, timer)} |"
        )
    return "\n".join([*lines, ""])


def _seconds(timers: Timers, timer: Timer, reliable: bool) -> str:
    seconds = timers.duration(timer, reliable=reliable)
    return "does not run" if seconds is None else str(seconds)


def _then(timers: Timers, timer: Timer) -> str:
    if timer not in RETRANSMITS:
        return "once"
    intervals = [timers.t1]
    for _ in range(4):
        intervals.append(timers.next_interval(timer, intervals[-1], proceeding=False))
    return "every " + ", ".join(str(seconds) for seconds in intervals) + " …"


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; returns the exit status."""
    return write_or_check(render(), arguments, "python scripts/diagrams.py", __doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
