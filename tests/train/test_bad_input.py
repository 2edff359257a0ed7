"""Every mistake of the user's ends in one line that names it, before a worker starts."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evolray
from evolray.cli import main
from evolray.errors import UserError
from tests.train import commands, tokenizers

NO_STORE = "s3://bucket/run?endpoint_override=127.0.0.1:1&scheme=http&region=us-east-1"

BEFORE_RAY: list[tuple[dict[str, Any], str]] = [
    ({"data": "nowhere.jsonl"}, r"nowhere\.jsonl: no such file; check the path"),
    ({"data": "empty.jsonl"}, r"empty\.jsonl: is empty"),
    ({"data": "folder"}, r"folder: is a directory, expected a file"),
    ({"data": "other_names.jsonl"}, r"has query, reply; expected some of instruction, .*columns="),
    ({"columns": {"instruction": "prompt_text"}}, r"columns=\{instruction: prompt_text\}: .*has instruction, output"),
    ({"columns": {"instrution": "output"}}, r"columns names instrution; expected some of instruction, input, response"),
    ({"data": "unfinished"}, r"the pool is empty: no shard of this evolve run is finished yet"),
    ({"generations": [1]}, r"generations=\[1\]: .*data\.jsonl is no evolve run"),
    ({"model": "folder"}, r"model=.*folder: no config\.json there"),
    ({"model": "/nowhere/at/all"}, r"model=/nowhere/at/all: there is no such folder"),
    ({"model": "pickled"}, r"model=.*pickled: no \*\.safetensors there"),
    ({"deepspeed": "nowhere.yaml"}, r"deepspeed=.*nowhere\.yaml: cannot be read .*expected a YAML file"),
    ({"deepspeed": "batch.yaml"}, r"deepspeed sets train_batch_size, which evolray computes"),
    ({"deepspeed": "list.yaml"}, r"deepspeed=.*list\.yaml: expected DeepSpeed's settings"),
    ({"deepspeed": {"zero_optimization": {"stage": 4}}}, r"zero_optimization\.stage=4: expected 0, 1, 2 or 3"),
    ({"precision": "fp8"}, r"precision=fp8: expected auto, bf16, fp16, fp32"),
    ({"held_out": 1.5}, r"held_out=1\.5: expected a share from 0 to below 1"),
    ({"chat_format": "chatml"}, r"unknown chat format 'chatml'; expected one of alpaca"),
    ({"model": "other_words"}, r"the tokenizer cannot hold the chat format alpaca: it has no tokens for 'Below', "),
    ({"run": "of_another_stage"}, r"run=.*: holds the run of another stage"),
    ({"run": NO_STORE, "model": "scratch"}, r"model=scratch needs a run directory on a file system"),
]

ON_RAY: list[tuple[dict[str, Any], str]] = [
    ({"workers.number": 50}, r"workers\.number=50: needs 50 CPUs, and the cluster has 4"),
    ({"workers.cpus": 0}, r"workers\.cpus=0: expected more than 0"),
    ({"workers.device": "gpu"}, r"needs 1 GPUs, and the cluster has 0"),
    ({"max_length": 2048, "data": "long.jsonl"}, r"max_length=2048: there are examples of \d+ tokens, .* has \d+ pos"),
    ({"model": "huge"}, r"too little memory: weights, gradients and optimizer need [\d,.]+ GiB per worker"),
    ({"precision": "fp16"}, r"precision=fp16 needs GPUs; on CPU expected fp32 or bf16"),
    ({"liger": True}, r"liger=true needs GPUs"),
    ({"max_length": 8}, r"no example is left to train on, of 20 entries: over_long 20\. .*/rejected/"),
    ({"data": "unanswered.jsonl"}, r"no example is left to train on, of 1 entries: no_response 1"),
    ({"held_out": 0.0001}, r"held_out=0\.0001: no root fell into this share of 20 examples"),
    ({"micro_batch_tokens": 4}, r"micro_batch_tokens=4 is less than the longest example"),
]


@pytest.fixture(scope="module")
def place(student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of things to go wrong with."""
    place = tmp_path_factory.mktemp("bad")
    commands.write_data(place / "data.jsonl", 20)
    for name, text in {
        "empty.jsonl": "",
        "other_names.jsonl": '{"query": "a", "reply": "b"}\n',
        "unanswered.jsonl": '{"instruction": "a"}\n',
        "long.jsonl": json.dumps({"instruction": "a", "output": "many words " * 100}),
        "batch.yaml": "train_batch_size: 4\n",
        "list.yaml": "- zero\n",
    }.items():
        (place / name).write_text(text)
    for name, file, text in (
        ("folder", "notes.txt", ""),
        ("unfinished", "run.yaml", "generations: 2\n"),
        ("of_another_stage", "run.yaml", "generations: 2\n"),
        ("pickled", "config.json", "{}"),
    ):
        (place / name).mkdir()
        (place / name / file).write_text(text)
    shutil.copytree(student, place / "other_words")
    tokenizers.word_level(("nothing of it",)).save_pretrained(place / "other_words")
    shutil.copytree(student, place / "huge")
    config = json.loads((student / "config.json").read_text())
    config |= {"hidden_size": 16384, "intermediate_size": 65536, "num_hidden_layers": 64, "head_dim": 128}
    (place / "huge" / "config.json").write_text(json.dumps(config))
    return place


@pytest.fixture
def train(place: Path, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Trains with these settings, names of what is in `place` made paths; no worker may start."""
    from evolray.train import on_ray

    def fit(*_: object) -> None:
        raise AssertionError("workers were started")

    monkeypatch.setattr(on_ray, "fit", fit)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def path(value: Any) -> Any:
        is_name = isinstance(value, str) and ((place / value).exists() or value.startswith("nowhere"))
        return str(place / value) if is_name else value

    def train(settings: dict[str, Any]) -> None:
        values = {"run": str(tmp_path / "run"), "data": "data.jsonl", "model": str(student), "max_length": 256}
        evolray.train({key: path(value) for key, value in {**values, **settings}.items()})

    return train


@pytest.mark.parametrize(("settings", "message"), BEFORE_RAY, ids=[f"{one}"[:60] for one, _ in BEFORE_RAY])
def test_before_the_cluster(
    settings: dict[str, Any], message: str, train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(*_: object, **__: object) -> None:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr("ray.init", init)
    with pytest.raises(UserError, match=message) as caught:
        train(settings)
    assert "\n" not in str(caught.value)


@pytest.mark.slow  # the client of the store tries for seconds
def test_an_object_store_that_cannot_be_reached(train: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"run=s3://bucket/run: cannot be read"):
        train({"run": NO_STORE})


@pytest.mark.parametrize(("settings", "message"), ON_RAY, ids=[f"{one}"[:60] for one, _ in ON_RAY])
def test_before_the_workers(settings: dict[str, Any], message: str, local_ray: None, train: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=message) as caught:
        train(settings)
    assert "\n" not in str(caught.value)


def test_the_command_says_it_in_one_line_and_ends_with_2(
    place: Path, student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", f"data={place}/nowhere.jsonl", f"model={student}", f"run={tmp_path}/run"])
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert printed.err == (
        f"evolray: {place}/nowhere.jsonl: no such file; check the path. Expected a JSON array, JSON lines (either may "
        "be gzipped) or Parquet, in UTF-8.\n"
    )
    assert not (tmp_path / "run").exists()
