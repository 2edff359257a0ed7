from html.parser import HTMLParser
from pathlib import Path

import pytest

from evolray.board.stage import Board, board
from evolray.config import BoardConfig
from evolray.errors import UserError
from tests.board.written_runs import alpaca_eval, gsm8k, mmlu, mt_bench, write, write_three

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\nsecond line {{ 7 * 7 }}'


def board_of(folder: Path, results: Path, **settings: object) -> Board:
    return board(BoardConfig(results=[str(results)], output=str(folder), **settings))  # type: ignore[arg-type]


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take seconds, and have tests of their own."""
    monkeypatch.setattr("evolray.board.stage.figures", lambda table: {})


class Page(HTMLParser):
    """The cells of the wide table, line by line, what is bold, and every tag that there is."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.lines: list[list[str]] = []
        self.bold: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._in: list[str] = []
        self._skipped = self._bold = False
        self.feed(Path(path).read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if tag == "table":
            self._in.append(found.get("id") or "another")
        if self._in == ["board"]:
            if tag == "tr":
                self.lines.append([])
            if tag in ("td", "th"):
                self.lines[-1].append("")
                self._bold = "best" in (found.get("class") or "").split()
        self._skipped = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._skipped = False
        if tag == "table":
            self._in.pop()

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if self._skipped or not words:
            return
        self.text += f"{words} "
        if self._in == ["board"] and self.lines and self.lines[-1]:
            self.lines[-1][-1] = f"{self.lines[-1][-1]} {words}".strip()
            if self._bold:
                self.bold.append(words)
                self._bold = False


def test_the_wide_table(tmp_path: Path, without_figures: None) -> None:
    page = Page(board_of(tmp_path / "out", write_three(tmp_path / "runs")).path)
    assert page.lines == [
        ["Rank", "Model", "Mean", "WizardEval relative score, %", "MT-Bench mean score, of 10",
         "AlpacaEval win rate, %", "GSM8K pass@1, %", "MMLU accuracy, %"],
        ["1", "wizard-30b", "68.7", "97.8 95.8 – 99.8", "6.65 6.30 – 7.00", "76.3 73.3 – 79.3", "57.0 55.0 – 59.0",
         "53.3 52.5 – 54.1"],
        ["2", "vicuna-13b", "68.2", "86.9 84.9 – 88.9", "6.95 6.60 – 7.30", "–", "62.0 60.0 – 64.0",
         "54.3 53.5 – 55.1"],
        ["3", "wizard-13b", "64.2", "89.1 87.1 – 91.1", "6.35 6.00 – 6.70", "75.3 72.3 – 78.3", "52.0 50.0 – 54.0",
         "52.3 51.5 – 53.1"],
    ]  # fmt: skip
    assert page.bold == ["97.8", "76.3", "6.95", "62.0", "54.3"]
    assert "over the benchmarks that every model here has: WizardEval, MT-Bench, GSM8K and MMLU" in page.text
    assert "runs/sweep/cells/wizard-13b-gsm8k" in page.text and "Results of 2025-06-15" in page.text


def test_a_board_in_full_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    runs = write_three(tmp_path / "runs")
    made = board_of(tmp_path / "out", runs)
    assert str(made) == (
        f"{tmp_path}/out/board.html: 14 results of 3 models on 5 benchmarks, 6 figures\n"
        f"{tmp_path}/out/board.csv: a line per result"
    )
    assert set(made.figures) == {path.stem for path in (tmp_path / "out" / "figures").glob("*.png")}
    assert Path(made.path).read_text(encoding="utf-8").count("<svg") == 6
    assert made.scores["vicuna-13b"] == {"GSM8K": 62.0, "MT-Bench": 6.95, "WizardEval": 86.9, "MMLU": 54.3}
    assert list(made.scores) == ["wizard-30b", "vicuna-13b", "wizard-13b"]
    assert {one["column"] for one in made.to_dicts()} == {column.title for column in made.table.columns}

    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    board_of(tmp_path / "again", runs)
    after = {path: path.read_bytes() for path in (tmp_path / "again").rglob("*") if path.is_file()}
    assert [*before.values()] == [*after.values()] and len(before) == 8


def test_other_judges_have_columns_of_their_own(tmp_path: Path, without_figures: None) -> None:
    write(tmp_path / "runs" / "a", {"mt_bench": mt_bench("a", 6.4)})
    write(tmp_path / "runs" / "b", {"mt_bench": mt_bench("a", 9.1, judge="simulated")})
    page = Page(board_of(tmp_path / "out", tmp_path / "runs").path)
    assert [cell.partition(" mean score")[0] for cell in page.lines[0][3:]] == [
        "MT-Bench (judge gpt-4)",
        "MT-Bench (judge simulated)",
    ]
    assert page.bold == []  # there is nothing to compare


def test_other_settings_in_a_column_are_marked_and_listed(tmp_path: Path, without_figures: None) -> None:
    for model, prompt in (("a", "plain"), ("b", "instruct")):
        write(tmp_path / "runs" / model, {"gsm8k": gsm8k(model, 50, prompt=prompt, missing=3)})
    page = Page(board_of(tmp_path / "out", tmp_path / "runs").path)
    assert page.lines[0][3] == "GSM8K † pass@1, %" and page.lines[1][3] == "50.0 48.0 – 52.0 3 without a sample"
    assert "† prompt instruct: b; plain: a" in page.text


def test_a_length_controlled_win_rate_stands_below_the_score(tmp_path: Path, without_figures: None) -> None:
    entry = alpaca_eval("a", 75.31) | {"length_controlled": {"score": 61.2, "low": None, "high": None}}
    write(tmp_path / "runs" / "a", {"alpaca_eval": entry})
    page = Page(board_of(tmp_path / "out", tmp_path / "runs").path)
    assert page.lines[1][3] == "75.3 72.3 – 78.3 61.2 length-controlled"


def test_hostile_names_are_text(tmp_path: Path, without_figures: None) -> None:
    rules = {HOSTILE: HOSTILE}
    entry = gsm8k(HOSTILE, 50, rules=rules, prompt=HOSTILE, release=HOSTILE) | {"title": HOSTILE}
    write(tmp_path / "runs" / "a", {HOSTILE: entry, "bad": {"score": HOSTILE}})
    page = Page(board_of(tmp_path / "out", tmp_path / "runs", title=HOSTILE).path)
    assert page.tags.count("script") == 1 and "img" not in page.tags
    assert page.lines[1][1] == " ".join(HOSTILE.split())


def test_what_is_left_out_is_said_on_the_page_and_in_the_terminal(tmp_path: Path, without_figures: None) -> None:
    write(tmp_path / "runs" / "fine", {"gsm8k": gsm8k("a", 50), "x": {}})
    for number in range(9):
        write(tmp_path / "runs" / f"half-{number}", {"gsm8k": gsm8k("b", 50)}, status="running")
    made = board_of(tmp_path / "out", tmp_path / "runs", names={"A": "B"})
    said = str(made).splitlines()
    assert said[2:5] == [
        "names: no model in these results is called A",
        "10 left out, or in part:",
        "  runs/fine, x: score is missing; expected a number",
    ]
    assert said[5] == "  runs/half-0: its evaluation is not complete (status: running)"
    assert said[-1] == "  and 2 more, all of them in board.html"
    page = Page(made.path)
    assert "runs/half-8 its evaluation is not complete (status: running)" in page.text
    assert "names: no model in these results is called A" in page.text


def test_only_some_benchmarks(tmp_path: Path, without_figures: None) -> None:
    runs = write_three(tmp_path / "runs")
    made = board_of(tmp_path / "out", runs, benchmarks=["gsm8k", "mmlu"])
    assert {row.benchmark for row in made.rows} == {"gsm8k", "mmlu"} and len(made.rows) == 6
    with pytest.raises(UserError, match="there is no result of 'gsm8'; found are alpaca_eval, gsm8k, mmlu, mt_bench"):
        board_of(tmp_path / "out", runs, benchmarks=["gsm8"])


def test_without_a_result_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(UserError, match=r"there is no scores\.json at any depth"):
        board_of(tmp_path / "out", tmp_path / "runs")
    write(tmp_path / "runs" / "half", {"mmlu": mmlu("a", 50)}, status="running")
    with pytest.raises(UserError, match=r"no result can be used, 1 were left out. runs/half: its evaluation is not"):
        board_of(tmp_path / "out", tmp_path / "runs")
    with pytest.raises(UserError, match="output is empty"):
        board(BoardConfig(results=["."], output=" "))
    assert not (tmp_path / "out").exists()
