"""A program: all stages, tiny, on a Ray of its own, whose nodes are scraped all the while as Prometheus would.

    python -m tests.exposed FOLDER

prints {"types": {name: type}, "labels": {name: [label, ...]}, "runs": {name: [run, ...]}} of all that evolray exported.
Tests start it as a process of its own, since a process has one Ray.
"""

import json
import logging
import os
import re
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import ray

import evolray
from evolray.campaign.manifest import CampaignManifest, write
from evolray.campaign.on_ray import observed
from evolray.pipeline.records import Records, StepRecord
from evolray.pool.layout import open_folder
from evolray.teachers.simulated.server import running
from evolray.teachers.simulated.settings import ServerSettings
from tests.train.commands import SETTINGS

SCRAPE_SECONDS, PATIENCE_SECONDS = 0.25, 60.0
SAMPLE = re.compile(r"^(ray_evolray_\w+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
TYPE = re.compile(r"^# TYPE (ray_evolray_\w+) (\w+)")


class Scraper(threading.Thread):
    """What was ever exposed."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.types: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        self.runs: dict[str, set[str]] = {}
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        self._urls = [f"http://{one['NodeManagerAddress']}:{one['MetricsExportPort']}/metrics" for one in nodes]

    def run(self) -> None:
        while True:
            for url in self._urls:
                try:
                    with urllib.request.urlopen(url, timeout=5) as answer:
                        self._take(answer.read().decode())
                except OSError:
                    pass
            time.sleep(SCRAPE_SECONDS)

    def _take(self, text: str) -> None:
        for line in text.splitlines():
            if found := TYPE.match(line):
                self.types[found[1]] = found[2]
            elif found := SAMPLE.match(line):
                labels = dict(LABEL.findall(found[2]))
                self.labels.setdefault(found[1], set()).update(labels)
                self.runs.setdefault(found[1], set()).add(labels.get("run", ""))

    def wait_for(self, *names: str) -> None:
        """A stage's processes may end before what they measured is exported."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while missing := [name for name in names if name not in self.labels]:
            if time.monotonic() > deadline:
                raise SystemExit(f"not exposed: {', '.join(missing)}; exposed: {', '.join(sorted(self.labels))}")
            time.sleep(SCRAPE_SECONDS)


def main(place: Path) -> None:
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
        _system_config={"metrics_report_interval_ms": 200},
    )  # fmt: skip
    scraper = Scraper()
    scraper.start()
    _stages(place)
    os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    run = _campaign(place / "campaign")
    with observed(run):
        scraper.wait_for("ray_evolray_steps", "ray_evolray_campaign_round", "ray_evolray_campaign_score")
    seen = {"types": scraper.types, "labels": scraper.labels, "runs": scraper.runs}
    print(json.dumps(seen, default=sorted))


def _stages(place: Path) -> None:
    os.environ["OPENAI_API_KEY"] = "none"
    settings = ServerSettings(faults={"429": 0.2}, latency_seconds=0.02)
    with running(settings) as base_url:
        evolray.evolve(
            run=str(place / "pool"), domain="math", generations=2, seeds__path="conf/demo/seeds_math.jsonl",
            teacher__base_url=base_url, teacher__model=settings.models[0], teacher__max_in_flight=4,
            teacher__price_per_million_prompt_tokens=1.0, teacher__price_per_million_completion_tokens=1.0,
        )  # fmt: skip
    evolray.refine(data=str(place / "pool"), run=str(place / "mix"), near_duplicates__enabled=False)
    student = str(place / "student")
    evolray.train(
        data=str(place / "mix"), run=student, held_out=0.2, workers__cpus=1, max_steps=120, epochs=100, log_steps=1,
        checkpoint_steps=60, **{name.replace(".", "__"): value for name, value in SETTINGS.items()},
    )  # fmt: skip
    problems = place / "problems.jsonl"
    problems.write_text(
        "".join(json.dumps({"question": f"{n} + 1?", "answer": f"#### {n + 1}"}) + "\n" for n in range(6))
    )
    evolray.evaluate(
        model=student, run=str(place / "scores"), benchmarks=["gsm8k"], problems={"gsm8k": str(problems)},
        sampling__max_tokens=12, workers__cpus=1,
    )  # fmt: skip


def _campaign(place: Path) -> str:
    """A campaign as it stands on disk, in the midst of its second round."""
    folder = open_folder(str(place))
    for name, state in (("round-1/train", "complete"), ("round-2/evolve", "running")):
        Records(folder).write(StepRecord(name, name.partition("/")[2], state))
    write(folder, CampaignManifest(folder.url, "running", rounds=[{"round": 1, "score": 41.5}]))
    return folder.url


if __name__ == "__main__":
    main(Path(sys.argv[1]))
