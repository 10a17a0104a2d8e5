"""What is said about cfg files: one finding a line, with file and line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, get_args

Code = Literal[
    "answers-strangers",
    "bad-certificate",
    "bad-ignore",
    "bad-key",
    "bad-value",
    "blank-duplicate",
    "boot-include",
    "boot-key",
    "boot-line",
    "boot-only",
    "cipher-not-done",
    "codec-not-spoken",
    "control-character",
    "default-password",
    "duplicate",
    "fused-line",
    "include",
    "key-case",
    "keys-in-clear",
    "local-file",
    "long-line",
    "newer-key",
    "no-account",
    "no-cipher",
    "no-conference",
    "no-codec",
    "no-domain",
    "no-effect",
    "no-effect-here",
    "no-equals",
    "no-failover",
    "no-header",
    "no-password",
    "no-proxy",
    "no-retransmission",
    "no-server",
    "no-such-account",
    "no-such-linekey",
    "no-such-server",
    "no-user",
    "not-utf8",
    "old-tls",
    "older-name",
    "one-retry-key",
    "open-reading",
    "password-in-clear",
    "placeholder",
    "port-disables-srv",
    "raised",
    "rtp-ports",
    "same-server",
    "short-lease",
    "slow-while-primary-dead",
    "srv-needs-transport-3",
    "static-record",
    "tls-port",
    "two-bindings",
    "unchecked-certificate",
    "unknown-key",
    "unregistered-at-secondary",
    "weak-key",
    "weak-password",
]
"""The name of a finding, for scripts and for those who ignore it."""
CODES: frozenset[str] = frozenset(get_args(Code))
"""All of them."""

MOST_PER_FILE_AND_CODE = 100
"""More findings of one code and severity in one file are only counted: memory and patience are bounded."""


class Severity(StrEnum):
    """How bad it is: an error stops the phone, a warning changes what it does, a hint surprises people."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding."""

    file: str
    """The cfg file, or ``--set``."""
    line: int
    """Line in the file, or place among the ``--set`` options; from 1."""
    key: str
    """The parameter concerned, or empty."""
    severity: Severity
    code: Code
    """A short fixed name, for scripts: ``port-disables-srv``."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.code}: {self.message}"

    def as_json(self) -> dict[str, Any]:
        """The finding as ``check --format json`` prints it."""
        return {
            "file": self.file,
            "line": self.line,
            "key": self.key,
            "severity": str(self.severity),
            "code": self.code,
            "message": self.message,
        }


class Findings:
    """Collects diagnostics, and only counts what is said too often of one file."""

    def __init__(self) -> None:
        self._list: list[Diagnostic] = []
        self._count: Counter[tuple[str, Code, Severity]] = Counter()

    def add(self, file: str, line: int, key: str, severity: Severity, code: Code, message: str) -> None:
        """Notes one finding; see `Diagnostic` for the arguments."""
        self._count[file, code, severity] += 1
        if self._count[file, code, severity] <= MOST_PER_FILE_AND_CODE:
            self._list.append(Diagnostic(file, line, key, severity, code, message))

    def list(self) -> list[Diagnostic]:
        """All findings in order of discovery, then how many were left out."""
        more = [
            Diagnostic(file, 1, "", severity, code, f"{count - MOST_PER_FILE_AND_CODE} more like this")
            for (file, code, severity), count in self._count.items()
            if count > MOST_PER_FILE_AND_CODE
        ]
        return self._list + more
