"""Mutants: modules with one small fault, for ``scripts/mutants``."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

SEED = "phone-emulator"

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.LShift: ast.RShift,
    ast.BitOr: ast.BitAnd,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
NO_CODE = ("annotation", "returns", "decorator_list", "bases")
"""Fields of nodes that hold types, and decorators."""
LONGEST = 100
"""Characters of the code that is shown."""
UNTOUCHED = (ast.Assert, ast.Import, ast.ImportFrom, ast.arg)


def changed(node: ast.AST, local: bool) -> Iterator[ast.AST]:
    """Each thing that may stand in the place of *node*; *local* is whether that is in a function."""
    match node:
        case ast.Compare(left, [operator], [right]):
            yield from (ast.Compare(left, [other()], [right]) for other in COMPARISONS[type(operator)])
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            for i in range(len(values)):
                rest = values[:i] + values[i + 1 :]
                yield ast.BoolOp(operator, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Constant(str() as value):
            yield ast.Constant("" if value else "mutated")
        case ast.Call(function, arguments, keywords):
            ordered = ast.unparse(function) not in NAMES and not any(
                isinstance(each, ast.Starred) for each in arguments
            )
            if len(arguments) > 1 and ordered:
                yield ast.Call(function, [arguments[1], arguments[0], *arguments[2:]], keywords)
            for i in range(len(keywords)):
                yield ast.Call(function, arguments, keywords[:i] + keywords[i + 1 :])
        case ast.Name(name) if name in NAMES:
            yield ast.Name(NAMES[name], ast.Load())
        case ast.IfExp(test, body, other):
            yield from (ast.IfExp(no, body, other) for no in negated(test))
        case ast.If(test, body, other):
            yield from (ast.If(no, body, other) for no in negated(test))
        case ast.While(test, body, other):
            yield from (ast.While(no, body, other) for no in negated(test))
        case ast.For(target, _, body, other):
            yield ast.For(target, ast.Tuple([], ast.Load()), body, other)
        case ast.comprehension(target, iterable, [_, *_], is_async):
            yield ast.comprehension(target, iterable, [], is_async)
        case ast.Return(ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Expr(ast.Call() | ast.Await()) | ast.Raise():
            yield ast.Pass()
        case ast.AugAssign(target, operator, value):
            yield ast.Pass()
            if type(operator) in OPERATORS:
                yield ast.AugAssign(target, OPERATORS[type(operator)](), value)
        case ast.Assign() | ast.AnnAssign(value=ast.expr()) if local:
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case ast.Dict(keys, values):
            yield from (
                ast.Dict(keys[:i] + keys[i + 1 :], values[:i] + values[i + 1 :]) for i in range(len(keys))
            )
        case ast.Set(elements):
            yield from (ast.Set(elements[:i] + elements[i + 1 :]) for i in range(len(elements)))
        case ast.Tuple(elements, ast.Load()) | ast.List(elements, ast.Load()):
            rest = (elements[:i] + elements[i + 1 :] for i in range(len(elements)))
            yield from (type(node)(elements, ast.Load()) for elements in rest)


def negated(test: ast.expr) -> Iterator[ast.expr]:
    """The opposite of *test*, where no other change makes it."""
    if not isinstance(test, ast.Compare | ast.UnaryOp):
        yield ast.UnaryOp(ast.Not(), test)


@dataclass(slots=True)
class Place:
    """A node, and what is around it."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    """In the field, where that is a list."""
    names: tuple[str, ...]
    """The classes and functions that it is in."""
    lines: range
    """Of the statement that it is in; where that has a body, up to it."""
    function: tuple[str, int] | None
    """The outermost function that it is in: qualified name (empty where it is decorated) and line."""

    def put(self, node: ast.AST) -> None:
        """Let *node* stand here."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(slots=True)
class Mutant:
    """A module with one small fault."""

    file: str
    tree: ast.Module
    """Of the module without the fault."""
    place: Place
    fault: ast.AST
    """What stands at the place."""
    change: str
    """``before -> after``, with ``#2`` behind the second of its kind there."""

    def __str__(self) -> str:
        where = ".".join(self.place.names) or "module"
        return f"`{self.file.removeprefix('phone_emulator/')}` `{where}`: `{self.change}`"

    def rank(self, seed: str = SEED) -> str:
        """Where it stands in a shuffle by *seed* that a change elsewhere does not change."""
        return hashlib.sha256(f"{seed} {self}".encode()).hexdigest()

    def compiled(self, name: str) -> CodeType | None:
        """The module with the fault, as the file *name*; None where it does just what it did."""
        without = compile(self.tree, name, "exec")
        self.place.put(self.fault)
        try:
            code = compile(ast.fix_missing_locations(self.tree), name, "exec")
        finally:
            self.place.put(self.place.node)
        return None if essence(code) == essence(without) else code


def mutants_of(file: str, source: str) -> list[Mutant]:
    """Every mutant of the module *file*."""
    tree = ast.parse(source)
    found, seen = list[Mutant](), Counter[str]()
    for place in places(tree):
        for fault in changed(place.node, local=place.function is not None):
            ast.copy_location(fault, place.node)
            mutant = Mutant(file, tree, place, fault, f"{shown(place.node)} -> {shown(fault)}")
            seen[str(mutant)] += 1
            if seen[str(mutant)] > 1:
                mutant.change += f" #{seen[str(mutant)]}"
            found.append(mutant)
    return found


def places(parent: ast.AST, around: Place | None = None) -> Iterator[Place]:
    """Each node below *parent* that may be changed."""
    names, lines, function = (around.names, around.lines, around.function) if around else ((), range(0), None)
    for name, value in ast.iter_fields(parent):
        if name in NO_CODE:
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or isinstance(node, UNTOUCHED) or is_words(node, names):
                continue
            place = Place(node, parent, name, index, names, lines, function)
            if isinstance(node, ast.stmt):
                body = getattr(node, "body", None)
                end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
                place.lines = range(node.lineno, max(end, node.lineno) + 1)
            yield place
            inner = copy.copy(place)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                inner.names = (*names, node.name)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and function is None:
                plain = all(ast.unparse(each) == "property" for each in node.decorator_list)
                line = min(each.lineno for each in [node, *node.decorator_list])
                inner.function = (".".join(inner.names) if plain else "", line)
            yield from places(node, inner)


def is_words(node: ast.AST, names: tuple[str, ...]) -> bool:
    """Whether *node*, in what *names* say, is a docstring, an alias of types, or a list of exports."""
    if isinstance(node, ast.Assign) and not names:
        alias = isinstance(node.value, ast.Subscript) or (
            isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr)
        )
        return alias or ast.unparse(node.targets[0]) == "__all__"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def shown(node: ast.AST) -> str:
    """*node* in one short line; of a statement with a body the head only."""
    if isinstance(node, ast.If | ast.While | ast.For):
        node = copy.copy(node)
        node.body, node.orelse = [ast.Pass()], []
    text = " ".join(ast.unparse(node).removesuffix("\n    pass").split()).replace("`", "'")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 30]} … {text[-27:]}"


def essence(code: CodeType) -> tuple[Any, ...]:
    """What *code* does, wherever it stands."""
    inner = (
        essence(each) if isinstance(each, CodeType) else (type(each), repr(each)) for each in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, *inner


def function_in(code: CodeType, name: str, line: int) -> CodeType | None:
    """The code of the function with that qualified name that begins at *line*."""
    if (code.co_qualname, code.co_firstlineno) == (name, line):
        return code
    inner = (function_in(each, name, line) for each in code.co_consts if isinstance(each, CodeType))
    return next((each for each in inner if each is not None), None)
