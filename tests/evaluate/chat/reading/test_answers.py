"""Ready answers: every format that is accepted, how problems are found, and what becomes of lines that are none."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.reading.answers import Answers, read_answers
from evolray.evaluate.chat.reading.problems import (
    alpaca_turns,
    mt_turns,
    read_alpaca_eval,
    read_mt_bench,
    read_vicuna_bench,
    read_wizard_eval,
    vicuna_turns,
    wizard_turns,
)

DATA = Path(__file__).parents[4] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")


def problems_of(*rows: tuple[str, dict[str, Any]]) -> Problems:
    return Problems("three items", "p.jsonl", "0" * 64, [Problem(id, row) for id, row in rows])


WIZARD = problems_of(*((str(id), {"idx": id, "Instruction": f"Do task {id}."}) for id in (1, 2, 3)))
MT = problems_of(*((str(id), {"turns": [f"Begin {id}.", f"Go on {id}."]}) for id in (81, 82)))
ALPACA = problems_of(*((str(id), {"instruction": text}) for id, text in enumerate(("Bird?", "Tree?\nOne.", "Bird?"))))
SETS: dict[str, tuple[Problems, Callable[[Problem], tuple[str, ...]]]] = {
    "wizard_eval": (WIZARD, wizard_turns),
    "mt_bench": (MT, mt_turns),
    "alpaca_eval": (ALPACA, alpaca_turns),
}


def read(path: Path, benchmark: str = "wizard_eval") -> Answers:
    problems, turns = SETS[benchmark]
    return read_answers(str(path), benchmark, problems, turns)


def written(tmp_path: Path, *entries: Any, name: str = "answers.jsonl") -> Path:
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in entries)
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return tmp_path / name


def reasons(answers: Answers) -> list[tuple[int, str]]:
    return [(one["line"], one["reason"]) for one in answers.rejected]


# --- formats ---


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ({"question_id": 2, "text": "done", "model_id": "vicuna", "answer_id": "x"}, "vicuna"),
        ({"question_id": 2, "choices": [{"index": 0, "turns": ["done"]}], "model_id": "gpt-4"}, "gpt-4"),
        ({"id": 2, "instruction": "Do task 2.", "text": "done", "finish_reason": "stop", "model": "m"}, "m"),
        ({"id": 2, "instruction": "Do task 2.", "wizardlm": "done"}, "answers"),
        ({"idx": "2", "Instruction": "Do task 2.", "Skill": "Math", "wizardcoder": "done"}, "answers"),
        ({"idx": 2.0, "output": "done", "generator": "davinci"}, "davinci"),
        ({"id": "wizard_eval/2", "response": "done"}, "answers"),
        ({"id": 2, "answer": "done"}, "answers"),
        ({"id": 2, "completion": "done", "prompt": "a long prompt"}, "answers"),
        ({"id": 2, "turns": ["done"]}, "answers"),
        ({"id": 2, "answers": ["done"]}, "answers"),
        ({"Instruction": "Do task 2. ", "output": "done"}, "answers"),
        ({"benchmark": "wizard_eval", "problem": "2", "sample": 0, "text": "done", "model": "m"}, "m"),
    ],
)
def test_one_answer_in_every_layout(tmp_path: Path, line: dict[str, Any], name: str) -> None:
    answers = read(written(tmp_path, line))
    assert (answers.name, answers.texts, answers.rejected) == (name, {"2": ("done",)}, [])


@pytest.mark.parametrize(
    "line",
    [
        {"question_id": 82, "choices": [{"turns": ["one", "two"]}, {"turns": ["other", "ones"]}]},
        {"id": 82, "answers": ["one", "two"]},
        {"id": 82, "turns": ["one", "two"]},
        {"id": 82, "text": ["one", "two"]},
        {"benchmark": "mt_bench", "problem": "82", "sample": 0, "text": "two", "earlier": ["one"]},
    ],
)
def test_two_turns(tmp_path: Path, line: dict[str, Any]) -> None:
    assert read(written(tmp_path, line), "mt_bench").texts == {"82": ("one", "two")}


@pytest.mark.parametrize("container", ["jsonl.gz", "json", "parquet"])
def test_containers(tmp_path: Path, container: str) -> None:
    lines = [{"id": id, "text": f"answer {id}"} for id in (1, 2)]
    if container == "parquet":
        pq.write_table(pa.Table.from_pylist(lines), tmp_path / "answers.parquet")
    elif container == "json":
        (tmp_path / "answers.json").write_text(json.dumps(lines))
    else:
        written(tmp_path, *lines, name=f"answers.{container}")
    answers = read(tmp_path / f"answers.{container}")
    assert (answers.name, answers.texts) == ("answers", {"1": ("answer 1",), "2": ("answer 2",)})
    assert answers.sha256 == read(written(tmp_path, *lines[::-1], name="turned.jsonl")).sha256


def test_an_empty_answer_is_an_answer(tmp_path: Path) -> None:
    assert read(written(tmp_path, {"id": 1, "text": ""})).texts == {"1": ("",)}


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    assert read(written(tmp_path, r'{"id": 1, "text": "a\ud800b", "model": "m\udfff"}')).texts == {"1": ("a\ufffdb",)}


def test_a_file_of_two_models_goes_by_its_own_name(tmp_path: Path) -> None:
    lines = [{"id": 1, "text": "a", "model": "one"}, {"id": 2, "text": "b", "model": "two"}]
    assert read(written(tmp_path, *lines, name="both.jsonl")).name == "both"


# --- AlpacaEval: the instruction decides ---


def test_instructions_decide_where_the_place_is_the_id(tmp_path: Path) -> None:
    lines = [
        {"id": "line-1", "instruction": " Tree?\r\nOne. ", "output": "oak"},
        {"id": 1, "instruction": "Bird?", "output": "wren"},
        {"id": 0, "instruction": "Bird?", "output": "robin"},
    ]
    answers = read(written(tmp_path, *lines), "alpaca_eval")
    assert answers.texts == {"1": ("oak",), "0": ("wren",), "2": ("robin",)}
    assert answers.rejected == []


def test_places_decide_where_there_is_no_instruction(tmp_path: Path) -> None:
    assert read(written(tmp_path, {"index": 2, "output": "wren"}), "alpaca_eval").texts == {"2": ("wren",)}


def test_an_unknown_instruction_is_not_taken_for_its_place(tmp_path: Path) -> None:
    lines = [{"id": 0, "instruction": "Fish?", "output": "cod"}, {"instruction": "Bird?", "output": "wren"}]
    answers = read(written(tmp_path, *lines), "alpaca_eval")
    assert (answers.texts, reasons(answers)) == ({"0": ("wren",)}, [(1, "no problem has the instruction 'Fish?'")])


def test_one_answer_more_than_there_are_equal_instructions(tmp_path: Path) -> None:
    lines = [{"instruction": "Bird?", "output": text} for text in ("wren", "robin", "owl")]
    answers = read(written(tmp_path, *lines), "alpaca_eval")
    assert answers.texts == {"0": ("wren",), "2": ("robin",)}
    assert reasons(answers) == [(3, "problem '0': answered on line 1 already")]


# --- hostile lines ---

GOOD = {"id": 3, "text": "fine"}
KEYS = "text, output, response, answer, completion, turns, answers"
IDS = "question_id, idx, problem, id, task_id"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{oops", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        ("[1]", "expected an object, got list"),
        ("null", "expected an object, got NoneType"),
        (f'{{"id": 1{"0" * 5000}, "text": "x"}}', "not readable: Exceeds the limit (4300 digits)"),
        ({"text": "x"}, f"none of {IDS}"),
        ({"id": 9, "text": "x"}, "no problem 9"),
        ({"id": True, "text": "x"}, "no problem True"),
        ({"id": float("nan"), "text": "x"}, "no problem nan"),
        ({"id": 1e308, "text": "x"}, "no problem 1e+308"),
        ({"id": [1], "text": "x"}, "no problem of type list"),
        ({"id": "\ud800" * 99, "text": "x"}, r"no problem '\ud800\ud800"),
        ({"id": 1, "instruction": "Do task 2.", "text": "x"}, "is 1, but has the instruction of 2"),
        ({"id": 1, "text": 5}, "problem '1': text is no text"),
        ({"id": 1, "text": True}, "problem '1': text is no text"),
        ({"id": 1, "text": ["x", 5]}, "problem '1': text is no text"),
        ({"id": 1, "text": None}, f"problem '1': none of {KEYS}, and no other text"),
        ({"id": 1, "one": "x", "two": "y"}, f"problem '1': none of {KEYS}, and several other texts: 'one', 'two'"),
        ({"id": 1, "choices": [{"turns": "x"}]}, "problem '1': choices[0] has no turns that are texts"),
        ({"id": 1, "turns": ["x", "y"]}, "problem '1': 2 answers; expected 1, one per turn"),
        ({"id": 3, "text": "again"}, "problem '3': answered on line 1 already"),
        ({"id": 1, "text": "x", "sample": 4}, "problem '1': is sample 4; only sample 0 counts"),
    ],
)
def test_a_line_that_cannot_be_used_is_kept_with_its_reason(tmp_path: Path, line: Any, reason: str) -> None:
    answers = read(written(tmp_path, GOOD, line))
    assert answers.texts == {"3": ("fine",)}
    assert [one["line"] for one in answers.rejected] == [2]
    assert answers.rejected[0]["reason"].startswith(reason)
    assert json.dumps(answers.rejected).isascii() and len(answers.rejected[0]["reason"]) < 200


def test_a_file_without_one_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no line holds an answer to three items \(no problem 9\). Expected lines with"
    ):
        read(written(tmp_path, {"id": 9, "text": "x"}))


def test_the_questions_are_no_answers(tmp_path: Path) -> None:
    questions = [{"question_id": one.id, **one.row} for one in MT.all]
    with pytest.raises(UserError, match="holds the questions of three items; expected the answers to them"):
        read(written(tmp_path, *questions), "mt_bench")


def test_a_model_that_repeats_one_question_has_answered(tmp_path: Path) -> None:
    answers = read(written(tmp_path, GOOD, {"id": 1, "text": "Do task 1."}))
    assert answers.texts == {"3": ("fine",), "1": ("Do task 1.",)}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"answers.jsonl: no such file"):
        read(tmp_path / "answers.jsonl")


# --- runs ---

ROW = {"benchmark": "wizard_eval", "problem": "1", "sample": 0, "text": "done", "outcome": "answered", "model": "m"}


def run_of(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "samples.parquet")
    return folder


def test_a_run_gives_the_first_sample_of_what_did_not_fail(tmp_path: Path) -> None:
    rows = [
        {**ROW, "benchmark": "gsm8k", "problem": "0", "message": ""},
        {**ROW, "message": ""},
        {**ROW, "sample": 1, "text": "other", "message": ""},
        {**ROW, "problem": "2", "text": "", "outcome": "failed", "message": "timeout: no answer"},
    ]
    folder = run_of(tmp_path / "run", rows)
    answers = read(folder)
    assert (answers.name, answers.source, answers.texts) == ("m", str(folder), {"1": ("done",)})
    assert reasons(answers) == [
        (3, "problem '1': is sample 1; only sample 0 counts"),
        (4, "problem '2': failed: 'timeout: no answer'"),
    ]


def test_a_run_by_its_url_or_its_file_is_the_same(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", [ROW])
    for path in (f"file://{folder}", str(folder / "samples.parquet"), f"{folder}/"):
        answers = read_answers(path, "wizard_eval", WIZARD, wizard_turns)
        assert (answers.name, answers.texts, answers.sha256) == ("m", {"1": ("done",)}, read(folder).sha256)


def test_two_turns_of_a_run(tmp_path: Path) -> None:
    row = {**ROW, "benchmark": "mt_bench", "problem": "81", "text": "two"}
    assert read(run_of(tmp_path / "new", [{**row, "earlier": ["one"]}]), "mt_bench").texts == {"81": ("one", "two")}
    with pytest.raises(UserError, match="1 answers; expected 2, one per turn"):
        read(run_of(tmp_path / "old", [row]), "mt_bench")


def test_a_run_of_other_benchmarks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\(it answers 'gsm8k', 'math'\)"):
        read(run_of(tmp_path / "run", [{**ROW, "benchmark": "math"}, {**ROW, "benchmark": "gsm8k"}]))


def test_a_url_that_cannot_be_opened() -> None:
    with pytest.raises(UserError, match=r"^nowhere://\*\*\*@host/answers.jsonl: cannot be read(?!.*secret)"):
        read_answers("nowhere://key:secret@host/answers.jsonl", "wizard_eval", WIZARD, wizard_turns)


def test_a_folder_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no samples.parquet; expected .* one cell of a sweep"):
        read(tmp_path)


def test_samples_that_were_cut_off_are_refused(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", [ROW])
    (folder / "samples.parquet").write_bytes((folder / "samples.parquet").read_bytes()[:-20])
    with pytest.raises(UserError, match=r"samples.parquet cannot be read"):
        read(folder)


# --- the releases ---


@needs_data
def test_fastchats_answers() -> None:
    vicuna = read_vicuna_bench(str(DATA / "vicuna_bench/question.jsonl"))
    for file, name in (("gpt35", "gpt-3.5-turbo:20230327"), ("vicuna-13b", "vicuna-13b:20230322-clean-lang")):
        answers = read_answers(str(DATA / f"vicuna_bench/answer_{file}.jsonl"), "vicuna_bench", vicuna, vicuna_turns)
        assert (answers.name, len(answers.texts), answers.rejected) == (name, 80, [])
    mt = read_mt_bench(str(DATA / "mt_bench/question.jsonl"))
    reference = read_answers(str(DATA / "mt_bench/reference_answer_gpt-4.jsonl"), "mt_bench", mt, mt_turns)
    assert (reference.name, len(reference.texts), reference.rejected) == ("gpt-4", 30, [])
    assert {len(texts) for texts in reference.texts.values()} == {2}


@needs_data
def test_alpaca_evals_outputs() -> None:
    problems = read_alpaca_eval(str(DATA / "alpaca_eval/text_davinci_003_outputs.json"))
    path = str(DATA / "alpaca_eval/wizardlm13b_outputs.json")
    answers = read_answers(path, "alpaca_eval", problems, alpaca_turns)
    assert (answers.name, list(answers.texts), answers.rejected) == ("wizardlm-13b", [p.id for p in problems.all], [])


@needs_data
def test_a_file_of_problems_is_no_file_of_answers() -> None:
    path = str(DATA / "wizardlm/WizardLM_testset.jsonl")
    with pytest.raises(UserError, match="and no other text"):
        read_answers(path, "wizard_eval", read_wizard_eval(path), wizard_turns)
