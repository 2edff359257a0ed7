"""What of a benchmark item is looked for in records: its question and its solution, as words and as code tokens."""

import re
from dataclasses import dataclass

from evolray.refine.leaks.items import Item
from evolray.refine.text.code import code_tokens, looks_like_code, split_code
from evolray.refine.text.words import words

WORDS, CODE = "words", "code"
QUESTION, SOLUTION = "question", "solution"

LEAST_WORDS, LEAST_NAMED, LEAST_CODE = 20, 16, 28
"""Tokens of a solution in prose, of a function with its name, and of other code. Shorter ones are idioms."""
LEAST_PROSE = 10  # words around a question's code that are enough to know it by

_DOCSTRING = re.compile(r'"{3}([\s\S]*?)"{3}|\'{3}([\s\S]*?)\'{3}')
_IMPORT = re.compile(
    r"^(?:import[ \t]+\w|from[ \t]+[\w.]+[ \t]+import\b)[^\n]*$", re.MULTILINE
)  # not those within functions
_EXAMPLE = re.compile(r"^[ \t]*(?:>>>|assert\b)[^\n]*(?:\n(?![ \t]*(?:>>>|assert\b|$))[^\n]*)?", re.MULTILINE)
_FUNCTION = re.compile(r"\bdef\s+(\w+)\s*\(")
_SUM = re.compile(r"<<[^<>\n]*>>")  # the calculations that GSM8K's solutions carry
_PROGRAM = re.compile(r"[{};]\s*$|\b(?:def|return|import)\s|#include|\bSELECT\b", re.MULTILINE)  # and not an equation
_FINAL_ANSWER = re.compile(r"^####.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """`tokens` of the item with the number `item`: of its question or its solution, as words or as code.

    `is_program`: much of it is idiom, as opposed to prose and to a signature with examples.
    """

    item: int
    of: str
    form: str
    tokens: list[str]
    is_program: bool = False


def parts_of(number: int, item: Item) -> list[Part]:
    """The ways an item can be recognised. One of them suffices, so that a translated docstring hides no signature.

    A question that is a function to be completed: all its words without the imports; those of its docstring without
    the examples; its code, which is the signature and the examples. A question about a program in a fenced block: the
    words around it, and the program. A solution that is a program: itself, with the
    question's signature if it is only the body; what follows its head alone. Any other text: its words.
    """
    signed = _FUNCTION.search(_DOCSTRING.sub("", item.question)) is not None and "```" not in item.question
    found = [
        Part(number, QUESTION, form, tokens, is_program=form == CODE and not signed)
        for form, tokens in _question(item.question, signed)
    ]
    for form, tokens in _solution(item):
        least = LEAST_WORDS if form == WORDS else LEAST_NAMED if "def" in tokens[:-LEAST_NAMED] else LEAST_CODE
        if len(tokens) >= least:
            found.append(Part(number, SOLUTION, form, tokens, is_program=form == CODE))
    return found


def _question(text: str, signed: bool) -> list[tuple[str, list[str]]]:
    whole = words(_IMPORT.sub("", text))
    if signed:
        docstrings = [one or other for one, other in _DOCSTRING.findall(text)]
        described = words("\n".join(_EXAMPLE.sub("", docstring) for docstring in docstrings))
        return _without_repeats([(WORDS, whole), (WORDS, described), (CODE, code_tokens(_signed(text, docstrings)))])
    prose, code = split_code(text)
    asked, program = words(prose), code_tokens(code)
    if len(asked) >= LEAST_PROSE and len(program) >= LEAST_CODE:
        return [(WORDS, asked), (CODE, program)]
    described = words(" ".join(_EXAMPLE.sub("", one or other) for one, other in _DOCSTRING.findall(text)))
    return _without_repeats([(WORDS, whole), (WORDS, described)])


def _signed(text: str, docstrings: list[str]) -> str:
    """The signatures, and the lines of the docstrings in which the function is called."""
    name = _FUNCTION.findall(text)[-1]
    lines = [line for docstring in docstrings for line in docstring.splitlines() if f"{name}(" in line]
    return "\n".join([_signature(text), *(line.replace(">>>", "") for line in lines)])


def _signature(text: str) -> str:
    return _IMPORT.sub("", _DOCSTRING.sub("", text)).strip()


def _solution(item: Item) -> list[tuple[str, list[str]]]:
    text = item.solution
    if not text.strip():
        return []
    if not (item.is_code or (looks_like_code(text) and _PROGRAM.search(text))):
        text = _FINAL_ANSWER.sub("", text)
        with_sums, plain = words(text), words(_SUM.sub("", text))
        return _without_repeats([(WORDS, with_sums), (WORDS, plain), (CODE, code_tokens(split_code(text)[1]))])
    program = code_tokens(_IMPORT.sub("", split_code(text, is_code=True)[1]))
    if _FUNCTION.search(item.question) and "def" not in program[:1]:
        return [(CODE, code_tokens(_signature(item.question)) + program), (CODE, program)]
    return _without_repeats([(CODE, program), (CODE, _body(program))])


def _body(program: list[str]) -> list[str]:
    """A program that begins with a function, from after its head on: the function may have been renamed."""
    depth = 0
    for at, token in enumerate(program if program[:1] == ["def"] else []):
        depth += (token in ("(", "[")) - (token in (")", "]"))
        if token == ":" and not depth:
            return program[at + 1 :]
    return program


def _without_repeats(found: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    return [one for at, one in enumerate(found) if one[1] and one not in found[:at]]
