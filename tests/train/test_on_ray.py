"""The whole path on a Ray: data in, checkpoints out, the same student whatever the workers."""

import json
import logging
import math
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import evolray
from evolray.checkpoints import Checkpoints, export
from evolray.errors import EvolrayError, UserError
from evolray.train.tokenising.store import is_held_out
from tests.train import commands
from tests.train.commands import SETTINGS, about, digest, ended, losses, start, status

EXAMPLES, EPOCHS, HELD_OUT, GLOBAL_BATCH = 60, 2, 0.1, 8
BUCKET, KEY_ID, SECRET = "a-bucket", "AKIAOPENSESAME00", "a-secret/of+the-tests"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return commands.write_data(tmp_path_factory.mktemp("data") / "data.jsonl", EXAMPLES)


def train(run: Path | str, data: str, **settings: Any) -> Checkpoints:
    values = {"epochs": EPOCHS, "held_out": HELD_OUT, "global_batch": GLOBAL_BATCH, "checkpoint_steps": 5}
    return evolray.train({**SETTINGS, **values, "run": str(run), "data": data, **settings})


@pytest.fixture(scope="module")
def two_workers(local_ray: None, data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("two") / "run"
    train(run, data, **{"workers.number": 2})
    return run


def test_checkpoints_say_what_they_were_made_of(two_workers: Path, data: str) -> None:
    sides = {n: is_held_out(f"data.jsonl:{n}", HELD_OUT, 0) for n in range(1, EXAMPLES + 1)}
    trained = [n for n, held_out in sides.items() if not held_out]
    assert 0 < len(trained) < EXAMPLES
    steps = EPOCHS * math.ceil(len(trained) / GLOBAL_BATCH)
    checkpoints = Checkpoints(str(two_workers))
    last = about(two_workers)
    assert [one.step for one in checkpoints.all()][-1] == last["step"] == steps
    assert last["examples_seen"] == EPOCHS * len(trained)
    assert last["examples_digest"] == digest("data.jsonl", trained, EPOCHS)
    assert (last["epoch"], last["workers"], last["model"]) == (EPOCHS, 2, "scratch")
    assert last["examples"]["train"] == len(trained)
    assert last["examples"]["held_out"] == EXAMPLES - len(trained)
    assert status(two_workers) == "complete"
    assert not (two_workers / "ray-train").exists()
    best = checkpoints.best()
    assert best and best.held_out_loss == min(one.held_out_loss or math.inf for one in checkpoints.all())
    curve = losses(two_workers)
    assert sorted(curve) == list(range(1, steps + 1))
    assert curve[steps] < curve[1] - 0.2


def test_the_figures_are_in_tensorboard(two_workers: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    events = accumulator.EventAccumulator(str(two_workers / "tensorboard"))
    events.Reload()
    names = {"loss", "held_out_loss", "learning_rate", "tokens_per_second", "memory_bytes", "padding", "epoch"}
    assert {f"train/{name}" for name in names} <= set(events.Tags()["scalars"])
    curve = losses(two_workers)
    assert {event.step: event.value for event in events.Scalars("train/loss")} == pytest.approx(curve)


def test_plain_transformers_generates_with_the_saved_chat_template(two_workers: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Checkpoints(str(two_workers)).all()[-1].path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Explain what makes lamp number 0 useful."}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    assert tokenizer.decode(prompt["input_ids"][0]).endswith("### Response:")
    made = model.generate(**prompt, max_new_tokens=5, do_sample=False)
    assert made.shape[1] > prompt["input_ids"].shape[1]


def test_one_worker_makes_the_same_student(local_ray: None, two_workers: Path, data: str, tmp_path: Path) -> None:
    """And a pass of one micro-batch of 2,048 tokens the same as several of 512."""
    train(tmp_path / "run", data, micro_batch_tokens=512)
    assert losses(tmp_path / "run") == pytest.approx(losses(two_workers), abs=1e-4)
    one, two = about(tmp_path / "run"), about(two_workers)
    for key in ("step", "examples_seen", "examples_digest", "tokens_seen"):
        assert one[key] == two[key]
    assert one["held_out_loss"] == pytest.approx(two["held_out_loss"], abs=1e-4)


def test_a_finished_run_says_so_and_does_nothing(
    two_workers: Path, data: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in two_workers.rglob("*") if path.is_file()}
    monkeypatch.setattr(logging.getLogger("evolray"), "propagate", True)
    with caplog.at_level(logging.INFO, "evolray"):
        train(two_workers, data)
    assert f"{two_workers}: nothing to do, all {about(two_workers)['step']} steps are done" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in two_workers.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("changed", [{"learning_rate": 1e-3}, {"seed": 1}, {"scratch.layers": 3}])
def test_another_setting_is_refused_by_name(two_workers: Path, data: str, changed: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(changed)).partition(".")[0]):
        train(two_workers, data, **changed)


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_at_once_with_the_ids(
    local_ray: None, two_workers: Path, data: str, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    poisoned = tmp_path / "poisoned"
    export(Checkpoints(str(two_workers)).all()[-1], str(poisoned))
    weights = load_file(poisoned / "model.safetensors")
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, poisoned / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        EvolrayError, match=r"no number any more at step 1, with these examples: .*data\.jsonl:\d+"
    ) as stop:
        train(tmp_path / "run", data, model=str(poisoned), **{"workers.number": 2})
    assert stop.value.exit_code == 1
    assert str(stop.value).count("data.jsonl:") == GLOBAL_BATCH
    assert status(tmp_path / "run") == "stopped"
    assert Checkpoints(str(tmp_path / "run")).all() == []


@pytest.mark.slow
def test_a_pool_by_its_generations(local_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a relative run directory, while the workers have a working directory of their own."""
    monkeypatch.chdir(tmp_path)
    seeds = commands.write_data(tmp_path / "seeds.jsonl", 30)
    pool = evolray.evolve(run=str(tmp_path / "pool"), seeds__path=seeds, generations=2, teacher__kind="simulated")
    wanted = [record.id for record in pool.records() if record.generation in (1, 2)]
    assert 0 < len(wanted) < pool.manifest.kept
    values = {**SETTINGS, "epochs": 1, "max_length": 1024, "generations": [1, 2]}
    evolray.train(values, data=pool, run="run")
    last = about(tmp_path / "run")
    assert last["examples"]["entries"] == len(wanted)
    assert (
        last["examples_seen"] == last["examples"]["train"] == len(wanted) - sum(last["examples"]["rejected"].values())
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long), 3]
)
def test_all_stages_of_zero_make_the_same_student(
    stage: int, local_ray: None, two_workers: Path, data: str, tmp_path: Path
) -> None:
    settings = {"workers.number": 2, "deepspeed": {"zero_optimization": {"stage": stage}}}
    train(tmp_path / "run", data, **settings)
    assert losses(tmp_path / "run") == pytest.approx(losses(two_workers), abs=1e-4)
    assert about(tmp_path / "run")["examples_digest"] == about(two_workers)["examples_digest"]
    held_out = [json.loads(path.read_text())["held_out_loss"] for path in sorted(tmp_path.rglob("evolray.json"))]
    expected = [json.loads(path.read_text())["held_out_loss"] for path in sorted(two_workers.rglob("evolray.json"))]
    assert held_out == pytest.approx(expected, abs=1e-4)


# --- in an object store ---


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The query of URLs into an S3 server that is a process of its own, with an empty bucket."""
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("moto.server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    )
    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
    )  # fmt: skip
    _until_it_answers(lambda: client.create_bucket(Bucket=BUCKET))
    client.close()
    yield f"endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
    server.kill()
    server.wait()


def _until_it_answers(call: Callable[[], Any]) -> None:
    from botocore.exceptions import EndpointConnectionError

    for attempts_left in reversed(range(20)):
        try:
            call()
            return
        except EndpointConnectionError:
            if not attempts_left:
                raise


@pytest.mark.long
@pytest.mark.slow
def test_a_run_in_an_object_store(
    store: str, two_workers: Path, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data, run and checkpoints in a bucket; stopped in the middle, it goes on there."""
    from pyarrow import fs

    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    url = f"s3://{BUCKET}/run?{store}"
    files, inner = fs.FileSystem.from_uri(f"s3://{BUCKET}/data.jsonl?{store}")
    with files.open_output_stream(inner) as stream:
        stream.write(Path(data).read_bytes())
    model = tmp_path / "model"
    model.mkdir()
    for path in (two_workers / "student").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    settings = {
        "run": url, "data": f"s3://{BUCKET}/data.jsonl?{store}", "model": model, "epochs": EPOCHS,
        "held_out": HELD_OUT, "global_batch": GLOBAL_BATCH, "checkpoint_steps": 5, "keep_checkpoints": 9,
    }  # fmt: skip
    ended(start(**settings))
    whole = Checkpoints(url).all()
    assert [one.step for one in whole][:2] == [5, 10]
    assert whole[-1].about["loss"] == pytest.approx(losses(two_workers)[whole[-1].step], abs=1e-4)
    for one in whole[2:]:  # as if it had been killed after step 10
        files.delete_dir(f"{BUCKET}/run/checkpoints/{one.name}")
    files.delete_file(f"{BUCKET}/run/manifest.json")
    output = ended(start(**settings))
    assert SECRET not in output and KEY_ID not in output
    again = Checkpoints(url).all()
    assert [one.step for one in again] == [one.step for one in whole]
    assert again[1].about["created_at"] == whole[1].about["created_at"]
    for key in ("examples_seen", "examples_digest", "tokens_seen"):
        assert again[-1].about[key] == whole[-1].about[key]
    assert again[-1].loss == pytest.approx(whole[-1].loss, abs=1e-5)
    loaded = Checkpoints(url).fetch(again[-1], into=tmp_path / "fetched")
    assert (loaded / "model.safetensors").stat().st_size
    assert files.get_file_info(f"{BUCKET}/run/ray-train").type == fs.FileType.NotFound
