"""The word problems: what is written reads back, stays within 0-99, and is solved right, for all seeds."""

import json
import re
from pathlib import Path
from random import Random

import pytest

from evolray.teachers.simulated import arithmetic
from evolray.teachers.simulated.arithmetic import Problem, Step

EXAMPLE = Problem("Tom", "apples", 19, (Step("minus", 8, 0), Step("plus", 3, 0)))
EXAMPLE_TEXT = "Tom has 19 apples. Tom sells 8. Tom finds 3 more. How many apples does Tom have now?"
SEEDS = Path(__file__).parents[2] / "conf" / "demo" / "seeds_math.jsonl"


def random_problems(count: int = 4000) -> list[Problem]:
    rng = Random(7)
    return [arithmetic.make(rng, 1 + i % 6) for i in range(count)]


def recomputed(solution: str) -> list[int]:
    """The results of a response's sums, worked out from its text alone; checks that each goes on from the last."""
    results: list[int] = []
    for left, sign, right, result in re.findall(r": (\d+) ([-+x/]) (\d+) = (\d+)\.", solution):
        a, b = int(left), int(right)
        if results:
            assert a == results[-1]
        assert {"+": a + b, "-": a - b, "x": a * b, "/": a / b}[sign] == int(result)
        results.append(int(result))
    return results


def test_the_example_of_the_design() -> None:
    assert arithmetic.render(EXAMPLE) == EXAMPLE_TEXT
    assert arithmetic.parse(EXAMPLE_TEXT) == EXAMPLE
    expected = "Tom sells 8: 19 - 8 = 11. Tom finds 3 more: 11 + 3 = 14. The answer is: 14."
    assert arithmetic.solve(EXAMPLE) == expected


def test_every_problem_reads_back() -> None:
    for problem in random_problems():
        assert arithmetic.parse(f" {arithmetic.render(problem)}\n") == problem


def test_values_stay_within_0_and_99_and_answers_are_right() -> None:
    for problem in random_problems():
        solution = arithmetic.solve(problem)
        results = recomputed(solution)
        assert len(results) == len(problem.steps)
        assert all(0 <= value <= 99 for value in arithmetic.values(problem))
        assert list(arithmetic.values(problem)[1:]) == results
        assert solution.endswith(f". The answer is: {results[-1]}.")
        assert arithmetic.answer(problem) == results[-1]


def test_every_clause_is_repeated_in_the_response() -> None:
    for problem in random_problems(500):
        clauses = arithmetic.render(problem).split(". ")[1:-1]
        assert [part.split(":")[0] for part in arithmetic.solve(problem).split(". ")[:-1]] == clauses


def test_harder_adds_one_step_and_leaves_the_others() -> None:
    rng = Random(3)
    for problem in random_problems():
        harder = arithmetic.harder(problem, rng)
        assert harder.steps[:-1] == problem.steps
        assert (harder.name, harder.thing, harder.start) == (problem.name, problem.thing, problem.start)
        assert arithmetic.parse(arithmetic.render(harder)) == harder


def test_a_step_can_always_be_added() -> None:
    rng = Random(5)
    problem = arithmetic.make(rng)
    for _ in range(2000):
        problem = arithmetic.harder(problem, rng)
    assert arithmetic.parse(arithmetic.render(problem)) == problem
    assert {0, 99} <= set(arithmetic.values(problem))  # it came past both ends


def test_easier_removes_the_last_step_or_makes_the_numbers_small() -> None:
    rng = Random(9)
    for problem in random_problems():
        easier = arithmetic.easier(problem, rng)
        assert easier != problem
        assert arithmetic.parse(arithmetic.render(easier)) == easier
        if len(problem.steps) > 1:
            assert easier.steps == problem.steps[:-1]
        else:
            assert len(easier.steps) == 1
            assert easier.start <= 10 and easier.steps[0].operand <= 10


def test_another_easier_one_is_about_something_else() -> None:
    rng = Random(11)
    for problem in random_problems(1000):
        other = arithmetic.another_easier(problem, rng)
        assert other.thing != problem.thing
        assert len(other.steps) == max(1, len(problem.steps) - 1)
        assert arithmetic.parse(arithmetic.render(other)) == other


def test_all_wordings_operations_names_and_things_occur() -> None:
    problems = random_problems()
    seen = {(step.operation, step.wording) for problem in problems for step in problem.steps}
    assert seen == {(operation, i) for operation in arithmetic.WORDINGS for i in range(4)}
    assert {problem.name for problem in problems} == set(arithmetic.NAMES)
    assert {problem.thing for problem in problems} == set(arithmetic.THINGS)


def test_problems_of_two_steps_hardly_ever_repeat() -> None:
    rng = Random(1)
    texts = {arithmetic.render(arithmetic.make(rng, 2)) for _ in range(10_000)}
    assert len(texts) > 9_900


def test_the_same_random_state_makes_the_same_problem() -> None:
    assert arithmetic.make(Random(4), 5) == arithmetic.make(Random(4), 5)
    assert arithmetic.make(Random(4), 5) != arithmetic.make(Random(6), 5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Tom sells 8", "Anna sells 8"),  # someone else
        ("sells 8", "eats 8"),  # no such wording
        ("sells 8", "sells 21"),  # beyond the largest operand
        ("sells 8", "sells 0"),
        ("sells 8", "sells 08"),
        ("sells 8", "sells {}"),
        ("sells 8", "sells 8 more"),
        ("sells 8", "sells half"),  # 19 is odd
        ("sells 8", "sells 20"),  # below nothing
        ("has 19", "has 21"),
        ("has 19", "has 1"),
        ("Tom finds 3 more", "Tom triples the number. Tom triples the number. Tom finds 1 more"),  # 11, 33, 99, 100
        ("How many apples", "How many books"),
        ("does Tom have", "does Ben have"),
        ("have now?", "have now? Explain."),
        ("Tom has", "Please, Tom has"),
        (" Tom sells 8. Tom finds 3 more.", ""),  # no step at all
    ],
)
def test_other_texts_are_not_read(before: str, after: str) -> None:
    assert before in EXAMPLE_TEXT
    assert arithmetic.parse(EXAMPLE_TEXT.replace(before, after)) is None


def test_the_largest_value_is_read() -> None:
    text = EXAMPLE_TEXT.replace("Tom finds 3 more", "Tom triples the number. Tom triples the number")
    problem = arithmetic.parse(text)
    assert problem is not None and arithmetic.answer(problem) == 99


def test_a_problem_has_at_least_one_step() -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        arithmetic.make(Random(0), 0)


def test_the_packaged_seeds_have_one_step_and_the_right_response() -> None:
    seeds = [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]
    assert 12 <= len(seeds) == len({seed["instruction"] for seed in seeds})
    for seed in seeds:
        problem = arithmetic.parse(seed["instruction"])
        assert problem is not None and len(problem.steps) == 1
        assert seed["response"] == arithmetic.solve(problem)
