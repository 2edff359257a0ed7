"""What a job server is asked for; nothing secret is part of it."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evolray.cluster.jobs.job import Request
from evolray.cluster.jobs.on_ray import JobServer
from evolray.config import JobConfig, JobsConfig
from evolray.pipeline.on_ray import StepServer
from evolray.pool.layout import LocalFolder
from tests.pipeline import places


@dataclass
class Taking:
    """Takes requests, in place of a job server."""

    requests: list[Request] = field(default_factory=list)

    def submit(self, request: Request) -> None:
        self.requests.append(request)


class Bucket(LocalFolder):
    """A folder that says it is a bucket; it is never looked into."""

    is_local = False

    def __init__(self, url: str) -> None:
        self.url = url


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Taking:
    made = Taking()
    monkeypatch.setattr(JobServer, "submit", lambda _, request: made.submit(request))
    return made


def server(folder: LocalFolder, jobs: JobsConfig) -> StepServer:
    return StepServer(JobServer.__new__(JobServer), folder, "demo", jobs)


def test_a_step_s_job_reads_its_config_from_the_run_directory(tmp_path: Path, taking: Taking) -> None:
    jobs = JobsConfig(metadata={"team": "red", "run": "another"}, working_dir="/code")
    server(LocalFolder(str(tmp_path)), jobs).submit("job-1", places.step(tmp_path, "round-1/train"))
    assert taking.requests == [
        Request(
            id="job-1",
            words=["-m", "evolray.pipeline.job", str(tmp_path), "round-1/train"],
            metadata={
                "team": "red", "evolray": "demo", "run": str(tmp_path), "step": "round-1/train", "stage": "train",
            },
            working_dir="/code",
        )
    ]  # fmt: skip


def test_what_is_set_aside_is_the_step_s_else_its_stage_s(tmp_path: Path, taking: Taking) -> None:
    jobs = JobsConfig(stages={"train": JobConfig(cpus=2), "refine": JobConfig(resources={"cpu_group": 1})})
    made = server(LocalFolder(str(tmp_path)), jobs)
    for step in (
        places.step(tmp_path, "train"),
        places.step(tmp_path, "train", job=JobConfig(gpus=1)),
        places.step(tmp_path, "refine"),
        places.step(tmp_path, "evaluate"),
    ):
        made.submit("job", step)
    assert [(one.cpus, one.gpus, one.resources) for one in taking.requests] == [
        (2, 0, {}),
        (0, 1, {}),
        (0, 0, {"cpu_group": 1}),
        (0, 0, {}),
    ]


def test_of_a_bucket_s_url_a_job_is_told_where_it_is_and_no_secret(tmp_path: Path, taking: Taking) -> None:
    url = "s3://key:secret@bucket/run?endpoint_override=http://minio:9000&scheme=http&secret_key=hidden"
    step = places.step(tmp_path, "train")
    step.config.run = url
    server(Bucket("s3://bucket/run"), JobsConfig()).submit("job", step)
    (request,) = taking.requests
    assert request.words[2] == "s3://bucket/run?endpoint_override=http%3A%2F%2Fminio%3A9000&scheme=http"
    assert request.metadata["run"] == "s3://bucket/run"
    assert "secret" not in str(request) and "hidden" not in str(request)
