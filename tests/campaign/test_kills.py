"""Two real campaigns on a job server with token authentication: teacher behind HTTP, students from scratch.

One goes undisturbed. Of the other everything is killed: in each step the campaign and the step's job, and at the end of
each step the campaign again. Both end in the same state: round 3 falls, round 2 is kept.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from evolray.campaign.results import read
from evolray.checkpoints import Checkpoints
from evolray.cluster.jobs.own_ray import OwnRay, own_ray
from evolray.config import CampaignConfig, from_mapping, to_yaml
from tests.campaign import codebook
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.ray]

ROOT = Path(__file__).parents[2]
COMMAND = Path(__file__).with_name("command.py")
STEPS = tuple(f"round-{number}/{stage}" for number in (1, 2, 3) for stage in ("evolve", "refine", "train", "evaluate"))
ANSWERS = 16  # that the teacher still gives in a generation before the kill; 36 are asked for
STEPS_OF_TRAINING = 120
SECONDS = 600.0  # for a step, on a machine that does much else

SETTINGS: dict[str, Any] = {
    "rounds": 5,
    "evolve": {"domain": "math", "teacher": {"model": codebook.MODEL}},
    "refine": {"near_duplicates": {"enabled": False}, "workers": 1},
    "train": {
        "model": "scratch", "chat_format": "freeform", "max_length": 128,
        "epochs": 1000, "max_steps": STEPS_OF_TRAINING,
        "global_batch": 24, "learning_rate": 8e-3, "warmup_steps": 5, "checkpoint_steps": 20, "keep_checkpoints": 1,
        "workers": {"cpus": 1},
        "scratch": {"hidden": 64, "layers": 2, "heads": 4, "feed_forward": 128, "vocabulary": 600},
    },
    "evaluate": {"benchmarks": ["gsm8k"], "prompt": "bare", "sampling": {"max_tokens": 12}, "workers": {"cpus": 1}},
}  # fmt: skip


@dataclass
class Place:
    """A campaign of its own: run directory, teacher, and the processes that are to drive it."""

    run: Path
    config: Path
    teacher: codebook.Teacher
    environment: Mapping[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, dies_at: str = "") -> subprocess.Popen[str]:
        driver = subprocess.Popen(
            [sys.executable, str(COMMAND), "campaign", str(self.config)],
            env={**self.environment, "DIES_AT": dies_at}, cwd=self.config.parent, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.started.append(driver)
        return driver

    def kill_all(self) -> None:
        for driver in self.started:
            if driver.poll() is None:
                driver.kill()
                driver.communicate()

    def state(self, step: str) -> dict[str, Any]:
        return read_json(self.run / "steps" / step / "step.json")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Place]]:
    """Makes campaigns; they share the cluster and its job server."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("PYTHONPATH", str(ROOT))
        cluster: OwnRay = stack.enter_context(own_ray({}))
        empty = stack.enter_context(TemporaryDirectory(prefix="ray"))  # where no other Ray is found

        def make(name: str, **settings: Any) -> Place:
            folder, teacher = tmp_path_factory.mktemp(name), stack.enter_context(codebook.serving())
            files = {
                "evolve.seeds.path": str(codebook.write_seeds(folder / "seeds.jsonl")),
                "evaluate.problems.gsm8k": str(codebook.write_dev(folder / "dev.jsonl")),
                "evolve.teacher.base_url": teacher.url,
            }
            config = from_mapping(CampaignConfig, {**SETTINGS, "run": str(folder / "run"), **files, **settings})
            (folder / "campaign.yaml").write_text(to_yaml(config))
            environment = {**os.environ, "RAY_API_SERVER_ADDRESS": cluster.url, "RAY_ADDRESS": "", "RAY_TMPDIR": empty}
            place = Place(folder / "run", folder / "campaign.yaml", teacher, environment)
            stack.callback(place.kill_all)
            return place

        yield make


