"""The faults of a scenario file, gathered, and what pydantic finds put into plain words."""

from __future__ import annotations

from inspect import isclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .schema import meant, near_word, shown
from .tree import Node

M = TypeVar("M", bound=BaseModel)


class Faults:
    """Collects faults with their lines."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: set[tuple[int, str]] = set()

    def add(self, line: int, message: str) -> None:
        self._found.add((line, message))

    def __bool__(self) -> bool:
        return bool(self._found)

    def told(self) -> list[str]:
        """``file:line: message``, in order of lines."""
        return [f"{self._file}:{line}: {message}" for line, message in sorted(self._found)]


def read(
    model: type[M], node: Node, where: str, faults: Faults, context: dict[str, Any] | None = None
) -> M | None:
    """*node* as *model*, or None and faults.

    :param where: what the mapping is, for people: ``step 3 (call)``, ``server 'primary'``, or empty.
    :param context: what the model's validators need to know of the file.
    """
    value = node.plain()
    if not isinstance(value, dict):
        faults.add(node.line, f"{_prefix(where)}expected a mapping (key: value), got {shown(value)}")
        return None
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            path = [part for part in fault["loc"] if part != "[key]"]
            faults.add(node.find(path).line, _prefix(where) + _sentence(model, path, fault))
        return None


def _prefix(where: str) -> str:
    return f"{where}: " if where else ""


def _sentence(model: type[BaseModel], path: list[Any], fault: Any) -> str:
    kind = fault["type"]
    name = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        keys = [field.alias or key for key, field in _owner(model, path[:-1]).model_fields.items()]
        within = "".join(f"{part}: " for part in path[:-1])
        return f"{within}unknown key {name!r}{meant(name, keys) or ' (it has none)'}"
    if kind == "missing":
        return f"the key {name!r} is missing"
    place = ": ".join(f"entry {part + 1}" if isinstance(part, int) else str(part) for part in path)
    return f"{place}: {_wrong(kind, fault)}" if place else _wrong(kind, fault)


def _owner(model: type[BaseModel], path: list[Any]) -> type[BaseModel]:
    """The model of the mapping at *path* within one of *model*."""
    for part in path:
        fields = model.model_fields.items()
        hint = next((field.annotation for key, field in fields if part in (key, field.alias)), None)
        models = (each for each in (hint, *get_args(hint)) if isclass(each) and issubclass(each, BaseModel))
        model = next(models, model)
    return model


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "too_short": "at least one",
    "string_pattern_mismatch": "keys of the phone (0-9, A-D, * and #)",
}


def _wrong(kind: str, fault: Any) -> str:
    value, context = fault["input"], fault.get("ctx", {})
    got = shown(value)
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        near = ""
        if isinstance(value, str):
            names = [name.strip("' ") for name in context["expected"].replace(" or ", ",").split(",")]
            near = near_word(value, names)
        return f"expected {context['expected']}, got {got}{near}"
    if kind == "greater_than":
        return f"expected more than {context['gt']:g}, got {got}"
    if kind == "greater_than_equal":
        return f"expected {context['ge']} or more, got {got}"
    if kind == "less_than_equal":
        return f"expected {context['le']} or less, got {got}"
    if kind == "string_type" and isinstance(value, bool):
        return f"expected text, got {got}: put it in quotes if you mean the word"
    return f"expected {_EXPECTED[kind]}, got {got}" if kind in _EXPECTED else str(fault["msg"])
