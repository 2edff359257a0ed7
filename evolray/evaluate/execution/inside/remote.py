"""The program as the tests see it: functions and objects that live in the callee.

A reply is read as values of known kinds or not at all. What a program's object says of itself (its length, items,
text, attributes) counts as its content; what it says about being equal to something does not: `==` with a remote
object is False, unless both are the same.
"""

import builtins
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from .channel import Channel, Closed, Garbage
from .values import Json, Reader, Writer

BROKEN = "the program broke its channel"


class Gone(BaseException):
    """The callee does not answer any more. Not an Exception: tests that catch those must not go on."""


class Program:
    """The other end of a callee."""

    def __init__(self, channel: Channel, modules: frozenset[str]) -> None:
        self._channel, self._modules = channel, modules
        self._reader = Reader(self._from_handle, self._from_module)
        self.gone = ""
        self.raised: BaseException | None = None
        """The last exception that came from the program."""
        self.errno: int | None = None
        self.last_call: tuple[str, Any, Any] | None = None
        """Name, arguments and value, for messages."""

    def define(self, source: str, names: list[str]) -> dict[str, Any]:
        reply = self._ask({"define": source, "names": names}, lambda reply: _checked(reply["value"], dict))
        return {name: self._named(name, self._read(data)) for name, data in reply["value"].items() if name in names}

    def operate(self, operation: str, target: "Remote", *arguments: Any, **keywords: Any) -> Any:
        write = Writer(_to_handle).write
        request = {
            "operate": operation,
            "on": write(target),
            "arguments": write(list(arguments)),
            "keywords": {name: write(value) for name, value in keywords.items()},
        }
        reply = self._ask(request, lambda reply: reply["value"])
        if "arguments" in reply:
            self._change(arguments, self._read(reply["arguments"]))
        value = self._read(reply["value"])
        if operation == "call":
            self.last_call = (_of(target).name, arguments, value)
        return value

    def _ask(self, request: dict[str, Any], check: Callable[[Any], Any]) -> dict[str, Any]:
        if self.gone:
            raise Gone
        try:
            self._channel.send(request)
            reply = self._channel.receive()
            if not isinstance(reply, dict):
                raise Garbage
            if "raised" in reply:
                names, text, number = reply["raised"]
                names, text = _checked(names, list), _checked(text, str)
            else:
                check(reply)
                return reply
        except Closed:
            self._end("the program ended its process or closed its channel")
        except (Garbage, ValueError, TypeError, KeyError):
            self._end(BROKEN)
        self.errno = number if type(number) is int else None
        self.raised = _exception(names, text)
        raise self.raised

    def _read(self, data: Json) -> Any:
        try:
            return self._reader.read(data)
        except ValueError:
            self._end(BROKEN)

    def _end(self, why: str) -> Any:
        self.gone = why
        raise Gone from None

    def _named(self, name: str, value: Any) -> Any:
        if type(value) is Remote:
            _of(value).name = name
        return value

    def _from_handle(self, content: Json) -> "Remote":
        number, kind, text = content
        return Remote(_Handle(self, _checked(number, int), _checked(kind, str), _checked(text, str)))

    def _from_module(self, name: Json) -> Any:
        """A module of the library: the tests' own copy of it."""
        if _checked(name, str).partition(".")[0] not in self._modules:
            raise ValueError(f"a module {name!r}")
        try:
            return importlib.import_module(name)
        except ImportError as error:
            raise ValueError(f"a module {name!r}") from error

    def _change(self, arguments: tuple[Any, ...], after: Any) -> None:
        """What the program did to its arguments, done to the tests' own."""
        if type(after) is not list or len(after) != len(arguments):
            self._end(BROKEN)
        for mine, new in zip(arguments, after, strict=True):
            if type(mine) is not type(new):
                continue
            if type(mine) in (list, bytearray):
                mine[:] = new
            elif type(mine) in (dict, set):
                mine.clear()
                mine.update(new)


class _Handle:
    def __init__(self, program: Program, number: int, kind: str, text: str) -> None:
        self.program, self.number, self.kind, self.text, self.name = program, number, kind, text, kind


def _of(remote: "Remote") -> _Handle:
    handle: _Handle = object.__getattribute__(remote, "_handle")
    return handle


def _operate(operation: str, remote: "Remote", *arguments: Any, **keywords: Any) -> Any:
    return _of(remote).program.operate(operation, remote, *arguments, **keywords)


class Remote:
    """A function, class or object of the program's."""

    __slots__ = ("_handle",)

    def __init__(self, handle: _Handle) -> None:
        object.__setattr__(self, "_handle", handle)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return _operate("call", self, *arguments, **keywords)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in ("__name__", "__doc__", "__dict__"):
            return object.__getattribute__(self, name)
        return _operate("attribute", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _operate("set_attribute", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return _operate("item", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _operate("set_item", self, key, value)

    def __iter__(self) -> Iterator[Any]:
        return _iterate(_operate("iterator", self))

    def __next__(self) -> Any:
        return _operate("next", self)

    def __len__(self) -> int:
        return _checked(_operate("length", self), int)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        return _checked(_operate("truth", self), bool)  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return _checked(_operate("text", self), str)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return _of(self).text

    def __eq__(self, other: object) -> bool:
        return type(other) is Remote and _of(other).number == _of(self).number

    def __hash__(self) -> int:
        return hash(_of(self).number)

    def __instancecheck__(self, value: Any) -> bool:
        return type(value) is Remote and _operate("is_instance", self, value) is True


def _iterate(iterator: Any) -> Iterator[Any]:
    while True:
        try:
            value = next(iterator)
        except StopIteration:
            return
        yield value


def _to_handle(value: Any) -> Json:
    if type(value) is not Remote:
        raise TypeError(f"a {type(value).__name__} of the tests cannot be passed to the program")
    return [_of(value).number]


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def _exception(names: list[Any], text: str) -> BaseException:
    """The nearest builtin kind of exception that takes a text."""
    for name in names:
        kind = getattr(builtins, name, None) if isinstance(name, str) else None
        if isinstance(kind, type) and issubclass(kind, BaseException):
            try:
                error = kind(text)
            except TypeError:
                continue
            error.__dict__["kind"] = names[0]
            return error
    return RuntimeError(text)


STANDARD = frozenset(sys.stdlib_module_names)
