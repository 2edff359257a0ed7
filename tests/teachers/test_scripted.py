import asyncio

import pytest

from evolray.method.teacher import Call, Completion, TeacherError
from evolray.records import Turn
from evolray.teachers.scripted import ScriptedTeacher

CALL = Call("respond", "0" * 16, 1, (Turn("user", "What is two and two?"),))


def test_a_text_becomes_a_completion_with_counts() -> None:
    teacher = ScriptedTeacher(lambda call: f"{call.purpose}: four")
    completion = asyncio.run(teacher.complete(CALL))
    assert completion.text == "respond: four"
    assert completion.prompt_tokens == 5
    assert completion.completion_tokens == 3
    assert teacher.calls == [CALL]


def test_an_async_function_may_return_a_whole_completion() -> None:
    answer = Completion("four", "length", 7, 1, "m")

    async def function(call: Call) -> Completion:
        await asyncio.sleep(0)
        return answer

    assert asyncio.run(ScriptedTeacher(function).complete(CALL)) == answer


def test_an_exception_is_raised_and_the_call_still_counted() -> None:
    teacher = ScriptedTeacher(lambda call: TeacherError(call.record_id, "timeout", "too slow"))
    with pytest.raises(TeacherError, match="timeout"):
        asyncio.run(teacher.complete(CALL))
    assert len(teacher.calls) == 1
