"""The demo's seeds and held-out problems: distinct, apart from each other, the same every time, right."""

import pytest

from evolray.evaluate.math.gsm8k_answers import reference_of
from evolray.teachers.simulated import arithmetic
from evolray.teachers.simulated.problems import benchmark_rows, draw, seed_rows


def test_all_are_distinct_and_of_their_level() -> None:
    stock = draw(500, 100, (1, 2, 3))
    texts = [arithmetic.render(one) for one in (*stock.seeds, *stock.held_out)]
    assert len(set(texts)) == len(texts) == 500 + 3 * 100
    assert {len(one.steps) for one in stock.seeds} == {1}
    assert [len(one.steps) for one in stock.held_out] == [1] * 100 + [2] * 100 + [3] * 100


def test_the_same_numbers_and_seed_draw_the_same_and_another_seed_others() -> None:
    assert draw(50, 10) == draw(50, 10)
    assert not {*draw(50, 10).seeds} & {*draw(50, 10, seed=1).seeds}


def test_more_seeds_begin_with_the_fewer_and_leave_the_held_out_problems_as_they_are() -> None:
    few, many = draw(50, 10), draw(3000, 10)
    assert many.seeds[:50] == few.seeds
    assert many.held_out == few.held_out


def test_more_levels_leave_the_others_as_they_are() -> None:
    assert draw(1, 20, (2, 3, 4)).held_out[:40] == draw(1, 20, (2, 3)).held_out


def test_rows_are_the_problems_with_their_answers() -> None:
    stock = draw(20, 20, (1, 3))
    for problem, row in zip(stock.seeds, seed_rows(stock.seeds), strict=True):
        assert arithmetic.parse(row["instruction"]) == problem
        assert row["response"].endswith(f"The answer is: {arithmetic.answer(problem)}.")
    rows = list(benchmark_rows(stock.held_out))
    assert [row["level"] for row in rows] == ["1 step"] * 20 + ["3 steps"] * 20
    for problem, row in zip(stock.held_out, rows, strict=True):
        assert row["question"] == arithmetic.render(problem)
        assert reference_of(row["answer"]) == str(arithmetic.answer(problem))
        assert row["answer"].count(" = ") == len(problem.steps)


@pytest.mark.parametrize(
    ("numbers", "named"),
    [((0, 1), "num_seeds"), ((1, 0), "num_held_out"), ((1, 1, ()), "levels"), ((1, 1, (0,)), "levels")],
)
def test_numbers_below_one_are_refused(numbers: tuple[int, ...], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: expected 1 or more, got 0"):
        draw(*numbers)  # type: ignore[arg-type]
