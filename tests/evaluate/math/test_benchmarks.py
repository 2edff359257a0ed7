import pytest

from evolray.config import ExecutionConfig
from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem
from evolray.evaluate.math import MATH_BENCHMARKS

HOSTILE = r"Let \{a\} = {problem} $5 {0} %s \boxed{7}"
PROBLEM = Problem("0", {"question": HOSTILE, "instruction": HOSTILE, "reference": "7"})


@pytest.mark.parametrize("name", ["gsm8k", "math"])
def test_forms_leave_the_problem_as_it_is(name: str) -> None:
    benchmark = MATH_BENCHMARKS[name]
    assert list(benchmark.forms) == ["published", "instruct", "plain", "bare"]
    for form in benchmark.forms.values():
        before, after = form.text.split("{problem}")
        assert benchmark.render(form, PROBLEM) == before + HOSTILE + after
        assert form.is_chat is (form.name in ("instruct", "bare"))
        assert form.source
        assert form.text == form.text.strip()


@pytest.mark.parametrize("name", ["gsm8k", "math"])
def test_the_published_form_to_the_letter(name: str) -> None:
    benchmark = MATH_BENCHMARKS[name]
    problem = Problem("0", {"question": "2+2?", "instruction": "2+2?"})
    assert benchmark.render(benchmark.forms["published"], problem) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\n2+2?\n\n### Response: Let's think step by step."
    )
    assert benchmark.forms["published"].stop == ("Instruction:", "Instruction", "Response:", "Response")
    assert benchmark.forms["instruct"].stop == ()
    assert benchmark.render(benchmark.forms["bare"], problem) == "2+2?"


def test_limits_and_groups() -> None:
    assert {name: one.max_tokens for name, one in MATH_BENCHMARKS.items()} == {"gsm8k": 1024, "math": 2048}
    assert {name: tuple(one.groups) for name, one in MATH_BENCHMARKS.items()} == {
        "gsm8k": ("level",),
        "math": ("type", "level"),
    }


@pytest.mark.parametrize("name", ["gsm8k", "math"])
def test_a_grading_mode_that_is_not_there(name: str) -> None:
    with pytest.raises(UserError, match="grading=exact: "):
        MATH_BENCHMARKS[name].grader("exact", ExecutionConfig())


@pytest.mark.parametrize("name", ["gsm8k", "math"])
def test_what_the_instruct_form_asks_for_is_what_general_finds(name: str) -> None:
    benchmark = MATH_BENCHMARKS[name]
    sample = {"gsm8k": "2 + 5 = 7.\nThe answer is: 7", "math": r"2 + 5 = 7. $\boxed{7}$"}[name]
    extracted = benchmark.extractions["general"](sample, PROBLEM)
    grader = benchmark.grader("strict", ExecutionConfig())
    assert grader.grade(PROBLEM, extracted).passed
    grader.close()
