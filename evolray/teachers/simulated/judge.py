"""The simulated teacher as a judge of difficulty and skills: by length, by words that ask for more, by key words.

The score is 1 for a short plain question and rises with its length (a point for every 16 words, 4 at most), with
requirements (half a point for each, 3 at most) and with steps of reasoning (half a point, 2 at most). So each evolution
raises it a little, as the paper's judge found.
"""

import re
from collections.abc import Sequence

from evolray.teachers.simulated.draw import Chance
from evolray.teachers.simulated.prompts import QUESTION, SCORE_CUE, SKILLS_CUE

WORDS_PER_POINT = 16
MOST_SKILLS = 3

_WORD = re.compile(r"\w+")
_REQUIREMENT = re.compile(
    r"\b(?:must|should|exactly|without|avoid|only|limit|at least|at most|no more than|include|ensure|keep|less than)\b"
)
_STEP = re.compile(
    r"\b(?:steps?|first|then|finally|derive|prove|justify|compare|reasoning|twice|explain why|because)\b"
)
# The first word of a row is the skill as WizardLM's test set names it; what follows are words that call for it. A
# skill that a user's own list names is also called for by its own words.
_CALLS = {
    "Math": "math number numbers sum apples equation calculate percent probability integral many",
    "Code Generation": "code function program python java javascript sql algorithm script class array",
    "Code Debug": "bug debug error erroneous fix exception",
    "Computer Science": "database network compiler complexity cache server",
    "Writing": "write essay letter story email blog poem paragraph",
    "Reasoning": "why reasoning infer deduce logic steps",
    "Complex Format": "table json xml html csv markdown",
    "Roleplay": "imagine pretend act role dialogue",
    "Biology": "cell cells plant animal species gene",
    "Technology": "computer software phone internet robot",
    "Ethics": "ethical moral fair right wrong",
    "Sport": "sport team football player match",
    "Law": "law legal contract court rights",
    "Medicine": "disease patient medicine doctor health nutrition",
    "Literature": "novel poem author book character",
    "Entertainment": "film movie game show",
    "Art": "painting art museum typography ceramics",
    "Music": "song music melody choir",
    "Economy": "price market budget money tax euros",
    "Physics": "energy force light speed acoustics",
    "History": "history century war ancient year",
    "Academic Writing": "paper abstract citation thesis",
    "Chemistry": "acid reaction molecule chemical",
    "Philosophy": "philosophy meaning truth consciousness",
    "Multilingual": "translate translation french german spanish language",
}
_UNUSABLE_SCORES = (
    "Between 6 and 8.",
    "Hard",
    "",
    "11",
    "I would give it a 7, since it asks for several things at once.",
)
_TIDY_SCORES = ("Score: {}", "{}/10", "**{}**", "{}.")


def answer(prompt: str, chance: Chance, flawed: bool) -> str | None:
    """A score or skills; None when the prompt asks for neither. A flaw may also be none that matters."""
    if prompt.endswith(SCORE_CUE) and QUESTION in prompt:
        score = difficulty(_question(prompt, SCORE_CUE))
        if not flawed:
            return str(score)
        return chance.one_of((*_UNUSABLE_SCORES, *_TIDY_SCORES)).format(score)
    if prompt.endswith(SKILLS_CUE) and QUESTION in prompt:
        tags = _tags(prompt)
        chosen = skills(_question(prompt, SKILLS_CUE), tags)
        if not flawed:
            return ", ".join(chosen)
        flaws = (
            "All of them.",
            f"{chosen[0]}, Juggling",
            "The question calls for " + chosen[0],
            "\n- ".join(["", *chosen]),
        )
        return chance.one_of(flaws)
    return None


def difficulty(question: str) -> int:
    """1 to 10."""
    text = question.lower()
    length = min(4.0, len(_WORD.findall(text)) / WORDS_PER_POINT)
    requirements = min(3.0, 0.5 * len(_REQUIREMENT.findall(text)))
    steps = min(2.0, 0.5 * len(_STEP.findall(text)))
    return 1 + int(length + requirements + steps)


def skills(question: str, tags: Sequence[str]) -> list[str]:
    """One to three of the tags, those first that more words call for; of equals the one named first."""
    said = _WORD.findall(question.lower())
    counts = {tag: sum(word in _called(tag) for word in said) for tag in tags}
    ranked = sorted((tag for tag in tags if counts[tag]), key=lambda tag: -counts[tag])
    return ranked[:MOST_SKILLS] or [tags[len(said) % len(tags)]]


def _called(tag: str) -> frozenset[str]:
    return frozenset(_CALLS.get(tag, "").split() + _WORD.findall(tag.lower()))


def _question(prompt: str, cue: str) -> str:
    """Of several markers the first that follows a line break is the prompt's, unless earlier turns hold one."""
    return prompt[: -len(cue)].partition(QUESTION)[2]


def _tags(prompt: str) -> list[str]:
    """The list in the prompt, a name on each line: what stands between two lines that begin with "Choose"."""
    listed = prompt.partition("\nChoose from this list alone:\n")[2].partition("\nChoose at least one")[0]
    return listed.split("\n") if listed else ["Reasoning"]
