"""docs/sip.md names a test for each answer of the phone: it has to be there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "sip.md"


def test_every_test_that_the_page_names_exists() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d{3} \|", line)]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(\w+/[\w/]+\.py)(?:::(\w+))?`", row)
        assert named, row
        for file, test in named:
            text = (TESTS / file).read_text(encoding="utf-8")
            assert f"def {test}(" in text if test else text, f"{file}::{test}"
