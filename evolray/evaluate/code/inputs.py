"""The inputs of the plus sets as the programs get them.

JSON has neither tuples nor sets nor complex numbers, so evalplus stores these as lists and strings and turns them back
by task (its `data/mbpp.py`, function `mbpp_deserialize_inputs`; the ids below are its). HumanEval+ is used as it is.
"""

from collections.abc import Callable, Sequence
from typing import Any

from evolray.evaluate.benchmark import Problem

Conversion = Callable[[Any], Any]
Arguments = Sequence[Any]


def inputs_of(problem: Problem, name: str) -> list[Arguments]:
    """Of "base_input" or "plus_input", a list of arguments for each call."""
    stored = problem.row[name] or []
    number = problem.id.rpartition("/")[2]
    if not problem.id.startswith("Mbpp/") or not number.isdecimal():
        return list(stored)
    convert = _CONVERSIONS.get(int(number))
    return [convert(arguments) if convert else arguments for arguments in stored]


def _every(conversion: Conversion) -> Callable[[Arguments], Arguments]:
    return lambda arguments: [conversion(one) for one in arguments]


def _first(*conversions: Conversion) -> Callable[[Arguments], Arguments]:
    """The first arguments by a conversion each; the others stay."""
    return lambda arguments: [
        *(conversion(one) for conversion, one in zip(conversions, arguments, strict=False)),
        *arguments[len(conversions) :],
    ]


def _same(value: Any) -> Any:
    return value


def _list_of(conversion: Conversion) -> Conversion:
    return lambda value: [conversion(one) for one in value]


def _tuple_of(conversion: Conversion) -> Conversion:
    return lambda value: tuple(conversion(one) for one in value)


def _tuple_if_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _all_tuples(value: Any) -> Any:
    return tuple(map(_all_tuples, value)) if isinstance(value, list) else value


def _set_or_empty(value: Any) -> Any:
    return set(value) if isinstance(value, list) and value else {}


def _tuple_values(value: dict[str, Any]) -> Any:
    return {key: tuple(one) for key, one in value.items()}


# What the arguments are, by task.
_TABLE: tuple[tuple[Callable[[Arguments], Arguments], tuple[int, ...]], ...] = (
    (_every(tuple), (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740,
                     744, 809)),
    (_every(_list_of(tuple)), (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780)),
    (_every(_tuple_of(tuple)), (259, 401, 445)),
    (_every(_all_tuples), (580, 615, 791)),
    (_first(tuple), (250, 307, 405, 446, 617, 720, 763, 808)),
    (_first(_same, tuple), (106, 750)),
    (_first(_list_of(tuple)), (75, 413, 444, 753)),
    (_first(_tuple_of(_tuple_if_list)), (278,)),
    (_first(_list_of(_set_or_empty)), (115,)),
    (_first(_tuple_values), (722,)),
    (_first(complex), (252,)),
    (_first(float, complex), (124,)),
)  # fmt: skip
_CONVERSIONS = {number: conversion for conversion, numbers in _TABLE for number in numbers}
