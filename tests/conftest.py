"""What all tests share: how hypothesis looks for examples, Ctrl-C, and the options of the runs."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest
from hypothesis import HealthCheck, settings

# A machine may be slow, and CI looks at the same examples each time.
settings.register_profile(
    "tests",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background jobs ignore it, and so would the programs that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # So does ``nohup make test`` that one.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("phone-emulator")
    group.addoption("--reversed", action="store_true", help="run the tests from the last to the first")
    group.addoption(
        "--until",
        type=float,
        metavar="SECONDS",
        help="begin no test after this moment, in seconds since 1970",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.until is not None:
        config.pluginmanager.register(Unreached())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.reversed:
        items.reverse()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    if item.config.option.until is not None and time.time() > item.config.option.until:
        return True  # neither run nor reported
    return None


class Unreached:
    """Counts the tests that were found and those that ran, and tells the difference."""

    def __init__(self) -> None:
        self.found = 0
        self.ran = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.found = max(self.found, len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.found = max(self.found, len(ids))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "teardown"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.ran < self.found:
            terminalreporter.write_line(
                f"{self.found - self.ran} of {self.found} tests were not reached in time"
            )
