"""A refine run that is written by hand, in the files and columns that evolray/refine/tables.py describes."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import yaml

from evolray.pool.layout import Folder, open_folder, shard_name
from evolray.refine import tables

LEAKS_BY_EXECUTION = "leaks-by-execution"
OPERATORS = ("add_constraints", "deepen", "concretize", "add_reasoning_steps", "mutate")
SKILLS = ("Math", "Code Generation", "Writing", "Reasoning", "Common-Sense", "Roleplay", "Music", "Physics")


def record(root: int, generation: int, **others: Any) -> dict[str, Any]:
    """A row of records/."""
    root_id = f"{root:016x}"
    operator = others.pop("operator", OPERATORS[(root + generation) % len(OPERATORS)] if generation else "seed")
    return {
        "id": f"{root_id}.g{generation}", "root_id": root_id, "parent_id": None, "generation": generation,
        "domain": "open", "operator": operator, "variant": "", "instruction": f"Do {root}.", "response": "Yes.",
        "context": [], "teacher": "simulated", "prompt_tokens": 10, "completion_tokens": 5, "attempts": 1,
        "source": "alpaca", **others,
    }  # fmt: skip


def write_run(
    run: str,
    shards: Sequence[Sequence[dict[str, Any]]],
    *,
    judged: bool = True,
    benchmarks: Sequence[str] = (),
    leaks: Sequence[dict[str, Any]] = (),
    executions: Sequence[dict[str, Any]] = (),
    clusters: Sequence[dict[str, Any]] = (),
) -> Folder:
    """`shards` hold rows of records/ with what became of each: `reason`, "" for the mix; `difficulty`, `skills`,
    `words`, `constraints`, `steps` where they were measured."""
    folder = open_folder(run)
    looked_for = {"benchmarks": dict.fromkeys(benchmarks, "x.jsonl")}
    config = {"near_duplicates": {"enabled": True, "threshold": 0.7}, "contamination": looked_for}
    folder.write("run.yaml", yaml.safe_dump({"config": config}).encode())
    folder.write("manifest.json", json.dumps({"stage": "refine"}).encode())
    offset = 0
    for shard, rows in enumerate(shards):
        scores = [{**row, "difficulty": row.get("difficulty"), "skills": row.get("skills")} for row in rows]
        files = {
            "records": (rows, tables.RECORDS_SCHEMA),
            "features": ([_measured(row) for row in rows], tables.FEATURES_SCHEMA),
            "pool": ([row for row in scores if not row["reason"]], tables.MIX_SCHEMA),
            "dropped": ([{**row, "detail": ""} for row in scores if row["reason"]], tables.DROPPED_SCHEMA),
        }
        if judged:
            asked = [{**row, "row": offset + at, "cause": "", "message": ""} for at, row in enumerate(scores)]
            files["judged"] = ([row for row in asked if row["reason"] != "exact_duplicate"], tables.JUDGED_SCHEMA)
        for kind, found in (("leaks", leaks), (LEAKS_BY_EXECUTION, executions)):
            mine = [leak for leak in found if offset <= leak["row"] < offset + len(rows)]
            files[kind] = ([_leak(leak) for leak in mine], tables.LEAKS_SCHEMA)
        for kind, (content, schema) in files.items():
            names = set(schema.names)
            known = [{key: value for key, value in row.items() if key in names} for row in content]
            tables.write_rows(folder, shard_name(kind, shard), known, schema)
        offset += len(rows)
    tables.write_rows(folder, tables.CLUSTERS, [_cluster(row) for row in clusters], tables.CLUSTERS_SCHEMA)
    return folder


def large_run(run: str, records: int = 2000, shards: int = 4, seed: int = 0) -> Folder:
    """One of everything, and difficulty that rises with the generations."""
    random = Random(seed)
    rows, leaks, executions, clusters = [], [], [], []
    for number in range(records):
        generation = number % 5
        draw = random.random()
        reason = next(
            (name for name, end in (
                ("exact_duplicate", 0.03), ("near_duplicate", 0.14), ("leak", 0.15), ("too_short", 0.2),
                ("too_easy", 0.24), ("no_response", 0.25), ("over_budget", 0.5),
            ) if draw < end), ""
        )  # fmt: skip
        row = record(
            number, generation, source=random.choice(("alpaca", "code", "code", "runs/math", "own $x$")),
            domain=random.choice(("open", "code")), reason=reason,
            difficulty=_difficulty(random, generation),
            skills=random.sample(SKILLS, random.randint(1, 3)), words=random.randint(5, 30) + 12 * generation,
            constraints=random.randint(0, 2) + generation // 2, steps=random.randint(0, 4),
        )  # fmt: skip
        rows.append(row)
        if reason == "leak":
            benchmark = random.choice(("humaneval", "gsm8k", "mbpp"))
            leaks.append({"row": number, "benchmark": benchmark, "item": str(random.randint(0, 9)), "kind": "ngram"})
            if random.random() < 0.4:
                leaks.append({**leaks[-1], "kind": "similarity"})
            elif random.random() < 0.4:
                executions.append({**leaks.pop(), "kind": "execution"})
        if reason.endswith("duplicate"):
            similarity = 1.0 if reason == "exact_duplicate" else min(0.995, 0.7 + random.expovariate(9))
            kept = str(int(random.paretovariate(0.8)) if random.random() < 0.4 else number)
            clusters.append({"kept": kept, "dropped": row["id"], "kind": reason, "similarity": similarity})
    each = records // shards
    return write_run(
        run, [rows[at * each : (at + 1) * each] for at in range(shards)], leaks=leaks, executions=executions,
        clusters=clusters, benchmarks=("humaneval", "mbpp", "gsm8k", "math", "mt_bench"),
    )  # fmt: skip


def _difficulty(random: Random, generation: int) -> int | None:
    score = round(random.gauss(3 + 0.9 * generation, 1.6))
    return None if random.random() < 0.02 else min(10, max(1, score))


def _measured(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row.get(name, 1) for name in tables.FEATURES_SCHEMA.names}


def _leak(found: dict[str, Any]) -> dict[str, Any]:
    return {"id": "", "source": "alpaca", "where": "question in instruction", "score": 1.0, "evidence": "", **found}


def _cluster(found: dict[str, Any]) -> dict[str, Any]:
    return {"kept_source": "alpaca", "dropped_source": "alpaca", "kept_text": "", "dropped_text": "", **found}
