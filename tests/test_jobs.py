"""jobs/: thin entry points, each with a command in its docstring that works as it stands."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.cluster import ROOT, documented_command

JOBS = sorted((ROOT / "jobs").glob("*.py"))
SUBMIT = ["ray", "job", "submit", "--working-dir", ".", "--"]


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
    names = "ablation board campaign evaluate evolve generate refine sweep train"
    assert {f"{name}.py" for name in names.split()} <= {job.name for job in JOBS}


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_is_short_and_only_hands_on(job: Path) -> None:
    source = job.read_text()
    assert len(source.splitlines()) <= 40
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While)
    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, defined)]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_the_documented_command_submits_this_job_with_files_that_exist(job: Path) -> None:
    command = documented_command(job)
    assert command[: len(SUBMIT)] == SUBMIT
    python, script, *arguments = command[len(SUBMIT) :]
    assert python == "python"
    assert ROOT / script == job
    configs = [argument for argument in arguments if "=" not in argument]
    assert configs or job.name == "board.py"  # which has no settings to speak of
    assert all((ROOT / config).is_file() for config in configs)


def test_evolve_takes_the_arguments_of_the_command_line() -> None:
    _, script, *arguments = documented_command(ROOT / "jobs" / "evolve.py")[len(SUBMIT) :]
    ran = run_job(ROOT / script, *arguments, "dry_run=true")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "calls" in ran.stdout


def test_a_misspelt_key_ends_the_job_with_2_and_names_the_right_one() -> None:
    ran = run_job(ROOT / "jobs" / "evolve.py", "conf/demo/open.yaml", "generatoins=2")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "generatoins" in ran.stderr and "generations" in ran.stderr


def test_train_takes_the_arguments_of_the_command_line(tmp_path: Path) -> None:
    _, script, *arguments = documented_command(ROOT / "jobs" / "train.py")[len(SUBMIT) :]
    ran = run_job(ROOT / script, *arguments, f"data={tmp_path}/nowhere.jsonl", f"run={tmp_path}/run")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"evolray: {tmp_path}/nowhere.jsonl: no such file")
