import gzip
import json
from pathlib import Path

import pytest

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.code.prompts import HUMANEVAL_FORMS, MBPP_FORMS, MBPP_PLUS_FORMS, render

DATA = Path(__file__).parents[3] / "../shared/data"
HEADER = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n"
PROMPT = 'def f(x):\n    """ {x} $x \\d {prompt}\n        deep\n    """\n'
HUMANEVAL = Problem("HumanEval/0", {"prompt": PROMPT, "entry_point": "f"})
TESTS = ['assert f("    ") == {}', "assert f(1) == 1"]
MBPP = Problem("11", {"text": "Write {text} f.", "test_list": TESTS})
MBPP_PLUS = Problem("Mbpp/2", {"prompt": '"""\nWrite f\nassert f(1) == 1\n"""\n', "assertion": "assert f(1) == 1"})


def test_humaneval_as_the_released_script_asks() -> None:
    tabbed = 'def f(x):\n\t""" {x} $x \\d {prompt}\n\t\tdeep\n\t"""\n'
    request = f"### Instruction:\nCreate a Python script for this problem:\n{tabbed}\n\n### Response:"
    assert render(HUMANEVAL_FORMS["published"], HUMANEVAL) == f"{HEADER}\n\n{request}"
    assert render(HUMANEVAL_FORMS["as_sampled"], HUMANEVAL) == f"{HEADER}\n{request}"


def test_mbpp_as_the_released_script_asks() -> None:
    assert render(MBPP_FORMS["published"], MBPP) == (
        f"{HEADER}\n### Instruction:\nCreate a Python script for this problem:\n\nWrite {{text}} f.\nTest examples:\n"
        'assert f("\t") == {}\nassert f(1) == 1\n\n### Response:'
    )


def test_mbpp_493_shows_a_signature_alone() -> None:
    rendered = render(MBPP_FORMS["published"], Problem("493", MBPP.row))
    assert "Test examples:\ncalculate_polygons(startx, starty, endx, endy, radius)\n\n### Response:" in rendered


def test_mbpp_plus_as_the_released_questions_ask() -> None:
    assert render(MBPP_PLUS_FORMS["published"], MBPP_PLUS) == (
        f"{HEADER}\n\n### Instruction:\nWrite f. Your code should satisfy the following assertion:\n```python\n"
        "assert f(1) == 1\n```\n\n### Response:"
    )


def test_plain_is_what_a_base_model_continues() -> None:
    assert render(HUMANEVAL_FORMS["plain"], HUMANEVAL) == PROMPT
    assert render(MBPP_PLUS_FORMS["plain"], MBPP_PLUS) == MBPP_PLUS.row["prompt"]
    assert render(MBPP_FORMS["plain"], MBPP) == f'"""\nWrite {{text}} f.\n{TESTS[0]}\n{TESTS[1]}\n"""\n'


@pytest.mark.parametrize("problem", [HUMANEVAL, MBPP, MBPP_PLUS], ids=lambda one: one.id)
def test_only_instruct_is_a_message_and_holds_the_problem_as_it_is(problem: Problem) -> None:
    forms = HUMANEVAL_FORMS if problem is HUMANEVAL else MBPP_FORMS if problem is MBPP else MBPP_PLUS_FORMS
    assert [name for name, form in forms.items() if form.is_chat] == ["instruct"]
    rendered = render(forms["instruct"], problem)
    shown = PROMPT.strip("\n") if problem is HUMANEVAL else "assert f(1) == 1"
    assert f"{shown}\n```" in rendered and rendered.count("```") == 2


def test_a_prompt_that_is_no_docstring_is_shown_with_the_assertion() -> None:
    odd = Problem("Mbpp/2", {"prompt": "Write f.", "assertion": "\nassert f(1) == 1\n"})
    assert render(MBPP_FORMS["plain"], odd) == '"""\nWrite f.\nassert f(1) == 1\n"""\n'


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_the_released_samples_begin_with_the_prompt() -> None:
    with gzip.open(DATA / "humaneval/HumanEval.jsonl.gz", "rt") as lines:
        problems = [Problem(row["task_id"], row) for row in map(json.loads, lines)]
    with gzip.open(DATA / "generations/wizardcoder15b_humaneval_greedy_59.8.jsonl.gz", "rt") as lines:
        samples = {row["task_id"]: row["all_code"] for row in map(json.loads, lines)}
    asked = {one.id: render(HUMANEVAL_FORMS["as_sampled"], one).replace("\t", "    ") for one in problems}
    # The tokenizer of the samples lost the blank before punctuation in 15 of them.
    assert sum(samples[id].startswith(prompt) for id, prompt in asked.items()) == 149
    without_blanks = [samples[id].replace(" ", "").startswith(asked[id].replace(" ", "")) for id in asked]
    assert without_blanks == [True] * 164


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_the_released_questions_of_mbpp_plus_are_met_exactly() -> None:
    ready = json.loads((DATA / "mbpp/mbppplus_prompts.json").read_text())
    with gzip.open(DATA / "mbpp/MbppPlus-v0.1.0.jsonl.gz", "rt") as lines:
        problems = [Problem(row["task_id"], row) for row in map(json.loads, lines)]
    asked = {one.id: render(MBPP_PLUS_FORMS["published"], one) for one in problems}
    tabbed = {id: text.replace("    ", "\t") for id, text in ready.items()}
    assert asked == {id: f"{HEADER}\n\n### Instruction:\n{text}\n\n### Response:" for id, text in tabbed.items()}
