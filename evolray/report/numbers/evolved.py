"""What lies on disk of an evolve run, as small tables for figures.

Shard by shard and columns only: counts come from the footers of the pool's shards, lengths and tokens from single
columns. Nothing here grows with the number of records.
"""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from evolray.errors import UserError
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder, open_folder, shard_name, shards_in
from evolray.pool.manifest import MANIFEST, RUN
from evolray.pool.shards import ELIMINATED, POOL, read_accounts, read_table
from evolray.pool.shards import FAILED as FAILED_FOLDER
from evolray.records import SEED

READERS = 16
EVOLVE, REFINE = "evolve", "refine"
KEPT, FAILED = "kept", "failed"


@dataclass
class EvolveNumbers:
    """An evolve run in numbers. Seeds are generation 0.

    `words[generation]` counts kept instructions by their number of words; `tokens[generation]` are the prompt and
    completion tokens of kept and eliminated records of that generation; `cost` is the run's. `steps[generation, fate,
    next]` counts roots by what became of them then and in the next generation: kept, a reason or failed.
    """

    run: str
    accounts: Accounts = field(default_factory=Accounts)
    words: dict[int, Counter[int]] = field(default_factory=dict)
    tokens: dict[int, list[int]] = field(default_factory=dict)
    steps: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    prices: tuple[float, float] = (0.0, 0.0)
    """Of a million prompt and completion tokens, by the teacher's settings."""
    cost: float = 0.0
    is_simulated: bool = False
    """The teacher."""

    @property
    def generations(self) -> list[int]:
        return sorted(self.accounts.incoming)

    def count(
        self, fate: str, generation: int | None = None, operator: str | None = None, why: str | None = None
    ) -> int:
        """How many had this fate, of one generation, operator and reason or of all."""
        return sum(
            number
            for (g, o, f, w), number in self.accounts.outcomes.items()
            if f == fate and generation in (None, g) and operator in (None, o) and why in (None, w)
        )

    def made(self) -> Counter[str]:
        """operator -> how many instructions it was to make, the most frequent first; seeds are not among them."""
        counts: Counter[str] = Counter()
        for (_, operator, _, _), number in self.accounts.outcomes.items():
            if operator != SEED:
                counts[operator] += number
        return Counter(dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))))

    def eliminated(self) -> Counter[str]:
        """reason -> how many instructions it eliminated, the most frequent first."""
        counts: Counter[str] = Counter()
        for (_, _, fate, why), number in self.accounts.outcomes.items():
            if fate == "eliminated":
                counts[why] += number
        return Counter(dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))))


def stage_of(run: str) -> str:
    """evolve or refine. Raises UserError when `run` is no run of either."""
    folder = open_folder(run)
    if not folder.exists(RUN):
        raise UserError(f"{folder.url}: no evolray run here (it has no {RUN}). Expected a run of evolve or refine.")
    stage = str(read_json(folder, MANIFEST).get("stage", REFINE if folder.names("records") else EVOLVE))
    if stage not in (EVOLVE, REFINE):
        raise UserError(f"{folder.url} is a run of {stage}; a report is made of a run of evolve or refine.")
    return stage


def read_evolved(run: "str | EvolveNumbers") -> EvolveNumbers:
    """Raises UserError when there is no evolve run at `run`."""
    if isinstance(run, EvolveNumbers):
        return run
    if stage_of(run) != EVOLVE:
        raise UserError(f"run={run} is a run of refine; this figure is one of an evolve run.")
    folder = open_folder(run)
    found = EvolveNumbers(folder.url, cost=float(read_json(folder, MANIFEST).get("cost", 0.0)))
    teacher = read_config(folder).get("teacher") or {}
    found.prices = (
        float(teacher.get("price_per_million_prompt_tokens") or 0.0),
        float(teacher.get("price_per_million_completion_tokens") or 0.0),
    )
    found.is_simulated = teacher.get("kind") == "simulated"
    with ThreadPoolExecutor(READERS) as readers:
        for part in readers.map(lambda shard: _read_shard(folder, shard), shards_in(folder, POOL)):
            found.accounts.add(part.accounts)
            found.steps.update(part.steps)
            for generation, words in part.words.items():
                found.words.setdefault(generation, Counter()).update(words)
            for generation, tokens in part.tokens.items():
                total = found.tokens.setdefault(generation, [0, 0])
                found.tokens[generation] = [total[0] + tokens[0], total[1] + tokens[1]]
    return found


