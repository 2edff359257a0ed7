"""A refining into an object store: a real S3 protocol over a socket, served by moto, the command as a user types it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolray.pool.layout import open_folder
from evolray.refine.results import Refined

pytest.importorskip("boto3")
server = pytest.importorskip("moto.server")
pytestmark = pytest.mark.slow

KEY_ID, SECRET = "AKIAOPENSESAME00", "a-secret/of+the-tests"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a run directory that does not exist yet. The credentials are in the environment."""
    import boto3

    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="a-bucket")
    client.close()
    yield f"s3://a-bucket/mix?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    moto.stop()


def refine(data: Path, run: str, *more: str) -> str:
    settings = [f"data={data}", f"run={run}", "judging.difficulty=true", "judge.kind=simulated", "formats=[alpaca]"]
    command = [sys.executable, "-m", "evolray.cli", "refine", *settings, *more]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


def test_a_run_in_an_object_store(run: str, tmp_path: Path) -> None:
    data = tmp_path / "seeds.jsonl"
    lines = [
        {"instruction": f"Explain why number {n} is {n % 7} more than another.", "output": "So."} for n in range(9)
    ]
    data.write_text("".join(json.dumps(line) + "\n" for line in [*lines, lines[0]]))
    assert SECRET not in refine(data, run)
    folder = open_folder(run)
    assert len(json.loads(folder.read("training/alpaca.json"))) == Refined(run).manifest.mix["records"] <= 9
    assert Refined(run).manifest.dropped["exact_duplicate"] == 1
    refine(data, run, "select.records=3")
    assert Refined(run).manifest.mix["records"] == 3 and len(json.loads(folder.read("training/alpaca.json"))) == 3
    assert "nothing to do" in refine(data, run, "select.records=3")
    written = b"".join(folder.read(name) for name in ("run.yaml", "manifest.json", "card.md"))
    assert SECRET.encode() not in written and b"endpoint_override" not in written
