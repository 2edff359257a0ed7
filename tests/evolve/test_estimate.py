"""The estimate of a dry run: never fewer calls than the run can make, at the config's prices."""

from dataclasses import replace
from typing import Any

import pytest

from evolray.config import EvolveConfig, from_mapping
from evolray.evolve.estimate import RESPONSE_TOKENS, VERDICT_TOKENS, Estimate, estimate
from evolray.evolve.plan import make_plan
from evolray.evolve.work import Plan
from evolray.records import Seed, Turn

SEEDS = [Seed(f"Explain number {n} to a child.", response="It is one." if n % 2 else "") for n in range(10)]
UNANSWERED = 5


def plan(**settings: Any) -> Plan:
    values = {"run": "r", "seeds.path": "s", "teacher.kind": "simulated"}
    return make_plan(from_mapping(EvolveConfig, values | {k.replace("__", "."): v for k, v in settings.items()}))


def calls(made: Estimate) -> dict[str, int]:
    return {purpose: usage.calls for purpose, usage in made.usage.items()}


@pytest.mark.parametrize("generations", [1, 4])
def test_every_root_may_be_asked_about_three_times_a_generation(generations: int) -> None:
    made = estimate(plan(generations=generations), SEEDS, 1000, 0)
    assert calls(made) == {"evolve": 1000 * generations, "judge": 1000 * generations, "respond": 1000 * generations}
    assert (made.roots, made.generations) == (1000, generations)


def test_seeds_without_a_response_are_answered_too() -> None:
    assert calls(estimate(plan(generations=1), SEEDS, 10, UNANSWERED))["respond"] == 10 + UNANSWERED


def test_all_seeds_are_answered_when_the_config_wants_them_anew() -> None:
    assert calls(estimate(plan(generations=1, seeds__respond="anew"), SEEDS, 10, UNANSWERED))["respond"] == 20


def test_the_cost_follows_from_tokens_and_the_prices_of_each_role() -> None:
    made = estimate(
        plan(
            generations=2,
            teacher__price_per_million_prompt_tokens=3.0,
            teacher__price_per_million_completion_tokens=15.0,
            judge={"price_per_million_prompt_tokens": 0.0, "price_per_million_completion_tokens": 1e6},
        ),
        SEEDS,
        100,
        0,
    )
    of_teacher = [made.usage["evolve"], made.usage["respond"]]
    judged = 200 * VERDICT_TOKENS * 1.0
    expected = sum(one.prompt_tokens * 3 + one.completion_tokens * 15 for one in of_teacher) / 1e6 + judged
    assert made.cost == pytest.approx(expected)
    assert made.usage["judge"].completion_tokens == 200 * VERDICT_TOKENS
    assert made.usage["respond"].completion_tokens == 200 * RESPONSE_TOKENS
    assert estimate(plan(), SEEDS, 100, 0).cost == 0.0


def test_longer_seeds_cost_more() -> None:
    longer = [replace(seed, input="x" * 4000) for seed in SEEDS]
    short, long = (estimate(plan(generations=1), seeds, 10, 0).usage for seeds in (SEEDS, longer))
    added = 10 * 1000  # 4,000 characters are 1,000 tokens
    assert long["evolve"].prompt_tokens - short["evolve"].prompt_tokens == pytest.approx(added, rel=0.01)
    assert long["judge"].prompt_tokens - short["judge"].prompt_tokens == pytest.approx(2 * added, rel=0.01)
    assert long["respond"].prompt_tokens - short["respond"].prompt_tokens == pytest.approx(added, rel=0.01)


def test_conversations_cost_their_earlier_turns_too() -> None:
    talk = [replace(seed, context=(Turn("user", "x" * 4000),)) for seed in SEEDS]
    short, long = (estimate(plan(generations=1), seeds, 10, 0).usage for seeds in (SEEDS, talk))
    assert long["evolve"].prompt_tokens > short["evolve"].prompt_tokens + 9_000
    assert long["respond"].prompt_tokens > short["respond"].prompt_tokens + 9_000
    assert long["judge"].prompt_tokens == short["judge"].prompt_tokens


@pytest.mark.parametrize("domain", ["open", "code", "math"])
def test_every_domain_can_be_estimated(domain: str) -> None:
    made = estimate(plan(domain=domain), SEEDS, 10, UNANSWERED)
    assert all(usage.prompt_tokens > 0 and usage.completion_tokens > 0 for usage in made.usage.values())


def test_the_lines_say_calls_cost_and_what_was_assumed() -> None:
    made = estimate(plan(generations=2, teacher__price_per_million_completion_tokens=1000.0), SEEDS, 5000, 0)
    text = "\n".join(made.lines())
    assert "5,000 roots x 2 generations: at most about 30,000 calls" in text
    assert f"cost about {made.cost:,.2f}" in text
    assert all(word in text for word in ("teacher", "judge", "responder", "Assumed", f"{RESPONSE_TOKENS} tokens"))
    assert "no prices in the config" in "\n".join(estimate(plan(), SEEDS, 1, 0).lines())
