"""lm-eval itself, on a tiny checkpoint and local task files: what it gives is what its own command line gives."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import ray

from evolray.config import WorkersConfig
from evolray.config.judge import LmEvalConfig
from evolray.errors import EndpointError, Interrupted, UserError
from evolray.evaluate.knowledge.benchmarks import KNOWLEDGE_BENCHMARKS, find_knowledge
from evolray.evaluate.knowledge.run import run_knowledge
from evolray.evaluate.knowledge.source import CheckpointSource, EndpointSource, ModelSource
from evolray.pool.layout import LocalFolder
from evolray.sampling.resolve import resolve
from tests.evaluate.knowledge import tasks
from tests.evaluate.knowledge.server import serving

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.usefixtures("own_ray", "offline")]

WORKERS = WorkersConfig(device="cpu", cpus=1)
BATCH = 4


@pytest.fixture(scope="module")
def own_ray() -> Iterator[None]:
    """Ended with this module: among slow tests there are some that start a cluster of their own."""
    if ray.is_initialized():
        yield
        return
    ray.init(address="local", num_cpus=4, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.save_student(tmp_path_factory.mktemp("student") / "tiny", begin="<s>")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tasks.write_all(tmp_path_factory.mktemp("tasks"))


def checkpoint(student: Path) -> CheckpointSource:
    return CheckpointSource(resolve(str(student)))


def endpoint(url: str, student: Path, retries: int = 4) -> EndpointSource:
    return EndpointSource(url, "tiny", "TEST_KEY", str(student), max_in_flight=4, retries=retries)


def run(place: Path, source: ModelSource, files: Path | None, name: str, limit: int | None = None) -> dict[str, Any]:
    benchmark = find_knowledge(name)
    assert benchmark
    settings = LmEvalConfig(batch_size=BATCH)
    return run_knowledge(
        LocalFolder(str(place)),
        benchmark,
        source,
        settings,
        str(files) if files else None,
        limit,
        WORKERS,
        lambda line: None,
    )


# lm-eval's own command line, as often as there are lists of arguments: loading it takes longer than running it.
COMMAND_LINES = """
import json, sys
from lm_eval.__main__ import cli_evaluate
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["lm_eval", "run", *arguments]
    cli_evaluate()
