"""What scripts/mutants changes, and what it makes of the tests that notice, do not notice, or never end."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
DRIVER = f"""
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
sys.path.insert(0, {str(SCRIPTS)!r})
mutants = SourceFileLoader("mutants", {str(SCRIPTS / "mutants")!r}).load_module()
mutants.ROOT = Path.cwd()
mutants.BUILD = Path("build")
mutants.PAGE = Path("page.md")
mutants.ROOMS = {{"toy.py": (".", "test_*")}}
mutants.PROCESSOR = 0.2
sys.exit(mutants.main(sys.argv[1:]))
"""
TOY = '''
"""A toy."""
LIMIT = 3


def steps(limit: int) -> int:
    """Count down from *limit*."""
    rounds = 0
    while limit > 0:
        limit -= 1
        rounds += 1
    return rounds


def allowed(number: int) -> bool:
    return number < LIMIT
'''


@pytest.fixture
def mutations(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return import_module("mutations")


def changes(mutations: ModuleType, source: str) -> list[str]:
    return [f"{m.place.names[-1:]} {m.change}" for m in mutations.mutants_of("x.py", dedent(source))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", {"a < b -> a <= b", "a < b -> a >= b"}),
        ("a is b", {"a is b -> a is not b"}),
        ("a and b", {"a and b -> a or b", "a and b -> a", "a and b -> b"}),
        ("not a", {"not a -> a"}),
        ("a + b", {"a + b -> a - b"}),
        ("x = 7", {"7 -> 8", "7 -> 6"}),
        ("x = True", {"True -> False"}),
        ("x = 'word'", {"'word' -> ''"}),
        ("x = ''", {"'' -> 'mutated'"}),
        ("f(a, b, c=d)", {"f(a, b, c=d) -> f(b, a, c=d)", "f(a, b, c=d) -> f(a, b)", "f(a, b, c=d) -> pass"}),
        ("min(a, b)", {"min -> max", "min(a, b) -> pass"}),
        ("x = a if b else c", {"a if b else c -> a if not b else c"}),
        ("if a: pass", {"if a: -> if not a:"}),
        ("while a: break", {"while a: -> while not a:", "break -> continue"}),
        ("for a in b: continue", {"for a in b: -> for a in ():", "continue -> break"}),
        ("x = [a for a in b if a]", {"for a in b if a -> for a in b"}),
        ("raise a", {"raise a -> pass"}),
        ("x += a", {"x += a -> pass", "x += a -> x -= a"}),
        ("x = {a: b, c: d}", {"{a: b, c: d} -> {c: d}", "{a: b, c: d} -> {a: b}"}),
        ("x = (a, b)", {"(a, b) -> (b,)", "(a, b) -> (a,)"}),
        ("def f(): return a", {"return a -> return None"}),
        ("def f(): x = a", {"x = a -> pass"}),
        ("def f(a: int = 3) -> int: 'words'", {"3 -> 4", "3 -> 2"}),
        ("import a; assert a > 3", set()),
        ("@a(3)\nclass B(C[3]): 'words'", set()),
        ("A = B | C", set()),
        ("x = y = z\nx = z", set()),
    ],
)
def test_what_is_changed(mutations: ModuleType, source: str, expected: set[str]) -> None:
    assert {mutant.change for mutant in mutations.mutants_of("x.py", source)} == expected


def test_a_mutant_has_one_fault_and_leaves_the_next_one_none(mutations: ModuleType) -> None:
    values = []
    for mutant in mutations.mutants_of("x.py", "a = 1\nb = [a + 1, 'x']\n"):
        names: dict[str, object] = {}
        exec(mutant.compiled("x.py"), names)
        values.append((mutant.change, names["a"], names["b"]))
    assert values == [
        ("1 -> 2", 2, [3, "x"]),
        ("1 -> 0", 0, [1, "x"]),
        ("[a + 1, 'x'] -> ['x']", 1, ["x"]),
        ("[a + 1, 'x'] -> [a + 1]", 1, [2]),
        ("a + 1 -> a - 1", 1, [0, "x"]),
        ("1 -> 2 #2", 1, [3, "x"]),
        ("1 -> 0 #2", 1, [1, "x"]),
        ("'x' -> ''", 1, [2, ""]),
    ]


def test_what_compiles_to_the_same_is_no_mutant(mutations: ModuleType) -> None:
    found = mutations.mutants_of("x.py", "def f():\n    while True:\n        pass\n    x = 1\n")
    unchanged = [mutant.change for mutant in found if mutant.compiled("x.py") is None]
    assert unchanged == ["1 -> 2", "1 -> 0"]  # it is never reached


def test_a_change_elsewhere_leaves_the_rank_of_the_others(mutations: ModuleType) -> None:
    before = {str(mutant): mutant.rank() for mutant in mutations.mutants_of("toy.py", TOY)}
    after = {
        str(m): m.rank()
        for m in mutations.mutants_of("toy.py", TOY.replace("def allowed", "x = 5\n\n\ndef allowed"))
    }
    assert before.items() <= after.items()
    assert sorted(set(after) - set(before)) == ["`toy.py` `module`: `5 -> 4`", "`toy.py` `module`: `5 -> 6`"]


def test_another_seed_draws_others(mutations: ModuleType) -> None:
    found = mutations.mutants_of("toy.py", TOY)
    usual = sorted(found, key=lambda mutant: mutant.rank())
    other = sorted(found, key=lambda mutant: mutant.rank("another"))
    assert [str(mutant) for mutant in usual] != [str(mutant) for mutant in other]


def tried(folder: Path, tests: str, page: str = "") -> subprocess.CompletedProcess[str]:
    """What comes of the mutants of TOY with those *tests*."""
    (folder / "toy.py").write_text(TOY)
    (folder / "test_toy.py").write_text(f"from toy import allowed, steps\n\n{dedent(tests)}")
    (folder / "page.md").write_text(page)
    command = [sys.executable, "-c", DRIVER]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and bounds what it forks")
def test_what_the_tests_do_not_notice_is_told(tmp_path: Path) -> None:
    strong = """\
        def test():
            assert steps(3) == 3
            assert allowed(2)
            assert allowed(3) is False
    """
    done = tried(tmp_path, strong)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("100.0% of those that change anything are killed")
    killers = (tmp_path / "build" / "killers.json").read_text()
    assert '"test_toy.py::test"' in killers
    assert '"stopped by SIGPROF"' in killers  # limit -= 1 -> pass: it never ends

    weak = """\
        def test():
            assert steps(0) == 0
            allowed(2)
            allowed(4)
    """
    known = "- `toy.py` `allowed`: `number < LIMIT -> number <= LIMIT`: "
    equivalent = "- `toy.py` `allowed`: `number < LIMIT -> number >= LIMIT`: "
    reached_by_nobody = "- `toy.py` `steps`: `rounds += 1 -> pass`: "
    killed = "- `toy.py` `steps`: `0 -> 1`: "
    done = tried(tmp_path, weak, f"## Equivalent\n\n{equivalent}why\n\n## Live\n\n{known}why\n{killed}why\n")
    assert done.returncode == 1
    assert f"lives, and page.md does not say why:\n{reached_by_nobody}\n" in done.stdout
    assert f"is killed, whatever page.md says:\n{killed}\n" in done.stdout
    assert known not in done.stdout
    assert equivalent not in done.stdout
    assert ", 1 equivalent: " in done.stdout.splitlines()[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and bounds what it forks")
def test_tests_that_fail_without_any_mutant_tell_nothing(tmp_path: Path) -> None:
    done = tried(tmp_path, "def test():\n    assert steps(2) == 3")
    assert done.returncode == 2
    assert "without any of them: test_toy.py::test" in done.stderr