@pytest.mark.long
def test_killed_everywhere_it_ends_in_the_same_state(places: Callable[..., Place]) -> None:
    quiet, hunted = places("quiet"), places("hunted", baseline=False)
    undisturbed = quiet.start()
    checkpoints = {step: hunt(hunted, step) for step in STEPS}
    assert finish(hunted.start()) == 0
    assert finish(undisturbed) == 0

    check_rounds(quiet)
    check_same_end(quiet, hunted)
    for place in (quiet, hunted):
        assert set(place.teacher.answered.values()) == {1}  # no call was paid twice
        assert len(place.teacher.answered) == 3 * 3 * len(codebook.ROOTS)
    for step, killed_at in checkpoints.items():
        assert [one["outcome"] for one in hunted.state(step)["attempts"]] == ["failed", "succeeded"]
        if step.endswith("train"):
            check_training(hunted.run / "rounds" / step[len("round-")], killed_at)


def check_rounds(place: Place) -> None:
    done = read(str(place.run))
    scores = [one["score"] for one in done.rounds]
    assert [one["round"] for one in done.rounds] == [0, 1, 2, 3]
    assert scores[0] < scores[1] < scores[2] > scores[3]
    assert (done.best["round"], done.manifest.status) == (2, "complete")
    assert done.manifest.message.startswith("round 3 scored ")
    assert [one["mix"]["records"] for one in done.rounds] == [12, 24, 36, 48]
    assert [one["calls"] for one in done.rounds] == [0, 36, 36, 36]
    assert [one["fell"] for one in done.rounds] == [False, False, False, True]


def check_same_end(quiet: Place, hunted: Place) -> None:
    expected, found = ([without_times(one) for one in read(str(place.run)).rounds] for place in (quiet, hunted))
    assert found == expected[1:]
    digests = [read_json(place.run / "pool" / "manifest.json")["digest"] for place in (quiet, hunted)]
    assert digests[0] == digests[1]


def check_training(round_folder: Path, killed_at: list[int]) -> None:
    """What a checkpoint holds was not trained again."""
    lines = (round_folder / "student" / "log.jsonl").read_text().splitlines()
    steps = Counter(json.loads(line)["step"] for line in lines)
    assert set(steps) == {*range(1, STEPS_OF_TRAINING + 1)}
    assert killed_at
    assert {step for step, times in steps.items() if times > 1} <= {*range(killed_at[-1] + 1, STEPS_OF_TRAINING + 1)}


def without_times(one: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in one.items() if key not in ("seconds", "student")}
    return {**kept, "pool": {key: value for key, value in one["pool"].items() if key != "seconds"}}


# --- the kills ---


def hunt(place: Place, step: str) -> list[int]:
    """Kill the campaign and the step's job in the middle of it, then the campaign at its end.

    Returns the steps of the checkpoints that a training had when it was killed.
    """
    if step.endswith("evolve"):
        place.teacher.hold_after(ANSWERS)
    driver = place.start()
    wait_for(driver, lambda: is_inside(place, step), SECONDS, pause=0.01)
    driver.kill()
    driver.communicate()
    kill_job(place, step)
    student = place.run / "rounds" / step[len("round-")] / "student"
    saved = [one.step for one in Checkpoints(str(student)).all()] if step.endswith("train") else []
    place.teacher.hold_after(None)
    again = place.start(dies_at=f"{step}:complete")
    assert finish(again) == -signal.SIGKILL
    return saved


def is_inside(place: Place, step: str) -> bool:
    """Whether the step's stage is at work, with some of its work behind it where it can be cut in two."""
    number, stage = step.removeprefix("round-").split("/")
    folder = place.run / "rounds" / number
    if stage == "evolve":
        paid = sum(len(path.read_bytes().splitlines()) for path in (place.run / "pool/ledger").glob("*/*.jsonl"))
        return place.teacher.hanging > 0 and paid == sum(place.teacher.answered.values())
    if stage == "train":
        return bool(Checkpoints(str(folder / "student")).all())
    return (folder / {"refine": "mix", "evaluate": "dev"}[stage] / "manifest.json").exists()


def kill_job(place: Place, step: str) -> None:
    """The process of the step's job, and no other."""
    wanted = [b"evolray.pipeline.job", str(place.run).encode(), step.encode()]
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if all(word in words for word in wanted):
                found.append(int(folder.name))
    assert len(found) == 1, f"{step}: its job had ended already"
    os.kill(found[0], signal.SIGKILL)


def finish(driver: subprocess.Popen[str]) -> int:
    """Its exit code; what it said is shown when the test fails."""
    _, said = driver.communicate(timeout=SECONDS)
    print(said, file=sys.stderr)
    return driver.returncode


def read_json(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded
