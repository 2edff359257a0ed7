"""How the simulated teacher recognises what it is asked, from the rendered text alone, as a server has to.

Prompts are recognised by their cue at the end, or by their first line in the code domain:

    ... #Given Prompt#:\\n<instruction>\\n#Rewritten Prompt#:        evolve, open; or #Created Prompt#:
    ... #Given Problem#:\\n<instruction>\\n#Rewritten Problem#:      evolve, math; or #Created Problem#:
    Please make the programming ... Question:\\n<instruction>        evolve, code
    ... #First Prompt#:\\n<a>\\n#Second Prompt#:\\n<b>\\n#Verdict#:     judge
    ... #Question#:\\n<instruction>\\n#Score#:                       difficulty
    ... #Question#:\\n<instruction>\\n#Skills#:                      skills
    ... #Problem#:\\n<instruction>\\n#Solution#:                     respond, math
    answers to be judged; see comparisons.py                        compare, or rate where there is one
    anything else                                                   respond, to the text itself
"""

from typing import Literal

from evolray.method.teacher import Purpose
from evolray.teachers.simulated.comparisons import read

Kind = Purpose | Literal["compare", "rate"]

_CODE_EVOLVE = "Please make the programming test question below a little more difficult"
FORMAT_CUE = "\n#Rewritten Prompt# (must contain a specific "
_EVOLVE_CUES = {
    "\n#Rewritten Prompt#:": "\n#Given Prompt#:\n",
    "\n#Created Prompt#:": "\n#Given Prompt#:\n",
    "\n#Rewritten Problem#:": "\n#Given Problem#:\n",
    "\n#Created Problem#:": "\n#Given Problem#:\n",
}
VERDICT_CUE, FIRST, SECOND = "\n#Verdict#:", "\n#First Prompt#:\n", "\n#Second Prompt#:\n"
SCORE_CUE, SKILLS_CUE, QUESTION = "\n#Score#:", "\n#Skills#:", "\n#Question#:\n"
SOLUTION_CUE, PROBLEM = "\n#Solution#:", "\n#Problem#:\n"
OPEN_METHODS = {
    "one more constraint or requirement": "add_constraints",
    "depth and breadth": "deepen",
    "more specific": "concretize",
    "multiple-step reasoning": "add_reasoning_steps",
}
CODE_METHODS = {
    "new constraints and requirements": "add_constraints",
    "less common": "replace_requirement",
    "more reasoning steps": "add_reasoning_steps",
    "erroneous code": "mislead",
    "time or space complexity": "raise_complexity",
}


def kind(prompt: str) -> Kind:
    """What a rendered prompt asks for."""
    if prompt.endswith(VERDICT_CUE) and FIRST in prompt:
        return "judge"
    if prompt.endswith((SCORE_CUE, SKILLS_CUE)) and QUESTION in prompt:
        return "difficulty" if prompt.endswith(SCORE_CUE) else "skills"
    asked = read(prompt)
    if asked is not None:
        return "rate" if asked.form == "rating" else "compare"
    return "respond" if instruction_to_evolve(prompt) is None else "evolve"


def instruction_to_evolve(prompt: str) -> tuple[str, str, str] | None:
    """(fixed text, instruction, cue), or None when the prompt is none of the evolving ones."""
    if prompt.startswith(_CODE_EVOLVE):
        fixed, found, instruction = prompt.partition("\nQuestion:\n")
        return (fixed, instruction, "code") if found else None
    start = prompt.rfind("\n", 0, max(len(prompt) - 1, 0))
    cue = prompt[start:] if start >= 0 else ""
    marker = _EVOLVE_CUES.get(cue)
    if marker is not None:
        fixed, found, instruction = prompt[: -len(cue)].partition(marker)
        return (fixed, instruction, cue) if found else None
    if cue.startswith(FORMAT_CUE) and cue.endswith(" as input):"):
        # The demonstrations hold the same markers. An instruction might hold a "####" line, but not before a marker.
        body = prompt[:start]
        block = len(body)
        while (block := body.rfind("\n####\n", 0, block)) >= 0:
            _, found, instruction = body[block:].partition("\n#Given Prompt#:\n")
            if found:
                return body[:block], instruction, cue
    return None
