"""Findings in SARIF 2.1.0, the format of code-review tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from phone_emulator import __version__
from phone_emulator.config.diagnostic import Diagnostic, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "note"}


def sarif(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """*diagnostics* as one SARIF log with one run."""
    found = list(diagnostics)
    rules = sorted({each.code for each in found})
    place = {code: index for index, code in enumerate(rules)}
    driver = {"name": "phone-emulator", "version": __version__, "rules": [{"id": code} for code in rules]}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "results": [_result(each, place[each.code]) for each in found]}
        ],
    }


def _result(found: Diagnostic, rule: int) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(found.file.replace("\\", "/"), safe="/:~._-")},
        "region": {"startLine": found.line},
    }
    return {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": _LEVELS[found.severity],
        "message": {"text": found.message},
        "locations": [{"physicalLocation": place}],
    }