"""


@pytest.fixture(scope="module")
def by_command_line(
    tmp_path_factory: pytest.TempPathFactory, student: Path, files: Path
) -> Mapping[str, Mapping[str, Any]]:
    """lm-eval's results as it writes them, by benchmark."""
    place = tmp_path_factory.mktemp("written")
    lines = [
        [
            "--model", "hf", "--model_args", f"pretrained={student},dtype=float32", "--device", "cpu",
            "--tasks", one.task, "--num_fewshot", str(one.shots or 0), "--batch_size", str(BATCH),
            "--include_path", str(files), "--output_path", str(place / f"{name}.json"),
        ]
        for name, one in KNOWLEDGE_BENCHMARKS.items()
    ]  # fmt: skip
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(place / "cache"),
    }  # fmt: skip
    command = [sys.executable, "-c", COMMAND_LINES, json.dumps(lines)]
    done = subprocess.run(command, cwd=files, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: json.loads(next(place.glob(f"{name}*.json")).read_text()) for name in KNOWLEDGE_BENCHMARKS}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory that tests share: what one of them has measured, the next one finds there."""
    return tmp_path_factory.mktemp("measured")


@pytest.mark.parametrize("name", KNOWLEDGE_BENCHMARKS)
def test_scores_are_those_of_the_command_line(
    measured: Path, student: Path, files: Path, by_command_line: Mapping[str, Mapping[str, Any]], name: str
) -> None:
    benchmark = KNOWLEDGE_BENCHMARKS[name]
    entry = run(measured, checkpoint(student), files, name)
    kept = json.loads((measured / benchmark.folder / "results.json").read_text())["lm_eval"]
    theirs = by_command_line[name]
    for part in ("results", "n-shot", "n-samples", "versions"):
        assert kept[part] == theirs[part], part
    scores = theirs["results"][benchmark.task]
    assert entry["score"] == round(100 * scores[f"{benchmark.metric},none"], 2)
    assert (entry["shots"], entry["rules"]["truncated"]) == (benchmark.shots, 0)


def test_every_question_is_kept_with_what_decided_it(measured: Path, student: Path, files: Path) -> None:
    entry = run(measured, checkpoint(student), files, "mmlu")
    rows = pq.read_table(measured / "knowledge" / "mmlu" / "samples.parquet").to_pylist()
    assert len(rows) == entry["total"] == 4 + 7 + 10
    assert set(entry["groups"]) == {"field", "subtask"}
    assert [(name, one["total"]) for name, one in entry["groups"]["subtask"].items()] == [
        ("anatomy", 4), ("law", 10), ("virology", 7),
    ]  # fmt: skip
    assert sorted(entry["groups"]["field"]) == ["humanities", "other", "stem"]
    for row in rows:
        assert row["choices"] == [" A", " B", " C", " D"]
        assert row["prompt"].count("Answer:") == 6  # five examples and the question
        assert row["log_likelihoods"][row["prediction"]] == max(row["log_likelihoods"])
        assert row["correct"] == (str(row["prediction"]) == row["gold"])
    right = sum(row["correct"] for row in rows)
    assert entry["outcomes"] == {"passed": right, "wrong": len(rows) - right}
    assert entry["score"] == round(100 * right / len(rows), 2)


def test_predictions_of_normalised_accuracy(measured: Path, student: Path, files: Path) -> None:
    for name in ("arc_challenge", "hellaswag"):
        entry = run(measured, checkpoint(student), files, name)
        rows = pq.read_table(measured / "knowledge" / name / "samples.parquet").to_pylist()
        assert (len(rows), entry["metric"]) == (8, "normalised accuracy")
        assert all(row["correct"] == (str(row["prediction"]) == row["gold"]) for row in rows)


def test_an_endpoint_gives_the_scores_of_its_checkpoint(
    tmp_path: Path, measured: Path, student: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-not-to-be-seen")
    with serving(student, fails=7, key="sk-not-to-be-seen") as server:
        source = endpoint(server.url, student)
        for name in ("mmlu", "truthfulqa"):
            entry = run(tmp_path / "endpoint", source, files, name)
            loaded = run(measured, checkpoint(student), files, name)
            same = ("score", "low", "high", "total", "groups", "outcomes", "shots", "metric")
            assert [entry.get(one) for one in same] == [loaded.get(one) for one in same]
            assert entry["rules"] == loaded["rules"] | {"max_length": tasks.POSITIONS - 1}
        answered = server.answered
        assert answered >= 21 * 4 + 8 * 4 and server.asked > answered  # some were refused, and asked again
        run(tmp_path / "endpoint", source, files, "mmlu")
        assert server.answered == answered
    for path in (tmp_path / "endpoint").rglob("*.*"):
        assert b"sk-not-to-be-seen" not in path.read_bytes(), path


def test_answers_are_kept_when_an_endpoint_goes_away(tmp_path: Path, student: Path, files: Path) -> None:
    with serving(student, fails=20) as gone:  # the one after 19 is not asked again
        with pytest.raises(EndpointError, match=r"500.*goes on from there"):
            run(tmp_path, endpoint(gone.url, student, retries=0), files, "mmlu")
    with serving(student) as server:
        entry = run(tmp_path, endpoint(server.url, student), files, "mmlu")
        assert entry["total"] == 21
        kept = 1 + 84 - server.answered  # the first question of all is asked by each run, and not kept
        assert 10 < kept <= gone.answered - 1


def test_an_endpoint_without_log_probabilities(tmp_path: Path, student: Path, files: Path) -> None:
    with serving(student, echoes=False) as server:
        with pytest.raises(UserError, match="do not hold a log-probability for each token of the prompt"):
            run(tmp_path, endpoint(server.url, student), files, "mmlu")
    with serving(student, key="another") as server:
        with pytest.raises(EndpointError, match="401"):
            run(tmp_path, endpoint(server.url, student), files, "mmlu")


def test_an_interrupted_run_goes_on(tmp_path: Path, student: Path, files: Path) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    arguments = checkpoint(student), LmEvalConfig(batch_size=BATCH), str(files), None, WORKERS
    with pytest.raises(Interrupted, match="while lm-eval ran truthfulqa"):
        run_knowledge(LocalFolder(str(tmp_path)), KNOWLEDGE_BENCHMARKS["truthfulqa"], *arguments, interrupt)
    lines: list[str] = []
    entry = run_knowledge(LocalFolder(str(tmp_path)), KNOWLEDGE_BENCHMARKS["truthfulqa"], *arguments, lines.append)
    assert (entry["total"], entry["outcomes"]) == (8, {"scored": 8})
    assert lines[0] in ("starting", "reading the tasks")


def test_a_template_cannot_leave_the_sandbox(tmp_path: Path, student: Path) -> None:
    hostile = tasks.ARC.replace("Question: {{question}}", "{{ question.__class__.__mro__ }}")
    files = tasks.write_all(tmp_path / "tasks")
    (files / "arc" / "arc_challenge.yaml").write_text(hostile)
    with pytest.raises(Exception, match="is unsafe"):
        run(tmp_path / "run", checkpoint(student), files, "arc_challenge")


def test_other_tasks_have_their_own_shots_and_metric(tmp_path: Path, student: Path, files: Path) -> None:
    entry = run(tmp_path, checkpoint(student), files, "lm_eval:hellaswag", limit=3)
    assert (entry["total"], entry["shots"], entry["metric"]) == (3, 0, "normalised accuracy")
    assert (tmp_path / "knowledge" / "lm_eval_hellaswag" / "results.json").exists()
    with pytest.raises(UserError, match="no task or group named nothing"):
        run(tmp_path, checkpoint(student), files, "lm_eval:nothing")


def test_lm_evals_own_tasks_need_the_hub(tmp_path: Path, student: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be loaded from lm-eval's own task.*set problems\.truthfulqa=FOLDER"):
        run(tmp_path, checkpoint(student), None, "truthfulqa")
