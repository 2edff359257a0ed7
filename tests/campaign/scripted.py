"""A job server whose jobs leave at once what the stages would leave, with the scores that a test asks for."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evolray.cluster.jobs.job import Job
from evolray.config import CampaignConfig, JobsConfig, from_mapping
from evolray.pipeline.step import Step
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder, open_folder
from evolray.pool.manifest import Manifest, write_manifest
from evolray.pool.shards import write_shard
from evolray.records import SEED, Eliminated, Outcome, Record

ROOTS = "abcd"


def config(folder: Path, **settings: Any) -> CampaignConfig:
    """Of a campaign into `folder`/campaign, on gsm8k. Settings may be dotted."""
    (folder / "seeds.jsonl").write_text('{"instruction": "1 + 1?", "response": "2"}\n')
    (folder / "dev.jsonl").write_text('{"question": "1 + 1?", "answer": "#### 2"}\n')
    values = {
        "run": str(folder / "campaign"),
        "evolve.seeds.path": str(folder / "seeds.jsonl"),
        "evolve.teacher.kind": "simulated",
        "train.model": "scratch",
        "evaluate.benchmarks": ["gsm8k"],
        "evaluate.problems": {"gsm8k": str(folder / "dev.jsonl")},
    }
    return from_mapping(CampaignConfig, {**values, **settings})


@dataclass
class Server:
    """`scores`: by round. `ends`: by step, how its next jobs end; one without an entry goes well."""

    scores: Sequence[float]
    ends: dict[str, list[Job]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    opened: int = 0
    url: str = "http://127.0.0.1:8265"
    _jobs: dict[str, Step] = field(default_factory=dict)

    @contextlib.contextmanager
    def open(self, folder: Folder, name: str, jobs: JobsConfig) -> Iterator["Server"]:
        self.opened += 1
        yield self

    @property
    def submitted(self) -> list[str]:
        return [step.name for step in self.steps]

    def submit(self, job: str, step: Step) -> None:
        self._jobs[job] = step
        self.steps.append(step)

    def look(self, job: str) -> Job | None:
        step = self._jobs.get(job)
        if step is None:
            return None
        if ends := self.ends.get(step.name, []):
            return ends.pop(0)
        leave(step, self.scores)
        return Job(has_ended=True, has_succeeded=True, exit_code=0)

    def forget(self) -> None:
        """As a server that was started anew."""
        self._jobs.clear()

    def stop(self, job: str) -> None:
        self.ends[self._jobs[job].name] = [Job(has_ended=True, message="its job was stopped")]

    def log(self, job: str) -> str:
        return "evolray: what it said\n"


def leave(step: Step, scores: Sequence[float]) -> None:
    """What the step's stage leaves in its run directory when it is done."""
    folder = open_folder(step.config.run)
    if step.stage == "evolve":
        leave_pool(folder, step.config.generations)
        return
    number = int(step.name.removeprefix("round-").partition("/")[0])
    said: dict[str, Any] = {"stage": step.stage, "status": "complete", "seconds": 10.0 * (number + 1)}
    if step.stage == "refine":
        mix = {"records": 4 + 3 * number, "tokens": 100}
        said |= {"mix": mix, "dropped": {"near_duplicate": number}, "calls": 2, "cost": 0.5}
        said |= {"tokens": {"prompt": 20, "completion": 2}}
    if step.stage == "train":
        figures = {"loss": 2.0 - number / 2, "held_out_loss": None}
        examples = {"train": 4 + 3 * number, "tokens": 100, "trained_tokens": 60}
        said |= {"examples": examples, "steps": 7, "figures": figures}
        folder.write("checkpoints/step-00000007/evolray.json", json.dumps({"step": 7, "files": {}}).encode())
    if step.stage == "evaluate":
        score = scores[number]
        entry = {"title": "GSM8K", "metric": "pass@1", "unit": "%", "score": score, "low": score - 5, "high": score + 5}
        said |= {"tokens": {"prompt": 0, "completion": 0}, "cost": 0.0, "judging": {}}
        folder.write("scores.json", json.dumps({name: entry for name in step.config.benchmarks}).encode())
    folder.write("manifest.json", json.dumps(said).encode())


def leave_pool(folder: Folder, generations: int) -> None:
    """Four roots; in each generation one of them is eliminated by `deepen`. Each generation costs 12 calls."""
    outcomes: list[Outcome] = [Record(root, 0, None, "math", SEED, "", "Old.", "Yes.") for root in ROOTS]
    for generation in range(1, generations + 1):
        about = (generation, "a.g0", "math")
        outcomes += [Record(root, *about, "add_constraints", "", "New.", "Yes.") for root in ROOTS[:3]]
        outcomes.append(Eliminated("d", *about, "deepen", "", "refusal", "respond", "New.", "No."))
    accounts = Accounts()
    for outcome in outcomes:
        accounts.count(outcome)
        accounts.incoming[outcome.generation] += 1
    write_shard(folder, 0, outcomes, accounts, generations)
    manifest = Manifest(
        folder.url, "complete", teacher="simulated", generations=generations, accounts=accounts.by_generation(),
        calls=12 * generations, tokens={"prompt": 300 * generations, "completion": 100 * generations},
        cost=1.5 * generations, seconds=20.0 * generations, digest=f"{accounts.digest:064x}",
    )  # fmt: skip
    assert asdict(manifest)["status"] == "complete"
    write_manifest(folder, manifest)
