from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import LocalFolder
from evolray.refine.duplicates import clusters as near_clusters
from evolray.refine.duplicates.clusters import write_clusters
from evolray.refine.index import read_index
from evolray.refine.tables import CLUSTERS_SCHEMA
from tests.refine.duplicates.records import Text, find, write_texts

LONG = "One two three four five six seven eight nine ten 🙂 " * 10


@pytest.mark.parametrize("at_once", [1, 1000])
def test_every_dropped_copy_is_listed_beside_the_one_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(near_clusters, "PAIRS_AT_ONCE", at_once)
    folder = LocalFolder(str(tmp_path))
    texts = [
        Text("Say hello.", root=5),
        Text(LONG, root=1),
        Text("say hello", root=2),
        Text(LONG + ".", root=3, source="b"),
    ]
    write_texts(folder, [*texts, Text("else")], shard_size=2)
    index = read_index(folder, ("a", "b"))
    found = find(folder, NearDuplicatesConfig(enabled=False))
    assert write_clusters(folder, index, found, "instruction") == 2
    table = pq.read_table(tmp_path / "clusters.parquet")
    assert table.schema.equals(CLUSTERS_SCHEMA)
    first, second = table.to_pylist()
    assert first == {
        "kept": "0000000000000001.g0", "kept_source": "a", "dropped": "0000000000000003.g0", "dropped_source": "b",
        "kind": "exact_duplicate", "similarity": 1.0, "kept_text": LONG[:300], "dropped_text": LONG[:300],
    }  # fmt: skip
    assert (second["kept"], second["dropped"], second["dropped_text"]) == (
        "0000000000000002.g0", "0000000000000005.g0", "Say hello.",
    )  # fmt: skip


def test_without_duplicates_the_table_is_empty(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, ["one", "two"])
    assert write_clusters(folder, read_index(folder, ("a",)), find(folder), "both") == 0
    assert pq.read_table(tmp_path / "clusters.parquet").num_rows == 0
