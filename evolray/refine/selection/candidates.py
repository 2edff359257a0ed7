"""What selection knows of every record that is still in: some 50 bytes each, and none of its text."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.pool.shards import read_table
from evolray.refine.index import READERS, Index, random_keys
from evolray.refine.tables import FEATURES, JUDGED, RECORDS
from evolray.refine.text.hashing import Hashes

UNJUDGED = -1  # for a difficulty that nobody gave


@dataclass(frozen=True)
class Candidates:
    """Columns of M records, by position; `rows` are their numbers in the run, ascending.

    Operators, domains and skills are numbers into their names, which are sorted. Record p has the skills
    `skills[skill_offsets[p]:skill_offsets[p + 1]]`.
    """

    rows: npt.NDArray[np.int64]
    roots: npt.NDArray[np.uint64]
    generations: npt.NDArray[np.int16]
    sources: npt.NDArray[np.int16]
    operators: npt.NDArray[np.int32]
    domains: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]
    tokens: npt.NDArray[np.int32]
    has_response: npt.NDArray[np.bool_]
    difficulty: npt.NDArray[np.int8]
    skills: npt.NDArray[np.int32]
    skill_offsets: npt.NDArray[np.int64]
    source_names: tuple[str, ...]
    operator_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    skill_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def keys(self, seed: int) -> Hashes:
        """A random number per record that depends on nothing but the record and the seed."""
        return random_keys(seed, self.source_names, self.sources, self.roots, self.generations)


class _Names:
    """Numbers for names as they turn up, and in the end those of the sorted names."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int32]:
        encoded = pc.fill_null(column, "").dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        known = [self._numbers.setdefault(name, len(self._numbers)) for name in encoded.dictionary.to_pylist()]
        numbers: npt.NDArray[np.int32] = np.array(known, np.int32)[encoded.indices.to_numpy()]
        return numbers

    def sort(self, numbers: npt.NDArray[np.int32]) -> tuple[str, ...]:
        """The names in their order; `numbers` changes in place to say the same by the new numbers."""
        names = sorted(self._numbers)
        new = np.empty(len(names), np.int32)
        new[[self._numbers[name] for name in names]] = np.arange(len(names), dtype=np.int32)
        numbers[:] = new[numbers]
        return tuple(names)


def read_candidates(folder: Folder, index: Index, undecided: npt.NDArray[np.bool_]) -> Candidates:
    """From records/, features/ and judged/, of the rows that `undecided` (N) marks. Texts are not read."""
    rows = np.flatnonzero(undecided)
    starts = np.searchsorted(rows, index.offsets)
    operators, domains, words, tokens = (np.zeros(len(rows), np.int32) for _ in range(4))
    has_response = np.zeros(len(rows), np.bool_)
    difficulty = np.full(len(rows), UNJUDGED, np.int8)
    skill_counts, skills = np.zeros(len(rows), np.int64), [np.array([], np.int32)]
    operator_names, domain_names, skill_names = _Names(), _Names(), _Names()
    for at, (records, features, judged) in enumerate(_read(folder, index)):
        here = slice(starts[at], starts[at + 1])
        inside = rows[here] - index.offsets[at]
        operators[here] = operator_names.of(records["operator"])[inside]
        domains[here] = domain_names.of(records["domain"])[inside]
        words[here], tokens[here] = (features[name].to_numpy()[inside] for name in ("words", "tokens"))
        has_response[here] = features["response_words"].to_numpy()[inside] > 0
        if judged is not None:
            positions, judged = _ordered(judged, rows)
            difficulty[positions] = pc.fill_null(judged["difficulty"], UNJUDGED).to_numpy()
            skill_counts[positions] = pc.fill_null(pc.list_value_length(judged["skills"]), 0).to_numpy()
            skills.append(skill_names.of(pc.list_flatten(judged["skills"])))
    flat = np.concatenate(skills)
    return Candidates(
        rows, index.roots[rows], index.generations[rows], index.sources[rows], operators, domains, words, tokens,
        has_response, difficulty, flat, np.concatenate([[0], np.cumsum(skill_counts)]).astype(np.int64), index.names,
        operator_names.sort(operators), domain_names.sort(domains), skill_names.sort(flat),
    )  # fmt: skip


def _read(folder: Folder, index: Index) -> Iterator[tuple[pa.Table, pa.Table, pa.Table | None]]:
    """Of every shard in their order; some are read ahead, as many as there are readers."""
    judged = set(shards_in(folder, JUDGED))

    def read(shard: int) -> tuple[pa.Table, pa.Table, pa.Table | None]:
        return (
            read_table(folder, shard_name(RECORDS, shard), ["operator", "domain"]),
            read_table(folder, shard_name(FEATURES, shard), ["words", "tokens", "response_words"]),
            read_table(folder, shard_name(JUDGED, shard), ["row", "difficulty", "skills"]) if shard in judged else None,
        )

    with ThreadPoolExecutor(READERS) as readers:
        for start in range(0, len(index.shards), READERS):
            yield from readers.map(read, index.shards[start : start + READERS])


def _ordered(judged: pa.Table, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], pa.Table]:
    """The judged records that are candidates, in the order of their rows, and their positions."""
    judged = judged.sort_by("row")
    positions = np.searchsorted(rows, judged["row"].to_numpy())
    known = np.append(rows, -1)[positions] == judged["row"].to_numpy()
    return positions[known], judged.filter(pa.array(known))
