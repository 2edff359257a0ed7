import json
from collections import Counter

from evolray.blind.arrangement import arrange, draw, key_of, raters
from tests.blind.studies import MODELS, items, sheets


def test_each_rater_has_an_order_of_items_and_of_answers_of_their_own() -> None:
    first, second = sheets(40, people=2)
    assert sorted(place.item.problem for place in first.places) == sorted(one.problem for one in items(40))
    assert [place.item.problem for place in first.places] != [place.item.problem for place in second.places]
    orders = [{place.item.problem: place.models for place in sheet.places} for sheet in (first, second)]
    assert orders[0] != orders[1]


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    one, again, other = (arrange(items(40), MODELS, "rater-01", seed) for seed in (7, 7, 8))
    assert one == again and one.id == again.id
    assert [place.models for place in one.places] != [place.models for place in other.places]


def test_sheets_that_are_out_stay_readable() -> None:
    """Another shuffle in a later version would make strangers of all sheets that were handed out before."""
    first, second = sheets(3, people=2)
    drawn = [(place.item.problem, place.models[0]) for sheet in (first, second) for place in sheet.places]
    assert drawn == [
        ("3", "alpaca"), ("2", "alpaca"), ("1", "alpaca"), ("3", "wizardlm"), ("1", "alpaca"), ("2", "wizardlm"),
    ]  # fmt: skip
    assert first.id == "sheet-204ea5b60dfc"


def test_no_model_has_a_place_of_its_own() -> None:
    models = ("a", "b", "c", "d", "e")
    places = Counter(
        (letter, model)
        for sheet in sheets(200, people=5, models=models)
        for place in sheet.places
        for letter, model in place.by_letter().items()
    )
    assert len(places) == 25
    assert all(150 < number < 250 for number in places.values())  # 200 expected, standard deviation 13


def test_a_limit_draws_the_same_items_for_everybody_and_keeps_their_order() -> None:
    drawn = [int(one.problem) for one in draw(items(100), 10, 1)]
    assert len(drawn) == 10 and drawn == sorted(drawn)
    assert drawn == [int(one.problem) for one in draw(items(100), 10, 1)]
    assert drawn != [int(one.problem) for one in draw(items(100), 10, 2)]
    assert len(draw(items(5), 10, 1)) == 5


def test_raters_sort_as_they_count() -> None:
    assert raters(2) == ["rater-01", "rater-02"]
    assert raters(120) == sorted(raters(120))


def test_the_key_says_whose_answer_stands_where() -> None:
    (sheet,) = sheets(2)
    key = json.loads(key_of(MODELS, [sheet]))
    assert key["models"] == list(MODELS)
    assert key["sheets"][0]["sheet"] == sheet.id
    for item, place in zip(key["sheets"][0]["items"], sheet.places, strict=True):
        assert item["problem"] == place.item.problem
        for letter, texts in place.answers():
            assert place.item.answers[item["answers"][letter]] == texts
