import json
from pathlib import Path
from typing import Any

import pytest

from evolray.errors import UserError
from evolray.evaluate.math.problems import read_gsm8k, read_math

GSM8K = {"question": "How many?", "answer": "2 + 2 = <<2+2=4>>4\n#### 1,004"}
MATH = {
    "idx": "t_5",
    "instruction": "Find $x$.",
    "output": r"It is $\boxed{\frac{1}{2}}$.",
    "type": "Algebra",
    "level": "Level 2",
}


def written(path: Path, *entries: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return str(path)


def test_gsm8k(tmp_path: Path) -> None:
    problems = read_gsm8k(written(tmp_path / "p.jsonl", GSM8K, {**GSM8K, "answer": "#### -3"}))
    assert [problem.id for problem in problems.all] == ["0", "1"]
    assert [problem.row["reference"] for problem in problems.all] == ["1,004", "-3"]
    assert problems.release == f"GSM8K, 2 problems (sha256 {problems.sha256[:12]}…)"
    assert len(problems.sha256) == 64


def test_math(tmp_path: Path) -> None:
    problems = read_math(written(tmp_path / "p.jsonl", MATH))
    (problem,) = problems.all
    assert (problem.id, problem.row["reference"], problem.row["level"]) == ("t_5", r"\frac{1}{2}", "Level 2")
    assert problems.release.startswith("MATH, 1 problems (sha256 ")


def test_hendrycks_own_layout(tmp_path: Path) -> None:
    own = {"problem": "Find $y$.", "solution": r"$\boxed{3}$", "subject": "Geometry", "level": 5}
    (problem,) = read_math(written(tmp_path / "p.jsonl", own)).all
    assert problem.id == "0"
    assert problem.row == {
        **own,
        "instruction": "Find $y$.",
        "output": r"$\boxed{3}$",
        "reference": "3",
        "type": "Geometry",
        "level": "Level 5",
    }


def test_hash_is_of_the_content(tmp_path: Path) -> None:
    one = read_gsm8k(written(tmp_path / "a.jsonl", GSM8K))
    turned = read_gsm8k(written(tmp_path / "b.jsonl", dict(reversed(GSM8K.items()))))
    other = read_gsm8k(written(tmp_path / "c.jsonl", {**GSM8K, "question": "How few?"}))
    assert one.sha256 == turned.sha256 != other.sha256


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (MATH, "the texts question and answer. It looks like MATH: is it under the right name?"),
        (
            {"task_id": "HumanEval/0", "prompt": "def f():", "entry_point": "f"},
            "holds task_id, prompt, entry_point; expected an entry of GSM8K with the texts question and answer. "
            "It looks like HumanEval: is it under the right name?",
        ),
        ({"question": "q"}, "line 1: holds question; expected an entry of GSM8K with the texts question and answer."),
        ({**GSM8K, "answer": "It is 4."}, "the answer ends in 'It is 4.'; expected GSM8K's '#### ' and a number."),
        ({**GSM8K, "answer": "#### four"}, "the answer ends in '#### four'"),
        ({**GSM8K, "answer": 4}, "expected an entry of GSM8K with the texts question and answer."),
    ],
)
def test_another_file_than_gsm8k(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        read_gsm8k(written(tmp_path / "p.jsonl", entry))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ((GSM8K,), "expected an entry of MATH with the texts instruction and output. It looks like GSM8K"),
        (
            ({**MATH, "output": "It is 4."},),
            r"line 1: the solution has no \boxed{} with the answer; expected an entry of MATH.",
        ),
        ((MATH, MATH), "line 2: the id t_5 is there twice."),
    ],
)
def test_another_file_than_math(tmp_path: Path, entries: tuple[dict[str, Any], ...], message: str) -> None:
    with pytest.raises(UserError) as raised:
        read_math(written(tmp_path / "p.jsonl", *entries))
    assert message in str(raised.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_math(str(tmp_path / "absent.jsonl"))
