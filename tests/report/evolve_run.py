"""An evolve run that is written by hand: shards as the stage writes them, of whatever texts a test needs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import yaml

from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import Folder, open_folder, shard_name
from evolray.pool.manifest import Manifest
from evolray.pool.shards import SEEDS, encode, write_shard
from evolray.records import Eliminated, Failed, Outcome, Record, Seed, record_id


def kept(root: str, generation: int, instruction: str, response: str = "Yes.", parent: int | None = None) -> Record:
    """`parent`: the generation it was evolved from; the one before when nothing is said."""
    before = generation - 1 if parent is None else parent
    parent_id, operator = (record_id(root, before), "deepen") if generation else (None, "seed")
    return Record(
        root, generation, parent_id, "open", operator, "", instruction, response, teacher="simulated",
        prompt_tokens=10, completion_tokens=5, attempts=min(generation, 1),
    )  # fmt: skip


def eliminated(root: str, generation: int, instruction: str, reason: str = "no_information_gain") -> Eliminated:
    parent = record_id(root, generation - 1)
    return Eliminated(root, generation, parent, "open", "mutate", "", reason, "judge", instruction, teacher="simulated")


def failed(root: str, generation: int, message: str) -> Failed:
    return Failed(root, generation, "deepen", "timeout", message, record_id(root, generation - 1))


def write_run(run: str, shards: Sequence[Sequence[Outcome]], generations: int, status: str = "complete") -> Folder:
    """Every root must have an outcome in each generation."""
    folder = open_folder(run)
    whole = Accounts()
    for number, outcomes in enumerate(shards):
        accounts = Accounts(usage={"evolve": Usage(10, 100, 50)})
        roots = {outcome.root_id for outcome in outcomes}
        accounts.incoming.update({generation: len(roots) for generation in range(generations + 1)})
        for outcome in outcomes:
            accounts.count(outcome)
        seeds = [Seed(one.instruction) for one in outcomes if isinstance(one, Record) and not one.generation]
        folder.write(shard_name(SEEDS, number), encode(SEEDS, seeds))
        write_shard(folder, number, outcomes, accounts, generations)
        whole.add(accounts)
    manifest = Manifest(folder.url, status, "open", "simulated", generations)  # type: ignore[arg-type]
    manifest.seeds, manifest.shards = {"path": "seeds.json"}, {"finished": len(shards), "all": len(shards)}
    manifest.accounts, manifest.operators = whole.by_generation(), whole.by_operator()
    manifest.updated_at = 0.0
    folder.write("manifest.json", json.dumps(asdict(manifest)).encode())
    described = {"config": {"teacher": {"kind": "simulated"}, "seeds": {"path": "s3://key:secret@bucket/seeds.json"}}}
    folder.write("run.yaml", yaml.safe_dump(described).encode())
    return folder


def plain_run(run: str, roots: int, shards: int = 1, words: int = 8) -> Folder:
    """Roots of three generations; every third has an elimination, every tenth a failure in the last one."""
    each = -(-roots // shards)
    return write_run(
        run, [lineages(range(at * each, min((at + 1) * each, roots)), words) for at in range(shards)], generations=2
    )  # fmt: skip


def lineages(numbers: range, words: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for number in numbers:
        root = f"{number * 2654435761 % 2**64:016x}"
        text = f"Name thing {number} " + " ".join(f"word{(number * 7 + at) % 997}" for at in range(words))
        outcomes.append(kept(root, 0, text))
        outcomes.append(kept(root, 1, f"{text} and say why."))
        if number % 10 == 9:
            outcomes.append(failed(root, 2, "no answer in time"))
        elif number % 3 == 2:
            outcomes.append(eliminated(root, 2, f"{text} and say why!"))
        else:
            outcomes.append(kept(root, 2, f"{text} and say why, in {number} steps."))
    return outcomes
