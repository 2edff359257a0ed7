import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evolray.records import Outcome
from evolray.report.page.browser import pack
from evolray.report.page.lineages import Lineage, Sample
from evolray.report.page.outcomes import read_shards
from tests.report import refine_run
from tests.report.evolve_run import eliminated, kept, lineages, plain_run, write_run

PLENTY = 10**9


def sample_of(run: str, most_chars: int = PLENTY, seed: int = 0, stage: Any = "evolve") -> Sample:
    from evolray.pool.layout import open_folder

    sample = Sample(seed, most_chars)
    for shard in read_shards(open_folder(run), stage):
        sample.add(shard)
    return sample


def unpack(piece: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(piece)))


def test_a_lineage_has_all_its_outcomes_by_generation(tmp_path: Path) -> None:
    root = "00000000000000aa"
    outcomes: list[Outcome] = [
        kept(root, 0, "Why?"), eliminated(root, 1, "Why so?"), kept(root, 2, "Why is the sky blue?", parent=0),
    ]  # fmt: skip
    write_run(str(tmp_path), [outcomes], generations=2)
    (lineage,) = sample_of(str(tmp_path)).lineages()
    assert (lineage.root_id, lineage.title, lineage.source) == (root, "Why?", "")
    assert [(one["g"], one["p"], one["f"], one.get("w", "")) for one in lineage.outcomes] == [
        (0, -1, "kept", ""),
        (1, 0, "eliminated", "no_information_gain"),
        (2, 0, "kept", ""),
    ]


def test_all_lineages_are_taken_when_they_fit(tmp_path: Path) -> None:
    plain_run(str(tmp_path), 30, shards=3)
    sample = sample_of(str(tmp_path))
    taken = list(sample.lineages())
    assert sample.seen() == len(taken) == 30
    assert sum(len(one.outcomes) for one in taken) == 90


def test_what_is_sampled_does_not_depend_on_shards(tmp_path: Path) -> None:
    names = []
    for shards in (1, 7):
        run = str(tmp_path / str(shards))
        plain_run(run, 200, shards=shards)
        sample = sample_of(run, most_chars=20_000)
        taken = list(sample.lineages())
        assert sample.seen() == 200 and 20 < len(taken) < 100
        assert sum(one.size for one in taken) <= 20_000
        names.append([one.root_id for one in taken])
    assert names[0] == names[1]


def test_another_seed_takes_others_and_less_room_takes_the_first_of_them(tmp_path: Path) -> None:
    plain_run(str(tmp_path), 200)
    taken, fewer, others = (
        [one.root_id for one in sample_of(str(tmp_path), chars, seed).lineages()]
        for chars, seed in ((20_000, 0), (10_000, 0), (20_000, 1))
    )
    assert fewer == taken[: len(fewer)]
    assert set(others) != set(taken)


def test_the_same_root_of_two_sources_is_two_lineages_and_may_lie_in_two_shards(tmp_path: Path) -> None:
    rows = [
        refine_run.record(7, 0, source="a", reason=""), refine_run.record(7, 1, source="a", reason="leak"),
        refine_run.record(7, 0, source="b", reason="over_budget"),
    ]  # fmt: skip
    refine_run.write_run(str(tmp_path), [rows[:1], rows[1:]])
    sample = sample_of(str(tmp_path), stage="refine")
    found = {
        one.source: [(o["g"], o["f"], o.get("w", "")) for o in one.outcomes] for one in sample.lineages()
    }  # fmt: skip
    assert sample.seen() == 2
    assert found == {"a": [(0, "kept", ""), (1, "dropped", "leak")], "b": [(0, "dropped", "over_budget")]}


def test_a_page_has_no_more_than_fits(tmp_path: Path) -> None:
    plain_run(str(tmp_path), 2000, words=60)
    sample = sample_of(str(tmp_path))
    whole = pack(sample.lineages(), 2000, 10**8)
    part = pack(sample.lineages(), 2000, 0.6 * whole.size)
    assert whole.lineages == 2000 and 400 < part.lineages < 2000
    assert part.size <= 0.6 * whole.size
    assert pack(sample.lineages(), 2000, 0.0).lineages == 0


def test_the_index_says_where_every_lineage_is(tmp_path: Path) -> None:
    plain_run(str(tmp_path), 2000, words=60)
    packed = pack(sample_of(str(tmp_path)).lineages(), 2000, 10**8)
    index, chunks = unpack(packed.index), [unpack(chunk) for chunk in packed.chunks]
    assert len(chunks) > 1 and index["chunks"] == [len(chunk) for chunk in chunks]
    flat = [one for chunk in chunks for one in chunk]
    assert [entry[0] for entry in index["entries"]] == [one["root"] for one in flat]
    _, _, source, numbers = index["entries"][5]
    tables = index["tables"]
    assert tables["source"][source] == ""
    assert [tables["f"][numbers[at]] for at in (0, 3, 6)] == [one["f"] for one in flat[5]["outcomes"]]
    assert [tables["o"][numbers[at]] for at in (1, 4, 7)] == [one["o"] for one in flat[5]["outcomes"]]


@pytest.mark.parametrize("text", ["</script><script>alert(1)</script>", "\ud83d", "x" * 100_000, "\u202e\x00"])
def test_hostile_texts_are_data(text: str) -> None:
    from evolray.report.page.outcomes import Outcome as Row

    lineage = Lineage("", "aa")
    lineage.add(Row("", "aa", "aa.g0", "", 0, "kept", "seed", instruction=text))
    packed = pack([lineage], 1, 10**6)
    assert "<" not in packed.chunks[0] + packed.index
    assert len(unpack(packed.chunks[0])[0]["outcomes"][0]["i"]) <= 6000


def test_the_written_run_is_what_the_tests_take_it_for() -> None:
    fates = [type(one).__name__ for one in lineages(range(10), 3)]
    assert (fates.count("Record"), fates.count("Eliminated"), fates.count("Failed")) == (26, 3, 1)
