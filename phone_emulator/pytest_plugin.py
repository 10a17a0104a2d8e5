"""The pytest plugin: scenario files are tests, and tests in Python get `virtual_phone` and `sip_lab`.

Every pytest run on the machine imports this module, so it imports nothing but pytest: the rest of the package
comes with the first scenario file, or the first test that asks for a fixture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from phone_emulator.scenario.session import Prepared
    from phone_emulator.testing.sip_lab import SipLab
    from phone_emulator.testing.virtual_phone import VirtualPhone

SUFFIX = ".scenario.yaml"
MARKER = "sip_lab(**servers): how the servers of the sip_lab fixture behave at first, as in primary='silent'"
STORIES = pytest.StashKey[list[Callable[[], list[str]]]]()
"""Who can tell what happened in a test, for its report."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


# -- scenario files ---------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Every ``*.scenario.yaml`` is a test."""
    if file_path.name.endswith(SUFFIX):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class ScenarioFile(pytest.File):
    """One scenario file; a file that cannot be used is an error of the collection, told line by line."""

    def collect(self) -> Iterable[ScenarioItem]:
        from phone_emulator.scenario.model import ScenarioError
        from phone_emulator.scenario.reader import read_scenario
        from phone_emulator.scenario.session import RunOptions, prepare

        try:
            prepared = prepare(read_scenario(self.path), RunOptions())
        except ScenarioError as error:
            raise self.CollectError(str(error)) from None
        name = prepared.scenario.name.replace("::", ":")
        yield ScenarioItem.from_parent(self, name=name, prepared=prepared)


class ScenarioFailed(Exception):
    """What the scenario expects did not hold; the text is its verdict, its failures and its routes."""


class ScenarioItem(pytest.Item):
    """One scenario."""

    def __init__(self, *, prepared: Prepared, **rest: Any) -> None:
        super().__init__(**rest)
        self._prepared = prepared

    def runtest(self) -> None:
        """Run it in its own world; raises ScenarioFailed."""
        from phone_emulator.report.result import Verdict
        from phone_emulator.report.text import route_lines, scenario_lines
        from phone_emulator.scenario.runner import run
        from phone_emulator.scenario.session import RunOptions

        result = run(self._prepared, RunOptions())
        if result.verdict is not Verdict.PASSED:
            where = [fault.traceback for fault in result.faults]
            raise ScenarioFailed("\n".join([*scenario_lines(result), *where]))
        self.add_report_section("call", "route", "\n".join(route_lines(result)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The failures and the routes, without a traceback; also where the machine would not run it."""
        from phone_emulator.world import WorldError

        if isinstance(excinfo.value, ScenarioFailed | WorldError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, 0, self.name


# -- fixtures ---------------------------------------------------------------------------------------------


@pytest.fixture
def virtual_phone(request: pytest.FixtureRequest) -> Iterator[Callable[..., VirtualPhone]]:
    """Makes phones in virtual time: ``phone = virtual_phone("phone.cfg", servers={"primary": "silent"})``.

    The first argument is a cfg file, several, or cfg text; ``zone`` a DNS master file or its text, made up
    where it is left out; ``set`` is cfg keys over the file's. Paths are relative to the test's file. The rest
    is told by :class:`phone_emulator.testing.virtual_phone.VirtualPhone`.
    """
    from phone_emulator.testing.virtual_phone import VirtualPhone, read_config, read_zone_of

    made: list[VirtualPhone] = []
    folder = request.path.parent

    def make(
        config: str | Path | Sequence[str | Path],
        *,
        zone: str | Path | None = None,
        set: Mapping[str, object] | None = None,  # noqa: A002  # as in scenario files
        **rest: Any,
    ) -> VirtualPhone:
        phone = VirtualPhone(read_config(config, set or {}, folder), read_zone_of(zone, folder), **rest)
        made.append(phone)
        _tells(request.node, phone.story)
        return phone

    yield make
    with contextlib.ExitStack() as stopping:  # each is stopped, whatever has happened in another
        for phone in reversed(made):
            stopping.callback(phone.stop)


@pytest.fixture
def sip_lab(request: pytest.FixtureRequest) -> Iterator[SipLab]:
    """SIP servers on loopback in a thread of their own; see :class:`phone_emulator.testing.sip_lab.SipLab`.

    ``@pytest.mark.sip_lab(primary="silent")`` says how they behave at first.
    """
    from phone_emulator.testing.sip_lab import SipLab

    marker = request.node.get_closest_marker("sip_lab")
    lab = SipLab(marker.kwargs if marker is not None else {})
    yield lab
    lab.stop()


def _tells(item: pytest.Item, story: Callable[[], list[str]]) -> None:
    item.stash.setdefault(STORIES, []).append(story)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows the routes of its phones."""
    report = yield
    if report.when == "call" and report.failed:
        for story in item.stash.get(STORIES, []):
            report.sections.append(("virtual phone", "\n".join(story())))
    return report
