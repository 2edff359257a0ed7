"""Records for the tests of duplicates, and the steps one after the other in this process."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evolray.config.refine import NearDuplicatesConfig
from evolray.pool.layout import Folder, shard_name
from evolray.records import record_id
from evolray.refine.duplicates.search import Duplicates, find_duplicates
from evolray.refine.duplicates.signatures import MakeSignatures
from evolray.refine.index import read_index
from evolray.refine.steps.step import ShardStep
from evolray.refine.tables import RECORDS, RECORDS_SCHEMA, write_rows


class Text(NamedTuple):
    instruction: str
    response: str = ""
    root: int = -1  # its place, when not given
    generation: int = 0
    source: str = "a"


def write_texts(folder: Folder, texts: Sequence[Text | str], shard_size: int = 1000) -> None:
    rows = []
    for place, text in enumerate(texts):
        text = Text(text) if isinstance(text, str) else text
        root = f"{place if text.root < 0 else text.root:016x}"
        lineage = {"id": record_id(root, text.generation), "root_id": root, "generation": text.generation}
        empty = {"domain": "open", "operator": "seed", "variant": "", "teacher": "", "context": []}
        spent = {"prompt_tokens": 0, "completion_tokens": 0, "attempts": 0, "parent_id": None}
        own = {"instruction": text.instruction, "response": text.response, "source": text.source}
        rows.append({**lineage, **empty, **spent, **own})
    for begin in range(0, max(1, len(rows)), shard_size):
        write_rows(folder, shard_name(RECORDS, begin // shard_size), rows[begin : begin + shard_size], RECORDS_SCHEMA)


def find(
    folder: Folder,
    config: NearDuplicatesConfig | None = None,
    names: tuple[str, ...] = ("a", "b"),
    memory_mb: int = 64,
    backwards: bool = False,
) -> Duplicates:
    config = config or NearDuplicatesConfig()
    index = read_index(folder, names)

    def run(step: ShardStep, numbers: Iterable[int]) -> None:
        for number in sorted(numbers, reverse=backwards):
            step.run(folder, number)

    run(MakeSignatures(config, minhash=config.enabled), index.shards)
    return find_duplicates(folder, index, config, memory_mb, run)
