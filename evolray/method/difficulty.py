"""Difficulty: a judge's score of 1 to 10 for an instruction (WizardLM, arXiv 2304.12244, section 4).

The paper has ChatGPT rate difficulty and complexity together, higher being harder, and takes nothing but the score.
The wording is ours. What cannot be read as one score is none: it is never guessed.
"""

import re

from evolray.method.operators import read_prompt
from evolray.method.question import ask_about
from evolray.records import Turn

EASIEST, HARDEST = 1, 10

PROMPT = read_prompt("judging/difficulty")
# The whole answer: "8", "8/10", "8 out of 10", "Score: 8", "#Score#: 8", "The difficulty score is 8", "8.0".
SCORE = re.compile(
    r"(?:(?:the\s+)?(?:overall\s+)?(?:difficulty|complexity|score|rating|difficulty\s+score|overall)\s*(?:[:=]|is)\s*)?"
    r"(\d{1,2})(?:\.0)?(?:\s*(?:/|out\s+of)\s*10)?",
    re.IGNORECASE | re.ASCII,
)
MARKUP = re.compile(r"[*_`#\"'“”‘’\[\]()]")  # emphasis, quotes, brackets and the cue's own signs


def difficulty_prompt(instruction: str, context: tuple[Turn, ...] = ()) -> str:
    """What the judge is asked."""
    return ask_about(PROMPT, instruction, context)


def parse_difficulty(text: str) -> int | None:
    """The score, 1 to 10, or None for anything that is not one score: a range, a fraction, reasons, two numbers."""
    found = SCORE.fullmatch(" ".join(MARKUP.sub("", text).split()).rstrip(" .!"))
    if found is None or not EASIEST <= int(found[1]) <= HARDEST:
        return None
    return int(found[1])
