"""Python source that may end in prose or begin with it: pieces that parse, and what they define and need.

Parsing is charged to a budget, so that a hostile text costs seconds at most. Nothing is executed.
"""

import ast
import builtins
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

MOST_PARSED = 3_000_000
"""Characters given to the parser for one answer, tries that fail included."""
MOST_CUTS = 30
# A line at the margin that may begin a piece of code.
BEGINS_CODE = re.compile(
    r"@\w|def\s|async\s+def\s|class\s+\w|import\s+\w|from\s+[\w.]+\s+import\s|if\s+__name__|[A-Za-z_]\w*\s*(?::[^=]*)?=[^=]"
)
BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef


class Budget:
    """What may still be parsed, in characters."""

    def __init__(self, characters: int = MOST_PARSED) -> None:
        self.characters = characters

    def parse(self, source: str) -> ast.Module | int:
        """The tree; or the line, from 1, where the source goes wrong (0: somewhere)."""
        self.characters -= len(source) + 200
        if self.characters < 0:
            return 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes such as "\d"
                tree = ast.parse(source)
        except SyntaxError as error:
            return error.lineno or 0
        except (ValueError, RecursionError, MemoryError):  # a null byte, a lone surrogate, nested too deeply
            return 0
        return next((one.lineno for one in tree.body if isinstance(one, ast.Return)), tree)


@dataclass(frozen=True)
class Piece:
    """Source that parses."""

    source: str
    tree: ast.Module

    def text_of(self, statement: ast.stmt) -> str:
        first, last = line_range(statement)
        return "\n".join(self.source.split("\n")[first - 1 : last])


def pieces_of(text: str, budget: Budget) -> Iterator[Piece]:
    """The stretches of code in a text, in order; the prose between them is left out."""
    lines = text.split("\n")
    position = _next_line(lines, 0, re.compile(r"\S"))
    while position < len(lines) and budget.characters > 0:
        piece = whole_prefix(lines[position:], budget)
        if piece:
            yield piece
        taken = piece.source.count("\n") + 1 if piece else 1
        position = _next_line(lines, position + taken, BEGINS_CODE)


def whole_prefix(lines: list[str], budget: Budget) -> Piece | None:
    """The longest beginning that parses and ends before a line at the margin, so that no statement is cut in two: a
    function with an error in it is left out whole."""
    end = len(lines)
    for _ in range(MOST_CUTS):
        source = "\n".join(lines[:end])
        parsed = budget.parse(source)
        if isinstance(parsed, ast.Module):
            return Piece(source, parsed) if parsed.body else None
        end = min(end - 1, parsed - 1 if parsed else end - 1)
        while end > 0 and not lines[end][:1].strip():
            end -= 1
        if end <= 0:
            return None
    return None


def _next_line(lines: list[str], start: int, wanted: re.Pattern[str]) -> int:
    return next((number for number in range(start, len(lines)) if wanted.match(lines[number])), len(lines))


def line_range(statement: ast.stmt) -> tuple[int, int]:
    """First and last line, from 1, decorators included."""
    decorators = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(one.lineno for one in decorators)]), statement.end_lineno or statement.lineno


def names_defined(statement: ast.stmt) -> set[str]:
    """Names that a statement at the margin binds in its module; "*" for those of a star import."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=aliases):
            return {one.asname or one.name.partition(".")[0] for one in aliases}
        case ast.ImportFrom(names=aliases):
            return {one.asname or one.name for one in aliases}
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return {
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
    return set()


def names_needed(tree: ast.AST) -> set[str]:
    """Names that are read and nowhere bound in the tree, built-in ones aside."""
    read, bound = set(), set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str() as name):
                bound.add(name)
            case ast.stmt():
                bound |= names_defined(node)
    return read - bound - BUILTINS


def is_whole(function: ast.stmt) -> bool:
    """Whether a function does anything: more than a docstring, `pass`, `...`, a bare name, and what it defines."""
    nothing = (ast.Pass, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(function, Definition) and not all(
        isinstance(one, nothing) or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant | ast.Name))
        for one in function.body
    )


def defines(tree: ast.Module, name: str) -> bool:
    """Whether the module binds `name` at the margin to something of substance; "": any function."""
    for statement in tree.body:
        if isinstance(statement, Definition):
            if statement.name == (name or statement.name) and is_whole(statement):
                return True
        elif name and name in names_defined(statement):
            return True
    return False
