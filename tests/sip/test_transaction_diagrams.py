"""docs/transactions.md and docs/calls.md show the tables as they are."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phone_emulator.sip.tables import TABLES, Kind

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield runpy.run_path(str(ROOT / "scripts" / "diagrams.py"))


@pytest.mark.parametrize("name", ["transactions.md", "calls.md"])
def test_page_is_up_to_date(script: dict[str, Any], name: str) -> None:
    page = ROOT / "docs" / name
    assert page.read_text(encoding="utf-8") == script["render"]()[page], "run: python scripts/diagrams.py"


@pytest.mark.parametrize("kind", Kind)
def test_every_cell_is_on_the_page(script: dict[str, Any], kind: Kind) -> None:
    page: str = script["render"]()[ROOT / "docs" / "transactions.md"]
    for state, row in TABLES[kind].items():
        for event, step in row.items():
            assert f"| {state} | {event} | {', '.join(step.do) or '-'} | {step.then} |" in page


def test_wrong_arguments_are_told(script: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert script["main"](["--nonsense"]) == 2
    assert "--check" in capsys.readouterr().err
