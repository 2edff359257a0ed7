"""What a run will cost, before anything is spent (`dry_run=true`).

Prompts are rendered for a sample of the seeds with every operator; what comes back is assumed. Four characters count
as a token. Everything is kept in the estimate, so eliminations make the real run cheaper.
"""

from dataclasses import dataclass
from itertools import islice
from statistics import mean

from evolray.evolve.work import ROLES, Plan
from evolray.method.operators import render
from evolray.method.teacher import Purpose
from evolray.pool.accounts import Usage
from evolray.records import Seed

CHARACTERS_PER_TOKEN = 4
SAMPLE = 200
GROWTH_WORDS = 15  # an evolution adds 10 to 20 words
CHARACTERS_PER_WORD = 6
RESPONSE_TOKENS = 300
VERDICT_TOKENS = 2


@dataclass(frozen=True)
class Estimate:
    roots: int
    generations: int
    usage: dict[Purpose, Usage]
    cost: float

    def lines(self) -> list[str]:
        """For people."""
        rows = [f"{'':10} {'calls':>12} {'prompt tokens':>16} {'completion tokens':>18}"]
        for purpose, usage in self.usage.items():
            rows.append(
                f"{ROLES[purpose]:10} {usage.calls:12,} {usage.prompt_tokens:16,} {usage.completion_tokens:18,}"
            )
        total = sum(usage.calls for usage in self.usage.values())
        price = f"cost about {self.cost:,.2f}" if self.cost else "no prices in the config, so no cost"
        return [
            f"{self.roots:,} roots x {self.generations} generations: at most about {total:,} calls, {price}",
            *rows,
            f"Assumed: {RESPONSE_TOKENS} tokens a response, {GROWTH_WORDS} more words a generation, all kept.",
        ]


def estimate(plan: Plan, seeds: list[Seed], roots: int, unanswered: int) -> Estimate:
    """`seeds` is a sample of the `roots`; `unanswered` of those have no response of their own to keep."""
    sample = list(islice(seeds, SAMPLE))
    domain, generations = plan.method.domain, plan.method.generations
    size = mean(len(seed.text) for seed in sample)
    empty = mean(len(operator.render("", next(iter(operator.variants), ""))) for operator in domain.operators)
    context = mean(sum(len(turn.content) for turn in seed.context) for seed in sample)
    verdict = len(render(domain.equality_prompt, first="", second=""))
    response = len(render(domain.response_prompt, instruction="")) + context
    evolutions = roots * generations
    answers = evolutions + (roots if plan.method.answer_seeds_anew else unanswered)
    grown = size + GROWTH_WORDS * CHARACTERS_PER_WORD * (generations + 1) / 2  # an instruction's mean size
    usage: dict[Purpose, Usage] = {
        "evolve": Usage(evolutions, _tokens(evolutions, empty + context + grown), _tokens(evolutions, grown)),
        "judge": Usage(evolutions, _tokens(evolutions, verdict + 2 * grown), evolutions * VERDICT_TOKENS),
        "respond": Usage(answers, _tokens(answers, response + grown), answers * RESPONSE_TOKENS),
    }
    return Estimate(roots, generations, usage, plan.cost({str(purpose): one for purpose, one in usage.items()}))


def _tokens(calls: int, characters: float) -> int:
    return round(calls * characters / CHARACTERS_PER_TOKEN)
