"""Every jobs/*.py as a user types it: by `ray job submit`, on a cluster of three nodes that checks tokens."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.jobs.cluster import ROOT, JobCluster, documented_command, job_cluster

pytestmark = [pytest.mark.slow, pytest.mark.ray]

# Whatever a shell, Ray or YAML might take for something else.
AWKWARD = """It's $HOME, "quoted" & `date`; #1 | 50% of {a: [b]} > c \\d * ? ~ ! (é)"""
SMALL = ("workers.cpus=1", "workers.number=1")


@pytest.fixture(scope="module")
def cluster() -> Iterator[JobCluster]:
    with job_cluster() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Storage that all nodes see."""
    made = tmp_path_factory.mktemp("storage")
    problems = [{"question": f"Tom has {n} apples and buys 2. How many?", "answer": f"#### {n + 2}"} for n in range(2)]
    (made / "gsm8k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    (made / "questions.jsonl").write_text('{"idx": 1, "Instruction": "Name a tree."}\n')
    return made


@pytest.fixture(scope="module")
def pool(cluster: JobCluster, folder: Path) -> Path:
    (folder / "seeds").mkdir()
    seeds = folder / "seeds" / f"{AWKWARD.replace('/', '')}.jsonl"
    seeds.write_text((ROOT / "conf" / "demo" / "seeds_open.jsonl").read_text())
    *command, run = documented_command(ROOT / "jobs" / "evolve.py")
    assert run.startswith("run=/")
    submitted = cluster.run(
        *command, f"run={folder}/pool", "generations=1", f"seeds.path={seeds}", f"teacher.system={AWKWARD}",
        "operators={add_constraints: 2, deepen: 0.5}",
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    return folder / "pool"


@pytest.fixture(scope="module")
def mix(cluster: JobCluster, folder: Path, pool: Path) -> Path:
    submitted = cluster.submit(
        "python", "jobs/refine.py", f"data={pool}", f"run={folder}/mix", "near_duplicates.enabled=false"
    )
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    return folder / "mix"


@pytest.fixture(scope="module")
def student(cluster: JobCluster, folder: Path, mix: Path) -> Path:
    submitted = cluster.submit(
        "python", "jobs/train.py", "conf/train/tiny.yaml", f"data={mix}", f"run={folder}/student", *SMALL,
        "held_out=0", "max_steps=2", "checkpoint_steps=2", "global_batch=4", "scratch.hidden=32", "scratch.layers=1",
        "scratch.feed_forward=32", "scratch.vocabulary=400",
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    return folder / "student"


@pytest.fixture(scope="module")
def scores(cluster: JobCluster, folder: Path, student: Path) -> Path:
    submitted = cluster.submit(
        "python", "jobs/evaluate.py", "conf/evaluate/math.yaml", f"model={student}", f"run={folder}/scores",
        "benchmarks=[gsm8k]", f"problems={{gsm8k: {folder}/gsm8k.jsonl}}", "sampling.max_tokens=4", *SMALL,
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    return folder / "scores"


def manifest(run: Path) -> Any:
    return json.loads((run / "manifest.json").read_text())


def test_evolve_gets_its_arguments_as_they_were_typed(pool: Path) -> None:
    assert manifest(pool)["status"] == "complete"
    config = yaml.safe_load((pool / "run.yaml").read_text())["config"]
    assert config["teacher"]["system"] == AWKWARD
    assert config["seeds"]["path"].endswith(f"/{AWKWARD}.jsonl")
    assert config["operators"] == {"add_constraints": 2, "deepen": 0.5}


def test_refine(mix: Path) -> None:
    assert manifest(mix)["status"] == "complete"


def test_train(student: Path) -> None:
    assert manifest(student)["status"] == "complete"


def test_evaluate(scores: Path) -> None:
    (entry,) = json.loads((scores / "scores.json").read_text()).values()
    assert entry["problems"] == 2


def test_generate(cluster: JobCluster, folder: Path, student: Path) -> None:
    submitted = cluster.submit(
        "python", "jobs/generate.py", "conf/generate/wizardlm.yaml", f"model={student}", f"run={folder}/generated",
        f"data={folder}/questions.jsonl", f"output={folder}/answers.jsonl", "sampling.max_tokens=4", *SMALL,
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    (line,) = (folder / "answers.jsonl").read_text().splitlines()
    assert json.loads(line)["instruction"] == "Name a tree."


def test_sweep_submits_a_job_per_cell_to_the_same_cluster(cluster: JobCluster, folder: Path, student: Path) -> None:
    submitted = cluster.submit(
        "python", "jobs/sweep.py", "conf/sweep/tiny.yaml", f"checkpoints=[{student}]", f"run={folder}/sweep",
        f"problems.gsm8k={folder}/gsm8k.jsonl", "evaluate.sampling.max_tokens=4", "evaluate.workers.cpus=1",
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert manifest(folder / "sweep")["status"] == "complete"
    listed = cluster.run("ray", "job", "list")
    assert "'sweep': 'sweep'" in listed.stdout + listed.stderr


def test_board(cluster: JobCluster, folder: Path, scores: Path) -> None:
    submitted = cluster.submit("python", "jobs/board.py", f"results=[{scores}]", f"output={folder}/board")
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert (folder / "board" / "board.html").is_file()


# As small as training can be, for runs of several stages.
TINY = (
    "train.model=scratch", "train.max_steps=2", "train.checkpoint_steps=2", "train.global_batch=4",
    "train.workers.cpus=1", "train.scratch.hidden=32", "train.scratch.layers=1", "train.scratch.feed_forward=32",
    "train.scratch.vocabulary=400",
)  # fmt: skip


@pytest.mark.long
def test_campaign_submits_a_job_per_step_to_the_same_cluster(cluster: JobCluster, folder: Path) -> None:
    *command, run = documented_command(ROOT / "jobs" / "campaign.py")
    assert run.startswith("run=/")
    submitted = cluster.run(
        *command, f"run={folder}/campaign", "rounds=1", "baseline=false", *TINY,
        "evaluate={limit: 2, sampling: {max_tokens: 4}, workers: {cpus: 1}}",
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert manifest(folder / "campaign")["status"] == "complete"
    listed = cluster.run("ray", "job", "list")
    assert all(
        f"'step': 'round-1/{name}'" in listed.stdout + listed.stderr
        for name in ("evolve", "refine", "train", "evaluate")
    )


@pytest.mark.long
def test_ablation_submits_a_job_per_step_to_the_same_cluster(cluster: JobCluster, folder: Path) -> None:
    submitted = cluster.submit(
        "python", "jobs/ablation.py", f"run={folder}/ablation", "generations=[1]", "records=8",
        "evolve.domain=math", f"evolve.seeds.path={ROOT}/conf/demo/seeds_math.jsonl", "evolve.teacher.kind=simulated",
        *TINY, "sweep.benchmarks=[gsm8k]", f"sweep.problems.gsm8k={folder}/gsm8k.jsonl",
        "sweep.evaluate={sampling: {max_tokens: 4}, workers: {cpus: 1}}",
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert manifest(folder / "ablation")["status"] == "complete"


def test_a_mistake_is_the_outcome_of_the_job(cluster: JobCluster) -> None:
    submitted = cluster.submit("python", "jobs/evolve.py", "conf/demo/math.yaml", "generatoins=1")
    assert submitted.returncode == 1  # Ray's; the job's own, 2, is in its message
    assert "exit code 2" in submitted.stdout + submitted.stderr
    assert "generations" in submitted.stdout


def test_whoever_has_no_token_submits_nothing(cluster: JobCluster) -> None:
    stranger = JobCluster({**cluster.environment, "RAY_AUTH_TOKEN": "0" * 64})
    refused = stranger.submit("python", "-c", "print('in')")
    assert refused.returncode != 0
    assert "in\n" not in refused.stdout.splitlines()
    assert "oken" in refused.stdout + refused.stderr
