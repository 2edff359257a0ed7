"""How values cross: as JSON with tags, by content, never by code.

    None, bool, str, int of 64 bits, finite float, list     as JSON has them
    any other kind                                           {tag: content}, see WRITERS and READERS
    what has no content to copy (functions, generators,
    instances of the program's classes)                      a handle: {"handle": [number, kind, text]}

A subclass is reduced to the content that its builtin base holds, read with the base's own methods: what a program
overrides (__eq__, __iter__, __class__) does not cross. numpy's scalars and arrays cross as numbers and lists.
Reading trusts nothing: it gives values of exactly the kinds below, or raises ValueError.
"""

import collections
import datetime
import decimal
import fractions
import itertools
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

MOST_DEPTH = 150
MOST_ITEMS = 1_000_000
CHECKED_HASHES = 1_000  # from so many keys on, that they differ is checked before a dict or set is made of them

Json = Any
ToHandle = Callable[[Any], Json]
FromHandle = Callable[[Json], Any]


class TooMuch(ValueError):
    """A value that is too large, too deep or contains itself."""


class Writer:
    """Turns one message's values into what JSON can hold."""

    def __init__(self, to_handle: ToHandle) -> None:
        self._to_handle = to_handle
        self._left = MOST_ITEMS

    def write(self, value: Any, depth: int = 0) -> Json:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**63 else {"int": hex(value)}
        if kind is float:
            return value if value - value == 0 else {"float": repr(value)}
        if kind is list:
            return self._all(value, depth)
        if issubclass(kind, type):
            named = NAMED_TYPES.get(value.__name__) is value
            return {"type": value.__name__} if named else {"handle": self._to_handle(value)}
        for base, tag, content in WRITERS:
            if issubclass(kind, base):
                return content(self, base, value, depth) if tag is None else {tag: content(self, base, value, depth)}
        numpy = sys.modules.get("numpy")
        if numpy is not None and issubclass(kind, numpy.generic | numpy.ndarray):
            return self.write(value.tolist(), depth + 1)
        return {"handle": self._to_handle(value)}

    def _all(self, values: Iterable[Any], depth: int) -> list[Json]:
        if depth >= MOST_DEPTH:
            raise TooMuch(f"a value of more than {MOST_DEPTH} levels, or one that contains itself")
        written = []
        for value in values:
            self._left -= 1
            if self._left < 0:
                raise TooMuch(f"a value of more than {MOST_ITEMS:,} parts")
            written.append(self.write(value, depth + 1))
        return written

    def items(self, base: Any, value: Any, depth: int) -> Json:
        return self._all(base.__iter__(value), depth)

    def pairs(self, base: Any, value: Any, depth: int) -> Json:
        return [self._all(pair, depth) for pair in dict.items(value)]

    def scalar(self, base: Any, value: Any, depth: int) -> Json:
        return self.write(PLAIN[base](value), depth + 1)

    def text(self, base: Any, value: Any, depth: int) -> Json:
        return base.__str__(value)

    def hexadecimal(self, base: Any, value: Any, depth: int) -> Json:
        return base.hex(value)

    def parts(self, base: Any, value: Any, depth: int) -> Json:
        return [self.write(part, depth + 1) for part in PARTS[base](value)]


PLAIN: dict[Any, Callable[[Any], Any]] = {
    int: int.__pos__,
    float: float.__pos__,
    str: str.__str__,
    list: lambda value: list.__getitem__(value, slice(None)),
}
PARTS: dict[Any, Callable[[Any], Any]] = {
    complex: lambda value: (complex.__pos__(value).real, complex.__pos__(value).imag),
    range: lambda value: (value.start, value.stop, value.step),
    slice: lambda value: (value.start, value.stop, value.step),
    fractions.Fraction: lambda value: (value._numerator, value._denominator),
    datetime.datetime: lambda value: [
        *_clock(value, "year month day hour minute second microsecond"), value.utcoffset(),
    ],
    datetime.date: lambda value: _clock(value, "year month day"),
    datetime.time: lambda value: [*_clock(value, "hour minute second microsecond"), value.utcoffset()],
    datetime.timedelta: lambda value: _clock(value, "days seconds microseconds"),
    collections.deque: lambda value: [list(collections.deque.__iter__(value)), value.maxlen],
}  # fmt: skip


def _clock(value: Any, names: str) -> list[Any]:
    return [getattr(value, name) for name in names.split()]


