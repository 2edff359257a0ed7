"""A teacher that answers from a function: for tests and notebooks."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace

from evolray.method.teacher import Call, Completion
from evolray.teachers.endpoint.answers import storable

Answer = str | Completion | Exception


class ScriptedTeacher:
    """Answers every call with `function(call)`, sync or async. An exception that it returns is raised.

    `calls` is every call in the order of arrival, unless `remember` is False (a long run would fill the memory).
    A plain text becomes a completion with token counts of a quarter of the characters, so that accounts and budgets
    have something to count.
    """

    def __init__(self, function: Callable[[Call], Answer | Awaitable[Answer]], *, remember: bool = True) -> None:
        self._function, self._remember = function, remember
        self.calls: list[Call] = []

    async def complete(self, call: Call) -> Completion:
        if self._remember:
            self.calls.append(call)
        result = self._function(call)
        answer = await result if inspect.isawaitable(result) else result
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Completion):
            return replace(answer, text=storable(answer.text))
        return Completion(
            text=storable(answer),
            prompt_tokens=call.characters // 4,
            completion_tokens=len(answer) // 4,
            model="scripted",
        )
