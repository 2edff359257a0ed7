"""The data of the lineage browser as it lies in the page: gzip, in base64, in pieces that are opened when needed.

An index has of each lineage what the list and the filters need; texts are in chunks of some 100 lineages, opened when
one of them is shown, and all of them by the first search. A piece is inert text in the page (no script, no markup), so
what it says cannot do anything; the page's script parses it as JSON and shows it as text.
"""

import base64
import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from evolray.report.page.lineages import Lineage

CHUNK_CHARS = 300_000
RESERVE_BYTES = 200  # around the pieces: their tags
INDEX_SHARE = 0.5  # what an entry of the index needs at most, compressed, per byte of its JSON, before it is known


@dataclass(frozen=True)
class Packed:
    """`chunks` and `index` in base64; `lineages` of `seen` are in them."""

    index: str
    chunks: tuple[str, ...]
    lineages: int
    seen: int

    @property
    def size(self) -> int:
        """In bytes of the page."""
        return sum(len(piece) + RESERVE_BYTES for piece in (self.index, *self.chunks))


def pack(lineages: Iterable[Lineage], seen: int, most_bytes: float) -> Packed:
    """As many of the lineages, from the first on, as fit into so many bytes of the page."""
    entries = _Index()
    chunks: list[str] = []
    sizes: list[int] = []
    for piece in _pieces(lineages):
        chunk = encode("[" + ",".join(lineage.to_json() for lineage in piece) + "]")
        used = sum(len(one) + RESERVE_BYTES for one in (*chunks, chunk))
        if used + entries.bytes_with(piece) > most_bytes:
            break
        chunks.append(chunk)
        sizes.append(len(piece))
        entries.add(piece)
    return Packed(encode(entries.to_json(sizes)), tuple(chunks), sum(sizes), seen)


def encode(text: str) -> str:
    """The same text, the same characters: the gzip header has no time in it."""
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), compresslevel=9, mtime=0)).decode()


def _pieces(lineages: Iterable[Lineage]) -> Iterable[list[Lineage]]:
    piece: list[Lineage] = []
    chars = 0
    for lineage in lineages:
        piece.append(lineage)
        chars += lineage.size
        if chars >= CHUNK_CHARS:
            yield piece
            piece, chars = [], 0
    if piece:
        yield piece


class _Index:
    """Titles, and of every outcome its fate, operator and reason as numbers into tables."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, int]] = {"f": {}, "o": {}, "w": {}, "source": {}}
        self._entries: list[Any] = []
        self._chars = 0

    def add(self, piece: list[Lineage]) -> None:
        for lineage in piece:
            outcomes = [self._number(name, one.get(name, "")) for one in lineage.outcomes for name in ("f", "o", "w")]
            source = self._number("source", lineage.source)
            self._entries.append([lineage.root_id, lineage.title, source, outcomes])
        self._chars += _chars(piece)

    def bytes_with(self, piece: list[Lineage]) -> float:
        return (self._chars + _chars(piece)) * INDEX_SHARE * 4 / 3 + 2000

    def to_json(self, sizes: list[int]) -> str:
        """`chunks`: how many lineages each chunk holds, in the order of the entries."""
        tables = {name: list(table) for name, table in self._tables.items()}
        content = {"tables": tables, "chunks": sizes, "entries": self._entries}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    def _number(self, name: str, value: str) -> int:
        table = self._tables[name]
        return table.setdefault(value, len(table))


def _chars(piece: list[Lineage]) -> int:
    return sum(len(one.title.encode()) + len(one.root_id) + 12 + 6 * len(one.outcomes) for one in piece)
