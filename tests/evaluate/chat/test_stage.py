"""Chat benchmarks from end to end, on Ray, with a model and a judge of rules: nothing is asked, or judged, twice."""

import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import evolray
from evolray.errors import BudgetError, UserError
from tests.evaluate.chat import speaking
from tests.evaluate.chat.speaking import words
from tests.sampling.tiny import save_student

BASELINE = {1: 5, 2: 2, 3: 9, 4: 2}
SKILLS = {1: ("Math", 1), 2: ("Math", 9), 3: ("Art", 8), 4: ("Art", 2)}


def write_lines(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    problems = [
        {"idx": n, "Skill": skill, "Difficulty": difficulty, "Instruction": f"Do {n}."}
        for n, (skill, difficulty) in SKILLS.items()
    ]
    questions = [
        {"question_id": 81, "category": "writing", "turns": ["Write.", "Rewrite."]},
        {"question_id": 101, "category": "reasoning", "turns": ["Reason.", "Go on."]},
    ]
    return {
        "problems": write_lines(tmp_path / "wizard.jsonl", problems),
        "baseline": write_lines(
            tmp_path / "baseline.jsonl", [{"idx": n, "output": words(number)} for n, number in BASELINE.items()]
        ),
        "questions": write_lines(tmp_path / "mt.jsonl", questions),
        "references": write_lines(
            tmp_path / "references.jsonl",
            [{"question_id": 101, "model_id": "right", "choices": [{"index": 0, "turns": ["Five.", "Six."]}]}],
        ),
    }


Asked = Callable[[], list[str]]


def notes_of(path: Path) -> Asked:
    def look() -> list[str]:
        lines = sorted(path.read_text().splitlines()) if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    return look


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """What the model was asked since the last look: the problem, the sample, the temperature."""
    return notes_of(tmp_path / "notes")


@pytest.fixture
def judged(tmp_path: Path) -> Asked:
    """What the judge was asked since the last look."""
    return notes_of(tmp_path / "judge's notes")


Evaluate = Callable[..., evolray.Results]


@pytest.fixture
def evaluate(tmp_path: Path, files: dict[str, str], local_ray: None) -> Evaluate:
    def run(model: Any = speaking.speaks, judge: Any = speaking.compares, **settings: Any) -> evolray.Results:
        values: dict[str, Any] = {
            "run": str(tmp_path / "run"), "benchmarks": ["wizard_eval"], "problems": {"wizard_eval": files["problems"]},
            "baselines": {"wizard_eval": files["baseline"]}, "execution.parallel": 1,
        }  # fmt: skip
        values |= {key.replace("__", "."): value for key, value in settings.items()}
        return evolray.evaluate(
            values, script=partial(model, tmp_path / "notes"),
            judge_script=partial(judge, tmp_path / "judge's notes") if judge else None,
        )  # fmt: skip

    return run


# The judge gives the first place a point: problem 1 is 5 : 5, a tie by disagreement; 2 is won, 3 lost, 4 won.
SUMS = (4 * 0.5 + 5 + 4 + 3 + 8, 4 * 0.5 + 5 + 2 + 9 + 2)


def test_scores_by_skill_difficulty_and_split_with_the_judges_bias(
    evaluate: Evaluate, asked: Asked, judged: Asked, tmp_path: Path
) -> None:
    results = evaluate()
    entry = results.scores["wizard_eval"]
    assert (entry["wins"], entry["ties"], entry["losses"], entry["total"]) == (2, 1, 1, 4)
    assert (entry["model_sum"], entry["baseline_sum"]) == SUMS
    assert entry["score"] == pytest.approx(100 * SUMS[0] / SUMS[1], abs=1e-3)
    assert (entry["metric"], entry["unit"]) == ("relative score", "%")
    assert (entry["judge"], entry["baseline"], entry["protocol"]) == ("scripted", "baseline", "two_scores")
    position = entry["reliability"]["position"]
    assert (position["pairs"], position["agree"], position["first"]) == (4, 3, 1)
    assert position["bias"]["score"] == 1.0
    hard = entry["groups"]["split"]["hard (8-10)"]
    assert (hard["wins"], hard["losses"], hard["total"]) == (1, 1, 2)
    assert list(entry["groups"]["skill"]) == ["Art", "Math"]
    rows = {row["problem"]: (row["outcome"], row["text"]) for row in results.samples()}
    assert rows == {"1": ("tie", words(5)), "2": ("win", words(4)), "3": ("loss", words(3)), "4": ("win", words(8))}
    assert asked() == [f"wizard_eval/{n} 0 None" for n in (1, 2, 3, 4)]
    assert len(judged()) == 8
    said = results.verdicts()["wizard_eval", "2"]
    assert [(one.order, one.text) for one in said] == [
        ("model_first", "5 2\nBecause."), ("baseline_first", "3 4\nBecause."),
    ]  # fmt: skip
    state = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (state["status"], state["sampled"]) == ("complete", 4)
    judging = state["judging"]["wizard_eval"]
    assert (judging["asked"], judging["answered"], judging["failed"]) == (8, 8, 0)


def test_a_rerun_asks_nobody_and_another_rule_asks_the_judge_alone(
    evaluate: Evaluate, asked: Asked, judged: Asked, tmp_path: Path
) -> None:
    first = evaluate()
    asked(), judged()
    assert evaluate().scores == first.scores
    assert (asked(), judged()) == ([], [])
    alternate = evaluate(verdicts__order="alternate").scores["wizard_eval"]
    assert asked() == [] and len(judged()) == 4
    assert alternate["rules"]["order"] == "alternate" and "position" not in alternate.get("reliability", {})
    assert len(list((tmp_path / "run" / "judged").iterdir())) == 2
    repeated = evaluate(verdicts__repeats=2).scores["wizard_eval"]
    assert asked() == [] and len(judged()) == 8
    assert repeated["reliability"]["self_consistency"]["same"]["score"] == 100.0


def test_what_the_model_did_not_answer_counts_as_lost_and_is_judged_once_it_does(
    evaluate: Evaluate, asked: Asked, judged: Asked, tmp_path: Path
) -> None:
    (tmp_path / "ill").touch()
    ill = evaluate().scores["wizard_eval"]
    assert (ill["wins"], ill["ties"], ill["losses"], ill["unanswered"], ill["failed"]) == (1, 1, 2, 1, 1)
    assert (ill["model_sum"], ill["baseline_sum"]) == (SUMS[0] - 4.5 + 1, SUMS[1] - 2.5 + 10)
    assert len(judged()) == 6
    (tmp_path / "ill").unlink()
    asked()
    well = evaluate(retry_failed=True).scores["wizard_eval"]
    assert asked() == ["wizard_eval/2 0 None"] and len(judged()) == 2
    assert (well["wins"], well["unanswered"], well["failed"]) == (2, 0, 0)


def test_a_loaded_checkpoint_judges(files: dict[str, str], tmp_path: Path, local_ray: None) -> None:
    """This one knows nothing: its words are kept, and hold no verdict."""
    samples = write_lines(tmp_path / "mine.jsonl", [{"idx": n, "output": f"word {n}"} for n in SKILLS])
    judge = {"model": str(save_student(tmp_path / "tiny")), "sampling.max_tokens": 4, "workers.cpus": 1}
    results = evolray.grade(
        "wizard_eval", samples=samples, problems=files["problems"], baseline=files["baseline"],
        run=str(tmp_path / "graded"), verdicts__attempts=1, judge__workers__device="cpu",
        **{f"judge__{key.replace('.', '__')}": value for key, value in judge.items()},
    )  # fmt: skip
    entry = results.scores["wizard_eval"]
    assert (entry["total"], entry["no_verdict"], entry["score"]) == (0, 4, None)
    words = [verdict for some in results.verdicts().values() for verdict in some]
    assert len(words) == 8 and all(one.text or one.message for one in words)
    assert entry["judge"].endswith("/tiny")


def test_two_turns_at_temperatures_by_category_rated_with_right_answers_at_hand(
    evaluate: Evaluate, files: dict[str, str], asked: Asked, judged: Asked
) -> None:
    results = evaluate(
        speaking.converses, speaking.rates, benchmarks=["mt_bench"], problems={"mt_bench": files["questions"]},
        baselines={}, references={"mt_bench": files["references"]},
    )  # fmt: skip
    entry = results.scores["mt_bench"]
    assert (entry["score"], entry["unit"], entry["total"]) == (7.0, "of 10", 4)
    assert {turn: one["score"] for turn, one in entry["groups"]["turn"].items()} == {"1": 6.0, "2": 8.0}
    assert entry["sampling"]["temperature"] == "by category" and entry["baseline"] is None
    assert asked() == ["mt_bench/101 0 None"] * 2 + ["mt_bench/81 0 0.7"] * 2
    assert len(judged()) == 4
    with pytest.raises(UserError, match=r"seed=0 and would now go on with .*seed=1"):
        evaluate(
            speaking.converses, speaking.rates, benchmarks=["mt_bench"], problems={"mt_bench": files["questions"]},
            baselines={}, sampling__seed=1,
        )  # fmt: skip
    row = next(row for row in results.samples() if row["problem"] == "81")
    assert (row["earlier"], row["text"]) == (["Turn 1 after []."], "Turn 2 after ['Turn 1 after [].'].")
    assert (row["outcome"], row["message"]) == ("scored", "rated 6, 8")


def test_files_may_be_about_problems_beyond_the_limit(evaluate: Evaluate, files: dict[str, str]) -> None:
    entry = evaluate(
        speaking.converses, speaking.rates, benchmarks=["mt_bench"], problems={"mt_bench": files["questions"]},
        baselines={}, references={"mt_bench": files["references"]}, limit=1,
    ).scores["mt_bench"]  # fmt: skip
    assert (entry["problems"], entry["total"], entry["release"].endswith("the first 1")) == (1, 2, True)


def test_a_judges_budget_holds_for_all_benchmarks_and_rules_of_a_run(evaluate: Evaluate, judged: Asked) -> None:
    evaluate(judge__budget__calls=10)
    assert len(judged()) == 8
    with pytest.raises(BudgetError, match="the budget is spent: 10 of 10 calls"):
        evaluate(judge__budget__calls=10, verdicts__order="alternate")
    assert len(judged()) == 2
    evaluate(judge__budget__calls=12, verdicts__order="alternate")
    assert len(judged()) == 2


def test_labels_of_people_beside_the_judges_verdicts(evaluate: Evaluate, tmp_path: Path) -> None:
    rows = [{"problem": n, "outcome": outcome} for n, outcome in enumerate(("tie", "win", "win", "win"), 1)]
    labels = write_lines(tmp_path / "labels.jsonl", rows)
    found = evaluate(labels={"wizard_eval": labels}).scores["wizard_eval"]["reliability"]["labels"]
    assert (found["items"], found["agree"]) == (4, 75.0)
    assert found["confusion"]["loss"]["win"] == 1
    assert found["kappa"] == pytest.approx((0.75 - 0.4375) / (1 - 0.4375), abs=1e-3)


def test_graded_and_judged_benchmarks_in_one_run(evaluate: Evaluate, files: dict[str, str], tmp_path: Path) -> None:
    sums = write_lines(tmp_path / "sums.jsonl", [{"question": "What is 1?", "answer": "#### 1"}])
    results = evaluate(
        speaking.converses, benchmarks=["gsm8k", "mt_bench"], judge=speaking.rates, baselines={},
        problems={"mt_bench": files["questions"], "gsm8k": sums},
    )  # fmt: skip
    assert list(results.scores) == ["gsm8k", "mt_bench"]
    assert results.scores["gsm8k"]["passed"] == 1 and results.scores["mt_bench"]["score"] == 7.0
    assert {(row["benchmark"], row["outcome"]) for row in results.samples()} == {
        ("gsm8k", "passed"), ("mt_bench", "scored"),
    }  # fmt: skip


def test_lines_that_cannot_be_used_are_kept_with_the_file_they_are_in(
    files: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("evolray"), "propagate", True)
    samples = write_lines(tmp_path / "mine.jsonl", [{"idx": 1, "output": "x"}, {"idx": 9, "output": "y"}])
    reviews = write_lines(tmp_path / "reviews.jsonl", [{"problem": 1, "outcome": "win"}, {"problem": 1}])
    run = tmp_path / "graded"
    evolray.grade("wizard_eval", reviews=reviews, samples=samples, problems=files["problems"], run=str(run))
    rejected = [json.loads(line) for line in (run / "rejected.jsonl").read_text().splitlines()]
    assert [(one["file"], one["line"]) for one in rejected] == [("samples", 2), ("reviews", 2)]
    assert json.loads((run / "manifest.json").read_text())["rejected"] == 2
    assert "1 lines of the reviews cannot be used; line 2: " in caplog.text


def test_ready_answers_and_ready_reviews_need_no_model_no_judge_and_no_ray(
    files: dict[str, str], tmp_path: Path
) -> None:
    samples = write_lines(tmp_path / "mine.jsonl", [{"idx": n, "wizardlm": f"answer {n}"} for n in (1, 2, 3)])
    rows = [{"problem": 1, "outcome": "win"}, {"problem": 2, "outcome": "loss"}, {"problem": 3, "outcome": "win"}]
    reviews = write_lines(tmp_path / "reviews.jsonl", rows)
    settings = {"samples": samples, "problems": files["problems"], "run": str(tmp_path / "graded")}
    entry = evolray.grade("wizard_eval", reviews=reviews, **settings).scores["wizard_eval"]
    assert (entry["wins"], entry["losses"], entry["unanswered"], entry["missing"]) == (2, 2, 1, 1)
    assert entry["judge"] == "reviews.jsonl"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"judge": None}, "chat benchmarks need a judge: set judge.endpoint.model="),
        ({"baselines": {}}, "name their file, or a run of evolray evaluate, as baselines.wizard_eval=..."),
        ({"baselines": {"mt_bench": "x"}}, "baselines.mt_bench: mt_bench is not among the benchmarks of this run"),
        ({"verdicts__protocol": "ranking"}, "verdicts.protocol=ranking: WizardEval has two_scores, and auto"),
        ({"verdicts__order": "first"}, "verdicts.order=first: expected both, alternate, random"),
        ({"verdicts__attempts": 0}, "verdicts.attempts=0: expected 1 or more"),
        ({"judge__sampling__n": 2, "judge__sampling__temperature": 1.0}, "judge.sampling.n=2: expected 1"),
        ({"judge__sampling__top_p": 0}, "judge.sampling.top_p=0.0: expected a share above 0"),
        ({"labels": {"wizard_eval": "nowhere.csv"}}, "nowhere.csv: no such file"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(
    evaluate: Evaluate, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        evaluate(**settings)
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting", ["samples", "baseline", "reference", "labels", "reviews"])
def test_an_error_about_a_file_names_the_setting_that_it_comes_from(
    files: dict[str, str], tmp_path: Path, setting: str
) -> None:
    (tmp_path / "empty.jsonl").touch()
    settings = {
        "samples": files["baseline"], "baseline": files["baseline"], "problems": files["problems"],
        "run": str(tmp_path / "run"), "judge.endpoint.kind": "simulated",
    }  # fmt: skip
    with pytest.raises(UserError, match=rf"^{setting}: .*empty\.jsonl"):
        evolray.grade("wizard_eval", settings | {setting: str(tmp_path / "empty.jsonl")})


def test_a_baseline_with_holes_is_refused_with_their_names(evaluate: Evaluate, tmp_path: Path) -> None:
    holes = write_lines(tmp_path / "holes.jsonl", [{"idx": 1, "output": "x"}, {"idx": 3, "output": "y"}])
    with pytest.raises(UserError, match=r"no answer to 2 of 4 problems of WizardEval \(2, 4\)"):
        evaluate(baselines={"wizard_eval": holes})
