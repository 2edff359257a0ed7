"""The process that a program is defined and called in. The program is hostile, and it owns this process.

So nothing here decides anything: the callee gives back values, or says what was raised. A program that breaks or
replaces this code can send other values, or none; it could return those just as well.

    {"define": source, "names": [...]}              -> {"value": {name: ...}} of those that the program defines
    {"operate": name, "on": ..., "arguments": [...], "keywords": {...}}   -> {"value": ..., "arguments": ... if changed}
    either                                          -> {"raised": [names of its classes, text, errno]}
"""

import json
import operator
from collections.abc import Callable
from typing import Any

from .channel import Channel, Closed
from .values import Json, Reader, TooMuch, Writer

MOST_TEXT = 1000
MUTABLE = (list, dict, set, bytearray)

OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": lambda target, *arguments, **keywords: target(*arguments, **keywords),
    "attribute": getattr,
    "set_attribute": setattr,
    "item": operator.getitem,
    "set_item": operator.setitem,
    "iterator": iter,
    "next": next,
    "length": len,
    "text": str,
    "representation": repr,
    "truth": bool,
    "is_instance": lambda target, value: isinstance(value, target),
}


def serve(channel: Channel) -> None:
    """Answer until the channel closes."""
    callee = Callee()
    while True:
        try:
            request = channel.receive()
        except Closed:
            return
        reply = callee.answer(request)
        try:
            channel.send(reply)
        except (ValueError, RecursionError, TypeError) as error:
            channel.send(raised(error))


class Callee:
    def __init__(self) -> None:
        self._objects: list[Any] = []  # what handles stand for
        self._reader = Reader(self._from_handle, lambda name: None)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            if "define" in request:
                return self._define(request["define"], request["names"])
            return self._operate(request)
        except BaseException as error:
            return raised(error)

    def _define(self, source: str, names: list[str]) -> dict[str, Any]:
        # A dictionary of its own and no name: `__name__` is then "builtins", and a main guard does not run.
        namespace: dict[str, Any] = {}
        exec(compile(source, "<program>", "exec", dont_inherit=True), namespace)
        return {"value": {name: self._write_or_handle(namespace[name]) for name in names if name in namespace}}

    def _operate(self, request: dict[str, Any]) -> dict[str, Any]:
        target = self._reader.read(request["on"])
        arguments = self._reader.read(request["arguments"])
        keywords = {name: self._reader.read(value) for name, value in request["keywords"].items()}
        value = OPERATIONS[request["operate"]](target, *arguments, **keywords)
        reply = {"value": Writer(self._to_handle).write(value)}
        if any(type(argument) in MUTABLE for argument in arguments):
            after = Writer(self._to_handle).write(arguments)
            if json.dumps(after) != json.dumps(request["arguments"]):
                reply["arguments"] = after
        return reply

    def _write_or_handle(self, value: Any) -> Json:
        try:
            return Writer(self._to_handle).write(value)
        except TooMuch:
            return {"handle": self._to_handle(value)}

    def _to_handle(self, value: Any) -> Json:
        self._objects.append(value)
        try:
            text = repr(value)[:MOST_TEXT]
        except BaseException as error:
            text = f"<no text: {type(error).__name__}>"
        return [len(self._objects) - 1, type(value).__name__, text]

    def _from_handle(self, content: Json) -> Any:
        return self._objects[content[0]]


def raised(error: BaseException) -> dict[str, Any]:
    try:
        text = str(error)[:MOST_TEXT]
    except BaseException:
        text = ""
    number = error.errno if isinstance(error, OSError) and isinstance(error.errno, int) else None
    return {"raised": [[kind.__name__ for kind in type(error).__mro__], text, number]}