# In this order: a subclass before its base.
WRITERS: tuple[tuple[Any, str | None, Callable[[Writer, Any, Any, int], Json]], ...] = (
    (tuple, "tuple", Writer.items),
    (collections.Counter, "Counter", Writer.pairs),
    (collections.OrderedDict, "OrderedDict", Writer.pairs),
    (dict, "dict", Writer.pairs),  # a defaultdict too: what it would make of new keys is code
    (frozenset, "frozenset", Writer.items),
    (set, "set", Writer.items),
    (int, None, Writer.scalar),
    (float, None, Writer.scalar),
    (str, None, Writer.scalar),
    (list, None, Writer.scalar),
    (bytes, "bytes", Writer.hexadecimal),
    (bytearray, "bytearray", Writer.hexadecimal),
    (complex, "complex", Writer.parts),
    (range, "range", Writer.parts),
    (slice, "slice", Writer.parts),
    (collections.deque, "deque", Writer.parts),
    (decimal.Decimal, "Decimal", Writer.text),
    (fractions.Fraction, "Fraction", Writer.parts),
    (datetime.datetime, "datetime", Writer.parts),
    (datetime.date, "date", Writer.parts),
    (datetime.time, "time", Writer.parts),
    (datetime.timedelta, "timedelta", Writer.parts),
    (types.EllipsisType, "constant", lambda writer, base, value, depth: "Ellipsis"),
    (types.NotImplementedType, "constant", lambda writer, base, value, depth: "NotImplemented"),
    (types.ModuleType, "module", lambda writer, base, value, depth: str(value.__name__)),
)
NAMED_TYPES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, type(None))
}  # fmt: skip


class Reader:
    """The way back. `from_handle` and `from_module` say what becomes of what did not cross by content."""

    def __init__(self, from_handle: FromHandle, from_module: FromHandle) -> None:
        self._callbacks = {"handle": from_handle, "module": from_module}

    def read(self, data: Json) -> Any:
        """Raises ValueError for anything that `Writer` would not have written."""
        try:
            return self._read(data)
        except (TypeError, KeyError, LookupError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"no value: {error}") from error

    def _read(self, data: Json) -> Any:
        if isinstance(data, list):
            return [self._read(one) for one in data]
        if not isinstance(data, dict):
            return data
        ((tag, content),) = data.items()
        if tag in self._callbacks:
            return self._callbacks[tag](content)
        return READERS[tag](content if tag in RAW else self._read(content))


def _pairs(content: Any) -> dict[Any, Any]:
    _check_hashes([key for key, _ in content])
    return dict(content)


def _keys(content: Any) -> list[Any]:
    _check_hashes(content)
    return list(content)


def _zone(offset: datetime.timedelta | None) -> datetime.timezone | None:
    return None if offset is None else datetime.timezone(offset)


def _check_hashes(keys: list[Any]) -> None:
    """Keys chosen to have the same hash would keep the reader busy for hours."""
    if len(keys) >= CHECKED_HASHES:
        hashes = sorted(map(hash, keys))
        equal = sum(one == other for one, other in itertools.pairwise(hashes))
        if equal > len(keys) // 2:
            raise ValueError("keys with equal hashes")


RAW = ("int", "float", "bytes", "bytearray", "Decimal", "constant", "type")
READERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda content: int(content, 16),
    "float": lambda content: {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}[content],
    "tuple": tuple,
    "dict": _pairs,
    "Counter": lambda content: collections.Counter(_pairs(content)),
    "OrderedDict": lambda content: collections.OrderedDict(_pairs(content)),
    "set": lambda content: set(_keys(content)),
    "frozenset": lambda content: frozenset(_keys(content)),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda content: complex(*content),
    "range": lambda content: range(*content),
    "slice": lambda content: slice(*content),
    "deque": lambda content: collections.deque(*content),
    "Decimal": decimal.Decimal,
    "Fraction": lambda content: fractions.Fraction(*content),
    "datetime": lambda content: datetime.datetime(*content[:-1]).replace(tzinfo=_zone(content[-1])),
    "date": lambda content: datetime.date(*content),
    "time": lambda content: datetime.time(*content[:-1]).replace(tzinfo=_zone(content[-1])),
    "timedelta": lambda content: datetime.timedelta(*content),
    "constant": lambda content: {"Ellipsis": ..., "NotImplemented": NotImplemented}[content],
    "type": lambda content: NAMED_TYPES[content],
}
