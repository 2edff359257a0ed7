"""Batches of examples into files and an index: every entry is accounted for, whatever order the batches end in."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from evolray.config import TrainConfig
from evolray.pool.layout import open_folder
from evolray.train.tokenising.examples import Example, Rejected
from evolray.train.tokenising.sources import Source
from evolray.train.tokenising.store import Store
from evolray.train.tokenising.tokens import Batch, index_of, to_metadata, tokenise
from tests.train import small


def config(tmp_path: Path, **changes: Any) -> TrainConfig:
    return small.config_of(tmp_path / "run", tmp_path / "student", **changes)


def done(config: TrainConfig, outcomes: list[Example | Rejected], source: int = 0, number: int = 0) -> Batch:
    return tokenise(open_folder(config.run), source, number, outcomes, small.tokenizer(), config)


def long_example(line: int) -> Example:
    words = {"role": "user", "content": "Name a tree. " * 100}, {"role": "assistant", "content": "Oak."}
    return Example(f"data.jsonl:{line}", words)  # type: ignore[arg-type]


REFUSED = Rejected("data.jsonl:7", "no_response", "no answer to train on")


def test_a_batch_tells_what_became_of_each(tmp_path: Path) -> None:
    one = config(tmp_path, held_out=0.3)
    batch = done(one, [*small.examples(5), REFUSED, long_example(8)])
    assert (batch.source, batch.number, batch.cut) == (0, 0, 0)
    assert len(batch.tokens) == len(batch.trained) == len(batch.held_out) == 5
    assert batch.rejected == {"no_response": 1, "over_long": 1}
    index, accounts = index_of([batch])
    store = Store(open_folder(one.run), index)
    documents = [store[number] for number in range(5)]
    assert [document.id for document in documents] == [example.id for example in small.examples(5)]
    assert [len(document.input_ids) for document in documents] == batch.tokens
    assert [int(document.trained.sum()) for document in documents] == batch.trained
    assert accounts["entries"] == 7 == accounts["train"] + accounts["held_out"] + sum(accounts["rejected"].values())


def test_what_does_not_fit_is_stored_with_its_reason(tmp_path: Path) -> None:
    one = config(tmp_path)
    done(one, [*small.examples(1), REFUSED, long_example(8)], source=3, number=17)
    rows = pq.read_table(Path(one.run) / "rejected/00003-00017.parquet").to_pylist()
    assert [(row["id"], row["reason"]) for row in rows] == [
        ("data.jsonl:7", "no_response"),
        ("data.jsonl:8", "over_long"),
    ]
    assert rows[1]["num_tokens"] > 128 and "the limit is 128" in rows[1]["message"]
    assert not (Path(one.run) / "rejected/00000-00000.parquet").exists()


def test_a_cut_example_is_kept_and_counted(tmp_path: Path) -> None:
    one = config(tmp_path, over_long="cut", max_length=60)
    batch = done(one, small.examples(10))
    assert max(batch.tokens) == 60 and 0 < batch.cut < 10 and batch.rejected == {}


def test_doing_a_batch_again_writes_the_same_files(tmp_path: Path) -> None:
    """A task that died is done again, and may have written before it died."""
    one = config(tmp_path)

    def files() -> dict[str, bytes]:
        run = Path(one.run)
        return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}

    first = done(one, [*small.examples(5), REFUSED]), files()
    assert (done(one, [*small.examples(5), REFUSED]), files()) == first
    assert len(first[1]) == 2


def test_the_index_is_in_the_order_of_the_data_whenever_a_batch_ended() -> None:
    batches = [
        Batch(1, 0, [30], [3], [False], {}, 0),
        Batch(0, 2, [20, 21], [2, 2], [True, False], {"over_long": 2}, 1),
        Batch(0, 1, [], [], [], {"bad_entry": 4, "over_long": 1}, 0),
        Batch(0, 0, [10, 11, 12], [1, 1, 1], [False, False, True], {}, 0),
    ]
    index, accounts = index_of(batches)
    assert index.files == ["data/00000-00000.arrow", "data/00000-00002.arrow", "data/00001-00000.arrow"]
    assert index.file.tolist() == [0, 0, 0, 1, 1, 2]
    assert index.row.tolist() == [0, 1, 2, 0, 1, 0]
    assert index.tokens.tolist() == [10, 11, 12, 20, 21, 30]
    assert index.trained.tolist() == [1, 1, 1, 2, 2, 3]
    assert index.held_out.tolist() == [False, False, True, True, False, False]
    assert accounts == {
        "entries": 13, "train": 4, "held_out": 2, "rejected": {"bad_entry": 4, "over_long": 3}, "cut": 1,
        "tokens": 10 + 11 + 21 + 30, "trained_tokens": 1 + 1 + 2 + 3, "longest": 30,
    }  # fmt: skip
    assert json.loads(to_metadata(accounts, {"data": "d"})["accounts"]) == accounts


def test_nothing_makes_an_index_of_nothing() -> None:
    index, accounts = index_of([Batch(0, 0, [], [], [], {"no_response": 2})])
    assert (len(index), index.files, accounts["entries"], accounts["train"], accounts["longest"]) == (0, [], 2, 0, 0)
    assert index.row.dtype == index.file.dtype == np.int32


# --- where one batch ends and the next begins ---


def write_file(path: Path, number: int) -> str:
    lines = ({"instruction": f"Add {n}.", "output": f"It is {n}." if n % 10 else ""} for n in range(number))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


@pytest.mark.parametrize("number", [1, 1023, 1024, 1025, 2048, 2049])
def test_no_entry_is_lost_where_a_batch_ends(tmp_path: Path, number: int) -> None:
    from evolray.train.tokenising import on_ray

    source = Source(write_file(tmp_path / "data.jsonl", number))
    descriptor = {"number": np.array([4]), "source": np.array([pickle.dumps(source)], dtype=object)}
    rows = [*on_ray._read(descriptor)]
    assert [int(row["number"][0]) for row in rows] == [4] * len(rows)
    assert [int(row["chunk"][0]) for row in rows] == [*range(len(rows))]
    assert len(rows) == -(-number // on_ray.BATCH)
    outcomes = [outcome for row in rows for outcome in pickle.loads(row["outcomes"][0])]
    assert [outcome.id for outcome in outcomes] == [f"data.jsonl:{line}" for line in range(1, number + 1)]


def test_ray_data_tokenises_every_entry_once(tmp_path: Path, local_ray: None) -> None:
    from evolray.train.tokenising import on_ray

    one = config(tmp_path, held_out=0.1)
    sources = [Source(write_file(tmp_path / f"{name}.jsonl", number)) for name, number in (("a", 1025), ("b", 30))]
    told: list[int] = []
    index, accounts = index_of(on_ray.tokenise_all(sources, small.tokenizer(), one, told.append))
    assert (accounts["entries"], accounts["rejected"]) == (1055, {"no_response": 103 + 3})
    assert told == sorted(told) and told[-1] == 1055
    store = Store(open_folder(one.run), index)
    expected = [f"{name}.jsonl:{n + 1}" for name, number in (("a", 1025), ("b", 30)) for n in range(number) if n % 10]
    assert [store[number].id for number in range(len(index))] == expected
