"""The forms of the prompts for code, and how a problem fills them.

    published    what the released scripts of WizardCoder send (nlpxucan/WizardLM, WizardCoder/src): HumanEval's with
                 two blank lines before the instruction, MBPP's with one; indents of four spaces become tabs
    as_sampled   HumanEval alone: what the released samples of WizardCoder-15B begin with, which has one blank line
    instruct     a request to a chat model, in our words
    plain        for base models: the prompt itself, or MBPP's text and assertions as a docstring

The model continues published, as_sampled and plain as they stand; instruct is a user's message.
"""

import re
from collections.abc import Mapping
from importlib.resources import files

from evolray.evaluate.benchmark import Form, Problem

WIZARDCODER = "WizardCoder (arXiv 2306.08568), released scripts"
SLOT = re.compile(r"\{(\w+)\}")
DOCSTRING = re.compile(r'\s*"""\n(?P<text>.*?)\n(?P<tests>assert\b.*?)\n?"""\s*', re.DOTALL)
"""A prompt of MBPP+: its text and an assertion."""

SIGNATURE_ALONE = {"493": "calculate_polygons(startx, starty, endx, endy, radius)"}
"""MBPP's test cases that the released script replaces, for their length."""


# A base model goes on with functions and tests of its own. HumanEval's list is that of its paper, section 3.2.
HUMANEVAL_STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
MBPP_STOP = ('\n"""', "\nassert", "\nif __name__", "\nprint")


def _form(folder: str, name: str, is_chat: bool = False, source: str = "", stop: tuple[str, ...] = ()) -> Form:
    path = files("evolray.evaluate").joinpath("prompts", folder, f"{name}.txt")
    return Form(name, path.read_text(encoding="utf-8").removesuffix("\n"), is_chat, source, stop)


HUMANEVAL_FORMS: Mapping[str, Form] = {
    "published": _form("humaneval", "published", source=f"{WIZARDCODER}, humaneval_gen.py"),
    "as_sampled": _form("humaneval", "as_sampled", source="WizardCoder-15B's released samples"),
    "instruct": _form("humaneval", "instruct", is_chat=True),
    "plain": _form("humaneval", "plain", source="HumanEval (arXiv 2107.03374)", stop=HUMANEVAL_STOP),
}
MBPP_FORMS: Mapping[str, Form] = {
    "published": _form("mbpp", "published", source=f"{WIZARDCODER}, mbpp_gen.py"),
    "instruct": _form("mbpp", "instruct", is_chat=True),
    "plain": _form("mbpp", "plain", stop=MBPP_STOP),
}
MBPP_PLUS_FORMS: Mapping[str, Form] = {
    **MBPP_FORMS,
    "published": _form("mbpp_plus", "published", source=f"{WIZARDCODER}, mbppplus_gen.py and mbppplus.json"),
}


def render(form: Form, problem: Problem) -> str:
    """The form with its slots filled in one pass, so that braces, backslashes and dollar signs of the problem stay."""
    slots = _mbpp_slots(problem) if _is_mbpp(problem) else _humaneval_slots(problem)
    slots |= {f"tabbed_{name}": text.replace("    ", "\t") for name, text in slots.items()}
    return SLOT.sub(lambda slot: slots[slot[1]], form.text)


def _is_mbpp(problem: Problem) -> bool:
    return "text" in problem.row or "assertion" in problem.row


def _humaneval_slots(problem: Problem) -> dict[str, str]:
    prompt = problem.row["prompt"]
    return {"prompt": prompt, "trimmed_prompt": prompt.strip("\n")}


def _mbpp_slots(problem: Problem) -> dict[str, str]:
    text, tests = text_and_tests(problem)
    # mbppplus.json ends each text in a dot.
    return {"text": text, "tests": tests, "sentence": text if text.endswith(".") else f"{text}."}


def text_and_tests(problem: Problem) -> tuple[str, str]:
    """What MBPP's or MBPP+'s entry asks for, and the assertions that it shows."""
    row = problem.row
    if "text" in row:
        return row["text"], SIGNATURE_ALONE.get(problem.id, "\n".join(row["test_list"]))
    if parts := DOCSTRING.fullmatch(row["prompt"]):
        return parts["text"], parts["tests"]
    return row["prompt"].strip().strip('"').strip(), row["assertion"].strip()
