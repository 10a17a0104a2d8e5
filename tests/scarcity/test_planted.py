"""Whatever is asked of the machine is refused once, in runs of every command that opens sockets.

Each time the program ends with status 3 and one line that names what was not to be had, or the phone goes on;
never with status 4, and nothing is left over.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phone_emulator.cli.group import cli
from phone_emulator.lab.plans import EXAMPLE_CFG
from phone_emulator.lab.provisioning import ProvisioningServer
from phone_emulator.media.sound import Sound
from phone_emulator.media.wav import write_wav
from phone_emulator.testing.sip_lab import SipLab
from tests import addresses
from tests.scarcity.machine import SCARCE, Machine, error_of, watched

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "configs" / "guide-example.cfg"
ZONE = ROOT / "configs" / "guide-example.zone"
MOST = 400
"""Moments of one run; more would be a run that grows with each refusal."""
SCENARIO = """\
name: calls both ways
world: {world}
config: {config}
zone: {zone}
servers:
  primary: {{address: 192.168.1.13, transports: [udp, tcp, tls]}}
  secondary: {{address: 192.168.1.14, transports: [udp, tcp, tls]}}
  fallback: {{address: 192.168.1.15, transports: [udp, tcp, tls]}}
set:
  account.1.sip_server.1.transport_type: 2
  account.1.sip_server.1.port: 5061
steps:
  - register: {{line: 1}}
  - call: {{line: 1, to: "1002", id: out}}
  - hangup: out
  - incoming: {{line: 1, id: in}}
  - answer: in
  - hangup: in
"""


@pytest.fixture(params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which event loop runs: with asyncio's own, what it asks for is seen too."""
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)
    else:
        pytest.importorskip("uvloop")


@pytest.fixture(autouse=True)
def quick_collection() -> Iterator[None]:
    """What other tests have left in this process is not looked through again at each moment."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where all files are written, temporary ones too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def lab() -> Iterator[SipLab]:
    """The servers of phones in the real world, in a thread that gets all it wants."""
    servers = SipLab()
    yield servers
    servers.stop()


def real(lab: SipLab) -> tuple[str, ...]:
    """The options of a phone in the real world whose servers are those of *lab*."""
    fallback = lab.config.lines[0].servers[1]
    key = "account.1.sip_server.2"
    servers = ("--set", f"{key}.address={fallback.address}", "--set", f"{key}.port={fallback.port}")
    return ("--dns", str(lab.nameserver), "--local-address", lab.phone_host, *servers)


def program(*args: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, args), "--log-level", "error"], prog_name="phone-emulator")


def refused_at_each_moment(
    order: Callable[[], Result], folder: Path, *, at_least: int, alone: bool = True
) -> None:
    """Do *order* with the first, the second … request refused, until one of them is not reached any more.

    Args:
        order: a whole run of the program.
        folder: where it writes.
        at_least: moments that there must be.
        alone: whether nobody else in this process opens sockets meanwhile.
    """
    assert order().exit_code == 0  # and everything is imported
    there = sorted(folder.iterdir())
    refusals: list[Callable[[], BaseException]] = [partial(error_of, number) for number in SCARCE]
    refusals.append(MemoryError)
    bad = []
    gc.collect()
    for at in range(1, MOST):
        machine = Machine(at, refusals[at % len(refusals)])
        open_before = len(os.listdir("/proc/self/fd"))
        with watched(machine):
            result = order()
        if not machine.refused:
            break
        gc.collect()
        wrong = [*_wrong(result)]
        if alone and len(os.listdir("/proc/self/fd")) > open_before:
            wrong.append("a descriptor is left open")
        if left := [each.name for each in folder.iterdir() if each not in there]:
            wrong.append(f"left behind: {left}")
        if wrong:
            said = f"{result.exit_code} {result.output[-2000:]!r}"
            bad.append(f"{at}: {machine.refused}: {'; '.join(wrong)}: {said}")
    else:
        pytest.fail(f"there is no end of requests: {machine.asked[-5:]}")
    assert not bad, "\n".join(bad)
    assert at > at_least, "few moments: is everything watched?"


def _wrong(result: Result) -> Iterator[str]:
    if result.exit_code not in (0, 1, 3):
        yield f"ended with {result.exit_code}"
    if "Traceback" in result.output or "internal fault" in result.output:
        yield "told as a fault"
    lines = result.stderr.strip().splitlines()
    if result.exit_code == 3 and len(lines) != 1:
        yield f"said {len(lines)} lines"


@pytest.mark.usefixtures("loop")
def test_a_call_in_the_lab(folder: Path) -> None:
    where = ("--world", "lab", "--zone", ZONE, "--local-address", addresses.own_address())
    write_wav(folder / "said.wav", Sound(8000, array("h", bytes(160))))
    files = ("--play", folder / "said.wav", "--record", folder / "heard.wav", "--pcap", folder / "sip")
    refused_at_each_moment(
        lambda: program("call", EXAMPLE, "1002", *where, "--duration", "0.02s", *files), folder, at_least=55
    )


@pytest.mark.usefixtures("loop")
def test_registering_in_the_lab(folder: Path) -> None:
    where = ("--world", "lab", "--zone", ZONE, "--local-address", addresses.own_address())
    refused_at_each_moment(lambda: program("register", EXAMPLE, *where), folder, at_least=45)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("transport", [0, 1])
@pytest.mark.parametrize("command", [("register",), ("call", "1002", "--duration", "0.02s")])
def test_the_real_world(lab: SipLab, folder: Path, command: tuple[str, ...], transport: int) -> None:
    order, *rest = command
    (cfg := folder / "phone.cfg").write_text(EXAMPLE_CFG)
    where = (*real(lab), "--set", f"account.1.sip_server.1.transport_type={transport}")
    refused_at_each_moment(lambda: program(order, cfg, *rest, *where), folder, at_least=15, alone=False)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("world", ["lab", "simulated"])
def test_a_scenario(folder: Path, world: str) -> None:
    file = folder / "calls.yaml"
    file.write_text(SCENARIO.format(world=world, config=EXAMPLE, zone=ZONE))
    reports = [word for name in ("junit", "html", "pcap") for word in (f"--{name}", folder / name)]
    where = ("--local-address", addresses.own_address())
    enough = 70 if world == "lab" else 8
    refused_at_each_moment(lambda: program("run", file, *where, *reports), folder, at_least=enough)


@pytest.mark.usefixtures("loop")
def test_the_lab_alone(folder: Path) -> None:
    where = ("--local-address", addresses.own_address())
    refused_at_each_moment(lambda: program("lab", *where), folder, at_least=40)


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("way", ["http", "file"])
def test_a_phone_that_is_provisioned(lab: SipLab, folder: Path, way: str) -> None:
    name, content = "001565aabbcc.cfg", EXAMPLE_CFG.encode()
    (folder / name).write_bytes(content)
    server = ProvisioningServer({f"/{name}": content})
    lab.do(server.start)
    try:
        url = server.url if way == "http" else f"{folder.as_uri()}/"
        once = ("--set", "static.auto_provision.attempt_before_failed=1")
        order = partial(program, "register", "--provision", url, *once, *real(lab))
        refused_at_each_moment(order, folder, at_least=15, alone=False)
    finally:
        lab.do(server.stop)
