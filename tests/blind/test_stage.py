"""`blind` on files: sheets out, ratings in, and the run folder that keeps both."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from evolray.blind.stage import blind, standing
from evolray.config.blind import BlindConfig
from evolray.errors import UserError
from evolray.evaluate.chat.benchmarks import WIZARD_EVAL
from evolray.evaluate.chat.reading.reviews import read_reviews
from evolray.pool.layout import open_folder
from tests.blind.studies import cells_of

DATA = Path(__file__).parents[2] / "../shared/data"
NAMES = ("wizardlm", "alpaca", "chatgpt")
PROBLEMS = [
    {"idx": at, "Skill": "Math" if at % 2 else "Writing", "Difficulty": 1 + at % 10, "Instruction": f"Question {at}?"}
    for at in range(1, 21)
]


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def config(folder: Path, names: tuple[str, ...] = NAMES, **settings: Any) -> BlindConfig:
    answers = {
        name: write_lines(folder / f"{name}.jsonl", [
            {"idx": one["idx"], "response": f"Answer number {at} to {one['idx']}."} for one in PROBLEMS
        ])
        for at, name in enumerate(names)
    }  # fmt: skip
    problems = write_lines(folder / "problems.jsonl", PROBLEMS)
    return BlindConfig(**{"run": str(folder / "run"), "problems": problems, "answers": answers, **settings})


def fill(folder: Path, rater: str, rank: Any) -> str:
    """The rater's CSV sheet as if filled in: `rank(problem, model)` for each answer. The key says whose is whose."""
    key = json.loads((folder / "run/key.json").read_bytes())
    items = {one["item"]: one for sheet in key["sheets"] if sheet["rater"] == rater for one in sheet["items"]}
    rows = cells_of((folder / f"run/sheets/{rater}.csv").read_bytes())
    for row in rows:
        item = items[int(row["item"])]
        for letter, model in item["answers"].items():
            row[f"rank_{letter}"] = str(rank(item["problem"], model))
    path = folder / f"returned-{rater}.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "run/sheets").iterdir())}


