import json
from pathlib import Path

import pytest

from evolray.blind.arrangement import Sheet
from evolray.blind.reading import Ratings, read_ratings
from evolray.blind.rows import Rejected, Row, rating_files, read_rows
from evolray.blind.sheets import to_csv
from evolray.errors import UserError
from tests.blind.studies import cells_of, ranks_of, row, sheets

SEPARATED = [(",", "utf-8-sig"), (";", "utf-8-sig"), ("\t", "utf-16"), (";", "cp1252"), (",", "utf-8")]


def read(path: Path, sheets: list[Sheet], criteria: tuple[str, ...] = ()) -> Ratings:
    return read_ratings(read_rows(str(path)), sheets, criteria)


def reasons(rows: list[Row | Rejected], sheets: list[Sheet], criteria: tuple[str, ...] = ()) -> list[str]:
    return [one.reason for one in read_ratings(rows, sheets, criteria).rejected]


def edited(sheet: Sheet, separator: str = ",", encoding: str = "utf-8-sig") -> bytes:
    """The sheet as a spreadsheet saves it: item 1 rated, rows reversed, the texts' columns taken out."""
    first, *rest = cells_of(to_csv(sheet, ["relevance"]))
    first |= {"rank_A": "1,0" if separator == ";" else "1.0", "rank_B": "2", "relevance_A": "5", "comment": "Süß; ja"}
    names = ["comment", "rank_B", "rank_A", "relevance_A", "item", "sheet"]
    lines = [separator.join(names)]
    lines += [separator.join(f'"{one[name]}"' for name in names) for one in [*reversed(rest), first]]
    return "\r\n".join([*lines, separator * 5, ""]).encode(encoding)


@pytest.mark.parametrize(("separator", "encoding"), SEPARATED)
def test_sheets_as_spreadsheets_save_them(tmp_path: Path, separator: str, encoding: str) -> None:
    (sheet,) = sheets(3)
    (tmp_path / "mine.csv").write_bytes(edited(sheet, separator, encoding))
    ratings = read(tmp_path / "mine.csv", [sheet], ("relevance",))
    (one,) = ratings.all
    better, worse = sheet.places[0].models
    assert one.ranks == {better: 1, worse: 2}
    assert one.criteria == {better: {"relevance": 5}} and one.comment == "Süß; ja"
    assert ratings.rejected == [] and ratings.unrated == {"rater-01": 2}


def test_an_untouched_sheet_is_no_error(tmp_path: Path) -> None:
    (sheet,) = sheets(3)
    (tmp_path / "a.csv").write_bytes(to_csv(sheet, []))
    assert read(tmp_path / "a.csv", [sheet]) == Ratings([], [], {"rater-01": 3})


def test_without_its_column_a_sheet_is_known_by_the_files_name(tmp_path: Path) -> None:
    known = sheets(3, people=2)
    for name in ("rater-02 (final).csv", "mine.csv"):
        (tmp_path / name).write_text("item,rank_A,rank_B\n1,1,2\n")
    assert [one.rater for one in read(tmp_path / "rater-02 (final).csv", known).all] == ["rater-02"]
    assert read(tmp_path / "mine.csv", known).reasons() == {"unknown_sheet": 1}


def test_excels_line_that_names_the_separator(tmp_path: Path) -> None:
    (sheet,) = sheets(1)
    (tmp_path / "a.csv").write_text(f"sep=;\nsheet;item;rank_A;rank_B\n{sheet.id};1;1;1\n")
    assert len(read(tmp_path / "a.csv", [sheet]).all) == 1


def test_what_the_page_exports(tmp_path: Path) -> None:
    (sheet,) = sheets(2)
    entry = {"item": 2, "ranks": {"A": 1, "B": 1}, "criteria": {"B": {"Relevance": 4}}, "comment": "=same"}
    (tmp_path / "a.json").write_text(json.dumps({"sheet": sheet.id, "rater": "rater-01", "ratings": [entry]}))
    (one,) = read(tmp_path / "a.json", [sheet], ("Relevance",)).all
    assert set(one.ranks.values()) == {1} and one.comment == "=same"
    assert one.criteria == {sheet.places[1].models[1]: {"Relevance": 4}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty_file"),
        ("name,age\nx,3\n", "missing_columns"),
        ("sheet,item\nx,3\n", "missing_columns"),
        ('{"ratings": [', "not_json"),
        ('{"ratings": {}}', "missing_columns"),
        ('[{"item": 1}]', "missing_columns"),
        ('{"ratings": [17]}', "not_a_row"),
        ('{"ratings": [{"item": 1, "ranks": [1, 2]}]}', "not_a_row"),
        ('{"ratings": [{"item": 1, "criteria": {"A": 3}}]}', "not_a_row"),
    ],
)
def test_files_that_hold_no_ratings(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "a").write_text(content)
    assert read(tmp_path / "a", sheets(1)).reasons() == {reason: 1}


