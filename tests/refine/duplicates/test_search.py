from pathlib import Path
from random import Random

import numpy as np
import pytest

from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import LocalFolder, RemoteFolder
from evolray.refine.duplicates import buckets as near_buckets
from evolray.refine.duplicates import pairs as near_pairs
from evolray.refine.duplicates.buckets import pairs_of
from evolray.refine.duplicates.search import find_duplicates, resolve
from evolray.refine.duplicates.signatures import matches_needed
from evolray.refine.index import read_index
from evolray.refine.reasons import REASONS
from tests.refine.duplicates.records import Text, find, write_texts

WORDS = [f"word{n}" for n in range(400)]
BASE = Random("base").choices(WORDS, k=50)


def text(changed: dict[int, str]) -> str:
    return " ".join(changed.get(place, word) for place, word in enumerate(BASE))


def families(seed: int, number: int) -> list[Text]:
    """Texts that drift: each is an earlier one with a few words changed, so that likeness is not transitive."""
    random = Random(seed)
    texts = [random.choices(WORDS, k=40) for _ in range(5)]
    while len(texts) < number:
        words = list(random.choice(texts))
        for _ in range(random.randrange(1, 6)):
            words[random.randrange(len(words))] = random.choice(WORDS)
        texts.append(words)
    roots = random.sample(range(number), number)
    return [Text(" ".join(one), root=roots[n] // 2, generation=roots[n] % 2) for n, one in enumerate(texts)]


def by_definition(path: Path, config: NearDuplicatesConfig) -> list[int]:
    """One record after the other: dropped if one that stays resembles it. The row with the most matches, or -1."""
    index = read_index(LocalFolder(str(path)), ("a", "b"))
    signatures, bands = (
        np.concatenate([np.load(file) for file in sorted((path / kind).glob("*.npy"))], axis=axis)
        for kind, axis in (("signatures", 0), ("bands", 1))
    )
    kept = [-1] * len(index)
    stays: list[int] = []
    for row in index.order().tolist():
        alike = [
            (int((signatures[row] == signatures[other]).sum()), -stays.index(other), other)
            for other in stays
            if index.roots[row] != index.roots[other] and (bands[:, row] == bands[:, other]).any()
        ]
        alike = [one for one in alike if one[0] >= matches_needed(config.threshold, config.permutations)]
        if alike:
            kept[row] = max(alike)[2]
        else:
            stays.append(row)
    return kept


@pytest.mark.parametrize("seed", range(4))
def test_the_result_is_that_of_deciding_one_after_the_other(tmp_path: Path, seed: int) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, families(seed, 400), shard_size=90)
    found = find(folder)
    assert np.array_equal(found.stays(), np.array(by_definition(tmp_path, NearDuplicatesConfig())) < 0)
    assert found.turns > 1  # leaders did fall
    assert 30 < found.stays().sum() < 370


def test_memory_and_the_order_of_units_and_shards_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = families(9, 200)
    one = LocalFolder(str(tmp_path / "one"))
    write_texts(one, texts)
    expected = find(one)
    settings = [(70, False, 9_000), (200, True, 9_000), (200, False, 2_000), (70, True, 60_000)]
    for number, (shard_size, backwards, megabyte) in enumerate(settings):
        monkeypatch.setattr(near_pairs, "_MEGABYTE", megabyte)  # 9,000: 5 ranges, 11 signatures at once
        folder = LocalFolder(str(tmp_path / str(number)))
        write_texts(folder, texts, shard_size)
        found = find(folder, memory_mb=1, backwards=backwards)
        for name in ("kept", "similarity", "kind"):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def test_what_stays_stays_when_it_is_searched_again(tmp_path: Path) -> None:
    texts = families(5, 400)
    folder, again = LocalFolder(str(tmp_path / "first")), LocalFolder(str(tmp_path / "again"))
    write_texts(folder, texts)
    stays = find(folder).stays()
    write_texts(again, [one for one, stay in zip(texts, stays, strict=True) if stay])
    assert find(again).stays().all()


def test_the_one_that_resembles_it_most_stays_for_it(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    middle = {5: "x", 25: "y"}
    write_texts(
        folder, [text({5: "x", 25: "y", 12: "k", 18: "l", 33: "m", 37: "n", 42: "o", 47: "p"}), text({}), text(middle)]
    )
    found = find(folder, NearDuplicatesConfig(threshold=0.52, permutations=256))
    assert found.kept.tolist() == [-1, -1, 1]
    assert REASONS[found.kind[2]] == "near_duplicate"
    assert 0.7 < found.similarity[2] < 1


def test_a_record_stays_when_the_one_that_it_resembles_is_dropped(tmp_path: Path) -> None:
    """Third resembles second, second resembles first, third does not resemble first."""
    folder = LocalFolder(str(tmp_path))
    second = {place: f"a{place}" for place in (3, 13, 23)}
    third = second | {place: f"b{place}" for place in (8, 18, 28, 38)}
    write_texts(folder, [text({}), text(second), text(third)])
    found = find(folder)
    assert (found.kept.tolist(), found.turns) == ([-1, 0, -1], 2)


def test_a_lineage_is_compared_within_itself_only_when_wanted(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [Text(text({}), root=1), Text(text({4: "new"}), root=1, generation=1)])
    assert find(folder).kept.tolist() == [-1, -1]
    assert find(folder, NearDuplicatesConfig(within_lineage=True)).kept.tolist() == [-1, 0]


def test_a_copy_of_a_near_duplicate_goes_with_the_one_that_stays(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [text({}), text({4: "new"}), text({4: "NEW"}), text({}) + "!"])
    found = find(folder)
    assert found.kept.tolist() == [-1, 0, 0, 0]
    kinds = ["", "near_duplicate", "near_duplicate", "exact_duplicate"]
    assert [REASONS[kind] for kind in found.kind] == kinds
    assert found.similarity[1] == found.similarity[2] < 1 == found.similarity[3]


def test_a_bucket_of_thousands_costs_few_pairs(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [text({n % 50: f"new{n}"}) for n in range(3000)])
    found = find(folder)
    assert found.stays().sum() == 1
    assert (found.kept[1:] == 0).all()


def test_with_one_permutation_per_band_and_with_odd_numbers(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [text({}), text({4: "new"}), " ".join(WORDS)])
    assert find(folder, NearDuplicatesConfig(threshold=0.05, permutations=13)).kept[1] == 0
    assert find(folder, NearDuplicatesConfig(threshold=1.0, permutations=7)).kept.tolist()[2] == -1


def test_pairs_are_decided_in_their_order() -> None:
    ones = np.ones(4, np.uint16)
    pairs = pairs_of(np.array([0, 1, 2, 0]), np.array([1, 2, 3, 4]), ones)
    assert resolve(pairs, 6).tolist() == [True, False, True, False, False, True]


def test_units_that_an_earlier_run_has_finished_need_not_be_run_again(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, families(1, 200))
    found = find(folder)
    again = find_duplicates(
        folder, read_index(folder, ("a", "b")), NearDuplicatesConfig(), 64, lambda step, units: None
    )
    assert again.turns == found.turns > 1
    assert np.array_equal(again.kept, found.kept)


def template(number: int) -> list[str]:
    """Texts of which any two share a good half of their words, and every tenth is nearly the one before."""
    random = Random(3)
    texts: list[dict[int, str]] = []
    while len(texts) < number:
        is_near = len(texts) % 10 == 9
        texts.append(texts[-1] | {49: "nearly"} if is_near else {at: random.choice(WORDS) for at in range(2, 46, 4)})
    return [text(changed) for changed in texts]


def test_crowded_buckets_are_split_and_what_stays_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = template(300)
    whole, folder, again = (LocalFolder(str(tmp_path / name)) for name in ("whole", "split", "again"))
    write_texts(whole, texts)
    expected = find(whole).stays()
    assert expected.sum() == 270
    monkeypatch.setattr(near_buckets, "CROWDED", 3)
    monkeypatch.setattr(near_buckets, "PATIENCE", 2)
    write_texts(folder, texts, shard_size=70)
    found = find(folder)
    assert found.turns > 1  # some bucket was split
    assert (found.stays() == expected).mean() > 0.99
    write_texts(again, [one for one, stay in zip(texts, found.stays(), strict=True) if stay])
    assert find(again).stays().all()


def test_buckets_that_cannot_be_held_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [text({n % 50: f"new{n}"}) for n in range(150)], shard_size=70)
    expected = find(folder)
    monkeypatch.setattr(near_pairs, "_LARGEST", 20)
    results = []
    for megabyte in (15_000, 1_000_000):
        monkeypatch.setattr(near_pairs, "_MEGABYTE", megabyte)
        results.append(find(folder, memory_mb=1))
    assert results[0].turns > 1
    assert np.array_equal(results[0].kept, results[1].kept)
    assert (results[0].stays() == expected.stays()).mean() > 0.99


def test_files_are_read_and_written_through_the_file_system_of_a_url(tmp_path: Path) -> None:
    local, remote = LocalFolder(str(tmp_path / "local")), RemoteFolder(f"file://{tmp_path}/remote")
    for kind in ("records", "hashes", "signatures", "bands", "work/pairs-0", "work/pairs-1", "work/pairs-2"):
        (tmp_path / "remote" / kind).mkdir(parents=True)
    texts = families(2, 60)
    write_texts(local, texts, shard_size=25)
    write_texts(remote, texts, shard_size=25)
    assert find(remote).kept.tolist() == find(local).kept.tolist()
