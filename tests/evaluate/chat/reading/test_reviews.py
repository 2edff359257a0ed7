"""Ready verdicts: every format that is accepted, whose side they are told from, and what becomes of bad lines."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.protocols.two_scores import parse_two_scores
from evolray.evaluate.chat.reading.problems import read_alpaca_eval, read_vicuna_bench
from evolray.evaluate.chat.reading.reviews import Reviews, Side, read_reviews
from evolray.evaluate.chat.verdicts import Verdict, write_verdicts
from evolray.pool.layout import open_folder

DATA = Path(__file__).parents[4] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")


def problems_of(*rows: tuple[str, dict[str, Any]]) -> Problems:
    return Problems("three items", "p.jsonl", "0" * 64, [Problem(id, row) for id, row in rows])


WIZARD = problems_of(*((str(id), {"idx": id, "Instruction": f"Do task {id}."}) for id in (1, 2, 3)))
MT = problems_of(*((str(id), {"turns": [f"Begin {id}.", f"Go on {id}."]}) for id in (81, 82)))
ALPACA = problems_of(*((str(id), {"instruction": text}) for id, text in enumerate(("Bird?", "Tree?", "Fish?"))))
SETS = {"wizard_eval": WIZARD, "mt_bench": MT, "alpaca_eval": ALPACA}


def read(path: Path, benchmark: str = "wizard_eval", model_is: Side = "first") -> Reviews:
    return read_reviews(str(path), benchmark, SETS[benchmark], model_is)


def written(tmp_path: Path, *entries: Any, name: str = "reviews.jsonl") -> Path:
    (tmp_path / name).write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in entries))
    return tmp_path / name


def told(reviews: Reviews) -> list[tuple[Any, ...]]:
    return [(one.problem, one.outcome, one.order, one.model_score, one.baseline_score) for one in reviews.verdicts]


def reasons(reviews: Reviews) -> list[tuple[int, str]]:
    return [(one["line"], one["reason"]) for one in reviews.rejected]


# --- FastChat's reviews ---

REVIEW = {
    "review_id": "r",
    "question_id": 1,
    "answer1_id": "a",
    "answer2_id": "b",
    "text": "9 7.5\nThe first is better.",
}


def test_whose_side_a_review_is_told_from(tmp_path: Path) -> None:
    path = written(tmp_path, {**REVIEW, "score": [9.0, 7.5]})
    assert told(read(path)) == [("1", "win", "model_first", 9, 7.5)]
    assert told(read(path, model_is="second")) == [("1", "loss", "baseline_first", 7.5, 9)]
    (verdict,) = read(path).verdicts
    assert (verdict.text, verdict.turn, verdict.repeat, verdict.message) == (REVIEW["text"], 1, 0, "")


@pytest.mark.parametrize(
    ("changes", "outcome", "scores", "message"),
    [
        ({"score": [8, 8]}, "win", (9, 7.5), "the file's own scores are (8.0, 8.0)"),
        ({"score": [-1, -1]}, "win", (9, 7.5), ""),
        ({"score": None}, "win", (9, 7.5), ""),
        ({"text": "Both are good.", "score": [6, 7]}, "loss", (6, 7), "the scores are the file's; its text holds none"),
        ({"text": None, "score": [6, 6]}, "tie", (6, 6), "the scores are the file's; its text holds none"),
        ({"text": "Both are good.", "score": [-1, -1]}, "no_verdict", (None, None), ""),
        ({"text": "Both are good."}, "no_verdict", (None, None), ""),
        ({"text": ""}, "no_verdict", (None, None), ""),
    ],
)
def test_the_judges_words_come_first(
    tmp_path: Path, changes: dict[str, Any], outcome: str, scores: tuple[Any, Any], message: str
) -> None:
    (verdict,) = read(written(tmp_path, {**REVIEW, **changes})).verdicts
    assert (verdict.outcome, verdict.model_score, verdict.baseline_score) == (outcome, *scores)
    assert (verdict.message, verdict.order) == (message, "model_first")


# --- AlpacaEval's annotations ---


@pytest.mark.parametrize(
    ("preference", "outcome", "score"),
    [
        (2, "win", 1.0), (2.0, "win", 1.0), (1, "loss", 0.0), (0, "tie", 0.5), (1.5, "tie", 0.5),
        (1.75, "win", 0.75), (1.25, "loss", 0.25), (None, "no_verdict", None), (float("nan"), "no_verdict", None),
    ],
)  # fmt: skip
def test_a_preference(tmp_path: Path, preference: Any, outcome: str, score: float | None) -> None:
    line = {"instruction": "Tree?", "preference": preference, "annotator": "gpt4"}
    reviews = read(written(tmp_path, line), "alpaca_eval")
    assert told(reviews) == [("1", outcome, "unknown", score, None if score is None else 1 - score)]
    assert reviews.verdicts[0].judge == "gpt4"


def test_annotations_are_found_by_instruction_before_place(tmp_path: Path) -> None:
    lines = [{"i": 0, "instruction": "Fish?", "preference": 2}, {"index": 0, "preference": 1}]
    assert [one.problem for one in read(written(tmp_path, *lines), "alpaca_eval").verdicts] == ["2", "0"]


# --- choices between named models ---

VOTE = {"question_id": 81, "model_a": "ours", "model_b": "theirs", "winner": "model_a", "judge": "author_1", "turn": 1}


def test_votes(tmp_path: Path) -> None:
    lines = [
        VOTE,
        {**VOTE, "winner": "model_b", "turn": 2},
        {**VOTE, "model_a": "theirs", "model_b": "ours", "judge": "author_2"},
        {**VOTE, "winner": "tie (inconsistent)", "judge": ["gpt-4", "pair-v2"]},
        {**VOTE, "model_b": "a third"},
    ]
    reviews = read(written(tmp_path, *lines), "mt_bench")
    assert [(one.turn, one.repeat, one.outcome, one.judge) for one in reviews.verdicts] == [
        (1, 0, "win", "author_1"),
        (2, 0, "loss", "author_1"),
        (1, 1, "loss", "author_2"),
        (1, 2, "tie", "gpt-4 pair-v2"),
    ]
    assert {one.order for one in reviews.verdicts} == {"unknown"}
    assert reasons(reviews) == [
        (5, "problem '81': compares 'ours' with 'a third'; the first line compares 'ours' with 'theirs'")
    ]
    second = read(written(tmp_path, *lines), "mt_bench", "second")
    assert [one.outcome for one in second.verdicts] == ["loss", "win", "win", "tie"]


GAMES = {
    "question_id": 82, "model_1": "ours", "model_2": "theirs", "g1_winner": "model_1", "g2_winner": "tie",
    "g1_judgment": "[[A]]", "g2_judgment": "[[C]]", "judge": ["gpt-4", "pair-v2"], "turn": 2,
}  # fmt: skip


def test_both_orders_of_a_judge(tmp_path: Path) -> None:
    path = written(tmp_path, GAMES, {**GAMES, "question_id": 81, "g2_winner": "error"})
    assert [(one.outcome, one.order, one.text) for one in read(path, "mt_bench").verdicts] == [
        ("win", "model_first", "[[A]]"),
        ("tie", "baseline_first", "[[C]]"),
        ("win", "model_first", "[[A]]"),
        ("no_verdict", "baseline_first", "[[C]]"),
    ]
    assert [(one.outcome, one.order) for one in read(path, "mt_bench", "second").verdicts] == [
        ("loss", "baseline_first"),
        ("tie", "model_first"),
        ("loss", "baseline_first"),
        ("no_verdict", "model_first"),
    ]


# --- tables ---


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"problem": "1", "outcome": "win"}, ("1", "win", "unknown", 1, 0)),
        ({"id": 1, "outcome": "Draw"}, ("1", "tie", "unknown", 0.5, 0.5)),
        ({"idx": 1, "outcome": "lose", "order": "baseline_first"}, ("1", "loss", "baseline_first", 0, 1)),
        ({"problem": 1, "score": 7.5}, ("1", "scored", "alone", 7.5, None)),
        ({"problem": 1, "score": "10"}, ("1", "scored", "alone", 10, None)),
        ({"question_id": 1, "score": -1, "judgment": "?"}, ("1", "no_verdict", "alone", None, None)),
        ({"problem": 1, "model_score": 6, "baseline_score": "8.5"}, ("1", "loss", "unknown", 6, 8.5)),
        ({"problem": 1, "model_score": 9, "baseline_score": 3, "outcome": "win"}, ("1", "win", "unknown", 9, 3)),
        ({"problem": 1, "model_score": 0.5, "baseline_score": 0.5}, ("1", "tie", "unknown", 0.5, 0.5)),
        (
            {"problem": 1, "outcome": "no_verdict", "order": "model_first"},
            ("1", "no_verdict", "model_first", None, None),
        ),
        ({"problem": 1, "outcome": "failed", "message": "timeout"}, ("1", "failed", "unknown", None, None)),
        ({"Instruction": "Do task 1.", "outcome": "win"}, ("1", "win", "unknown", 1, 0)),
    ],
)
def test_a_line_of_a_table(tmp_path: Path, line: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert told(read(written(tmp_path, line))) == [expected]


def test_ratings_of_both_turns(tmp_path: Path) -> None:
    lines = [
        {"question_id": 81, "turn": turn, "score": score, "judge": ["gpt-4"]} for turn, score in ((1, 8), ("2", 6))
    ]
    verdicts = read(written(tmp_path, *lines), "mt_bench").verdicts
    assert [(one.turn, one.model_score, one.judge) for one in verdicts] == [(1, 8, "gpt-4"), (2, 6, "gpt-4")]


def test_ratings_of_other_models_are_no_repeats(tmp_path: Path) -> None:
    lines = [{"question_id": id, "score": 8, "model": model} for id, model in ((81, "a"), (81, "b"), (82, "a"))]
    reviews = read(written(tmp_path, *lines), "mt_bench")
    assert [(one.problem, one.repeat) for one in reviews.verdicts] == [("81", 0), ("82", 0)]
    assert reasons(reviews) == [(2, "problem '81': is about 'b'; the first line is about 'a'")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", '\ufeffproblem, outcome,comment\r\n1,win,"well, better"\r\n2,tie,\r\n'),
        ("t.csv", "problem;outcome;comment\n1;win;well, better\n2;tie;\n"),
        ("t.tsv", "problem\toutcome\tcomment\n1\twin\twell, better\n2\ttie\t\n"),
    ],
)
def test_spreadsheets(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    verdicts = read(tmp_path / name).verdicts
    assert [(one.problem, one.outcome, one.text) for one in verdicts] == [
        ("1", "win", "well, better"),
        ("2", "tie", ""),
    ]


def test_scores_of_a_spreadsheet(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "idx,model_score,baseline_score,outcome",
        "1,9,8.5,",
        "2,,,loss",
        "3,7",
        "9,1,2,",
        "1,2,3,,4,5",
        name="t.csv",
    )
    reviews = read(path)
    assert told(reviews) == [
        ("1", "win", "unknown", 9, 8.5),
        ("2", "loss", "unknown", 0, 1),
        ("3", "scored", "alone", 7, None),
    ]
    assert reasons(reviews) == [
        (5, "no problem '9'"),
        (6, "has more cells than the first line has names; texts with commas need quotes"),
    ]


def test_a_spreadsheet_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("problem,outcome,comment\n1,win,schön\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"t.csv: is not UTF-8 \(.*\). Save it as CSV in UTF-8"):
        read(tmp_path / "t.csv")


# --- our own ---

OWN = [
    Verdict("1", "win", 1, "model_first", 0, 9, 7, "9 7", "a judge"),
    Verdict("1", "loss", 1, "baseline_first", 0, 7, 8, "8 7", "a judge"),
    Verdict("1", "no_verdict", 1, "model_first", 1, text="?", judge="a judge"),
    Verdict("2", "failed", 1, "model_first", 0, judge="a judge", message="timeout: no answer"),
    Verdict("3", "scored", 1, "alone", 2, 8, judge="a judge"),
]


def test_our_own_verdicts_come_back_as_they_were(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    write_verdicts(folder, "judged/wizard_eval-3f9c0a12/verdicts.parquet", OWN)
    write_verdicts(folder, "judged/mt_bench-3f9c0a12/verdicts.parquet", [Verdict("81", "scored", model_score=9)])
    key = tmp_path / "judged/wizard_eval-3f9c0a12"
    by_run = read(tmp_path)
    assert (by_run.verdicts, by_run.rejected, by_run.source) == (OWN, [], f"{key}/verdicts.parquet")
    for path in (key, key / "verdicts.parquet"):
        assert (read(path).verdicts, read(path).sha256) == (OWN, by_run.sha256)


def test_verdicts_of_several_judges_are_not_chosen_from(tmp_path: Path) -> None:
    for key in ("11111111", "22222222"):
        write_verdicts(open_folder(str(tmp_path)), f"judged/wizard_eval-{key}/verdicts.parquet", OWN)
    with pytest.raises(UserError, match=r"judged/wizard_eval-11111111/verdicts.parquet, judged/wizard_eval-22222222/"):
        read(tmp_path)
    (tmp_path / "judged/wizard_eval-11111111/verdicts.parquet").unlink()
    assert read(tmp_path).verdicts == OWN


def test_a_folder_without_verdicts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no verdicts on wizard_eval; expected a file of them, or a run"):
        read(tmp_path)


def test_verdicts_that_something_else_wrote_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"problem": ["1"], "verdict": ["win"]}), tmp_path / "verdicts.parquet")
    with pytest.raises(UserError, match=r"verdicts.parquet cannot be read: .* Was it cut off"):
        read(tmp_path)


# --- repeats ---


def test_verdicts_that_come_again_are_repeats(tmp_path: Path) -> None:
    lines = [{"problem": 1, "outcome": "win", "rater": rater} for rater in ("Ada", "Bo", "Cy")]
    verdicts = read(written(tmp_path, *lines)).verdicts
    assert [(one.judge, one.repeat) for one in verdicts] == [("Ada", 0), ("Bo", 1), ("Cy", 2)]


def test_a_repeat_that_comes_again_is_rejected(tmp_path: Path) -> None:
    lines = [{"problem": 1, "outcome": "win", "repeat": repeat} for repeat in (1, 0, 1)]
    reviews = read(written(tmp_path, *lines))
    assert [one.repeat for one in reviews.verdicts] == [1, 0]
    assert reasons(reviews) == [(3, "problem '1': line 1 has the verdict of turn 1, repeat 1 already")]


def test_people_may_number_their_verdicts_alike(tmp_path: Path) -> None:
    lines = [{"problem": 1, "outcome": "win", "repeat": 0, "judge": judge} for judge in ("Ada", "Bo", "Bo")]
    reviews = read(written(tmp_path, *lines))
    assert [(one.judge, one.repeat) for one in reviews.verdicts] == [("Ada", 0), ("Bo", 1)]
    assert reasons(reviews) == [(3, "problem '1': line 2 has the verdict of turn 1, repeat 1 already")]


# --- hostile lines ---


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{oops", "not JSON"),
        ("[1]", "expected an object, got list"),
        (f'{{"problem": 1, "score": 1{"0" * 5000}}}', "not readable"),
        ({"outcome": "win"}, "none of question_id"),
        ({"problem": "9", "outcome": "win"}, "no problem '9'"),
        ({"problem": True, "outcome": "win"}, "no problem True"),
        ({"problem": 1}, "problem '1': none of outcome, score and model_score"),
        ({"problem": 1, "outcome": "better"}, "problem '1': outcome 'better'; expected win, tie or loss"),
        ({"problem": 1, "outcome": True}, "problem '1': outcome True"),
        ({"problem": 1, "outcome": "\ud800"}, r"problem '1': outcome '\ud800'"),
        ({"problem": 1, "outcome": "scored"}, "problem '1': none of outcome, score and model_score"),
        ({"problem": 1, "outcome": "scored", "baseline_score": 3}, "problem '1': only one of model_score and"),
        (
            {"problem": 1, "outcome": "loss", "model_score": 9, "baseline_score": 3},
            "problem '1': outcome loss, but the",
        ),
        ({"problem": 1, "score": True}, "problem '1': score True; expected a number"),
        ({"problem": 1, "score": "nine"}, "problem '1': score 'nine'; expected a number"),
        ({"problem": 1, "score": {}}, "problem '1': score of type dict; expected a number"),
        ({"problem": 1, "score": 10.5}, "problem '1': score 10.5; expected 1 to 10"),
        ({"problem": 1, "score": 0}, "problem '1': score 0; expected 1 to 10"),
        ({"problem": 1, "score": float("nan")}, "problem '1': none of outcome"),
        ({"problem": 1, "score": float("inf")}, "problem '1': score inf; expected a number"),
        ({"problem": 1, "score": 10**400}, "problem '1': score 1000"),
        ({"problem": 1, "model_score": 5}, None),
        ({"problem": 1, "model_score": 5, "baseline_score": "x"}, "problem '1': baseline_score 'x'; expected a number"),
        ({"problem": 1, "model_score": 5, "baseline_score": 11}, "problem '1': score 11; expected 0 to 10"),
        ({"problem": 1, "outcome": "win", "turn": 2}, "problem '1': turn 2; expected 1"),
        ({"problem": 1, "outcome": "win", "turn": [1]}, "problem '1': turn of type list; expected 1"),
        ({"problem": 1, "outcome": "win", "order": "left"}, "problem '1': order 'left'; expected one of"),
        ({"problem": 1, "outcome": "win", "order": ["alone"]}, "problem '1': order of type list"),
        ({"problem": 1, "outcome": "win", "repeat": -1}, "problem '1': repeat -1; expected 0 or more"),
        ({"problem": 1, "outcome": "win", "repeat": 1e300}, "problem '1': repeat 1e+300"),
        ({**REVIEW, "score": [9, True]}, "problem '1': score [9, True]; expected two numbers from 1 to 10"),
        ({**REVIEW, "score": [9, 8, 7]}, "problem '1': score [9, 8, 7]"),
        ({**REVIEW, "score": ["9", float("inf")]}, "problem '1': score ['9', inf]"),
        ({**REVIEW, "text": 5}, "problem '1': neither text nor score"),
        ({"idx": 1, "preference": True}, "problem '1': preference True; expected 1 to 2, 0 or nothing"),
        ({"idx": 1, "preference": 3}, "problem '1': preference 3"),
        ({"idx": 1, "preference": 0.5}, "problem '1': preference 0.5"),
        ({"idx": 1, "preference": float("inf")}, "problem '1': preference inf"),
        ({"idx": 1, "preference": [2]}, "problem '1': preference of type list"),
        ({**VOTE, "question_id": 1, "winner": "ours"}, "problem '1': winner 'ours'; expected model_a, model_b or tie"),
        ({**VOTE, "question_id": 1, "winner": None}, "problem '1': winner None"),
        ({**VOTE, "question_id": 1, "model_b": "ours"}, "problem '1': model_a 'ours', model_b 'ours'; expected two"),
        ({**VOTE, "question_id": 1, "model_a": 4}, "problem '1': model_a 4"),
        ({**GAMES, "question_id": 1, "turn": 1, "g2_winner": 2}, "problem '1': winner 2; expected model_1, model_2 or"),
    ],
)
def test_a_line_that_cannot_be_used_is_kept_with_its_reason(tmp_path: Path, line: Any, reason: str | None) -> None:
    reviews = read(written(tmp_path, {"problem": 3, "outcome": "win"}, line))
    if reason is None:  # a near miss: it can be used
        assert (len(reviews.verdicts), reviews.rejected) == (2, [])
        return
    assert [one.problem for one in reviews.verdicts] == ["3"]
    assert [one["line"] for one in reviews.rejected] == [2]
    assert reviews.rejected[0]["reason"].startswith(reason)
    assert json.dumps(reviews.rejected).isascii() and len(reviews.rejected[0]["reason"]) < 200


def test_words_can_be_stored(tmp_path: Path) -> None:
    path = written(
        tmp_path, r'{"problem": 1, "outcome": "win", "judge": "j\ud800", "text": "t\udfff", "message": "m\ud800"}'
    )
    (verdict,) = read(path).verdicts
    assert (verdict.judge, verdict.text, verdict.message) == ("j\ufffd", "t\ufffd", "m\ufffd")


def test_a_file_without_one_verdict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no line holds a verdict on three items \(no problem 9\). Expected lines with"
    ):
        read(written(tmp_path, {"problem": 9, "outcome": "win"}))


def test_the_order_of_the_lines_changes_no_hash(tmp_path: Path) -> None:
    lines = [{"problem": id, "outcome": "win"} for id in (1, 2)]
    one, turned = read(written(tmp_path, *lines)), read(written(tmp_path, *lines[::-1], name="turned.jsonl"))
    assert one.sha256 == turned.sha256
    assert one.sha256 != read(written(tmp_path, lines[0], name="less.jsonl")).sha256


# --- the releases ---


@needs_data
@pytest.mark.parametrize(("name", "sums"), [("gpt35", (684.0, 633.5)), ("bard", (661.5, 662.0))])
def test_fastchats_reviews(name: str, sums: tuple[float, float]) -> None:
    path = DATA / f"vicuna_bench/gpt4_review_{name}_vs_vicuna13b.jsonl"
    problems = read_vicuna_bench(str(DATA / "vicuna_bench/question.jsonl"))
    reviews = read_reviews(str(path), "vicuna_bench", problems)
    assert (len(reviews.verdicts), reviews.rejected) == (80, [])
    assert {(one.order, one.message) for one in reviews.verdicts} == {("model_first", "")}
    assert (
        tuple(sum(getattr(one, side) for one in reviews.verdicts) for side in ("model_score", "baseline_score")) == sums
    )
    for line, verdict in zip(path.read_text(encoding="utf-8").splitlines(), reviews.verdicts, strict=True):
        row = json.loads(line)
        parsed = parse_two_scores(row["text"])
        assert parsed and [parsed.first, parsed.second] == row["score"] == [verdict.model_score, verdict.baseline_score]
    second = read_reviews(str(path), "vicuna_bench", problems, "second")
    assert sum(one.model_score or 0 for one in second.verdicts) == sums[1]


@needs_data
def test_alpaca_evals_annotations() -> None:
    problems = read_alpaca_eval(str(DATA / "alpaca_eval/text_davinci_003_outputs.json"))
    path = str(DATA / "alpaca_eval/wizardlm13b_gpt4_annotations.json")
    reviews = read_reviews(path, "alpaca_eval", problems)
    assert Counter(one.outcome for one in reviews.verdicts) == {"win": 601, "loss": 194, "tie": 9, "no_verdict": 1}
    assert [one.problem for one in reviews.verdicts] == [one.id for one in problems.all]
    assert reviews.rejected == []
