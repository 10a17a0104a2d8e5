"""docs/peers.md names every test of the matrix, with its transports, and the version of each peer."""

from __future__ import annotations

import ast
import platform
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.test_tone_matrix import table

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "peers.md"
COLUMNS = {
    "## Calls": ("test_called_peer.py", "test_calling_peer.py", "test_baresip_calls.py"),
    "## Past the server": ("test_direct_dialogs.py",),
    "## Through a B2BUA": ("test_b2bua_calls.py",),
    "## pjsip": ("test_pjsip_calls.py",),
    "## Answers": ("test_peer_answers.py",),
    "## Sound": ("test_sound.py",),
    "## Conferences": ("test_conference.py",),
    "## Encrypted sound": ("test_encrypted_sound.py",),
    "## Credentials": ("test_peer_challenges.py",),
    "## Extensions": ("test_peer_extensions.py",),
    "## Transfers": ("test_linphone_transfers.py", "test_pjsip_transfers.py"),
    "## Streams": ("test_peer_streams.py",),
}
CELL = re.compile(r"`(\w+)`(?: \(([A-Z, ]+)\))?")
MARKS = {"every_transport": "UDP, TCP, TLS", "streams": "TCP, TLS", "udp_and_tcp": "UDP, TCP"}


def on_the_page() -> set[tuple[str, str, str]]:
    """File, test and transports of each cell; ``one`` for those that run over one transport."""
    found = set()
    for section in re.split(r"^(?=## )", PAGE.read_text(), flags=re.MULTILINE):
        if (files := COLUMNS.get(section.partition("\n")[0])) is None:
            continue
        for row in re.findall(r"^\| (?!what |-)(.*)\|$", section, flags=re.MULTILINE):
            for file, cell in zip(files, row.split("|")[1:], strict=True):
                for name, transports in CELL.findall(cell):
                    shown = transports or "UDP, TCP, TLS"
                    found.add((file, f"test_{name}", shown if "," in shown else "one"))
    return found


def in_the_files() -> set[tuple[str, str, str]]:
    """The same of the tests themselves."""
    found = set()
    for file in (file for files in COLUMNS.values() for file in files):
        for node in ast.parse((HERE / file).read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = [MARKS[mark] for each in node.decorator_list if (mark := ast.unparse(each)) in MARKS]
                found.add((file, node.name, marks[0] if marks else "one"))
    return found


def test_the_tones_of_the_page_are_those_of_the_matrix() -> None:
    section = PAGE.read_text().partition("\n## Tones\n")[2].partition("\n## ")[0]
    head, line, *rows = re.findall(r"^\|.*\|$", section, flags=re.MULTILINE)
    assert (head.count("|"), set(line)) == (5, {"|", "-"})
    assert rows == table(), "\n".join(("it should be:", *table()))


def test_the_page_is_true() -> None:
    page, files = on_the_page(), in_the_files()
    assert page - files == set(), "on the page, but not so in the tests"
    assert files - page == set(), "in the tests, but not so on the page"
    assert Counter(file for file, *_ in page)["test_called_peer.py"] > 20


VERSIONS = dict(re.findall(r"^\| \w+ \| `([\w-]+)` \| ([\w.:+-]+) \|$", PAGE.read_text(), flags=re.MULTILINE))
LOCK = HERE.parent.parent / "requirements" / "peers.txt"
LOCKED = {"pjsua2-python", "sippy"}
DEBIAN = {"kamailio", "sip-tester", "baresip-core", "linphone-cli", "rtpengine-daemon"}


def test_the_page_has_the_version_of_each_peer() -> None:
    assert VERSIONS.keys() == LOCKED | DEBIAN


@pytest.mark.parametrize("package", sorted(LOCKED))
def test_the_version_is_the_locked_one(package: str) -> None:
    assert re.findall(rf"^{package}==(\S+)", LOCK.read_text(), re.MULTILINE) == [VERSIONS[package]]


@pytest.mark.parametrize("package", sorted(DEBIAN))
def test_the_version_is_what_runs_here(package: str) -> None:
    """On the Debian of the page; others have other versions, and the tests are for them too."""
    system = platform.freedesktop_os_release()
    if (system["ID"], system.get("VERSION_ID")) != ("debian", "12"):
        pytest.skip(f"the page tells of Debian 12, this is {system['ID']} {system.get('VERSION_ID')}")
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        pytest.skip(f"not installed: {package} (scripts/install_test_servers)")
    assert asked.stdout == VERSIONS[package]
