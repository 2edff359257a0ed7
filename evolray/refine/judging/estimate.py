"""What judging will cost, before anybody is asked. Four characters count as a token."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import mean

from evolray.method.difficulty import difficulty_prompt
from evolray.method.skills import skills_prompt
from evolray.method.teacher import Purpose
from evolray.pool.accounts import Usage
from evolray.records import Turn
from evolray.refine.features import CHARS_PER_TOKEN
from evolray.refine.judging.work import Judging

SAMPLE = 200
ANSWER_TOKENS: dict[Purpose, int] = {"difficulty": 2, "skills": 8}


@dataclass(frozen=True)
class Estimate:
    records: int
    usage: dict[Purpose, Usage]
    cost: float

    def lines(self) -> list[str]:
        """For people."""
        total = sum(usage.calls for usage in self.usage.values())
        price = f"cost about {self.cost:,.2f}" if self.cost else "no prices in the config, so no cost"
        return [
            f"judging {self.records:,} records: at most about {total:,} calls, {price}",
            f"{'':10} {'calls':>12} {'prompt tokens':>16} {'completion tokens':>18}",
            *(
                f"{purpose:10} {usage.calls:12,} {usage.prompt_tokens:16,} {usage.completion_tokens:18,}"
                for purpose, usage in self.usage.items()
            ),
            "Assumed: no duplicates, no leaks, every answer readable at once.",
        ]


def estimate(judging: Judging, records: int, sample: Sequence[tuple[str, tuple[Turn, ...]]]) -> Estimate:
    """`sample`: instruction and context of some of the `records`; the first 200 count."""
    taken = list(islice(sample, SAMPLE))
    usage: dict[Purpose, Usage] = {}
    for purpose in judging.roles:
        prompts = (
            difficulty_prompt(*one) if purpose == "difficulty" else skills_prompt(*one, judging.tags) for one in taken
        )
        size = mean(map(len, prompts)) if taken else 0.0
        tokens = round(records * size / CHARS_PER_TOKEN)
        usage[purpose] = Usage(records, tokens, records * ANSWER_TOKENS[purpose])
    return Estimate(records, usage, judging.cost({str(purpose): one for purpose, one in usage.items()}))
