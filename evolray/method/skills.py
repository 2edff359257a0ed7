"""Skills: which of a list of skills an instruction calls for, by a judge (WizardLM, arXiv 2304.12244, section 4).

The list is by default that of WizardLM's test set, with its names as they are there but for "Writing", which the
released file spells "Writting". Prompt and parser are ours; the paper's authors labelled the test set themselves.
"""

import re
from collections.abc import Sequence

from evolray.errors import UserError
from evolray.method.operators import read_prompt
from evolray.method.question import ask_about
from evolray.records import Turn

SKILLS = (
    "Math", "Code Generation", "Writing", "Computer Science", "Reasoning", "Complex Format", "Code Debug",
    "Common-Sense", "Counterfactual", "Multilingual", "Roleplay", "Biology", "Technology", "Ethics", "TruthfulQA",
    "Sport", "Law", "Medicine", "Literature", "Entertainment", "Art", "Music", "Economy", "Physics", "Toxicity",
    "History", "Academic Writing", "Chemistry", "Philosophy",
)  # fmt: skip
MOST = 3

PROMPT = read_prompt("judging/skills")
BETWEEN = re.compile(r"[,;\n]")
LABEL = re.compile(r"#?\s*skills?\s*#?\s*:", re.IGNORECASE)
BULLET = re.compile(r"(?:[-*•+]|\d{1,2}[.)])\s+")
AROUND = " \t\r\"'“”‘’`*_.!#[]()"


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """A user's list as it can be asked for and read back; `SKILLS` for an empty one. Raises UserError."""
    seen: set[str] = set()
    for tag in tags:
        plain = _plain(tag)
        if not plain or BETWEEN.search(tag):
            raise UserError(f"judging.tags: {tag!r} is no tag; expected a name without commas, semicolons and breaks.")
        if plain in seen:
            raise UserError(f"judging.tags: {tag!r} is there twice, whatever its case; remove one.")
        seen.add(plain)
    return tuple(" ".join(tag.split()) for tag in tags) or SKILLS


def skills_prompt(instruction: str, context: tuple[Turn, ...] = (), tags: Sequence[str] = SKILLS) -> str:
    """What the judge is asked."""
    return ask_about(PROMPT, instruction, context, skills="\n".join(tags))


def parse_skills(text: str, tags: Sequence[str] = SKILLS) -> tuple[str, ...] | None:
    """One to three of `tags`, spelt as there, in the judge's order; None when anything else is said or none named."""
    by_name = {_plain(tag): tag for tag in tags}
    answer = text.strip().lstrip("*_`#[(\"' ")
    label = LABEL.match(answer)
    found: dict[str, None] = {}
    for piece in BETWEEN.split(answer[label.end() :] if label else answer):
        name = BULLET.sub("", piece.strip(), count=1) if BULLET.match(piece.strip()) else piece
        plain = _plain(name)
        if not plain:
            continue  # what a trailing comma or an empty line leaves
        tag = by_name.get(plain) or by_name.get(plain.removeprefix("and "))
        if tag is None:
            return None
        found[tag] = None
    return tuple(found) if 1 <= len(found) <= MOST else None


def _plain(name: str) -> str:
    return " ".join(name.strip(AROUND).split()).casefold()
