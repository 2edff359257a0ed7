import pytest

from evolray.blind.arrangement import Item, arrange
from evolray.blind.cells import MOST_CHARS, cell, restored, table
from evolray.blind.names import items_naming
from evolray.blind.page.rendering import render
from evolray.blind.sheets import check_criteria, joined, to_csv
from evolray.errors import UserError
from tests.blind.studies import MODELS, cells_of, sheets


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"])
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert restored(cell(text)) == text


@pytest.mark.parametrize("text", ["", "1 = 1", "'quoted'", "'", "a-b", "'t was =1"])
def test_other_texts_are_cells_as_they_are(text: str) -> None:
    assert cell(text) == text == restored(text)


def test_what_excel_would_cut_says_that_it_is_cut() -> None:
    long = cell("x" * 40_000)
    assert long.startswith("x" * MOST_CHARS + "\n[cut here: 40,000 characters in all") and len(long) < 32_767


def test_line_breaks_quotes_and_controls_survive_a_cell() -> None:
    (read,) = cells_of(table(["text"], [['a "b"\r\nc\x00, d;e\ud800']]))
    assert read["text"] == 'a "b"\nc[NUL], d;e[U+D800]'


def test_the_columns_of_a_sheet() -> None:
    (sheet,) = sheets(3)
    rows = cells_of(to_csv(sheet, ["relevance"]))
    assert list(rows[0]) == [
        "sheet", "item", "instruction", "answer_A", "answer_B", "rank_A", "rank_B", "relevance_A", "relevance_B",
        "comment",
    ]  # fmt: skip
    for row, place in zip(rows, sheet.places, strict=True):
        assert row["sheet"] == sheet.id and row["item"] == str(place.number)
        assert (row["answer_A"],) == place.item.answers[place.models[0]]
        assert row["rank_A"] == row["relevance_B"] == row["comment"] == ""


def test_turns_are_numbered_and_an_empty_answer_says_so() -> None:
    assert joined(["one"]) == "one"
    assert joined(["one", " "]) == "[turn 1]\none\n\n[turn 2]\n(empty)"


def test_no_sheet_holds_a_models_name() -> None:
    (sheet,) = sheets(20)
    for made in (to_csv(sheet, ["relevance"]), render(sheet, ["relevance"])):
        assert not any(model.encode() in made.lower() for model in MODELS)
        assert b"Question 20?" in made


def test_a_page_asks_nobody_and_holds_no_markup_of_an_answer() -> None:
    hostile = "</script><script>alert(1)</script><!--"
    item = Item("1", (hostile,), {model: (hostile,) for model in MODELS})
    page = render(arrange([item], MODELS, "rater-01", 0), []).decode()
    assert "default-src &#39;none&#39;" in page and "alert(1)</script>" not in page and "<!--" not in page
    assert page.count("</script>") == 2


@pytest.mark.parametrize("names", [["rank"], ["a,b"], ["reasoning", "Reasoning"], [""], [" x"]])
def test_criteria_that_could_not_be_columns(names: list[str]) -> None:
    with pytest.raises(UserError, match="criteria"):
        check_criteria(names)


def test_answers_that_name_their_own_model() -> None:
    models = ["wizardlm-13b", "vicuna", "cat"]
    said = {
        "1": ("I am WizardLM.", "I am an assistant.", "Cats purr, concatenated."),
        "2": ("Call me WizardLM 13B", "Unlike WizardLM, I think.", "A cat."),
        "3": ("Ask Vicuna.", "VICUNA here", "No."),
    }
    found = items_naming(
        [
            Item(id, ("?",), {name: (text,) for name, text in zip(models, texts, strict=True)})
            for id, texts in said.items()
        ],
        models,
    )
    assert found == {"wizardlm-13b": ["1", "2"], "vicuna": ["3"], "cat": ["2"]}


def test_a_family_that_models_share_tells_nobody_apart() -> None:
    models = ["model-one", "model-two"]
    items = [Item("1", ("?",), {"model-one": ("A model of it.",), "model-two": ("I am model two.",)})]
    assert items_naming(items, models) == {"model-two": ["1"]}


def test_a_name_of_two_letters_is_in_too_many_answers_to_mean_anything() -> None:
    items = [Item("1", ("?",), {"a": ("I am a model.",), "v2": ("Use v2 of it.",)})]
    assert items_naming(items, ["a", "v2"]) == {}