def test_rows_that_cannot_be_used_each_with_a_reason() -> None:
    (sheet,) = sheets(2)
    good = {"rank": {"A": "1", "B": "2"}}
    cases: list[tuple[str, str, dict[str, dict[str, str]], str, list[str]]] = [
        (sheet.id, "1", good, "", []),
        ("sheet-of-others", "1", good, "", ["unknown_sheet"]),
        (sheet.id, "3", good, "", ["unknown_item"]),
        (sheet.id, "", good, "", ["unknown_item"]),
        (sheet.id, "one", good, "", ["unknown_item"]),
        (sheet.id, "1", {"rank": {"A": "1"}}, "", ["half_ranked"]),
        (sheet.id, "1", {"relevance": {"A": "1"}}, "", ["half_ranked"]),
        (sheet.id, "1", {"rank": {"A": "1", "B": "3"}}, "", ["rank_out_of_range"]),
        (sheet.id, "1", {"rank": {"A": "0", "B": "1"}}, "", ["rank_out_of_range"]),
        (sheet.id, "1", {"rank": {"A": "1.5", "B": "1"}}, "", ["rank_out_of_range"]),
        (sheet.id, "1", {"rank": {"A": "better", "B": "1"}}, "", ["rank_out_of_range"]),
        (sheet.id, "1", {}, "I know nothing of it.", ["comment_only"]),
        (sheet.id, "1", {}, "", []),
        (sheet.id, "1", {**good, "relevance": {"A": "6", "C": "1", "B": "5"}}, "", ["criterion_out_of_range"] * 2),
    ]
    for name, item, rated, comment, expected in cases:
        assert reasons([Row("a.csv", 2, name, item, rated, comment)], [sheet], ("relevance",)) == expected, rated


def test_a_wrong_criterion_does_not_cost_the_ranks() -> None:
    (sheet,) = sheets(1)
    rated = {"rank": {"A": "1", "B": "1"}, "relevance": {"A": "9", "B": "2"}}
    (one,) = read_ratings([Row("a", 2, sheet.id, "1", rated)], [sheet], ["relevance"]).all
    assert one.criteria == {sheet.places[0].models[1]: {"relevance": 2}}


def test_of_two_ratings_of_one_item_the_later_one_counts() -> None:
    (sheet,) = sheets(2)
    win, loss = {"wizardlm": 1, "alpaca": 2}, {"wizardlm": 2, "alpaca": 1}
    again = read_ratings([row(sheet, "1", win), row(sheet, "1", win), row(sheet, "2", win)], [sheet], [])
    assert again.rejected == [] and len(again.all) == 2
    changed = read_ratings([row(sheet, "1", win), row(sheet, "1", loss, line=9)], [sheet], [])
    assert [one.ranks for one in changed.all] == [loss]
    assert [(one.reason, one.line) for one in changed.rejected] == [("replaced", 9)]


def test_ratings_come_in_the_order_of_sheets_and_items() -> None:
    known = sheets(3, people=2)
    tie = {"wizardlm": 1, "alpaca": 1}
    rows: list[Row | Rejected] = [row(sheet, str(at), tie) for sheet in reversed(known) for at in (3, 1, 2)]
    found = [(one.rater, one.problem) for one in read_ratings(rows, known, []).all]
    assert found == [(sheet.rater, place.item.problem) for sheet in known for place in sheet.places]


def test_a_folder_stands_for_its_files_and_no_file_counts_twice(tmp_path: Path) -> None:
    for name in ("b.csv", "a.JSON", "notes.txt"):
        (tmp_path / name).write_text("")
    assert rating_files([str(tmp_path)]) == [str(tmp_path / "a.JSON"), str(tmp_path / "b.csv")]
    with pytest.raises(UserError, match="twice"):
        rating_files([str(tmp_path), str(tmp_path / "b.csv")])
    with pytest.raises(UserError, match="cannot be read"):
        list(read_rows(str(tmp_path / "none.csv")))


def test_letters_lead_back_to_models() -> None:
    models = ("a", "b", "c", "d", "e")
    (sheet,) = sheets(30, models=models)
    wanted = {"a": 1, "b": 2, "c": 2, "d": 4, "e": 5}
    for place in sheet.places:
        number, ranks = ranks_of(sheet, place.item.problem, wanted)
        rated = {"rank": {letter: str(rank) for letter, rank in ranks.items()}}
        (one,) = read_ratings([Row("a", 2, sheet.id, str(number), rated)], [sheet], []).all
        assert one.ranks == wanted
