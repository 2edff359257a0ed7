"""A Ray with its dashboard: its list of jobs, and where it has Grafana look for dashboards."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from ray.job_submission import JobSubmissionClient
from rich.console import Console

from evolray.cluster.jobs.job import Request
from evolray.cluster.jobs.on_ray import JobServer
from evolray.cluster.jobs.own_ray import own_ray
from evolray.views.jobs import runs_of, runs_view
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.ray]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with TemporaryDirectory(prefix="e") as folder:  # tmp_path is too long for Ray's sockets
        yield Path(folder)


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[JobServer]:
    """With the dashboard in a folder beside Ray's own, as conf/grafana/README.md says."""
    dashboards = place / "dashboards"
    dashboards.mkdir()
    shutil.copy(ROOT / "conf" / "grafana" / "evolray.json", dashboards)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(place))
        patch.setenv("RAY_METRICS_GRAFANA_DASHBOARD_OUTPUT_DIR", str(dashboards))
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "a" * 64)
        with own_ray({}) as ray:
            yield JobServer(JobSubmissionClient(ray.url, headers=dict(ray.headers)))


def test_jobs_are_listed_with_all_that_is_shown_of_them(server: JobServer) -> None:
    metadata = {"evolray": "first", "run": "/runs/first", "step": "round-1/train", "stage": "train"}
    said = ["-c", "print('step 7'); print('step 8')"]
    server.submit(Request("one", said, metadata))
    wait_until(lambda: bool((job := server.look("one")) and job.has_ended))
    server.submit(Request("two", ["-c", "raise SystemExit(3)"], {**metadata, "step": "round-2/evolve"}))
    wait_until(lambda: bool((job := server.look("two")) and job.has_ended))
    one, two = server.all()
    assert [(job.id, job.state, job.metadata["step"]) for job in (one, two)] == [
        ("one", "succeeded", "round-1/train"), ("two", "failed", "round-2/evolve"),
    ]  # fmt: skip
    assert (two.message, one.metadata) == ("its job ended with exit code 3", metadata)
    assert one.started is not None and one.ended is not None and 0 <= one.ended - one.started < 120
    assert abs(one.started - time.time()) < 600

    console = Console(record=True, width=160)
    console.print(runs_view(server.url, runs_of(server.all()), server.log))
    shown = console.export_text()
    for text in (server.url, "first  /runs/first", "round-1/train", "succeeded", "step 8", "round-2/evolve", "failed"):
        assert text in shown
    assert "step 7" not in shown


def test_a_stopped_job_may_take_longer_than_ray_s_three_seconds_to_end(server: JobServer, tmp_path: Path) -> None:
    said = f"""
import pathlib, signal, time

def write(*_):
    time.sleep(5)
    pathlib.Path({str(tmp_path / "written")!r}).touch()
    raise SystemExit

signal.signal(signal.SIGTERM, write)
pathlib.Path({str(tmp_path / "ready")!r}).touch()
time.sleep(600)
"""
    server.submit(Request("writing", ["-c", said]))
    wait_until((tmp_path / "ready").exists)
    server.stop("writing")
    wait_until(lambda: bool((job := server.look("writing")) and job.has_ended))
    assert (tmp_path / "written").exists()


def test_grafana_is_told_of_a_folder_that_holds_rays_dashboards_and_ours(server: JobServer, place: Path) -> None:
    dashboards = place / "dashboards"
    wait_until((dashboards / "train_grafana_dashboard.json").exists)
    assert (dashboards / "evolray.json").read_text() == (ROOT / "conf" / "grafana" / "evolray.json").read_text()
    (found,) = place.glob("ray-*/session_latest/metrics/grafana/provisioning/dashboards/default.yml")
    assert yaml.safe_load(found.read_text())["providers"][0]["options"]["path"] == str(dashboards)
