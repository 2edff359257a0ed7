"""Instructions as vectors, by a model of sentence-transformers: what farthest-first compares (select.order=embedding).

All vectors are in memory when the mix is drawn; `MOST_RECORDS` of them are taken. They come from a model in float
arithmetic: on another kind of processor they may differ, and with them the mix.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evolray.errors import UserError
from evolray.pool.layout import Folder, shard_name
from evolray.pool.shards import read_table
from evolray.refine.steps.step import Counts
from evolray.refine.tables import RECORDS, array_name, write_array

Vectors = npt.NDArray[np.float32]

EMBEDDINGS = "embeddings"  # 00017.npy: (marked records of the shard, dimensions) float32
MOST_RECORDS = 500_000  # some 800 MB at 384 dimensions
MOST_CHARS = 4_000  # of a text: models of this kind read some hundred words
BATCH = 64
NO_LIBRARY = (
    "select.order=embedding needs sentence-transformers; expected pip install 'evolray[embed]' on every node, or "
    "choose select.order=diverse, which needs no model."
)
MODEL = "a folder that every node sees, or a name on the Hub that sentence-transformers can download"


@dataclass(frozen=True)
class EmbedRecords:
    """records/ -> embeddings/: the instructions of the rows that `mask` (N) marks, by `model`.

    `shards` and `offsets` are those of the Index. Raises UserError when the mask marks more than `MOST_RECORDS`.
    """

    model: str
    mask: npt.NDArray[np.bool_]
    shards: tuple[int, ...]
    offsets: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if (records := int(self.mask.sum())) > MOST_RECORDS:
            raise UserError(
                f"select.order=embedding takes at most {MOST_RECORDS:,} records and {records:,} are left; expected "
                "fewer (narrow select, or set limit), or choose select.order=diverse, which has no such limit."
            )

    def run(self, folder: Folder, shard: int) -> Counts:
        texts = read_table(folder, shard_name(RECORDS, shard), ["instruction"])["instruction"]
        chosen = texts.filter(pa.array(self._marked(shard))).to_pylist()
        write_array(folder, EMBEDDINGS, shard, embed(chosen, self.model))
        return {"records": len(chosen)}

    def read(self, folder: Folder, rows: npt.NDArray[np.int64]) -> Vectors:
        """(rows, dimensions), of some of the marked rows, ascending, from what run() wrote."""
        limits = np.searchsorted(rows, self.offsets)
        found: Vectors | None = None
        for at, shard in enumerate(self.shards):
            wanted = rows[limits[at] : limits[at + 1]]
            if not len(wanted):
                continue
            stored = np.load(io.BytesIO(folder.read(array_name(EMBEDDINGS, shard))), allow_pickle=False)
            marked = np.flatnonzero(self._marked(shard)) + self.offsets[at]
            if found is None:
                found = np.empty((len(rows), stored.shape[1]), np.float32)
            found[limits[at] : limits[at + 1]] = stored[np.searchsorted(marked, wanted)]
        return np.zeros((0, 0), np.float32) if found is None else found

    def _marked(self, shard: int) -> npt.NDArray[np.bool_]:
        at = self.shards.index(shard)
        return self.mask[self.offsets[at] : self.offsets[at + 1]]


def check_model(model: str) -> None:
    """Raises UserError, before anything is read, when the library or a model's folder is missing."""
    if find_spec("sentence_transformers") is None:
        raise UserError(NO_LIBRARY)
    if model.startswith(("/", "./", "../", "~")) and not Path(model).expanduser().is_dir():
        raise UserError(f"select.embedding_model={model}: no such folder; expected {MODEL}.")


def embed(texts: Sequence[str], model: str) -> Vectors:
    """(texts, dimensions), of length 1. Raises UserError when the library or the model is missing."""
    if not texts:
        return np.zeros((0, 0), np.float32)
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UserError(NO_LIBRARY) from None
    encoder = _encoder(SentenceTransformer, model)
    found = encoder.encode(
        [text[:MOST_CHARS] for text in texts],
        batch_size=BATCH,
        show_progress_bar=False,
        convert_to_numpy=True,
        normalize_embeddings=True,
    )
    return np.asarray(found, np.float32)


@lru_cache(maxsize=1)
def _encoder(kind: Any, model: str) -> Any:
    """One per process; a worker embeds many shards."""
    try:
        return kind(str(Path(model).expanduser()) if model.startswith("~") else model)
    except Exception as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"select.embedding_model={model}: cannot be loaded ({why}). Expected {MODEL}.") from None
