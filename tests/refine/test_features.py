"""What is measured by rule: each kind of requirement and step with a near miss beside it."""

from typing import Any

import pytest

from evolray.pool.layout import LocalFolder
from evolray.pool.shards import read_table
from evolray.refine.features import MeasureFeatures, count_constraints, count_steps, count_tokens, count_words
from evolray.refine.tables import FEATURES_SCHEMA, RECORDS_SCHEMA, write_rows


@pytest.mark.parametrize(
    ("instruction", "count"),
    [
        ("", 0),
        ("Write a poem about the sea.", 0),
        ("Write a poem that must rhyme.", 1),
        ("Write a poem of at least ten lines.", 1),
        ("It must have at least ten lines.", 1),  # one clause, however it says so
        ("It must have ten lines and should rhyme, without the word sea.", 3),
        ("Use no more than 5 words; do not explain.", 2),
        ("Sort the list in place, in O(n log n) time.", 2),
        ("Explain it in 3 sentences, ensuring that a child can't get lost.", 2),
        ("Name animals larger than 2 metres.", 1),
        ("Name animals larger than you thought.", 0),
        ("Write about mustard and shoulders.", 0),
        ("Requirements:\n- Python 3\n- a test\n\nWrite a parser.", 2),
        ("Requirements:\n- it must be short, and never fail\n- a test", 3),
        ("Ingredients:\n- flour\n- an egg", 0),
        ("Requirements:\nsee below\n- flour", 0),  # the line between ended the list
        ("Correct this:\n```python\n# must only run at most once\n```\n", 0),
    ],
)
def test_constraints(instruction: str, count: int) -> None:
    assert count_constraints(instruction) == count


@pytest.mark.parametrize(
    ("response", "domain", "count"),
    [
        ("", "", 0),
        ("Paris.", "", 0),
        ("1. Boil water.\n2. Add salt.\n3) Not 4.", "", 3),
        ("Step 1: boil.\n**Step 2**: salt.", "", 2),
        ("In 1. FC Köln he took step 2 at once.", "", 0),
        ("First, boil water. Then add salt. Finally, eat.", "", 3),
        ("He came first and left then.", "", 0),
        ("3 + 4 = 7\nso 7 * 2 = 14", "", 2),
        ("x = 3\ny = x", "code", 0),
        ("x = 3\ny = x", "math", 2),
        ("```\n1. a\n2. b\n3 = 3\n```", "", 0),
        ("1. 3 + 4 = 7\n2. 7 * 2 = 14\n3. done", "", 3),  # the largest count, not their sum
    ],
)
def test_steps(response: str, domain: str, count: int) -> None:
    assert count_steps(response, domain) == count


def test_words_are_zero_for_blank_texts_alone() -> None:
    assert [count_words(text) for text in ("Two words", "世界", "🙂 !!", " \n\t", "")] == [2, 2, 2, 0, 0]


def test_tokens_are_a_quarter_of_all_characters_rounded_up() -> None:
    assert [count_tokens(*texts) for texts in (("",), ("a",), ("abcd", "e"), ("abcd", "efgh"))] == [0, 1, 2, 2]


@pytest.mark.parametrize(
    "piece", ["9,", "a ", "1 ", "limit ", "> ", "\n", "1.\n", "```", "(", "and ", "=", "\u202e\x00"]
)
def test_long_lines_of_anything_are_measured(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    assert count_constraints(text) >= 0 and count_steps(text) >= 0 and count_words(text) >= 0


def test_a_shard_is_measured_row_by_row(tmp_path: Any) -> None:
    folder = LocalFolder(str(tmp_path))
    rows: list[dict[str, Any]] = [
        {"instruction": "It must rhyme.", "response": "First, no. Then yes.", "context": None, "domain": "open"},
        {"instruction": "Hi", "response": "", "context": [{"role": "user", "content": "12345678"}], "domain": ""},
        {"instruction": "Hi", "response": None, "context": [], "domain": None},
    ]
    write_rows(folder, "records/00003.parquet", rows, RECORDS_SCHEMA)
    assert MeasureFeatures().run(folder, 3) == {"records": 3, "tokens": 9 + 3 + 1}
    table = read_table(folder, "features/00003.parquet")
    assert table.schema == FEATURES_SCHEMA
    assert [tuple(row.values()) for row in table.to_pylist()] == [(3, 4, 9, 1, 2), (1, 0, 3, 0, 0), (1, 0, 1, 0, 0)]


def test_an_empty_shard_has_empty_features(tmp_path: Any) -> None:
    folder = LocalFolder(str(tmp_path))
    write_rows(folder, "records/00000.parquet", [], RECORDS_SCHEMA)
    assert MeasureFeatures().run(folder, 0) == {"records": 0, "tokens": 0}
    assert read_table(folder, "features/00000.parquet").schema == FEATURES_SCHEMA
