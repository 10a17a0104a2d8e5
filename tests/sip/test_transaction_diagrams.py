"""docs/transactions.md shows the tables as they are."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from phone_emulator.sip.tables import TABLES, Kind

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "diagrams.py"))


def test_page_is_up_to_date(script: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "transactions.md").read_text(encoding="utf-8")
    assert page == script["render"](), "run: python scripts/diagrams.py"


@pytest.mark.parametrize("kind", Kind)
def test_every_cell_is_on_the_page(script: dict[str, Any], kind: Kind) -> None:
    page: str = script["render"]()
    for state, row in TABLES[kind].items():
        for event, step in row.items():
            assert f"| {state} | {event} | {', '.join(step.do) or '-'} | {step.then} |" in page


def test_wrong_arguments_are_told(script: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert script["main"](["--nonsense"]) == 2
    assert "--check" in capsys.readouterr().err
