"""Draw the transaction machines of phone_emulator/sip/tables.py into docs/transactions.md.

python scripts/diagrams.py           writes the page
python scripts/diagrams.py --check   says whether it is up to date; exit status 1 when it is not
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from phone_emulator.sip import tables
from phone_emulator.sip.tables import TABLES, Event, Kind, State, Step
from phone_emulator.sip.timers import RETRANSMITS, Timer, Timers

PAGE = Path(__file__).resolve().parent.parent / "docs" / "transactions.md"

HEAD = """\
# SIP transactions

Drawn by `scripts/diagrams.py` from the tables in `phone_emulator/sip/tables.py`: change those, not this page.
An arrow says *event / what the machine does*. "deliver" hands the message to the user of the transaction
(a registration, a call); a response that a server sends comes from that user.
"""


def render() -> str:
    """The whole page."""
    parts = [HEAD, _theory(), *(_machine(kind) for kind in Kind), _durations()]
    return "\n".join(parts)


def _theory() -> str:
    text = tables.__doc__ or ""
    title, _, body = text.partition("Theory of operation\n-------------------\n")
    if not body:
        raise ValueError(f"phone_emulator/sip/tables.py: no theory of operation under {title!r}")
    return f"## Theory of operation\n\n{body.strip()}\n"


def _machine(kind: Kind) -> str:
    title = kind[0].upper() + kind[1:]
    diagram = ["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in _arrows(kind)), "```"]
    table = ["| state | event | does | next state |", "|---|---|---|---|"]
    table += [
        f"| {state} | {event} | {', '.join(step.do) or '-'} | {step.then} |"
        for state, row in TABLES[kind].items()
        for event, step in row.items()
    ]
    return "\n".join([f"## {title}", "", *diagram, "", *table, ""])


def _arrows(kind: Kind) -> Iterator[str]:
    """One arrow from state to state, however many events lead along it."""
    for state, row in TABLES[kind].items():
        labels: dict[State, list[str]] = {}
        for event, step in row.items():
            labels.setdefault(step.then, []).append(_label(event, step))
        for then, lines in labels.items():
            yield f"{_node(state)} --> {_node(then)} : {'<br/>'.join(lines)}"


def _label(event: Event | Timer, step: Step) -> str:
    return f"{event} / {', '.join(step.do)}" if step.do else str(event)


def _node(state: State) -> str:
    return "[*]" if state in (State.INITIAL, State.TERMINATED) else str(state)


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
    """Write the page, or check it; returns the exit status."""
    page = render()
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
            return 0
        print(f"{PAGE} is out of date: run python scripts/diagrams.py", file=sys.stderr)
        return 1
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
