"""What is read of each record for selection."""

from typing import Any

import numpy as np

from evolray.pool.layout import LocalFolder
from evolray.refine.index import read_index
from evolray.refine.selection.candidates import read_candidates
from evolray.refine.tables import FEATURES_SCHEMA, JUDGED_SCHEMA, RECORDS_SCHEMA, write_rows

ROOTS = [f"{number:016x}" for number in (7, 2**64 - 1, 3, 3, 9)]


def write(folder: LocalFolder) -> None:
    operators = ["seed", "mutate", "deepen", "mutate", None]
    lineage = zip(ROOTS, "aabba", operators, ["code", "", "math", "code", None], strict=True)
    records = [
        {"root_id": root, "generation": at, "source": source, "operator": operator, "domain": domain}
        for at, (root, source, operator, domain) in enumerate(lineage)
    ]
    features = [{"words": at, "response_words": at % 2, "tokens": 10 * at} for at in range(5)]
    judged: list[dict[str, Any]] = [
        {"row": 4, "difficulty": 9, "skills": ["Sport", "Art"]},
        {"row": 3, "difficulty": None, "skills": None, "cause": "no_verdict"},
        {"row": 2, "difficulty": 2, "skills": ["Math"]},
    ]
    for shard, start, end in ((0, 0, 2), (4, 2, 2), (5, 2, 5)):  # one shard is empty, numbers have gaps
        write_rows(folder, f"records/{shard:05d}.parquet", records[start:end], RECORDS_SCHEMA)
        write_rows(folder, f"features/{shard:05d}.parquet", features[start:end], FEATURES_SCHEMA)
    write_rows(folder, "judged/00005.parquet", judged, JUDGED_SCHEMA)


def test_columns_by_position(tmp_path: Any) -> None:
    folder = LocalFolder(str(tmp_path))
    write(folder)
    index = read_index(folder, ("b", "a"))
    pool = read_candidates(folder, index, np.array([True, True, False, True, True]))
    assert pool.rows.tolist() == [0, 1, 3, 4]
    assert pool.roots.tolist() == [7, 2**64 - 1, 3, 9]
    assert pool.generations.tolist() == [0, 1, 3, 4]
    assert [pool.source_names[number] for number in pool.sources] == ["a", "a", "b", "a"]
    assert [pool.operator_names[number] for number in pool.operators] == ["seed", "mutate", "mutate", ""]
    assert [pool.domain_names[number] for number in pool.domains] == ["code", "", "code", ""]
    assert pool.operator_names == ("", "deepen", "mutate", "seed")
    assert (pool.words.tolist(), pool.tokens.tolist()) == ([0, 1, 3, 4], [0, 10, 30, 40])
    assert pool.has_response.tolist() == [False, True, True, False]
    assert pool.difficulty.tolist() == [-1, -1, -1, 9]
    assert pool.skill_offsets.tolist() == [0, 0, 0, 0, 2]
    assert [pool.skill_names[number] for number in pool.skills] == ["Sport", "Art"]


def test_nobody_is_left(tmp_path: Any) -> None:
    folder = LocalFolder(str(tmp_path))
    write(folder)
    pool = read_candidates(folder, read_index(folder, ("b", "a")), np.zeros(5, np.bool_))
    assert len(pool) == 0 and pool.keys(1).tolist() == [] and pool.skill_offsets.tolist() == [0]


def test_keys_are_of_the_record_alone(tmp_path: Any) -> None:
    folder = LocalFolder(str(tmp_path))
    write(folder)
    everybody = read_candidates(folder, read_index(folder, ("b", "a")), np.ones(5, np.bool_))
    some = read_candidates(folder, read_index(folder, ("a", "c", "b")), np.array([False, False, True, False, True]))
    assert len(set(everybody.keys(0))) == 5  # rows 2 and 3 are two generations of one root
    assert some.keys(0).tolist() == everybody.keys(0)[[2, 4]].tolist()
    assert not set(everybody.keys(0)) & set(everybody.keys(1))
