"""Fixtures: real servers on loopback addresses that belong to this test process alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Literal

import pytest

from tests.integration.harness.capture import Capture
from tests.integration.harness.certificates import Certificates, ServerCertificate
from tests.integration.harness.far_end import Peers
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net, reserved_net
from tests.integration.harness.nsd import Nsd, guide_zone
from tests.integration.harness.phone import Phone
from tests.integration.harness.sipp import SippUas
from tests.integration.harness.stage import Stage

_STAGE = pytest.StashKey[Stage]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the servers' logs with a failed test."""
    report = yield
    if report.failed and report.when == "call":
        stages = [node.stash[_STAGE] for node in item.listchain() if _STAGE in node.stash]
        processes = [process for stage in stages for process in stage.processes]
        report.sections += [(f"log of {process.name}", process.log[-8000:]) for process in processes]
    return report


@pytest.fixture(scope="session")
def net() -> Iterator[Net]:
    """The loopback network of this test process."""
    with reserved_net() as net:
        yield net


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The CA of the run."""
    return Certificates(tmp_path_factory.mktemp("ca"))


def _stage(
    net: Net, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """An empty stage; all that is put on it is stopped when the fixture ends, and must leave nothing."""
    stage = Stage(net, tmp_path_factory.mktemp("it"))
    request.node.stash[_STAGE] = stage
    with ExitStack() as stack:
        yield stage
        for process in stage.processes:
            stack.callback(process.stop)


stage = pytest.fixture(name="stage")(_stage)
lasting_stage = pytest.fixture(name="lasting_stage", scope="module")(_stage)
"""For what all tests of a module share."""


@pytest.fixture
def make_kamailio(stage: Stage) -> Callable[..., Kamailio]:
    """Makes a server (not started): ``make_kamailio(name, address, **options of Kamailio)``."""

    def make(
        name: str,
        address: str,
        certificate: ServerCertificate | None = None,
        retry_after: int = 0,
        max_expires: int = 3600,
        algorithm: Literal["MD5", "SHA-256"] = "MD5",
    ) -> Kamailio:
        server = Kamailio(
            name,
            address,
            stage.folder(name),
            callee=f"{stage.net.callee}:5060",
            certificate=certificate,
            retry_after=retry_after,
            max_expires=max_expires,
            algorithm=algorithm,
        )
        stage.processes.append(server)
        return server

    return make


@pytest.fixture
def primary(make_kamailio: Callable[..., Kamailio], net: Net) -> Kamailio:
    """Server 1's primary, running."""
    return make_kamailio("primary", net.primary).start()


@pytest.fixture
def secondary(make_kamailio: Callable[..., Kamailio], net: Net) -> Kamailio:
    """Server 1's secondary, running."""
    return make_kamailio("secondary", net.secondary).start()


@pytest.fixture
def fallback(make_kamailio: Callable[..., Kamailio], net: Net) -> Kamailio:
    """Server 2, running."""
    return make_kamailio("fallback", net.fallback).start()


@pytest.fixture
def callee(stage: Stage) -> SippUas:
    """Who answers every call, running."""
    uas = SippUas(stage.net.callee, stage.folder("callee"))
    stage.processes.append(uas)
    return uas.start()


@pytest.fixture
def nsd(stage: Stage) -> Nsd:
    """The name server with the guide's zone for UDP, running."""
    server = Nsd(stage.net.dns, stage.folder("nsd"), guide_zone(stage.net, "SIP+D2U"))
    stage.processes.append(server)
    return server.start()


@pytest.fixture
def capture(stage: Stage) -> Capture:
    """A recording of the stage's network, running."""
    recording = Capture(stage.net, stage.folder("capture"))
    stage.processes.append(recording)
    return recording.start()


@pytest.fixture
def phone(stage: Stage, nsd: Nsd, capture: Capture, certificates: Certificates) -> Phone:
    """The phone under test, with a name server to ask and a capture that watches it."""
    return Phone(stage.net, stage.folder("phone"), certificates.ca_file, capture.key_log)


@pytest.fixture
def live(phone: Phone) -> LivePhone:
    """The same phone in this process, for tests that act while it runs."""
    return LivePhone(phone.net, phone.cfg)


@pytest.fixture
def lone(stage: Stage, certificates: Certificates) -> LivePhone:
    """The phone in this process, with no name server and no capture."""
    cfg = Phone(stage.net, stage.folder("phone")).cfg
    return LivePhone(stage.net, cfg, certificates.ca_file.read_text())


@pytest.fixture
def peers(stage: Stage, certificates: Certificates, lone: LivePhone) -> Peers:
    """The same phone, and far ends that follow scripts."""
    return Peers(stage, certificates.issue(stage.net.primary), lone)
