r"""The prompt forms of the two benchmarks: a text file each, in evaluate/prompts/<benchmark>/.

The problem takes the place of {problem} in one pass: braces, dollars and backslashes, of which MATH is full, stay as
they are, in the problem and in the form (\boxed{}). A file ends in a line break that is no part of the form.
"""

from importlib.resources import files

from evolray.errors import EvolrayError
from evolray.evaluate.benchmark import Form

SLOT = "{problem}"
_PUBLISHED = "WizardMath (arXiv 2308.09583), released scripts: Alpaca's frame with a cue to think aloud"
_OURS = "evolray"
# WizardMath's scripts stop here on both benchmarks. A text that says "Instruction" or "Response" is cut there.
_PUBLISHED_STOP = ("Instruction:", "Instruction", "Response:", "Response")
_PLAIN_STOP = ("\nQuestion:", "\nProblem:")  # a base model goes on with problems of its own


def forms_of(benchmark: str) -> dict[str, Form]:
    return {
        form.name: form
        for form in (
            Form("published", _text(benchmark, "published"), is_chat=False, source=_PUBLISHED, stop=_PUBLISHED_STOP),
            Form("instruct", _text(benchmark, "instruct"), is_chat=True, source=_OURS),
            Form("plain", _text(benchmark, "plain"), is_chat=False, source=_OURS, stop=_PLAIN_STOP),
            # For a student that was trained on such problems without another word, and knows how to end.
            Form("bare", _text(benchmark, "bare"), is_chat=True, source=_OURS),
        )
    }


def rendered(form: Form, problem: str) -> str:
    before, slot, after = form.text.partition(SLOT)
    if not slot:
        raise EvolrayError(f"prompt {form.name} has no {SLOT}: evolray is not installed as it should be.")
    return before + problem + after


def _text(benchmark: str, name: str) -> str:
    path = files("evolray.evaluate") / "prompts" / benchmark / f"{name}.txt"
    return path.read_text(encoding="utf-8").removesuffix("\n")
