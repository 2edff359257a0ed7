from pathlib import Path
from typing import Any

import pytest

from evolray.board.collecting import collect
from evolray.board.columns import make_columns
from evolray.board.table import Table, make_table
from tests.board.written_runs import SAMPLING, entry, gsm8k, judged, mmlu, mt_bench, wizard_eval, write, write_three


def table_of(folder: Path, *runs: dict[str, Any]) -> Table:
    """Of a run for each of these scores."""
    for number, scores in enumerate(runs):
        write(folder / f"run-{number}", scores)
    return make_table(collect([str(folder)], {}).rows)


def titles(table: Table) -> list[str]:
    return [column.title for column in table.columns]


def test_the_mean_is_over_what_all_have_and_scores_of_10_count_times_10(tmp_path: Path) -> None:
    table = make_table(collect([str(write_three(tmp_path))], {}).rows)
    assert titles(table) == ["WizardEval", "MT-Bench", "AlpacaEval", "GSM8K", "MMLU"]
    assert table.common == ("WizardEval", "MT-Bench", "GSM8K", "MMLU")  # one model has no AlpacaEval
    means: Any = {line.name: (line.rank, line.mean) for line in table.lines}
    assert means == {
        "wizard-30b": (1, pytest.approx((97.8 + 66.5 + 57.0 + 53.3) / 4)),
        "vicuna-13b": (2, pytest.approx((86.9 + 69.5 + 62.0 + 54.3) / 4)),
        "wizard-13b": (3, pytest.approx((89.1 + 63.5 + 52.0 + 52.3) / 4)),
    }
    assert [line.name for line in table.lines] == ["wizard-30b", "vicuna-13b", "wizard-13b"]


def test_equal_means_share_a_rank(tmp_path: Path) -> None:
    scores = (("a", 50.0), ("b", 50.0), ("c", 40.0))
    table = table_of(tmp_path, *({"gsm8k": gsm8k(model, score)} for model, score in scores))
    assert [(line.name, line.rank) for line in table.lines] == [("a", 1), ("b", 1), ("c", 3)]


def test_without_a_common_benchmark_there_is_no_mean(tmp_path: Path) -> None:
    table = table_of(tmp_path, {"gsm8k": gsm8k("a", 50)}, {"mmlu": mmlu("b", 50)})
    assert [(line.name, line.mean, line.rank) for line in table.lines] == [("a", None, None), ("b", None, None)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (mt_bench("a", 6), mt_bench("b", 7, judge="simulated"),
         ["MT-Bench (judge gpt-4)", "MT-Bench (judge simulated)"]),
        (mmlu("a", 50), mmlu("b", 50, shots=0), ["MMLU (0 shots)", "MMLU (5 shots)"]),
        (wizard_eval("a", 90), wizard_eval("b", 90) | {"baseline": "vicuna"},
         ["WizardEval (against gpt-3.5-turbo)", "WizardEval (against vicuna)"]),
        (wizard_eval("a", 90), wizard_eval("b", 90) | {"protocol": "pairwise", "metric": "win rate"},
         ["WizardEval (protocol pairwise)", "WizardEval (protocol two_scores)"]),
        (gsm8k("a", 50), gsm8k("b", 50, rules={"grader": "GSM8K", "mode": "as_published"}),
         ["GSM8K (mode as_published)", "GSM8K (mode strict)"]),
        (gsm8k("a", 50), gsm8k("b", 50, problems=20, release="GSM8K 1, the first 20"),
         ["GSM8K (GSM8K 1)", "GSM8K (GSM8K 1, the first 20)"]),
        (gsm8k("a", 50), gsm8k("b", 50, data={"sha256": "cd" * 32}),
         ["GSM8K (data abababab)", "GSM8K (data cdcdcdcd)"]),
        (judged("a", "J", 50), judged("b", "J", 50) | {"rules": {"judge": "gpt-4", "order": "alternate"}},
         ["J (order alternate)", "J (order both)"]),
        (judged("a", "J", 50, baseline="b") | {"rules": {"baseline": "3f9c"}},
         judged("b", "J", 50, baseline="b") | {"rules": {"baseline": "77aa"}},
         ["J (baseline answers 3f9c)", "J (baseline answers 77aa)"]),
        (judged("a", "J", 50) | {"rules": {"reviews": "a.jsonl", "reviews_sha256": "3f9c"}},
         judged("b", "J", 50) | {"rules": {"reviews": "b.jsonl", "reviews_sha256": "77aa"}}, ["J"]),
        (gsm8k("a", 50), gsm8k("b", 50, prompt="instruct", sampling=None), ["GSM8K"]),
        (gsm8k("a", 50), gsm8k("b", 50, rules={"grader": "GSM8K", "mode": "strict", "extraction": "none"}), ["GSM8K"]),
    ],
)  # fmt: skip
def test_other_rules_are_another_column(tmp_path: Path, one: Any, other: Any, expected: list[str]) -> None:
    table = table_of(tmp_path, {"x": one}, {"x": other})
    assert sorted(titles(table)) == expected
    assert len(table.common) == (1 if len(expected) == 1 else 0)


