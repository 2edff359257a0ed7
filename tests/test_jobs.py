"""jobs/: thin entry points, each with a command in its docstring that works as it stands."""

import ast
import json
import os
import secrets
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[1]
JOBS = sorted((ROOT / "jobs").glob("*.py"))
SUBMIT = ["ray", "job", "submit", "--working-dir", ".", "--"]

# A Ray that takes jobs, for as long as its standard input is open. Other Rays on this machine must not get in between:
# it takes free ports, where `ray.init` would insist on one of them, and keeps its address where its jobs look first.
# It prints its address once it has taken a job, since the part that starts them comes up last, and Ray itself waits for
# it for only ten seconds per request.
CLUSTER = """
import sys
from ray._private.utils import write_ray_address
from ray.cluster_utils import Cluster
from ray.job_submission import JobSubmissionClient

folder = sys.argv[1]
ports = {"dashboard_port": 0, "dashboard_agent_listen_port": 0}
head = {"num_cpus": 2, "include_dashboard": True, "temp_dir": folder, **ports}
cluster = Cluster(initialize_head=True, head_node_args=head)
write_ray_address(cluster.address, folder)
address = f"http://{cluster.webui_url}"
for attempts_left in reversed(range(10)):
    try:
        JobSubmissionClient(address).submit_job(entrypoint="true")
        break
    except RuntimeError:
        if not attempts_left:
            raise
print(address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def command_of(job: Path) -> list[str]:
    """The words of the command in a job's docstring."""
    docstring = ast.get_docstring(ast.parse(job.read_text()))
    assert docstring
    lines = [line for line in docstring.splitlines() if line.strip().startswith("ray job submit")]
    assert len(lines) == 1
    return shlex.split(lines[0])


def run_job(job: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(job), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_are_jobs() -> None:
    assert {"board.py", "evaluate.py", "evolve.py", "generate.py", "refine.py", "sweep.py", "train.py"} <= {
        job.name for job in JOBS
    }


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_is_short_and_only_hands_on(job: Path) -> None:
    source = job.read_text()
    assert len(source.splitlines()) <= 40
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While)
    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, defined)]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_the_documented_command_submits_this_job_with_files_that_exist(job: Path) -> None:
    command = command_of(job)
    assert command[: len(SUBMIT)] == SUBMIT
    python, script, *arguments = command[len(SUBMIT) :]
    assert python == "python"
    assert ROOT / script == job
    configs = [argument for argument in arguments if "=" not in argument]
    assert configs or job.name == "board.py"  # which has no settings to speak of
    assert all((ROOT / config).is_file() for config in configs)


def test_evolve_takes_the_arguments_of_the_command_line() -> None:
    _, script, *arguments = command_of(ROOT / "jobs" / "evolve.py")[len(SUBMIT) :]
    ran = run_job(ROOT / script, *arguments, "dry_run=true")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "calls" in ran.stdout


def test_a_misspelt_key_ends_the_job_with_2_and_names_the_right_one() -> None:
    ran = run_job(ROOT / "jobs" / "evolve.py", "conf/demo/open.yaml", "generatoins=2")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "generatoins" in ran.stderr and "generations" in ran.stderr


def test_train_takes_the_arguments_of_the_command_line(tmp_path: Path) -> None:
    _, script, *arguments = command_of(ROOT / "jobs" / "train.py")[len(SUBMIT) :]
    ran = run_job(ROOT / script, *arguments, f"data={tmp_path}/nowhere.jsonl", f"run={tmp_path}/run")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"evolray: {tmp_path}/nowhere.jsonl: no such file")


@pytest.mark.slow
@pytest.mark.ray
def test_the_documented_command_works_on_a_cluster(tmp_path: Path) -> None:
    """As a user types it, but for the run directory: submitted, run on the cluster, its outcome reported."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    environment.pop("RAY_ADDRESS", None)
    *command, run = command_of(ROOT / "jobs" / "evolve.py")
    assert run.startswith("run=/")
    with (
        TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,  # tmp_path is too long for sockets
        subprocess.Popen(
            [sys.executable, "-c", CLUSTER, folder],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as cluster,
    ):
        assert cluster.stdin is not None and cluster.stdout is not None
        environment["RAY_API_SERVER_ADDRESS"] = address = cluster.stdout.readline().strip()
        assert address.startswith("http://"), "the cluster did not start"
        ran = subprocess.run(
            [*command, f"run={tmp_path}/run"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "complete"
