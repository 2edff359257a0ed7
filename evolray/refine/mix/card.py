"""The data card of a mix: what it is made of and how, in the form of dataset cards on the Hugging Face Hub.

A function of the run alone, without a date, so the same mix has the same card. What it says about
licences are things to check, not legal advice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from evolray.config import RefineConfig
from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.pool.shards import POOL, num_rows, read_table
from evolray.refine.intake.sources import shown_path
from evolray.refine.manifest import RefineManifest
from evolray.refine.mix.card_steps import contamination, steps
from evolray.refine.mix.markdown import fenced, inline, table
from evolray.refine.mix.writing import by_key
from evolray.refine.steps.step import Counts

CARD = "card.md"

EXAMPLES = 5
EXAMPLE_CHARS = 1_200
MOST_ROWS = 40  # of a table of counts
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip
SIMULATED = "simulated"

LICENCES = """\
Nobody's rights end because a text was refined. Before this mix or a model trained on it is published, check:

- **The sources' licences.** They carry over to every record that came from them, evolved ones included. The Alpaca data
  (`alpaca_data.json` and what descends from it, Code Alpaca among it) is under CC BY-NC 4.0, for example: not for
  commercial use.
- **The teachers' terms.** Responses and evolved instructions are outputs of the models named above. Terms of OpenAI's
  kind forbid to develop competing models with them; licences of open models may ask for their name in that of yours.
- **Persons and rights in the texts.** Seeds taken from conversations may hold personal data or others' works.

