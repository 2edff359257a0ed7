"""The problems of the chat benchmarks: what is read, what is recognised, and which files are refused by name."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.reading.problems import (
    alpaca_baseline,
    alpaca_turns,
    mt_temperature,
    mt_turns,
    mt_wants_reference,
    read_alpaca_eval,
    read_mt_bench,
    read_vicuna_bench,
    read_wizard_eval,
    rubric_of_skill,
    split_of,
    vicuna_turns,
    wizard_turns,
)

DATA = Path(__file__).parents[4] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")

WIZARD = {"idx": 7, "Skill": "Math", "Difficulty": 8, "Instruction": "Add 2 and 3."}
VICUNA = {"question_id": 1, "category": "coding", "turns": ["Sort a list."]}
MT = {"question_id": 81, "category": "writing", "turns": ["Write a poem.", "Make it shorter."]}
ALPACA = {"instruction": "Name a bird.", "dataset": "koala", "output": "A wren.", "generator": "text_davinci_003"}


def written(path: Path, *entries: Any) -> str:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in entries))
    return str(path)


# --- what is read ---


def test_each_benchmark_gives_ids_and_turns(tmp_path: Path) -> None:
    wizard = read_wizard_eval(written(tmp_path / "w.jsonl", WIZARD))
    assert [(one.id, wizard_turns(one)) for one in wizard.all] == [("7", ("Add 2 and 3.",))]
    vicuna = read_vicuna_bench(written(tmp_path / "v.jsonl", VICUNA))
    assert [(one.id, vicuna_turns(one)) for one in vicuna.all] == [("1", ("Sort a list.",))]
    mt = read_mt_bench(written(tmp_path / "m.jsonl", MT))
    assert [(one.id, mt_turns(one)) for one in mt.all] == [("81", ("Write a poem.", "Make it shorter."))]
    alpaca = read_alpaca_eval(written(tmp_path / "a.jsonl", ALPACA, {**ALPACA, "instruction": "Name a tree."}))
    assert [(one.id, alpaca_turns(one)) for one in alpaca.all] == [("0", ("Name a bird.",)), ("1", ("Name a tree.",))]


def test_a_file_that_is_no_release_is_named_by_size_and_hash(tmp_path: Path) -> None:
    problems = read_wizard_eval(written(tmp_path / "w.jsonl", WIZARD))
    assert problems.release == f"1 items of WizardLM test set (sha256 {problems.sha256[:12]}…)"


def test_vicuna_bench_of_the_first_release_has_text(tmp_path: Path) -> None:
    first = {"question_id": 1, "category": "coding", "text": "Sort a list."}
    problems = read_vicuna_bench(written(tmp_path / "a.jsonl", first))
    assert vicuna_turns(problems.all[0]) == ("Sort a list.",)
    assert problems.sha256 == read_vicuna_bench(written(tmp_path / "b.jsonl", VICUNA)).sha256


def test_the_container_changes_nothing(tmp_path: Path) -> None:
    lines = read_wizard_eval(written(tmp_path / "w.jsonl", WIZARD))
    (tmp_path / "w.json.gz").write_bytes(gzip.compress(json.dumps([WIZARD]).encode()))
    pq.write_table(pa.Table.from_pylist([{**WIZARD, "idx": 7.0, "Difficulty": 8.0}]), tmp_path / "w.parquet")
    for name in ("w.json.gz", "w.parquet"):
        other = read_wizard_eval(str(tmp_path / name))
        assert (other.all[0].id, other.all[0].row["Difficulty"]) == ("7", 8)
        assert other.sha256 == lines.sha256


def test_the_order_counts_where_the_place_is_the_id(tmp_path: Path) -> None:
    entries = [ALPACA, {**ALPACA, "instruction": "Name a tree."}]
    one = read_alpaca_eval(written(tmp_path / "a.jsonl", *entries))
    assert one.sha256 != read_alpaca_eval(written(tmp_path / "b.jsonl", *entries[::-1])).sha256


def test_the_baselines_outputs_count(tmp_path: Path) -> None:
    one = read_alpaca_eval(written(tmp_path / "a.jsonl", ALPACA))
    assert one.sha256 != read_alpaca_eval(written(tmp_path / "b.jsonl", {**ALPACA, "output": "A robin."})).sha256


def test_lone_surrogates_cannot_reach_a_question(tmp_path: Path) -> None:
    problems = read_wizard_eval(written(tmp_path / "w.jsonl", {**WIZARD, "Instruction": "a \ud800 b"}))
    assert wizard_turns(problems.all[0]) == ("a \ufffd b",)


# --- what is refused ---


@pytest.mark.parametrize(
    ("read", "entry", "message"),
    [
        (read_wizard_eval, {**WIZARD, "Difficulty": 11}, "Difficulty from 1 to 10"),
        (read_wizard_eval, {**WIZARD, "Difficulty": True}, "Difficulty from 1 to 10"),
        (read_wizard_eval, {**WIZARD, "Difficulty": float("nan")}, "Difficulty from 1 to 10"),
        (read_wizard_eval, {**WIZARD, "Difficulty": 10**400}, "Difficulty from 1 to 10"),
        (read_wizard_eval, {**WIZARD, "idx": None}, "expected an entry of WizardLM test set with idx"),
        (read_wizard_eval, {**WIZARD, "idx": [1]}, "expected an entry of WizardLM test set with idx"),
        (read_wizard_eval, {**WIZARD, "Instruction": "  "}, "an Instruction"),
        (read_vicuna_bench, {**VICUNA, "turns": []}, "with question_id, category and one turn"),
        (read_vicuna_bench, {**VICUNA, "turns": "Sort."}, "with question_id, category and one turn"),
        (read_mt_bench, {**MT, "turns": ["a", 2]}, "with question_id, category and two turns"),
        (read_mt_bench, {**MT, "category": 3}, "with question_id, category and two turns"),
        (read_alpaca_eval, {"instruction": "Name a bird."}, "with instruction and dataset"),
        (read_alpaca_eval, "{}", "holds no fields"),
        (read_alpaca_eval, "{oops", "not JSON"),
    ],
)
def test_a_bad_entry_stops_the_reading(
    tmp_path: Path, read: Callable[[str], Problems], entry: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read(written(tmp_path / "p.jsonl", entry))


def test_an_id_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 2: the id '7' is there twice"):
        read_wizard_eval(written(tmp_path / "w.jsonl", WIZARD, {**WIZARD, "idx": "7"}))


@pytest.mark.parametrize(
    ("entry", "looks_like"),
    [
        (WIZARD, "WizardLM test set"),
        (VICUNA, "Vicuna Bench"),
        (MT, "MT-Bench"),
        (ALPACA, "AlpacaEval"),
        ({"i": 0, "instruction": "Name a bird.", "preference": 2.0}, "a file of AlpacaEval's annotations"),
        ({"question_id": 1, "answer_id": "x", "text": "…"}, "a file of answers"),
        ({"question_id": 1, "review_id": "x", "text": "9 8"}, "a file of reviews"),
        ({"question": "How many?", "answer": "#### 4"}, "GSM8K"),
    ],
)
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, entry: dict[str, Any], looks_like: str) -> None:
    own = {"WizardLM test set": 0, "Vicuna Bench": 1, "MT-Bench": 2, "AlpacaEval": 3}.get(looks_like)
    readers = (read_wizard_eval, read_vicuna_bench, read_mt_bench, read_alpaca_eval)
    path = written(tmp_path / "p.jsonl", entry)
    for number, read in enumerate(readers):
        if number != own:
            with pytest.raises(UserError, match=f"It looks like {looks_like}; is it under the right name"):
                read(path)


# --- what the authors laid down ---


def test_rubrics() -> None:
    skills = ("Code Generation", "Code Debug", "coding", "Math", "math", "fermi", "Reasoning", "generic")
    assert [rubric_of_skill(one) for one in skills] == [*["coding"] * 3, *["math"] * 2, *["general"] * 3]


def test_splits() -> None:
    assert [split_of(one) for one in (1, 7, 8, 10)] == ["easy (1-7)", "easy (1-7)", "hard (8-10)", "hard (8-10)"]


@pytest.mark.parametrize(
    ("category", "temperature", "wants_reference"),
    [
        ("writing", 0.7, False), ("roleplay", 0.7, False), ("stem", 0.1, False), ("humanities", 0.1, False),
        ("extraction", 0.0, False), ("math", 0.0, True), ("reasoning", 0.0, True), ("coding", 0.0, True),
        ("of our own", 0.7, False),
    ],
)  # fmt: skip
def test_mt_bench_by_category(category: str, temperature: float, wants_reference: bool) -> None:
    problem = Problem("81", {**MT, "category": category})
    assert (mt_temperature(problem), mt_wants_reference(problem)) == (temperature, wants_reference)


def test_the_baseline_is_the_rows_output() -> None:
    assert alpaca_baseline(Problem("0", ALPACA)) == ("A wren.",)
    assert alpaca_baseline(Problem("0", {**ALPACA, "output": ""})) == ("",)
    assert alpaca_baseline(Problem("0", {"instruction": "Name a bird.", "dataset": "koala"})) == ()


# --- the releases ---


@needs_data
def test_wizardlms_test_set() -> None:
    problems = read_wizard_eval(str(DATA / "wizardlm/WizardLM_testset.jsonl"))
    assert problems.release == "WizardLM test set, 218 items"
    assert [one.id for one in problems.all] == [str(number) for number in range(1, 219)]
    assert Counter(one.row["Skill"] for one in problems.all) == {
        "Math": 19, "Code Generation": 18, "Writting": 18, "Computer Science": 15, "Reasoning": 13,
        "Complex Format": 12, "Code Debug": 10, "Common-Sense": 9, "Counterfactual": 8, "Multilingual": 7,
        "Roleplay": 6, "Biology": 6, "Technology": 6, "Ethics": 6, "TruthfulQA": 5, "Sport": 5, "Law": 5, "Medicine": 5,
        "Literature": 5, "Entertainment": 5, "Art": 5, "Music": 5, "Economy": 5, "Physics": 5, "Toxicity": 4,
        "History": 4, "Academic Writing": 4, "Chemistry": 2, "Philosophy": 1,
    }  # fmt: skip
    difficulties = Counter(one.row["Difficulty"] for one in problems.all)
    assert [difficulties[one] for one in range(1, 11)] == [11, 19, 27, 23, 9, 42, 24, 39, 13, 11]
    assert Counter(split_of(one.row["Difficulty"]) for one in problems.all) == {"easy (1-7)": 155, "hard (8-10)": 63}


@needs_data
def test_fastchats_questions() -> None:
    vicuna = read_vicuna_bench(str(DATA / "vicuna_bench/question.jsonl"))
    assert (vicuna.release, len(vicuna.all)) == ("Vicuna Bench, 80 questions", 80)
    assert Counter(rubric_of_skill(one.row["category"]) for one in vicuna.all) == {
        "general": 70,
        "coding": 7,
        "math": 3,
    }
    mt = read_mt_bench(str(DATA / "mt_bench/question.jsonl"))
    assert mt.release == "MT-Bench, 80 questions of two turns"
    assert [one.id for one in mt.all] == [str(number) for number in range(81, 161)]
    assert sum(map(mt_wants_reference, mt.all)) == 30


@needs_data
def test_alpaca_eval_is_recognised_with_any_outputs() -> None:
    paths = [str(DATA / f"alpaca_eval/{name}.json") for name in ("text_davinci_003_outputs", "wizardlm13b_outputs")]
    reference, other = map(read_alpaca_eval, paths)
    assert reference.release == other.release == "AlpacaEval, 805 instructions"
    assert reference.sha256 != other.sha256
    assert [one.id for one in reference.all] == [str(number) for number in range(805)]
    assert [one.id for one in reference.all if alpaca_baseline(one) == ("",)] == ["247", "504"]


@needs_data
def test_a_part_of_a_release_is_not_the_release(tmp_path: Path) -> None:
    lines = (DATA / "wizardlm/WizardLM_testset.jsonl").read_text(encoding="utf-8").splitlines()
    part = read_wizard_eval(written(tmp_path / "w.jsonl", *lines[:100]))
    assert part.release.startswith("100 items of WizardLM test set (sha256 ")
    turned = read_wizard_eval(written(tmp_path / "w.jsonl", *lines[::-1]))
    assert turned.release == "WizardLM test set, 218 items"
