"""The three domains: which operators, rules and prompts belong together.

A domain is data. Adding one touches nothing else: build a `Domain` anywhere and name it in the config as
`domain: package.module:NAME`, or hand it to `evolray.evolve(domain=...)`.
"""

import difflib
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from evolray.errors import UserError
from evolray.method import operators
from evolray.method.elimination import (
    CODE_LEAKS,
    MATH_LEAKS,
    OPEN_LEAKS,
    RESPONSE_RULES,
    InstructionRule,
    ResponseRule,
    instruction_rules,
)
from evolray.method.operators import Operator, read_prompt


@dataclass(frozen=True)
class Domain:
    """`weights` are the odds of the operators, in their order; equal when empty, as in the papers.

    `equality_prompt` has the slots first and second. `response_prompt` has the slot instruction; without one the
    instruction alone is put to the teacher, as in WizardLM and WizardCoder.
    """

    name: str
    operators: tuple[Operator, ...]
    instruction_rules: tuple[InstructionRule, ...]
    response_rules: tuple[ResponseRule, ...] = RESPONSE_RULES
    equality_prompt: str = read_prompt("equality")
    response_prompt: str = "{instruction}"
    weights: tuple[float, ...] = ()

    def choose(self, random: Random) -> Operator:
        return random.choices(self.operators, self.weights or None)[0]

    @property
    def operator_names(self) -> list[str]:
        return [operator.name for operator in self.operators]

    def weighted(self, weights: Mapping[str, float], setting: str = "operators") -> "Domain":
        """The same domain with other odds; an operator that is not named keeps its own.

        Raises UserError, in which the weights go by `setting`, for an unknown operator, a negative weight, or when
        nothing is left to choose.
        """
        names = self.operator_names
        for name, weight in weights.items():
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}."
                raise UserError(f"{setting}.{name}: domain {self.name!r} has no such operator; {hint}")
            if not 0 <= weight < math.inf:
                raise UserError(f"{setting}.{name}={weight}: a weight is a number from 0.")
        own = dict(zip(names, self.weights or [1.0] * len(names), strict=True))
        odds = tuple(float(weights.get(name, own[name])) for name in names)
        if not sum(odds):
            raise UserError(f"{setting}: every weight is 0, so nothing could be chosen; leave at least one above 0.")
        return replace(self, weights=odds)

    def prompt_hashes(self) -> dict[str, str]:
        """SHA-256 of every prompt text by name: what the manifest keeps to tell which wording made a pool."""
        texts = {f"operator/{one.name}": f"{one.prompt}\n{one.method}" for one in self.operators}
        texts |= {"equality": self.equality_prompt, "response": self.response_prompt}
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(texts.items())}


DOMAINS = {
    "open": Domain("open", operators.OPEN, instruction_rules(OPEN_LEAKS)),
    "code": Domain("code", operators.CODE, instruction_rules(CODE_LEAKS)),
    "math": Domain("math", operators.MATH, instruction_rules(MATH_LEAKS), response_prompt=read_prompt("math/response")),
}
