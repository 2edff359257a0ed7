"""A model of rules for the tests of the stage: it adds, and says in a file what it was asked."""

import re
from pathlib import Path

from evolray.method.teacher import Call, TeacherError


def noted(path: Path, call: Call) -> str:
    """The last message's text, after a line in the notes: the question's id and the number of the sample."""
    with path.open("a") as notes:
        notes.write(f"{call.root_id} {call.attempt}\n")
    return call.messages[-1].content if call.messages else str(call.prompt)


def adds(notes: Path, call: Call) -> str:
    """Right up to sums of 9, wrong above; says nothing about zero."""
    numbers = [int(number) for number in re.findall(r"\b\d+\b", noted(notes, call))][:2]
    total = sum(numbers)
    if 0 in numbers:
        return "I would rather not."
    return f"{numbers[0]} + {numbers[1]} = {total}. The answer is: {total if total < 10 else total + 1}"


def adds_when_well(notes: Path, call: Call) -> str | Exception:
    """As `adds`, but it is ill as long as the file `ill` lies beside the notes."""
    text = adds(notes, call)
    if notes.with_name("ill").exists() and "/1" in call.root_id:
        return TeacherError(call.record_id, "server_error", "HTTP 500 ill")
    return text


def programs(notes: Path, call: Call) -> str:
    """Of two samples, the second is wrong."""
    name = re.search(r"def (\w+)", noted(notes, call))
    assert name
    return (
        f"Here it is:\n```python\ndef {name[1]}(a, b):\n    return a {'+' if call.attempt == 0 else '-'} b\n```\nDone."
    )
