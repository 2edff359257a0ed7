import pickle
from pathlib import Path
from random import Random

import numpy as np
import pytest

from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import LocalFolder
from evolray.refine.duplicates.signatures import (
    MakeSignatures,
    band_hashes,
    matches_needed,
    min_hashes,
    rows_per_band,
    similarity,
)
from evolray.refine.text.hashing import Tokens, hash_tokens
from tests.refine.duplicates.records import Text, write_texts


@pytest.mark.parametrize(
    ("threshold", "permutations", "rows"), [(0.7, 128, 5), (0.9, 128, 11), (0.5, 128, 3), (0.1, 16, 1)]
)
def test_bands_are_as_long_as_the_recall_at_the_threshold_allows(
    threshold: float, permutations: int, rows: int
) -> None:
    assert rows_per_band(threshold, permutations) == rows


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.7, 1.0])
def test_the_number_of_matches_and_the_estimate_agree(threshold: float) -> None:
    needed = matches_needed(threshold, 128)
    assert similarity(np.array([needed]), 128)[0] >= threshold - 1e-6
    assert similarity(np.array([needed - 1]), 128)[0] < threshold


def test_estimates_are_close_to_the_similarity() -> None:
    """200 pairs that share 60 of 80 tokens: Jaccard 0.6; the mean of their estimates has a standard error of 0.003."""
    random = Random(1)
    texts = []
    for pair in range(200):
        words = [f"{pair}.{n}" for n in range(100)]
        texts += [random.sample(words[:80], 80), words[20:]]
    values = min_hashes(hash_tokens(texts), 128, 1) & 255
    matches = (values[::2] == values[1::2]).sum(axis=1)
    assert abs(float(similarity(matches, 128).mean()) - 0.6) < 0.02


def test_bands_are_equal_where_their_values_are() -> None:
    values = np.arange(12, dtype=np.uint32).reshape(2, 6) % 4
    values[0] = values[1]
    values[0, 3] += 1
    first, second = band_hashes(values, 2).T
    assert (first == second).tolist() == [True, False, True]
    assert len(set(band_hashes(np.zeros((1, 6), np.uint32), 2).ravel().tolist())) == 1


def test_no_texts_have_no_signatures() -> None:
    assert min_hashes(Tokens(np.array([], np.uint64), np.zeros(1, np.int64)), 16, 1).shape == (0, 16)


def test_the_step_writes_a_row_per_record_and_the_same_bytes_again(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, ["one two three", "", "One, two three!", Text("one two", "said")])
    step = pickle.loads(pickle.dumps(MakeSignatures(NearDuplicatesConfig())))
    assert step.run(folder, 0) == {"records": 4, "without_text": 1}
    names = ["hashes/00000.npy", "signatures/00000.npy", "bands/00000.npy"]
    hashes, signatures, bands = (np.load(tmp_path / name) for name in names)
    assert (hashes.shape, signatures.shape, bands.shape) == ((4, 2), (4, 128), (25, 4))
    assert (hashes.dtype, signatures.dtype, bands.dtype) == (np.uint64, np.uint8, np.uint64)
    assert (hashes[0] == hashes[2]).all() and (hashes[0] != hashes[3]).all()
    assert (signatures[0] == signatures[2]).all()
    assert (bands == 0).all(axis=0).tolist() == [False, True, False, False]
    before = [(tmp_path / name).read_bytes() for name in names]
    step.run(folder, 0)
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_without_minhash_only_the_digests_are_written(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, ["one two three"])
    MakeSignatures(NearDuplicatesConfig(), minhash=False).run(folder, 0)
    assert {path.parent.name for path in tmp_path.rglob("*.npy")} == {"hashes"}


def test_an_empty_shard_has_empty_files(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path))
    write_texts(folder, [])
    assert MakeSignatures(NearDuplicatesConfig()).run(folder, 0)["records"] == 0
    assert np.load(tmp_path / "bands" / "00000.npy").shape == (25, 0)
