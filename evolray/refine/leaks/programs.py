"""The Python programs in a record's texts: what they define that can be called, and with how many arguments.

Of the fenced blocks, or of a text without fences as a whole, the functions, classes, imports and those constants that
they need; statements that use them (prints, assertions, a main guard, input) are left out, since they cost time and may
fail. Nothing is executed here. Text beyond 100,000 characters is not looked at.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from evolray.evaluate.code.blocks import fenced_blocks
from evolray.evaluate.code.python_source import (
    Budget,
    Definition,
    Piece,
    is_whole,
    line_range,
    names_defined,
    names_needed,
    pieces_of,
)

MOST_CHARACTERS = 100_000
MOST_PARSED = 500_000
MAY_DEFINE = re.compile(r"^[ \t>]*(?:async[ \t]+)?def[ \t]+\w|=[ \t]*lambda\b", re.MULTILINE)
ANY = 1_000_000  # parameters of a function that takes any number


@dataclass(frozen=True, slots=True)
class Function:
    """`name` as it is called: `add`, or `Solution().add` for a method. It takes from `least` to `most` arguments."""

    name: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Program:
    """`functions`: those first that no other calls, and of these the last; each name once."""

    source: str
    functions: tuple[Function, ...]


def program_in(text: str) -> Program | None:
    """The program of a text; None when it defines no function of substance."""
    text = text[:MOST_CHARACTERS]
    if not MAY_DEFINE.search(text):
        return None
    budget = Budget(MOST_PARSED)
    pieces = [piece for source in _sources(text) for piece in pieces_of(source, budget)]
    functions = _functions([statement for piece in pieces for statement in piece.tree.body])
    if not functions:
        return None
    return Program(_source_of(pieces), functions)


def _sources(text: str) -> list[str]:
    blocks = fenced_blocks(text)
    return [block.code for block in blocks if block.may_be_python] if blocks else [text]


def _source_of(pieces: list[Piece]) -> str:
    definitions = [one for piece in pieces for one in piece.tree.body if _is_definition(one)]
    needed = {name for one in definitions for name in names_needed(one)}
    for piece in reversed(pieces):
        for one in reversed(piece.tree.body):  # a constant may need one from before it
            if _binds(one, needed):
                needed |= names_needed(one)
    kept: dict[str, None] = {}  # what stands there twice counts once
    for piece in pieces:
        lines = piece.source.split("\n")
        for one in piece.tree.body:
            if _is_definition(one) or isinstance(one, ast.Import | ast.ImportFrom) or _binds(one, needed):
                first, last = line_range(one)
                kept["\n".join(lines[first - 1 : last])] = None
    return "\n".join(sorted(kept, key=lambda source: not source.startswith("from __future__")))


def _is_definition(statement: ast.stmt) -> bool:
    return isinstance(statement, Definition | ast.ClassDef) or _lambda_of(statement) is not None


def _binds(statement: ast.stmt, needed: set[str]) -> bool:
    return isinstance(statement, ast.Assign | ast.AnnAssign) and not needed.isdisjoint(names_defined(statement))


def _functions(statements: list[ast.stmt]) -> tuple[Function, ...]:
    found: dict[str, Function] = {}
    callers: dict[str, set[str]] = {}
    for statement in statements:
        for function in _callable(statement):
            found.pop(function.name, None)  # defined again: its place is the later one
            found[function.name] = function
            callers[function.name] = names_needed(statement) - names_defined(statement)
    called = {name for names in callers.values() for name in names}
    return tuple(sorted(reversed(found.values()), key=lambda function: function.name in called))


def _callable(statement: ast.stmt) -> Iterator[Function]:
    if isinstance(statement, ast.FunctionDef):
        if is_whole(statement):
            yield _function(statement.name, statement.args)
    elif isinstance(statement, ast.ClassDef):
        yield from _methods(statement)
    elif (found := _lambda_of(statement)) is not None:
        yield _function(*found)


def _lambda_of(statement: ast.stmt) -> tuple[str, ast.arguments] | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=arguments)):
            return name, arguments
    return None


def _methods(of: ast.ClassDef) -> Iterator[Function]:
    """Of a class that can be made without arguments, as far as can be seen."""
    if any(not (isinstance(base, ast.Name) and base.id == "object") for base in of.bases) or of.keywords:
        return
    methods = [one for one in of.body if isinstance(one, ast.FunctionDef)]
    made = next((_function("", one.args, 1) for one in methods if one.name == "__init__"), None)
    if made is not None and made.least > 0:
        return
    for method in methods:
        decorators = {one.id for one in method.decorator_list if isinstance(one, ast.Name)}
        if not method.name.startswith("_") and is_whole(method) and "property" not in decorators:
            yield _function(f"{of.name}().{method.name}", method.args, 0 if "staticmethod" in decorators else 1)


def _function(name: str, arguments: ast.arguments, bound: int = 0) -> Function:
    """`bound`: of its parameters those that are filled already, `self`."""
    positional = len(arguments.posonlyargs) + len(arguments.args) - bound
    if any(default is None for default in arguments.kw_defaults):
        return Function(name, ANY, ANY)  # wants a keyword that no caller knows of
    least = max(0, positional - len(arguments.defaults))
    return Function(name, least, ANY if arguments.vararg else max(0, positional))
