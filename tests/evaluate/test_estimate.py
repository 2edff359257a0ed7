"""What a dry run says before anybody is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

import evolray
from evolray.config import EvaluateConfig, GradeConfig, from_mapping
from evolray.errors import UserError
from evolray.evaluate.stage import dry_run_evaluate, dry_run_grade

PRICES = {"price_per_million_prompt_tokens": 30.0, "price_per_million_completion_tokens": 60.0}


def write_lines(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    wizard = [{"idx": n, "Skill": "Art", "Difficulty": n, "Instruction": f"Do {n}."} for n in (1, 2, 3)]
    mt = [{"question_id": 81, "category": "writing", "turns": ["Write.", "Rewrite."]}]
    return {
        "wizard": write_lines(tmp_path / "wizard.jsonl", wizard),
        "answers": write_lines(tmp_path / "answers.jsonl", [{"idx": n, "output": "x" * 4000} for n in (1, 2, 3)]),
        "mt": write_lines(tmp_path / "mt.jsonl", mt),
        "sums": write_lines(tmp_path / "sums.jsonl", [{"question": "What is 1?", "answer": "#### 1"}]),
    }


def test_of_a_model_and_its_judge(files: dict[str, str], tmp_path: Path) -> None:
    config = from_mapping(
        EvaluateConfig,
        {
            "run": str(tmp_path / "run"), "benchmarks": ["gsm8k", "wizard_eval", "mt_bench", "mmlu"],
            "problems": {"gsm8k": files["sums"], "wizard_eval": files["wizard"], "mt_bench": files["mt"]},
            "baselines": {"wizard_eval": files["answers"]}, "endpoint": {"kind": "simulated", **PRICES},
            "sampling.n": 2, "sampling.temperature": 0.5, "sampling.max_tokens": 100,
            "judge.endpoint": {"kind": "simulated", **PRICES}, "verdicts.repeats": 2,
        },
    )  # fmt: skip
    gsm8k, wizard, mt, mmlu, judged, rated = dry_run_evaluate(config)
    assert gsm8k.startswith("gsm8k: 2 answers of simulated, about ")
    assert ", at most 200 completion tokens, cost about 0.01" in gsm8k
    assert wizard.startswith("wizard_eval: 3 answers of") and mt.startswith("mt_bench: 2 answers of")
    assert mmlu == "mmlu: by lm-eval, which does not say before it has begun"
    assert judged.startswith("wizard_eval: 12 verdicts of simulated, about ")
    prompt_tokens = int(judged.partition("about ")[2].partition(" ")[0].replace(",", ""))
    assert 12 * 2000 < prompt_tokens < 12 * 2600  # two answers of 1,000 tokens, and what the judge is told
    assert " and 3,000 completion tokens, cost about " in judged
    assert rated.startswith("mt_bench: 4 verdicts of simulated")
    assert not (tmp_path / "run").exists()


def test_of_ready_answers(files: dict[str, str], tmp_path: Path) -> None:
    settings = {
        "run": str(tmp_path / "run"), "samples": files["answers"], "problems": files["wizard"],
        "baseline": files["answers"], "judge.endpoint.kind": "simulated", "verdicts.order": "alternate",
    }  # fmt: skip
    (line,) = dry_run_grade("wizard_eval", from_mapping(GradeConfig, settings))
    assert line.startswith("wizard_eval: 3 verdicts of simulated") and "cost" not in line
    with pytest.raises(UserError, match=r"for an estimate, call evolray\.evaluate\.stage\.dry_run_grade"):
        evolray.grade("wizard_eval", settings, dry_run=True)


def test_graded_samples_cost_nothing(files: dict[str, str], tmp_path: Path) -> None:
    samples = write_lines(tmp_path / "samples.jsonl", [{"idx": 0, "output": "1"}])
    settings = {"run": str(tmp_path / "run"), "samples": samples, "problems": files["sums"]}
    assert dry_run_grade("gsm8k", from_mapping(GradeConfig, settings)) == [
        "nothing is asked: samples are graded here."
    ]  # fmt: skip