`license: other` in the head of this card stands until somebody has decided."""


@dataclass(frozen=True)
class CardFacts:
    """`counts`: the total of `WriteMix.run` over all shards."""

    config: RefineConfig
    manifest: RefineManifest
    counts: Counts

    @property
    def mix(self) -> Mapping[str, Mapping[str, int]]:
        return by_key(self.counts)


def write_card(folder: Folder, facts: CardFacts) -> None:
    """Write card.md, with examples from pool/."""
    name = inline(facts.manifest.run.rstrip("/").rpartition("/")[2] or facts.manifest.run)
    parts = [
        _head(facts), f"# {name}", _summary(facts),
        "## Sources", _sources(facts),
        "## Teachers", _teachers(facts.mix.get("teacher", {})),
        "## How it was refined", steps(facts.config, facts.manifest),
        "## What was dropped", _dropped(facts),
        "## Benchmarks", contamination(facts.config, facts.manifest),
        "## What is in it", _counts(facts),
        "## Examples", _examples(folder, facts),
        "## Licences", LICENCES,
        "## Hashes", _hashes(facts),
    ]  # fmt: skip
    text = "\n\n".join(part for part in parts if part) + "\n"
    folder.write(CARD, text.encode("utf-8", "backslashreplace"))


def _head(facts: CardFacts) -> str:
    """JSON values, which are YAML, too."""
    records = facts.counts.get("mix", 0)
    size = next((name for most, name in SIZES if records < most), "n>100M")
    tags = ["instruction-tuning", "evol-instruct", "evolray"]
    tags += ["synthetic"] if any(facts.mix.get("teacher", {})) else []
    fields = {
        "pretty_name": facts.manifest.run.rstrip("/").rpartition("/")[2],
        "license": "other",
        "task_categories": ["text-generation"],
        "size_categories": [size],
        "tags": tags,
        "configs": [{"config_name": "default", "data_files": "pool/*.parquet"}],
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _summary(facts: CardFacts) -> str:
    counts, generations = facts.counts, facts.mix.get("generation", {})
    evolved = sum(number for generation, number in generations.items() if generation != "0")
    return (
        f"{counts.get('mix', 0):,} instructions with responses, some {counts.get('tokens', 0):,} tokens (four "
        f"characters counted as one), selected from {facts.manifest.records:,} records. Of the instructions, "
        f"{evolved:,} were evolved from others (Evol-Instruct, arXiv 2304.12244). Made by evolray: the records are "
        "in `pool/`, every record that is not among them is in `dropped/` with its reason, the settings in `run.yaml`."
    )


def _sources(facts: CardFacts) -> str:
    weighted = any(source.get("weight") is not None for source in facts.manifest.sources)
    in_mix = facts.mix.get("source", {})
    rows: list[list[str | int]] = []
    for source in facts.manifest.sources:
        row: list[str | int] = [inline(source["name"]), inline(shown_path(source["path"]))]
        row += [f"{source['weight']:g}"] if weighted else []
        rows.append([*row, source.get("records", 0), source.get("rejected", 0), in_mix.get(source["name"], 0)])
    weight = ["weight"] if weighted else []
    return table(["source", "where", *weight, "records", "entries rejected", "in the mix"], rows)


def _teachers(teachers: Mapping[str, int]) -> str:
    """Which models wrote the responses."""
    rows: list[list[str | int]] = [[inline(name) or "none: the source's own", teachers[name]] for name in teachers]
    parts = [table(["responses by", "records"], rows)]
    simulated = sum(number for name, number in teachers.items() if name.startswith(SIMULATED))
    if simulated:
        parts.append(
            f"**Written by evolray's simulated teacher, which works by rule and understands nothing: {simulated:,}. "
            "These are for trying things out; do not train on them.**"
        )
    return "\n\n".join(parts)


def _dropped(facts: CardFacts) -> str:
    dropped = facts.manifest.dropped
    rows: list[list[str | int]] = [[reason, number] for reason, number in dropped.items() if number]
    return table(["reason", "records"], [*rows, ["all", sum(dropped.values())]]) if rows else "Nothing."


def _counts(facts: CardFacts) -> str:
    parts = []
    for key in ("generation", "operator", "domain", "difficulty", "skill"):
        if counts := facts.mix.get(key, {}):
            names = [*counts]
            if key in ("generation", "difficulty"):
                names.sort(key=int)
            rows: list[list[str | int]] = [[inline(name) or "none given", counts[name]] for name in names[:MOST_ROWS]]
            if names[MOST_ROWS:]:
                rows.append([f"{len(names) - MOST_ROWS:,} more", sum(counts[name] for name in names[MOST_ROWS:])])
            parts.append(table([key, "records"], rows))
    return "\n\n".join(parts)


def _examples(folder: Folder, facts: CardFacts) -> str:
    """Drawn by the selection's seed over the whole mix."""
    shards = [(shard, num_rows(folder, shard_name(POOL, shard))) for shard in shards_in(folder, POOL)]
    total = sum(rows for _, rows in shards)
    chosen = sorted(Random(f"{facts.config.select.seed}/card").sample(range(total), min(EXAMPLES, total)))
    parts = [f"{len(chosen)} of {total:,}, drawn at random; long texts are cut."]
    first = 0
    for shard, rows in shards:
        if here := [row - first for row in chosen if first <= row < first + rows]:
            columns = ["id", "operator", "source", "difficulty", "context", "instruction", "response"]
            for row in read_table(folder, shard_name(POOL, shard), columns).take(here).to_pylist():
                about = [row["operator"] or "no operator", f"from {row['source']}"]
                about += [f"difficulty {row['difficulty']}"] if row["difficulty"] is not None else []
                about += [f"after {len(row['context'])} turns of a conversation"] if row["context"] else []
                parts += [
                    f"**{inline(row['id'])}** ({inline(', '.join(about))})",
                    "Instruction:",
                    fenced(row["instruction"], EXAMPLE_CHARS),
                    "Response:",
                    fenced(row["response"], EXAMPLE_CHARS),
                ]
        first += rows
    return "\n\n".join(parts)


def _hashes(facts: CardFacts) -> str:
    rows = [[inline(name), f"`{digest}`"] for name, digest in facts.manifest.hashes.items()]
    rows += [
        [inline(f"benchmark {one['name']}"), f"`{one['sha256']}`"]
        for one in facts.manifest.benchmarks
        if one.get("sha256")
    ]
    return table(["what", "sha256"], rows) if rows else ""