def test_sheets_are_the_same_in_every_run_of_the_same_config(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for folder, seed in zip(folders, (0, 0, 1), strict=True):
        folder.mkdir()
        blind(config(folder, raters=2, limit=5, seed=seed))
    first, second, other = map(files_in, folders)
    assert first == second
    assert list(first) == ["how_to_rate.txt", "rater-01.csv", "rater-01.html", "rater-02.csv", "rater-02.html"]
    assert (folders[0] / "run/key.json").read_bytes() == (folders[1] / "run/key.json").read_bytes()
    assert first["rater-01.csv"] != first["rater-02.csv"] != other["rater-02.csv"]
    assert len(cells_of(first["rater-01.csv"])) == 5


def test_no_file_for_raters_names_a_model(tmp_path: Path) -> None:
    blind(config(tmp_path, raters=3, criteria=["relevance"]))
    for name, content in files_in(tmp_path).items():
        for model in NAMES:
            assert model not in name.lower() and model.encode() not in content.lower()


def test_another_config_is_refused_and_ratings_are_not_another_config(tmp_path: Path) -> None:
    blind(config(tmp_path))
    for changed in ({"seed": 1}, {"raters": 2}, {"criteria": ["depth"]}, {"limit": 3}):
        with pytest.raises(UserError, match="was made with"):
            blind(config(tmp_path, **changed))
    turned = config(tmp_path)
    turned.answers = dict(reversed(turned.answers.items()))
    with pytest.raises(UserError, match="was made with models"):
        blind(turned)
    blind(config(tmp_path, ratings=[fill(tmp_path, "rater-01", lambda problem, model: 1)]))


def test_a_sheet_that_somebody_filled_in_is_left_as_it_is(tmp_path: Path) -> None:
    blind(config(tmp_path))
    sheet = tmp_path / "run/sheets/rater-01.csv"
    sheet.write_bytes(Path(fill(tmp_path, "rater-01", lambda problem, model: 1)).read_bytes())
    before = sheet.read_bytes()
    done = blind(config(tmp_path, ratings=[str(sheet)]))
    assert sheet.read_bytes() == before
    assert done.results is not None and done.results["ratings"] == 20


def test_problems_that_somebody_did_not_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    settings = config(tmp_path)
    write_lines(tmp_path / "alpaca.jsonl", [{"idx": at, "response": "Yes." if at > 1 else ""} for at in range(1, 19)])
    done = blind(settings)
    assert done.items == 18 and done.left_out == {"alpaca": 2}
    assert "left out, not answered by alpaca 2" in done.lines()
    assert "(empty)" in (tmp_path / "run/sheets/rater-01.csv").read_text("utf-8-sig")


def test_what_can_not_be_blinded_is_said(tmp_path: Path) -> None:
    settings = config(tmp_path)
    write_lines(
        tmp_path / "alpaca.jsonl",
        [{"idx": at, "response": "I am Alpaca." if at < 4 else "Yes."} for at in range(1, 21)],
    )
    done = blind(settings)
    assert done.naming_itself == {"alpaca": ["1", "2", "3"]}
    assert "warning: not blind where an answer names its own model: alpaca 3" in str(done)


def test_ratings_of_three_models_by_two_raters(tmp_path: Path) -> None:
    blind(config(tmp_path, raters=3))

    def first(problem: str, model: str) -> int:
        order = (
            {"wizardlm": 1, "alpaca": 2, "chatgpt": 3}
            if int(problem) <= 15
            else {"wizardlm": 3, "alpaca": 3, "chatgpt": 1}
        )
        return order[model]

    def second(problem: str, model: str) -> int:
        return first(problem, model) if int(problem) <= 10 else 1

    returned = [fill(tmp_path, "rater-01", first), fill(tmp_path, "rater-02", second)]
    done = blind(config(tmp_path, raters=3, ratings=returned))
    results = json.loads((tmp_path / "run/results.json").read_bytes())
    assert done.results == results
    assert results["ratings"] == 40 and results["raters"] == {"rater-01": 20, "rater-02": 20}
    assert results["rejected"] == {} and results["unrated"] == {"rater-01": 0, "rater-02": 0}

    def counts(one: dict[str, Any]) -> tuple[int, int, int]:
        return one["wins"], one["ties"], one["losses"]

    alpaca, chatgpt = results["comparisons"]["alpaca"], results["comparisons"]["chatgpt"]
    assert counts(alpaca["ratings"]) == (25, 15, 0) and counts(alpaca["majority"]) == (10, 10, 0)
    assert counts(chatgpt["ratings"]) == (25, 10, 5) and counts(chatgpt["majority"]) == (10, 10, 0)
    assert alpaca["agreement"]["items"] == 20 and alpaca["agreement"]["percent"] == 75.0
    hard = [at for at in range(1, 21) if 1 + at % 10 >= 8]
    assert alpaca["groups"]["split"]["hard (8-10)"]["majority"]["total"] == len(hard) == 6
    assert set(alpaca["groups"]) == {"skill", "difficulty", "split"}
    rows = cells_of((tmp_path / "run/ratings.csv").read_bytes())
    assert len(rows) == 2 * 20 * 3
    assert {row["rank"] for row in rows if row["model"] == "alpaca" and row["rater"] == "rater-01"} == {"2", "3"}
    assert "wizardlm vs alpaca, ratings" in str(done) and "by majority" in str(done)


def test_how_a_study_stands(tmp_path: Path) -> None:
    """As `evolray status` has it."""
    folder = open_folder(str(tmp_path / "run"))
    assert standing(folder) == []
    blind(config(tmp_path, raters=2))
    first, then = standing(folder)
    assert first.endswith("run: 2 sheets in sheets/") and then.startswith("no ratings yet")
    returned = fill(tmp_path, "rater-01", lambda _, model: 1 if model == "wizardlm" else 2)
    lines = blind(config(tmp_path, raters=2, ratings=[returned])).lines()
    assert standing(folder)[1:] == lines[-len(standing(folder)) + 1 :]


def test_labels_are_what_evaluate_reads(tmp_path: Path) -> None:
    blind(config(tmp_path))
    returned = fill(
        tmp_path, "rater-01", lambda problem, model: 1 if (model == "wizardlm") == (int(problem) < 8) else 2
    )
    settings = config(tmp_path, ratings=[returned])
    blind(settings)
    path = tmp_path / "run/labels/wizardlm_vs_alpaca.csv"
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert len(rows) == 20 and {row["problem"]: row["outcome"] for row in rows}["7"] == "win"
    verdicts = read_reviews(str(path), "wizard_eval", WIZARD_EVAL.read(settings.problems)).verdicts
    assert sorted(one.outcome for one in verdicts) == ["loss"] * 13 + ["win"] * 7


def test_ratings_without_anything_usable_say_why(tmp_path: Path) -> None:
    blind(config(tmp_path))
    (tmp_path / "other.csv").write_text("sheet,item,rank_A,rank_B,rank_C\nsheet-x,1,1,1,1\n")
    with pytest.raises(UserError, match=r"no usable rating in 1 file.*unknown_sheet"):
        blind(config(tmp_path, ratings=[str(tmp_path / "other.csv")]))


def test_what_is_no_sheet_is_said_on_one_line_without_its_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "noise.csv"
    path.write_bytes(b"\x1b[2J" + bytes(range(1, 9)) * 100)
    with pytest.raises(UserError, match="missing_columns") as caught:
        blind(config(tmp_path, ratings=[str(path)]))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_lines_that_are_not_used_are_kept_with_their_reason(tmp_path: Path) -> None:
    blind(config(tmp_path))
    returned = Path(fill(tmp_path, "rater-01", lambda problem, model: 1))
    lines = returned.read_text("utf-8-sig").splitlines()
    returned.write_text(
        "\n".join(
            [lines[0], *lines[1:4], lines[4].replace(";1;1;1;", ";1;;1;"), lines[5].replace(";1;1;1;", ";1;7;1;")]
        )
    )
    done = blind(config(tmp_path, ratings=[str(returned)]))
    assert done.results is not None
    assert done.results["rejected"] == {"half_ranked": 1, "rank_out_of_range": 1}
    assert [row["reason"] for row in cells_of((tmp_path / "run/rejected.csv").read_bytes())] == [
        "half_ranked",
        "rank_out_of_range",
    ]
    assert "not used (rejected.csv): half_ranked 1, rank_out_of_range 1" in done.lines()
    assert "not rated: rater-01 17" in done.lines()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"benchmark": "humaneval"}, "benchmark=humaneval"),
        ({"names": ("wizardlm",)}, "answers names 1 models"),
        ({"raters": 0}, "raters=0"),
        ({"limit": 0}, "limit=0"),
        ({"criteria": ["rank"]}, "criteria"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        blind(config(tmp_path, **settings))
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_released_answers_to_the_vicuna_questions(tmp_path: Path) -> None:
    folder = DATA / "vicuna_bench"
    answers = {
        "gpt-3.5-turbo": str(folder / "answer_gpt35.jsonl"),
        "vicuna-13b": str(folder / "answer_vicuna-13b.jsonl"),
    }
    done = blind(BlindConfig(
        run=str(tmp_path / "run"), benchmark="vicuna_bench", problems=str(folder / "question.jsonl"), answers=answers,
    ))  # fmt: skip
    assert done.items == 80 and done.left_out == {}
    rows = cells_of((tmp_path / "run/sheets/rater-01.csv").read_bytes())
    assert len(rows) == 80 and all(row["answer_A"] and row["answer_B"] for row in rows)
