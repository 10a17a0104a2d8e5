from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from phone_emulator.report.html import html_page, write_html
from phone_emulator.report.result import NotRun, ScenarioResult

VOID = {"meta", "line", "polygon", "br"}


class Balance(HTMLParser):
    """Checks that every element is closed, and gathers what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [str(value) for name, value in attrs if name in ("src", "href") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_one_self_contained_page(result: ScenarioResult, tmp_path: Path) -> None:
    write_html(tmp_path / "r.html", [result, result])
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert balance.loads == ["#s1", "#s2"]
    assert "<script" not in page
    assert "0 of 2 scenarios passed" in page
    assert "no response within 64*T1 = 32.0 s" in page
    assert "192.168.1.14:5060/udp" in page
    assert "<p>line 1: Opus &lt;is&gt; enabled and cannot be spoken here</p>" in page
    assert "<svg" in page


def test_everything_is_escaped_and_nothing_secret(result: ScenarioResult) -> None:
    nasty = replace(
        result, scenario="<script>alert(1)</script>", file='"><img src=x>', messages=result.messages
    )
    page = html_page([nasty])
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "5ec4e7" not in page
    assert "username=&quot;10,01&quot;" in page
    assert "\ud800" not in html_page([replace(result, scenario="\ud800")])


def test_no_scenarios() -> None:
    assert "0 of 0 scenarios passed" in html_page([])


def test_what_was_not_run_is_told() -> None:
    page = html_page([], [NotRun("<late>", "late.yaml")])
    assert "0 of 0 scenarios passed, 1 not run" in page
    assert "<td>not run</td><td>&lt;late&gt;</td>" in page
