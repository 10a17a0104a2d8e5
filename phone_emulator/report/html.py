"""One self-contained page: verdicts, and for each scenario its routes and a ladder diagram."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from phone_emulator.cleaning import clean
from phone_emulator.events import Attempt
from phone_emulator.saving import saved

from .ladder import Ladder, ladder
from .result import CallReport, NotRun, ScenarioResult, Verdict
from .text import remark_lines
from .wire import names_of

_LANE, _ROW, _LEFT, _TOP = 210, 26, 80, 46

_STYLE = """
:root { color-scheme: light dark; --ok: #1a7f37; --bad: #c0392b; --line: #8886; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; font-size: 14px; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre, svg text { font-family: ui-monospace, monospace; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid var(--line); font-size: 13px; }
section { border-top: 2px solid var(--line); margin-top: 2rem; }
.passed, .answered { color: var(--ok); } .failed, .error, .lost { color: var(--bad); }
.ladder { overflow-x: auto; } svg { font-size: 12px; } svg text { fill: currentColor; }
svg line { stroke: currentColor; } svg .lane { stroke-dasharray: 2 3; opacity: .5; }
svg polygon { fill: currentColor; }
""".strip()


def html_page(results: Sequence[ScenarioResult], not_run: Sequence[NotRun] = ()) -> str:
    """The page; it loads nothing and runs no script."""
    passed = sum(result.verdict is Verdict.PASSED for result in results)
    title = f"{passed} of {len(results)} scenarios passed"
    if not_run:
        title += f", {len(not_run)} not run"
    rows = "\n".join(
        f'<tr><td class="{result.verdict}">{result.verdict}</td>'
        f'<td><a href="#s{number}">{_text(result.scenario)}</a></td>'
        f"<td><code>{_text(result.file)}</code></td>"
        f'<td class="number">{result.elapsed:.1f} s</td></tr>'
        for number, result in enumerate(results, start=1)
    )
    rows += "".join(
        f"\n<tr><td>not run</td><td>{_text(each.scenario)}</td>"
        f"<td><code>{_text(each.file)}</code></td><td></td></tr>"
        for each in not_run
    )
    sections = "\n".join(_section(number, result) for number, result in enumerate(results, start=1))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"<table>\n<tr><th>verdict</th><th>scenario</th><th>file</th><th>time</th></tr>\n{rows}\n</table>\n"
        f"{sections}\n</body>\n</html>\n"
    )


def write_html(path: str | Path, results: Sequence[ScenarioResult], not_run: Sequence[NotRun] = ()) -> None:
    """Write the page. :raises OSError: when the file cannot be written."""
    with saved(Path(path), private=False) as file:
        file.write(html_page(results, not_run).encode())


def _text(value: object) -> str:
    """*value* escaped, with control characters made visible."""
    return escape(clean(str(value)))


def _section(number: int, result: ScenarioResult) -> str:
    clock = "virtual" if result.virtual else "real"
    parts = [
        f'<section id="s{number}">',
        f'<h2><span class="{result.verdict}">{result.verdict}</span>: {_text(result.scenario)}</h2>',
        f"<p><code>{_text(result.file)}</code>, {result.elapsed:.1f} s of {clock} time</p>",
    ]
    if result.failures:
        items = "".join(f"<li>{_text(item.step)}: {_text(item.message)}</li>" for item in result.failures)
        parts.append(f'<ul class="failed">{items}</ul>')
    parts += [f"<p>line {each.line}: {_text(each.reason)}</p>" for each in result.unspoken]
    if result.registrations:
        parts += ["<h3>Registrations</h3>", _route(result.registrations)]
    parts += [part for call in result.calls for part in (_call_heading(call), _route(call.route))]
    attempts = [*result.registrations, *(attempt for call in result.calls for attempt in call.route)]
    diagram = ladder(result.messages, names_of(attempts))
    if diagram.rungs:
        parts += ["<h3>Messages</h3>", f'<div class="ladder">{_svg(diagram)}</div>', _messages(diagram)]
    return "\n".join([*parts, "</section>"])


def _call_heading(call: CallReport) -> str:
    via = f" via {_text(call.via)}" if call.via else ""
    style = "answered" if call.result == "answered" else "lost"
    reason = f": {_text(call.reason)}" if call.reason else ""
    return (
        f"<h3>Call {_text(call.id)}, line {call.line} {_text(call.way)}</h3>\n"
        f'<p><span class="{style}">{_text(call.result or "not ended")}</span>{via} '
        f"after {call.elapsed:.1f} s{reason}</p>{_remarks(call)}"
    )


def _remarks(call: CallReport) -> str:
    """How it ended, and how its sound fared, a paragraph each."""
    return "".join(f"\n<p>{_text(line.strip())}</p>" for line in remark_lines(call))


def _route(attempts: Iterable[Attempt]) -> str:
    rows = "\n".join(_attempt(attempt) for attempt in attempts)
    heads = "".join(f"<th>{head}</th>" for head in ("", "role", "target", "at", "outcome", "took", "why"))
    return f"<table>\n<tr>{heads}</tr>\n{rows}\n</table>"


def _attempt(attempt: Attempt) -> str:
    target = attempt.target
    place = f"{target.remote}/{target.transport}" if target.address else target.host
    outcome = attempt.outcome or "…"
    status = f" {attempt.status}" if attempt.status and outcome != "answered" else ""
    took = "" if attempt.ended is None else f"{attempt.ended - attempt.started:.1f} s"
    style = "answered" if outcome == "answered" else "lost"
    whose = f"line {attempt.line}: " if attempt.line else ""
    return (
        f'<tr><td class="number">{whose}{attempt.n}</td><td>{_text(target.role)}</td>'
        f"<td><code>{_text(place)}</code></td>"
        f'<td class="number">{attempt.started:.3f} s</td><td class="{style}">{_text(outcome)}{status}</td>'
        f'<td class="number">{took}</td><td>{_text(attempt.detail)}</td></tr>'
    )


def _svg(diagram: Ladder) -> str:
    width = _LEFT + _LANE * len(diagram.lanes) + 120
    height = _TOP + _ROW * len(diagram.rungs) + 16
    parts = [
        f'<svg role="img" aria-label="ladder of SIP messages" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
    ]
    heads = [("phone", diagram.phone), *((lane.name, lane.place) for lane in diagram.lanes)]
    for position, (name, place) in enumerate(heads):
        x = _LEFT + _LANE * position
        parts.append(f'<text x="{x}" y="14" text-anchor="middle">{_text(name)}</text>')
        parts.append(f'<text x="{x}" y="30" text-anchor="middle">{_text(place)}</text>')
        parts.append(f'<line class="lane" x1="{x}" y1="36" x2="{x}" y2="{height}"/>')
    for row, rung in enumerate(diagram.rungs):
        y = _TOP + _ROW * row + 16
        start, end = _LEFT, _LEFT + _LANE * (rung.lane + 1)
        tip, back = (end, end - 8) if rung.outwards else (start, start + 8)
        parts.append(f'<text x="0" y="{y + 4}">{rung.at:.3f}</text>')
        parts.append(f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}"/>')
        parts.append(f'<polygon points="{tip},{y} {back},{y - 4} {back},{y + 4}"/>')
        parts.append(f'<text x="{start + 12}" y="{y - 4}">{_text(rung.label[:40])}</text>')
    return "\n".join([*parts, "</svg>"])


def _messages(diagram: Ladder) -> str:
    shown: list[str] = []
    for rung in diagram.rungs:
        lane = diagram.lanes[rung.lane]
        way = "to" if rung.outwards else "from"
        head = f"{rung.at:.3f} s: {rung.label} {way} {lane.name} {lane.place}"
        shown.append(
            f"<details><summary><code>{_text(head)}</code></summary><pre>{escape(rung.text)}</pre></details>"
        )
    return "\n".join(shown)
