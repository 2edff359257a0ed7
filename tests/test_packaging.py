"""What leaves this folder: a wheel with every file the package reads, and a working directory without what is big."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMIT = 500 * 2**20  # bytes; Ray takes no larger working directory


def tracked(folder: str) -> set[str]:
    """The files of the repository below `folder`."""
    listed = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel made of a copy, as setuptools leaves a build folder beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked("evolray") | {"pyproject.toml", "README.md", "LICENSE"}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet", "-w", "out"],
        cwd=folder,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        check=True,
    )
    (made,) = (folder / "out").glob("*.whl")
    return set(zipfile.ZipFile(made).namelist())


@pytest.mark.slow
def test_a_wheel_holds_every_file_of_the_package(wheel: set[str]) -> None:
    expected = {name for name in tracked("evolray") if not name.endswith("README.md")}
    assert any(name.endswith(".txt") for name in expected) and any(name.endswith(".jinja") for name in expected)
    assert expected - wheel == set()


@pytest.mark.slow
def test_a_wheel_holds_nothing_else(wheel: set[str]) -> None:
    others = {name for name in wheel if not name.startswith("evolray/")}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {name.split("/")[0] for name in others} == {f"evolray-{version}.dist-info"}


# What `ray job submit --working-dir .` does before it sends anything; prints what it would send.
PACK = """
import json, os, sys, zipfile
from pathlib import Path
from ray._private.runtime_env.packaging import create_package
from ray._private.runtime_env.working_dir import upload_working_dir_if_needed

folder, target = sys.argv[1:]

def upload(path, excludes, is_file=False):
    create_package(path, Path(target), include_gitignore=True, excludes=excludes)

upload_working_dir_if_needed({"working_dir": folder}, include_gitignore=True, scratch_dir=".", upload_fn=upload)
print(json.dumps([os.path.getsize(target), zipfile.ZipFile(target).namelist()]))
"""


@pytest.mark.slow
def test_a_working_directory_is_sent_without_runs_and_environments(tmp_path: Path) -> None:
    """Ray reads .gitignore, and refuses what is above 500 MiB after that."""
    folder = tmp_path / "evolray"
    files = set().union(*(tracked(name) for name in ("evolray", "conf", "jobs", "pyproject.toml", ".gitignore")))
    big = {"runs/wizardlm/checkpoints/model.safetensors", ".venv/lib/libtorch.so"}
    left_out = big | {"build/lib/evolray.py", "evolray.egg-info/PKG-INFO", "evolray/__pycache__/cli.pyc"}
    for name in files | left_out:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes() if name in files else b"x")
    for name in big:
        os.truncate(folder / name, LIMIT + 1)  # a hole: it takes no room
    ran = subprocess.run(
        [sys.executable, "-c", PACK, str(folder), str(tmp_path / "package.zip")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    size, names = json.loads(ran.stdout.splitlines()[-1])
    assert size < LIMIT / 50
    assert {name for name in names if not name.endswith("/")} == files
