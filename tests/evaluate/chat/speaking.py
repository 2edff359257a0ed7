"""A model and a judge of rules for the tests of the stage: both say in a file what they were asked."""

import re
from pathlib import Path

from evolray.method.teacher import Call, TeacherError

POINTS = {"1": 5, "2": 4, "3": 3, "4": 8}
"""How many words the model says to a problem of WizardEval, which is what the judge gives points for."""


def noted(path: Path, call: Call) -> str:
    """The last message, after a line in the notes."""
    text = call.messages[-1].content
    with path.open("a") as notes:
        notes.write(f"{call.root_id} {call.attempt} {call.temperature}\n")
    return text


def words(number: int) -> str:
    return " ".join(["ANSWER", *["word"] * number])


def speaks(notes: Path, call: Call) -> str | Exception:
    """So many words; ill at problem 2 as long as the file `ill` lies beside the notes."""
    noted(notes, call)
    problem = call.root_id.rpartition("/")[2]
    if problem == "2" and notes.with_name("ill").exists():
        return TeacherError(call.record_id, "server_error", "HTTP 500 ill")
    return words(POINTS[problem])


def converses(notes: Path, call: Call) -> str:
    """Which turn it is, and what was said in the one before."""
    noted(notes, call)
    said = [turn.content for turn in call.messages if turn.role == "assistant"]
    return f"Turn {len(said) + 1} after {said}."


def compares(notes: Path, call: Call) -> str:
    """A point for each word of an answer, and one more for the first place."""
    first, second = re.findall(r"(?m)^ANSWER(.*)$", noted(notes, call))
    return f"{len(first.split()) + 1} {len(second.split())}\nBecause."


def rates(notes: Path, call: Call) -> str:
    """8 for what came in the second turn, 6 in the first."""
    return f"Fine. [[{8 if 'Turn 2' in noted(notes, call) else 6}]]"
