"""The operators: named ways to rewrite an instruction, each a prompt file and what fills its slots.

WizardLM (arXiv 2304.12244, section 3.2) has five in-depth operators and one in-breadth; WizardCoder (2306.08568,
section 3.1) five heuristics in one template; WizardMath (2308.09583, section 2.2) rewrites upward and downward.
To add an operator: one text file in prompts/, one line here, its name in a domain.

A prompt states the fixed text first and the instruction last, so that endpoints which cache prefixes bill less.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from random import Random

from evolray.records import Turn

SLOT = re.compile(r"\{(instruction|context|conversation|method|format|first|second|skills)\}")


def read_prompt(name: str) -> str:
    """The text of `prompts/<name>.txt` without its last line break."""
    return files(__package__).joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


def render(template: str, **slots: str) -> str:
    """Fill the slots in one pass, so that braces, dollar signs and markers in what is filled in survive.

    Raises KeyError when the template has a slot that is not given.
    """
    return SLOT.sub(lambda slot: slots[slot[1]], template)


@dataclass(frozen=True)
class Operator:
    """`prompt` is a template; `method` fills its method slot; one of `variants`, if any, fills its format slot."""

    name: str
    prompt: str
    method: str = ""
    variants: tuple[str, ...] = ()

    def choose_variant(self, random: Random) -> str:
        return random.choice(self.variants) if self.variants else ""

    def render(self, instruction: str, variant: str = "", context: tuple[Turn, ...] = ()) -> str:
        return render(
            self.prompt,
            instruction=instruction,
            method=self.method,
            format=variant,
            context=render_context(context),
        )


def render_context(context: tuple[Turn, ...]) -> str:
    """The earlier turns of a conversation as a block of text; nothing for a single-turn instruction."""
    if not context:
        return ""
    conversation = "\n".join(f"{turn.role}: {turn.content}" for turn in context)
    return render(read_prompt("context"), conversation=conversation) + "\n"


def _operator(name: str, template: str, method: str = "", variants: tuple[str, ...] = ()) -> Operator:
    return Operator(name, read_prompt(template), read_prompt(method) if method else "", variants)


DATA_FORMATS = ("XML data", "SQL database", "Python code", "HTML page", "shell command", "JSON data")

OPEN = (
    _operator("add_constraints", "open/in_depth", "open/add_constraints"),
    _operator("deepen", "open/in_depth", "open/deepen"),
    _operator("concretize", "open/in_depth", "open/concretize"),
    _operator("add_reasoning_steps", "open/in_depth", "open/add_reasoning_steps"),
    _operator("complicate_input", "open/complicate_input", variants=DATA_FORMATS),
    _operator("mutate", "open/in_breadth"),
)

CODE = (
    _operator("add_constraints", "code/template", "code/add_constraints"),
    _operator("replace_requirement", "code/template", "code/replace_requirement"),
    _operator("add_reasoning_steps", "code/template", "code/add_reasoning_steps"),
    _operator("mislead", "code/template", "code/mislead"),
    _operator("raise_complexity", "code/template", "code/raise_complexity"),
)

MATH = (
    _operator("add_constraints", "math/upward", "math/add_constraints"),
    _operator("concretize", "math/upward", "math/concretize"),
    _operator("add_reasoning_steps", "math/upward", "math/add_reasoning_steps"),
    _operator("simplify", "math/downward", "math/simplify"),
    _operator("simpler_topic", "math/simpler_topic"),
)
