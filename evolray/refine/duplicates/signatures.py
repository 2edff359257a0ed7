"""Every record as a MinHash signature, the hashes of its bands, and a digest for exact comparison, shard by shard.

Two records agree in a value of MinHash with a probability that is the Jaccard similarity of their shingles (Broder
1997). Of each value 8 bits are stored: chance agreements, one in 256, are taken out of the estimate (b-bit minwise
hashing, Li and König 2010). `rows` successive values, whole, make a band; records that agree in a band are compared.
The bands are as long as lets a pair at the threshold meet with a probability of `RECALL`, so that the estimate, and
not luck, decides.

    hashes/00017.npy       (records, 2) uint64, digests of the normalised texts; written last
    signatures/00017.npy   (records, permutations) uint8
    bands/00017.npy        (bands, records) uint64; 0 for a record without text, which is like nobody
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import read_table
from evolray.refine.duplicates.tokens import COLUMNS, compared, exact_digest, shingles
from evolray.refine.steps.step import Counts
from evolray.refine.tables import BANDS, RECORDS, SIGNATURES, write_array
from evolray.refine.text.hashing import Tokens, mix

HASHES = "hashes"
ALGORITHM = RMinHash.ALGORITHM_VERSION  # signatures of different ones must not be compared
RECALL = 0.98
_STEP = np.uint64(0x9E3779B97F4A7C15)


def rows_per_band(threshold: float, permutations: int) -> int:
    """The most values per band for which a pair at the threshold still shares a band with a probability of RECALL."""
    fitting = [
        rows for rows in range(1, permutations + 1) if 1 - (1 - threshold**rows) ** (permutations // rows) >= RECALL
    ]
    return max(fitting, default=1)


def matches_needed(threshold: float, permutations: int) -> int:
    """Equal 8-bit values from which on the estimate of the similarity reaches the threshold."""
    return int(np.ceil(permutations * (1 / 256 + threshold * 255 / 256) - 1e-9))


def similarity(matches: npt.NDArray[np.integer], permutations: int) -> npt.NDArray[np.float32]:
    """The estimate, 0 to 1, from the number of equal 8-bit values."""
    return np.clip((matches / permutations - 1 / 256) * 256 / 255, 0, 1).astype(np.float32)


def min_hashes(texts: Tokens, permutations: int, seed: int) -> npt.NDArray[np.uint32]:
    """(texts, permutations)"""
    if len(texts.offsets) == 1:
        return np.zeros((0, permutations), np.uint32)
    offsets = texts.offsets.astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(texts.hashes, offsets, permutations, seed)
    return np.array(matrix.to_rows(), np.uint32)


def band_hashes(values: npt.NDArray[np.uint32], rows: int) -> npt.NDArray[np.uint64]:
    """(bands, texts), never 0."""
    bands = values.shape[1] // rows
    found = np.zeros((bands, len(values)), np.uint64)
    for row in range(rows):
        found = mix(found * _STEP + values[:, row : bands * rows : rows].T.astype(np.uint64) + np.uint64(1))
    return np.maximum(found, np.uint64(1))


@dataclass(frozen=True)
class MakeSignatures:
    """`minhash`: whether signatures and bands are wanted, or only what finds exact duplicates."""

    config: NearDuplicatesConfig
    minhash: bool = True

    def run(self, folder: Folder, shard: int) -> Counts:
        texts = compared(read_table(folder, shard_name(RECORDS, shard), COLUMNS[self.config.of]), self.config.of)
        if self.minhash:
            found = shingles(texts, self.config.shingle)
            values = min_hashes(found, self.config.permutations, self.config.seed)
            bands = band_hashes(values, rows_per_band(self.config.threshold, self.config.permutations))
            bands[:, found.lengths == 0] = 0
            write_array(folder, SIGNATURES, shard, (values & 255).astype(np.uint8))
            write_array(folder, BANDS, shard, bands)
        digests = np.frombuffer(b"".join(map(exact_digest, texts)), ">u8").astype(np.uint64).reshape(-1, 2)
        write_array(folder, HASHES, shard, digests)
        return {"records": len(texts), "without_text": int((digests == 0).all(axis=1).sum())}
