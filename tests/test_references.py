"""What texts name is there: links, files, modules, make targets and commands, in documents and docstrings."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from phone_emulator.cli.group import COMMANDS

ROOT = Path(__file__).parents[1]
IGNORED = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
FOLDERS = ("phone_emulator", "tests", "scripts", "docs", "configs", "requirements")
OUTSIDE = {"phone.md", "redundancy.md"}
"""Of the specification, which is not part of this repository."""
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted(
    path
    for folder in ("phone_emulator", "scripts", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix == ".py" or (path.parent.name == "scripts" and path.is_file())
)
TARGETS = set(re.findall(r"^([a-z][a-z -]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))

PLACEHOLDER = re.compile(r"(?<![A-Za-z])(?:NAME|ROOM)(?![A-Za-z])")
"""Stands for any of them."""
SHOWN = re.compile(r"^`([\w.]+)`:\n\n```", re.MULTILINE)
"""An example of a file, that a document shows as a whole."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(rf"(?<![\w/.~-])(?:(?:{'|'.join(FOLDERS)})/[\w./*-]*[\w*]|[\w./-]*\w\.(?:py|md))(?![\w/])")
MODULE = re.compile(r"(?<![\w./])phone_emulator(?:\.\w+)+(?![\w/])")
ROLE = re.compile(r":(?:mod|class|func|meth|data|attr):`[~!]?([\w.]+)`")
MAKE = re.compile(r"(?:^|`|\$ )make ((?:[A-Z]+=\S+ )*)([a-z][a-z-]*)", re.MULTILINE)
COMMAND = re.compile(r"(?:^|`|\$ )phone-emulator ([a-z]+)", re.MULTILINE)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def files() -> frozenset[str]:
    """Every file and folder, below the repository."""
    found = (path for folder in FOLDERS for path in [ROOT / folder, *(ROOT / folder).rglob("*")])
    below = {relative(path) for path in found if not IGNORED & set(path.parts)}
    return frozenset(below | {path.name for path in ROOT.iterdir()})


def is_there(name: str, near: Path) -> bool:
    """Whether *name* is a file or a folder: from the top, from *near*, or the end of the path of one."""
    if name in OUTSIDE or PLACEHOLDER.search(name):
        return True
    if "*" in name:
        return any(ROOT.glob(name))
    name = name.rstrip("/").removeprefix("./")
    if name in files() or (near / name).exists():
        return True
    return any(file.endswith(f"/{name}") for file in files())


def is_module(name: str) -> bool:
    """Whether *name* is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        rest = parts[length:]
        file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if file.is_file():
            return not rest or bool(re.search(rf"\b{rest[0]}\b", file.read_text(encoding="utf-8")))
    return False


def headings(document: Path) -> set[str]:
    """The anchors of *document*, as forges make them of its headings."""
    found = re.findall(r"^#+ +(.*)$", BLOCK.sub("", document.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def prose(source: Path) -> Iterator[str]:
    """The docstrings and the comments of *source*; of what is not Python, all of it."""
    text = source.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        yield text
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def dead(text: str, near: Path) -> list[str]:
    """What *text* names and is not there."""
    found = [name for name in PATH.findall(text) if not is_there(name, near)]
    found += [name for name in MODULE.findall(text) if not is_module(name)]
    found += [f"make {name}" for _, name in MAKE.findall(text) if name not in " ".join(TARGETS).split()]
    return found + [f"phone-emulator {name}" for name in COMMAND.findall(text) if name not in COMMANDS]


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(BLOCK.sub("", document.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = document.parent / name if name else document
        assert file.exists(), target
        assert not anchor or anchor in headings(file), target


@pytest.mark.parametrize(
    "document", [each for each in DOCUMENTS if each.name != "CHANGELOG.md"], ids=relative
)
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert set(dead(text, document.parent)) - set(SHOWN.findall(text)) == set()


def test_the_map_is_that_of_the_linter() -> None:
    """The picture in CONTRIBUTING.md has each layer on a line, from above to below, and the phone's rooms."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = {each["name"]: each.get("layers", []) for each in linter["contracts"]}
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = text.partition("```text\n")[2].partition("```")[0].splitlines()
    rows = []
    for layer in layers["imports go downwards"]:
        names = [name.removeprefix("phone_emulator.") for name in layer.split(" : ")]
        [row] = [row for row, line in enumerate(lines) if line.split()[: len(names)] == names]
        rows.append(row)
    assert rows == sorted(rows)
    assert len(rows) == len([line for line in lines if re.match(" {3}[a-z]", line)])
    phone = "\n".join(lines[rows[9] : rows[10]])
    assert [room for room in layers["the rooms of the phone"] if not re.search(rf"\b{room}\b", phone)] == []


def test_what_docstrings_and_comments_name_is_there() -> None:
    found = {
        relative(source): [name for text in prose(source) for name in dead(text, source.parent)]
        for source in SOURCES
    }
    assert {source: names for source, names in found.items() if names} == {}


def test_what_docstrings_refer_to_is_there() -> None:
    """What begins with a dot is a module beside, or something in it; a bare word is defined somewhere."""
    defined = re.compile(r"^ *(?:class|(?:async )?def) (\w+)|^ *(\w+)(?:: .*)? = ", re.MULTILINE)
    texts = {source: source.read_text(encoding="utf-8") for source in SOURCES}
    words = {word for text in texts.values() for words in defined.findall(text) for word in words}
    dotted = {
        source: [
            ".".join(source.parent.relative_to(ROOT).parts) + name if name.startswith(".") else name
            for name in ROLE.findall(text)
        ]
        for source, text in texts.items()
    }
    found = {
        f"{relative(source)}: {name}"
        for source, names in dotted.items()
        for name in names
        if not (is_module(name) if name.startswith("phone_emulator.") else name.split(".")[-1] in words)
    }
    assert found == set()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("see docs/guide.md, `scripts/lock` and phone/calls/call.py", []),
        ("see docs/gone.md and `scripts/gone`", ["docs/gone.md", "scripts/gone"]),
        ("phone/outgoing.py", ["phone/outgoing.py"]),
        ("phone_emulator.sip.message.Request, phone_emulator.phone.gone", ["phone_emulator.phone.gone"]),
        ("phone_emulator.sip.message.Gone", ["phone_emulator.sip.message.Gone"]),
        ("`make quick`, `make UPGRADE=1 lock`, `make gone`", ["make gone"]),
        ("`phone-emulator run x`, `phone-emulator gone`", ["phone-emulator gone"]),
    ],
)
def test_the_search_finds_what_is_gone(text: str, names: list[str]) -> None:
    assert dead(text, ROOT) == names