def test_how_models_were_asked_is_marked_within_a_column(tmp_path: Path) -> None:
    warm = gsm8k("b", 50, prompt="instruct", sampling={**SAMPLING, "temperature": 0.2, "seed": 7})
    (column,) = table_of(tmp_path, {"gsm8k": gsm8k("a", 50)}, {"gsm8k": warm}, {"gsm8k": gsm8k("c", 50)}).columns
    assert column.differing == {
        "prompt": {"instruct": ("b",), "plain": ("a", "c")},
        "temperature": {"0": ("a", "c"), "0.2": ("b",)},
    }


def test_a_benchmark_with_two_columns_counts_once_in_the_mean(tmp_path: Path) -> None:
    runs = [
        {"mt_bench": mt_bench("a", 6), "gsm8k": gsm8k("a", 50)},
        {"mt_bench": mt_bench("a", 8, judge="other"), "wizard_eval": wizard_eval("a", 90)},
    ]
    (line,) = table_of(tmp_path, *runs).lines
    assert line.mean == pytest.approx((70 + 50 + 90) / 3)


def test_two_results_in_a_column_are_two_lines_told_apart_by_their_settings(tmp_path: Path) -> None:
    warm = gsm8k("a", 48, sampling={**SAMPLING, "temperature": 0.8})
    table = table_of(tmp_path, {"gsm8k": gsm8k("a", 50), "mmlu": mmlu("a", 40)}, {"gsm8k": warm})
    assert {line.name: {title: row.score for title, row in line.cells.items()} for line in table.lines} == {
        "a (temperature 0)": {"GSM8K": 50, "MMLU": 40}, "a (temperature 0.8)": {"GSM8K": 48},
    }  # fmt: skip


def test_two_results_alike_are_told_apart_by_their_runs(tmp_path: Path) -> None:
    table = table_of(tmp_path / "r", {"gsm8k": gsm8k("a", 50)}, {"gsm8k": gsm8k("a", 51)}, {"mmlu": mmlu("a", 40)})
    assert {line.name: len(line.cells) for line in table.lines} == {"a (r/run-0, r/run-2)": 2, "a (r/run-1)": 1}


def test_the_best_is_one_of_several(tmp_path: Path) -> None:
    runs = [{"gsm8k": gsm8k("a", 50), "mmlu": mmlu("a", 40)}, {"gsm8k": gsm8k("b", 51)}]
    table = table_of(tmp_path, *runs)
    assert [table.best(column) for column in table.columns] == [51, None]


def test_titles_from_files_never_meet(tmp_path: Path) -> None:
    long = "x" * 200
    scores = {name: entry("m", long, 50) for name in ("one", "two")}
    assert len({*titles(table_of(tmp_path, scores))}) == 2
    judges = [{"one": judged("m", "T", 50, judge=f"{long}{number}")} for number in range(3)]
    assert len({*titles(table_of(tmp_path / "more", *judges))}) == 3


def test_known_benchmarks_come_in_their_order_and_others_after_them(tmp_path: Path) -> None:
    scores = {name: entry("m", name, 50) for name in ("zebra", "mmlu", "apple", "wizard_eval", "gsm8k")}
    columns = make_columns(collect([str(write(tmp_path / "r", scores))], {}).rows)
    assert [column.benchmark for column in columns] == ["wizard_eval", "gsm8k", "mmlu", "apple", "zebra"]
