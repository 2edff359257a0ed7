from pathlib import Path

import numpy as np

from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import LocalFolder
from tests.refine.duplicates.records import Text, find, write_texts

EXACT = NearDuplicatesConfig(enabled=False)


def test_the_older_generation_stays_then_the_smaller_id_then_the_earlier_source(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    texts = [
        Text("Same text.", root=1, generation=1),
        Text("same  text", root=9),
        Text("another", root=2),
        Text("SAME TEXT", root=8, source="b"),
        Text("Same text", root=8),
    ]
    write_texts(folder, texts, shard_size=2)
    found = find(folder, EXACT)
    assert found.kept.tolist() == [4, 4, -1, 4, -1]
    assert found.similarity.tolist() == [1, 1, 0, 1, 0]
    assert found.kind.tolist() == [1, 1, 0, 1, 0]


def test_copies_within_a_lineage_count(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [Text("Same.", root=1, generation=2), Text("same", root=1, generation=1)])
    assert find(folder, EXACT).kept.tolist() == [1, -1]


def test_records_without_text_repeat_nobody(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [Text("one", ""), Text("two", ""), Text("three", "said"), Text("four", "Said.")])
    config = NearDuplicatesConfig(of="response")
    assert find(folder, config).kept.tolist() == [-1, -1, -1, 2]


def test_no_records(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    assert len(find(folder).kept) == 0
    write_texts(folder, [])
    assert len(find(folder).kept) == 0


def test_many_groups(tmp_path: Path) -> None:
    """3,000 records of 700 texts: the first of each stays."""
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [f"text number {n % 700}" for n in range(3000)], shard_size=400)
    found = find(folder, EXACT)
    assert np.array_equal(found.kept, np.where(np.arange(3000) < 700, -1, np.arange(3000) % 700))