def _read_shard(folder: Folder, shard: int) -> EvolveNumbers:
    part = EvolveNumbers(folder.url, read_accounts(folder, shard)[0])
    root, spent = ["root_id", "generation"], ["generation", "prompt_tokens", "completion_tokens"]
    kept = read_table(folder, shard_name(POOL, shard), [*spent, "root_id", "instruction"])
    eliminated = read_table(folder, shard_name(ELIMINATED, shard), [*spent, "root_id", "reason"])
    failed = read_table(folder, shard_name(FAILED_FOLDER, shard), root)
    part.words = counts_by(kept["generation"], num_words(kept["instruction"]))
    part.steps = _steps(
        [
            kept.select(root).append_column("fate", pa.repeat(KEPT, kept.num_rows)),
            eliminated.select([*root, "reason"]).rename_columns([*root, "fate"]),
            failed.append_column("fate", pa.repeat(FAILED, failed.num_rows)),
        ]
    )
    for table in (kept, eliminated):
        sums = table.group_by("generation").aggregate([(name, "sum") for name in spent[1:]])
        for row in sums.to_pylist():
            total = part.tokens.setdefault(row["generation"], [0, 0])
            total[0] += row["prompt_tokens_sum"]
            total[1] += row["completion_tokens_sum"]
    return part


def _steps(outcomes: list[pa.Table]) -> Counter[tuple[int, str, str]]:
    """Of one shard, which holds its roots whole."""
    table = pa.concat_tables(outcomes).sort_by([("root_id", "ascending"), ("generation", "ascending")])
    now, later = table.slice(0, max(table.num_rows - 1, 0)), table.slice(1)
    generation = now["generation"].cast(pa.int32())
    follows = pc.and_(
        pc.equal(now["root_id"], later["root_id"]),
        pc.equal(pc.add(generation, 1), later["generation"].cast(pa.int32())),
    )
    pairs = pa.table({"generation": generation, "fate": now["fate"], "next": later["fate"]}).filter(follows)
    rows = pairs.group_by(pairs.column_names).aggregate([([], "count_all")]).to_pylist()
    return Counter({(row["generation"], row["fate"], row["next"]): row["count_all"] for row in rows})


def num_words(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Between white space, as the pool counts them; a text without any has none."""
    trimmed = pc.utf8_trim_whitespace(texts)
    words = pc.list_value_length(pc.utf8_split_whitespace(trimmed))
    return pc.if_else(pc.equal(trimmed, ""), 0, words)


def counts_by(groups: pa.ChunkedArray, values: pa.ChunkedArray) -> dict[Any, Counter[Any]]:
    """group -> how often each value occurs; nulls are left out."""
    table = pa.table({"group": groups, "value": values}).drop_null()
    counts: dict[Any, Counter[Any]] = {}
    for row in table.group_by(["group", "value"]).aggregate([([], "count_all")]).to_pylist():
        counts.setdefault(row["group"], Counter())[row["value"]] = row["count_all"]
    return counts


def quantiles(counts: Counter[int], shares: tuple[float, ...]) -> list[float]:
    """The values below which these shares of what was counted lie."""
    values = np.array(sorted(counts))
    below = np.cumsum([counts[int(value)] for value in values])
    return [float(values[np.searchsorted(below, share * below[-1], side="left")]) for share in shares]


def mean(counts: Counter[int]) -> float:
    return sum(value * number for value, number in counts.items()) / counts.total()


def read_json(folder: Folder, name: str) -> dict[str, Any]:
    """Empty when there is none. Raises UserError when it cannot be read."""
    if not folder.exists(name):
        return {}
    try:
        content = json.loads(folder.read(name))
        return {**content}
    except (ValueError, TypeError) as error:
        raise UserError(f"{folder.url}/{name} cannot be read ({error}); was it edited?") from None


def read_config(folder: Folder) -> dict[str, Any]:
    """The settings in run.yaml. Raises UserError when it cannot be read."""
    try:
        return {**yaml.safe_load(folder.read(RUN))["config"]}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"{folder.url}/{RUN} cannot be read ({why}); was it edited?") from None
