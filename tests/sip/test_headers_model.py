"""Headers behave as a plain list of lines would, whether a name comes twice or not."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.sip.headers import Headers, key_of, split

Lines = list[tuple[str, str]]
NAMES = ("Via", "v", "To", "Route", "X-Own")
NAME = st.sampled_from(NAMES)
VALUE = st.sampled_from(["a", "b", "a, b", '"x, y"', "<c,d>, e"])
CHANGE = st.tuples(st.sampled_from(["set", "add", "prepend", "after", "remove", "remove_first"]), NAME, VALUE)


def first(lines: Lines, name: str) -> int | None:
    return next((n for n, (other, _) in enumerate(lines) if key_of(other) == key_of(name)), None)


def model_set(lines: Lines, name: str, value: str) -> Lines:
    place = first(lines, name)
    if place is None:
        return [*lines, (name, value)]
    rest = [line for line in lines[place + 1 :] if key_of(line[0]) != key_of(name)]
    return [*lines[:place], (name, value), *rest]


def model_prepend(lines: Lines, name: str, value: str) -> Lines:
    place = first(lines, name) or 0
    return [*lines[:place], (name, value), *lines[place:]]


def model_after(lines: Lines, name: str, value: str) -> Lines:
    places = [n + 1 for n, (other, _) in enumerate(lines) if key_of(other) == "to"]
    place = places[-1] if places else len(lines)
    return [*lines[:place], (name, value), *lines[place:]]


def model_remove_first(lines: Lines, name: str, value: str) -> Lines:
    place = first(lines, name)
    if place is None:
        return lines
    spelt, whole = lines[place]
    rest = [part for part in split(whole, ",") if part][1:]
    kept = [(spelt, ", ".join(rest))] if rest else []
    return [*lines[:place], *kept, *lines[place + 1 :]]


MODEL: dict[str, Callable[[Lines, str, str], Lines]] = {
    "set": model_set,
    "add": lambda lines, name, value: [*lines, (name, value)],
    "prepend": model_prepend,
    "after": model_after,
    "remove": lambda lines, name, value: [line for line in lines if key_of(line[0]) != key_of(name)],
    "remove_first": model_remove_first,
}
REAL: dict[str, Callable[[Headers, str, str], None]] = {
    "set": Headers.set,
    "add": Headers.add,
    "prepend": Headers.prepend,
    "after": lambda headers, name, value: headers.insert_after("To", name, value),
    "remove": lambda headers, name, value: headers.remove(name),
    "remove_first": lambda headers, name, value: headers.remove_first(name),
}


@given(st.lists(st.tuples(NAME, VALUE), max_size=5), st.lists(CHANGE, max_size=8))
def test_any_changes(lines: Lines, changes: list[tuple[str, str, str]]) -> None:
    headers = Headers(lines)
    for what, name, value in changes:
        before = headers.copy()
        untouched = list(before)
        lines = MODEL[what](lines, name, value)
        REAL[what](headers, name, value)
        assert list(before) == untouched
        check(headers, lines)


def check(headers: Headers, lines: Lines) -> None:
    keys = [key_of(name) for name, _ in lines]
    assert list(headers) == lines
    assert len(headers) == len(lines)
    assert headers.lines == [(key_of(name), f"{name}: {value}") for name, value in lines]
    assert list(headers.texts) == [f"{name}: {value}" for name, value in lines]
    assert headers.unique is (len(set(keys)) == len(keys))
    for name in NAMES:
        values = [value for other, value in lines if key_of(other) == key_of(name)]
        assert headers.get_all(name) == values
        assert headers.get(name) == (values[0] if values else None)
        assert (name in headers) is bool(values)
    chosen = headers.select(("to", "via", "route"))
    assert chosen.lines == [
        pair for key in ("to", "via", "route") for pair in headers.lines if pair[0] == key
    ]


@given(st.lists(st.tuples(NAME, VALUE), min_size=1, max_size=5))
def test_a_line_is_put_in_the_place_of_the_first(lines: Lines) -> None:
    headers, key = Headers(lines), key_of(lines[-1][0])
    place = first(lines, lines[-1][0])
    assert place is not None
    headers.set_line(key, "To: new")
    assert headers.first[key] == "To: new"
    expected = [(key_of(name), f"{name}: {value}") for name, value in lines]
    expected[place] = (key, "To: new")
    assert headers.lines == expected
