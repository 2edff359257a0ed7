"""What the stages leave, as far as an ablation looks into it, and a job server whose jobs leave it at once."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evolray.cluster.jobs.job import Job
from evolray.config import AblationConfig, from_mapping
from evolray.pipeline.step import Step

SUCCEEDED = Job(has_ended=True, has_succeeded=True, exit_code=0)
LEVELS = ("1 step", "2 steps", "10 steps")
PER_LEVEL = 20

# Of 20 problems each, how many the students of 0, 1, 2, ... generations get right at the end, by level.
RIGHT = ((20, 1, 0), (20, 18, 1), (20, 19, 12), (19, 19, 18))


def _ignore(step: Step) -> None:
    """Nothing happens."""


@dataclass
class Server:
    """A job server; `ends` says how the next job of a step ends, which leaves nothing then. `sizes`: what the mixes
    have before they are cut."""

    sizes: Mapping[int, int]
    ends: dict[str, Job] = field(default_factory=dict)
    at_submit: Callable[[Step], None] = _ignore
    submitted: list[str] = field(default_factory=list)
    opened: int = 0
    _jobs: dict[str, Job] = field(default_factory=dict)
    url: str = "http://dashboard"

    @contextmanager
    def open(self, *_: object) -> Iterator["Server"]:
        self.opened += 1
        yield self

    def submit(self, job: str, step: Step) -> None:
        self.submitted.append(step.name)
        self.at_submit(step)
        self._jobs[job] = self.ends.pop(step.name, SUCCEEDED)
        if self._jobs[job] == SUCCEEDED:
            LEAVE[step.stage](step.config, self.sizes)

    def look(self, job: str) -> Job | None:
        return self._jobs.get(job)

    def stop(self, job: str) -> None:
        pass

    def log(self, job: str) -> str:
        return "Loading\nevolray: out of disk\n"


def config(folder: Path, **settings: Any) -> AblationConfig:
    """Into `folder`/run, with a seed file of 40 seeds and held-out problems."""
    seeds, problems = folder / "seeds.jsonl", folder / "held_out.jsonl"
    rows = [{"instruction": f"What is {one} and {one}?", "response": f"{2 * one}"} for one in range(40)]
    seeds.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems.write_text("{}\n")
    values = {
        "run": str(folder / "run"),
        "generations": [0, 3],
        "evolve": {"domain": "math", "seeds.path": str(seeds), "teacher": {"model": "simulated", "kind": "endpoint"}},
        "train": {"model": "scratch"},
        "sweep": {"benchmarks": ["gsm8k"], "problems": {"gsm8k": str(problems)}},
        **settings,
    }
    return from_mapping(AblationConfig, values)


def leave_pool(config: Any, _: Mapping[int, int]) -> None:
    accounts = [
        {"generation": one, "in": 40, "kept": 40 - 2 * one, "eliminated": {"refusal": 2 * one}, "failed": {}}
        for one in range(config.generations + 1)
    ]
    manifest = {
        "status": "complete", "domain": config.domain, "teacher": config.teacher.model, "seeds": {"roots": 40},
        "generations": config.generations, "accounts": accounts, "calls": 345, "cost": 1.5, "seconds": 61.0,
        "tokens": {"prompt": 1000, "completion": 500},
    }  # fmt: skip
    _write(config.run, "manifest.json", manifest)
    _write(config.run, "run.yaml", {"config": {"teacher": {"kind": config.teacher.kind}}})


def leave_mix(config: Any, sizes: Mapping[int, int]) -> None:
    size = sizes[_number(config.run)]
    records = min(size, config.select.records or size)
    mix = {"records": records}
    dropped = {"over_budget": size - records, "leak": 1}
    _write(config.run, "manifest.json", {"stage": "refine", "status": "complete", "mix": mix, "dropped": dropped})
    (Path(config.run) / "card.md").write_text("a card\n")


def leave_student(config: Any, _: Mapping[int, int]) -> None:
    """Two checkpoints; the first has seen 500 tokens, the last what was to be trained on, or 1,000."""
    mix = json.loads((Path(config.data) / "manifest.json").read_text())["mix"]["records"]
    tokens = config.max_tokens or 1000
    for step, seen in ((50, 500), (100, tokens)):
        place = Path(config.run) / "checkpoints" / f"step-{step:08d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "evolray.json").write_text(json.dumps({"step": step, "files": {}, "tokens_seen": seen}))
    manifest = {
        "stage": "train", "status": "complete", "examples": {"train": mix}, "step": 100, "steps": 100,
        "figures": {"step": 100, "tokens": tokens, "loss": 0.25},
    }  # fmt: skip
    _write(config.run, "manifest.json", manifest)
    _write(config.run, "run.yaml", {"identity": {"stage": "train"}})


def leave_sweep(config: Any, _: Mapping[int, int]) -> None:
    """At step 50 only the first level is known, half of it."""
    cells = []
    for place in config.checkpoints:
        for step in (50, 100):
            right = RIGHT[_number(place)] if step == 100 else (10, 0, 0)
            for benchmark in config.benchmarks:
                name = f"cells/{Path(place).name}-step-{step:08d}/{benchmark}"
                leave_cell(Path(config.run) / name, Path(place).name, step, benchmark, right)
                cells.append(name)
    _write(config.run, "manifest.json", {"stage": "sweep", "status": "complete", "cells": cells})
    (Path(config.run) / "table.csv").write_text("checkpoint\n")


def leave_cell(place: Path, student: str, step: int, benchmark: str, right: tuple[int, ...]) -> None:
    groups = {
        name: _interval(number, PER_LEVEL) for name, number in zip(reversed(LEVELS), reversed(right), strict=True)
    }
    entry = {
        "title": benchmark.upper(), "metric": "pass@1", "unit": "%", **_interval(sum(right), PER_LEVEL * len(LEVELS)),
        "groups": {"level": groups},
    }  # fmt: skip
    _write(str(place), "scores.json", {benchmark: entry})
    _write(str(place), "cell.json", {"checkpoint": student, "step": step, "benchmark": benchmark, "state": "complete"})
    rows = [
        _sample(f"{level}-{at}", at < number, level) for level, number in enumerate(right) for at in range(PER_LEVEL)
    ]
    pq.write_table(pa.Table.from_pylist(rows), place / "samples.parquet")


def _sample(problem: str, is_right: bool, level: int) -> dict[str, Any]:
    prompt = f"Below is an instruction.\n\n### Instruction:\nProblem {problem} <b>\n\n### Response:"
    text = f"The answer is: {level if is_right else -1}."
    outcome, message = ("passed", "") if is_right else ("wrong_answer", f"-1 is not {level}")
    return {"problem": problem, "sample": 0, "prompt": prompt, "text": text, "outcome": outcome, "message": message}


def _interval(passed: int, total: int) -> dict[str, Any]:
    score = round(100 * passed / total, 2)
    return {
        "score": score,
        "low": max(score - 10, 0.0),
        "high": min(score + 10, 100.0),
        "passed": passed,
        "total": total,
    }


def _number(place: str) -> int:
    return int(place.rpartition("-")[2])


def _write(run: str, name: str, content: Any) -> None:
    Path(run).mkdir(parents=True, exist_ok=True)
    (Path(run) / name).write_text(json.dumps(content))


LEAVE = {"evolve": leave_pool, "refine": leave_mix, "train": leave_student, "sweep": leave_sweep}
