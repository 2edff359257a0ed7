"""A file's own column names: which keys are read, and clear words when a column is not there."""

import json
from pathlib import Path

import pytest

from evolray.errors import UserError
from evolray.pool.columns import check_columns, entry_keys, renamed
from evolray.pool.json_entries import BadSeed
from evolray.pool.seeds import KEYS


def test_entry_keys_are_those_of_seeds_and_the_columns() -> None:
    assert entry_keys({}) == KEYS
    assert entry_keys({"instruction": "q", "response": "output"}) == (*KEYS, "q")
    with pytest.raises(UserError, match="columns names reply; expected some of instruction, input, response, messages"):
        entry_keys({"reply": "a"})


def test_a_renamed_entry_has_no_key_that_would_come_before_the_named_one() -> None:
    entry = {"instruction": "another text", "conversations": [], "q": "Add 1.", "output": "1"}
    assert renamed(entry, {"instruction": "q"}) == {"instruction": "Add 1.", "q": "Add 1.", "output": "1"}
    with pytest.raises(BadSeed, match="no column 'a' for the response; found"):
        renamed(entry, {"response": "a"})


def test_columns_are_looked_for_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"q": "Add 1.", "a": "1"}]))
    check_columns(str(path), {"instruction": "q", "response": "a"})
    with pytest.raises(UserError, match=r"columns=\{response: b\}: .*data\.json has q, a"):
        check_columns(str(path), {"instruction": "q", "response": "b"})
    with pytest.raises(UserError, match=r"has q, a; expected some of instruction.*Say which is which"):
        check_columns(str(path), {})
