"""The program in a model's answer, however it is written.

    the answer holds                                    taken
    fenced blocks                                       the last that defines the function asked for; of blocks in
                                                        another language only where no other defines it
    code without fences, prose before and after it      the piece that defines the function
    several functions, imports or constants, in         of the other pieces what the program needs
      pieces or blocks of their own
    the rest of the function alone (a completion)       the prompt and it
    imports and helpers that only the prompt has        those that the program needs
    usage after the function: print, assert, loops,     left out, for it costs time and may fail
      a main guard, results of calling it
    code without the function asked for                 as it is: the grader says what is missing
    no code                                             nothing, ""

A function with a syntax error is not repaired, nor is a method taken for a function. A function that only holds a
docstring or `pass` (an outline) does not count. Text beyond 200,000 characters is not looked at.
"""

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.code.blocks import fenced_blocks, without_fences
from evolray.evaluate.code.entry_points import entry_point_of
from evolray.evaluate.code.published_extraction import ALPACA_HEADER, RESPONSE
from evolray.evaluate.code.python_source import (
    Budget,
    Piece,
    defines,
    line_range,
    names_defined,
    names_needed,
    pieces_of,
    whole_prefix,
)

MOST_CHARACTERS = 200_000
END_OF_TEXT = re.compile(r"<\|(?:endoftext|im_end|eot_id|end|EOT)\|>|</s>|<｜end▁of▁sentence｜>")
END_OF_THOUGHT = "</think>"


def general(text: str, problem: Problem) -> str:
    answer = _answer(text)
    entry_point, prompt = entry_point_of(problem), _continued(problem)
    budget = Budget()
    fallback = ""
    for sources in _readings(answer):
        pieces = [piece for source in sources for piece in pieces_of(source, budget)]
        for number in reversed(range(len(pieces))):
            if defines(pieces[number].tree, entry_point):
                return _program(pieces, number, entry_point, prompt, budget)
        if completed := _completed(sources, prompt, entry_point, budget):
            return completed
        fallback = fallback or next((one.source for one in reversed(pieces) if defines(one.tree, "")), "")
    return fallback.strip("\n")


def _answer(text: str) -> str:
    """Without the prompt's own words, what was thought before, and what follows the end."""
    text = text[:MOST_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n")
    if text.startswith(ALPACA_HEADER):
        text = text.partition(RESPONSE)[2]
    text = text.rpartition(END_OF_THOUGHT)[2]
    return END_OF_TEXT.split(text, maxsplit=1)[0]


def _continued(problem: Problem) -> str:
    """The prompt that a completion continues; MBPP's is a docstring, which adds nothing."""
    prompt = problem.row.get("prompt", "")
    return prompt if "def " in prompt else ""


def _readings(answer: str) -> Iterator[Sequence[str]]:
    """Where to look for code, the likeliest first."""
    blocks = fenced_blocks(answer)
    for wanted in ([one for one in blocks if one.may_be_python], [one for one in blocks if not one.may_be_python]):
        if wanted:
            yield [one.code for one in wanted]
    yield [without_fences(answer) if blocks else answer]


def _completed(sources: Sequence[str], prompt: str, entry_point: str, budget: Budget) -> str:
    """The prompt with what continues it, as it stands or with the indent that it lost; "" where nothing does."""
    if not prompt:
        return ""
    head = prompt if prompt.endswith("\n") else f"{prompt}\n"
    for source in sources:
        bodies = (source, f"    {source.lstrip()}", textwrap.indent(textwrap.dedent(source), "    "))
        pieces = [whole_prefix((head + body).split("\n"), budget) for body in bodies]
        whole = [one for one in pieces if one and defines(one.tree, entry_point)]
        if whole:  # the one that loses the least
            return _without_usage(max(whole, key=lambda one: one.source.count("\n")), entry_point)
    return ""


def _program(pieces: Sequence[Piece], number: int, entry_point: str, prompt: str, budget: Budget) -> str:
    chosen = pieces[number]
    asked = budget.parse(prompt) if prompt else 0
    context = [Piece(prompt, asked)] if isinstance(asked, ast.Module) else []
    # The nearest definition counts: of the pieces before, then of those after, then the prompt's.
    others = [*pieces[:number][::-1], *pieces[number + 1 :], *context]
    program = _without_usage(chosen, entry_point)
    added = _needed_of(others, chosen, entry_point)
    future = [line for line in program.split("\n") if line.startswith("from __future__")] if added else []
    rest = "\n".join(line for line in program.split("\n") if line not in future)
    return "\n".join([*future, *added, rest])


def _needed_of(others: Sequence[Piece], chosen: Piece, entry_point: str) -> list[str]:
    """Statements of other pieces that bind what the program reads and does not bind itself, those first that others
    need."""
    own = {name for statement in chosen.tree.body for name in names_defined(statement)}
    binding: dict[str, tuple[Piece, ast.stmt]] = {}
    for piece in others:
        for statement in piece.tree.body:
            for name in names_defined(statement) - own - {entry_point}:
                binding.setdefault(name, (piece, statement))
    wanted = [*names_needed(chosen.tree), "*"]
    taken: dict[str, None] = {}
    while wanted:
        name = wanted.pop()
        if name in binding:
            piece, statement = binding.pop(name)
            source = piece.text_of(statement)
            taken.pop(source, None)
            taken[source] = None
            wanted += names_needed(statement)
    return list(reversed(taken))


def _without_usage(piece: Piece, entry_point: str) -> str:
    """The piece without statements after the function that only use it."""
    body = piece.tree.body
    last = max((number for number, one in enumerate(body) if entry_point in names_defined(one)), default=len(body))
    kept, dropped = set[int](), set[int]()
    for number, one in enumerate(body):
        first, end = line_range(one)
        (dropped if _is_usage(one, number > last, entry_point) else kept).update(range(first, end + 1))
    dropped -= kept  # lines that hold both
    lines = piece.source.split("\n")
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in dropped).strip("\n")


def _is_usage(statement: ast.stmt, is_after: bool, entry_point: str) -> bool:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
            return False
        case ast.Expr(value=ast.Name()):
            return True  # a word of prose
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Assign() | ast.AnnAssign():
            return is_after and any(isinstance(one, ast.Name) and one.id == entry_point for one in ast.walk(statement))
    return is_after
