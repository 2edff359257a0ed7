"""A checkpoint sampled on Ray: the same samples for any number of workers, resumed by shards, and clear refusals."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evolray.checkpoints import Checkpoints
from evolray.cluster.machine import Machine
from evolray.config import SamplerConfig, WorkersConfig
from evolray.errors import Interrupted, UserError
from evolray.pool.layout import Folder, open_folder, shards_in
from evolray.sampling import on_ray
from evolray.sampling.checkpoint import CheckpointSampler
from evolray.sampling.questions import SAMPLED, Question, Sample, read_samples, write_questions, write_samples
from evolray.sampling.sampler import Sampler, Sampling
from tests.sampling import tiny

SHARDS, TOKENS = 3, 16


def asked() -> list[list[Question]]:
    """Shards of seven questions each."""
    return [
        [replace(one, id=f"{one.id}-{shard}") for one in tiny.questions(TOKENS)] for shard in range(SHARDS)
    ]  # fmt: skip


def new_run(path: Path, shards: list[list[Question]] | None = None) -> Folder:
    folder = open_folder(str(path))
    for shard, questions in enumerate(shards or asked()):
        write_questions(folder, shard, questions)
    return folder


def config_of(model: Path | str, workers: int = 1, **settings: Any) -> SamplerConfig:
    return replace(tiny.configured(model, **settings), workers=WorkersConfig(number=workers, device="cpu", cpus=1))


def sample(config: SamplerConfig, folder: Folder, shards: list[int] | None = None) -> list[Sampling]:
    """What was shown."""
    shown: list[Sampling] = []
    sampler: Sampler = CheckpointSampler(config)
    sampler.check()
    sampler.run(folder, range(SHARDS) if shards is None else shards, shown.append)
    return shown


def samples_in(folder: Folder) -> list[list[Sample]]:
    return [read_samples(folder, shard) for shard in range(SHARDS)]


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="greedy"),
        pytest.param({"temperature": 0.8, "top_p": 0.95}, id="sampled", marks=pytest.mark.slow),
    ],
)
def test_equal_samples_for_one_worker_and_two_and_in_one_process(
    student: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    one, two = new_run(tmp_path / "one"), new_run(tmp_path / "two")
    shown = sample(config_of(student, 1, batch_tokens=100, **settings), one)
    sample(config_of(student, 2, batch_tokens=None, **settings), two)
    assert samples_in(one) == samples_in(two)
    expected = [tiny.answers(tiny.configured(student, **settings), questions) for questions in asked()]
    assert samples_in(one) == [[replace(row, model=str(student)) for row in shard] for shard in expected]
    tokens = [(row.prompt_tokens, row.completion_tokens) for shard in expected for row in shard]
    last = shown[-1]
    assert (last.sampled, last.failed) == (7 * SHARDS, 0)
    assert (last.prompt_tokens, last.completion_tokens) == tuple(map(sum, zip(*tokens, strict=True)))


@pytest.mark.usefixtures("local_ray")
def test_a_missing_shard_is_sampled_and_failures_are_asked_again(student: Path, tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    kept = [[Sample(one.id, 0, text="kept", completion_tokens=2) for one in shard] for shard in asked()]
    kept[1][3] = Sample(kept[1][3].id, 0, cause="out_of_memory")
    for shard in (0, 1):
        write_samples(folder, shard, kept[shard])
    shown = sample(config_of(student), folder, [1, 2])
    assert [row.text for row in read_samples(folder, 0)] == ["kept"] * 7
    assert [row.text == "kept" for row in read_samples(folder, 1)] == [True] * 3 + [False] + [True] * 3
    assert {row.cause for shard in samples_in(folder) for row in shard} == {""}
    assert [row.id for row in read_samples(folder, 2)] == [one.id for one in asked()[2]]
    assert (shown[-1].sampled, shown[-1].failed) == (21, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_step_of_a_run(student: Path, tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "run"))
    for step in (10, 20):
        target = checkpoints.prepare(step)
        tiny.save_student(target, seed=step)
        checkpoints.commit(step, {"loss": 1.0})
    folder = new_run(tmp_path / "out")
    sample(config_of(f"{tmp_path}/run:10"), folder, [0])
    expected = tiny.answers(tiny.configured(tmp_path / "run/checkpoints/step-00000010"), asked()[0])
    assert read_samples(folder, 0) == [replace(row, model=f"{tmp_path}/run step 10") for row in expected]


@pytest.mark.usefixtures("local_ray")
def test_what_a_worker_cannot_load_is_one_line(student: Path, tmp_path: Path) -> None:
    """The folder is whole; that its config does not fit its weights shows when they are loaded."""
    model = Path(shutil.copytree(student, tmp_path / "model"))
    (model / "config.json").write_text('{"model_type": "of_the_future", "dtype": "float32"}')
    with pytest.raises(UserError) as raised:
        sample(config_of(model), new_run(tmp_path / "out"))
    assert str(raised.value).startswith(f"model={model}: ")
    assert "of_the_future" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("local_ray")
def test_ctrl_c_keeps_the_finished_shards(student: Path, tmp_path: Path) -> None:
    """Pressed when the first shards are there; two of three have almost nothing to say, the last would say much."""
    shards = [*asked()[:2], [Question("long", at, prompt="A" * (1 + at % 9), max_tokens=140) for at in range(3000)]]
    folder = new_run(tmp_path, shards)

    def press(sampling: Sampling) -> None:
        if sampling.sampled >= 14:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="finished shards are kept"):
        CheckpointSampler(config_of(student, batch_tokens=1000)).run(folder, range(SHARDS), press)
    assert shards_in(folder, SAMPLED) == [0, 1]


@pytest.mark.usefixtures("local_ray")
def test_more_workers_than_the_cluster_has(student: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"workers\.number=50: needs 50 CPUs, and the cluster has"):
        sample(config_of(student, 50), new_run(tmp_path))


def test_nothing_to_do_starts_nothing(student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "cluster", lambda: pytest.fail("a cluster was started"))
    assert sample(config_of(student), new_run(tmp_path), []) == []


def test_conversations_without_a_template_are_refused_before_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "cluster", lambda: pytest.fail("a cluster was started"))
    model = tiny.save_student(tmp_path / "base", chat_format=None)
    shards = [asked()[0], [Question("q", 0, tiny.said("Hi"))], asked()[2]]
    assert not CheckpointSampler(config_of(model)).has_chat_template
    with pytest.raises(UserError) as raised:
        sample(config_of(model), new_run(tmp_path / "out", shards))
    assert str(raised.value) == (
        f"model={model} has no chat template, so instructions cannot be put to it. Choose prompt=plain, or the "
        "chat_format it was trained on: alpaca, alpaca_cot, freeform, vicuna."
    )
    assert CheckpointSampler(replace(config_of(model), chat_format="alpaca")).has_chat_template


def test_weights_that_a_worker_has_no_memory_for(student: Path) -> None:
    sampler = CheckpointSampler(config_of(student))
    bytes_of_weights = (student / "model.safetensors").stat().st_size
    sampler._refuse_small_machine(Machine("cpu", "CPU", bytes_of_weights))
    with pytest.raises(UserError, match=r"its weights take 0\.0 GB in float32, and a worker has 0\.0 GB \(CPU\)"):
        sampler._refuse_small_machine(Machine("cpu", "CPU", bytes_of_weights - 1))
    CheckpointSampler(replace(config_of(student), precision="bf16"))._refuse_small_machine(
        Machine("cpu", "CPU", bytes_of_weights // 2)
    )


def test_a_checkpoint_that_goes_missing(student: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(student, tmp_path / "model"))
    sampler = CheckpointSampler(config_of(model))
    shutil.rmtree(model)
    with pytest.raises(UserError, match="no such folder"):
        sampler.check()


def test_the_identity_is_what_changes_samples(student: Path) -> None:
    def identity(**settings: Any) -> dict[str, Any]:
        return dict(CheckpointSampler(config_of(student, **settings)).identity)

    base = identity()
    assert base == {
        "weights": base["weights"], "chat_format": None, "backend": "auto", "precision": "auto", "temperature": 0.0,
        "top_p": 1.0, "top_k": 0, "seed": None,
    }  # fmt: skip
    assert identity(temperature=0.0) == base
    assert identity(workers=2) == base
    assert identity(batch_tokens=100) == base
    assert identity(seed=4) == base  # greedily, no number is drawn
    assert identity(temperature=1.0, seed=4)["seed"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chat_format": "llama"}, "chat_format=llama: expected one of alpaca, alpaca_cot, freeform, vicuna."),
        ({"precision": "int8"}, "precision=int8: expected auto, bf16, fp16, fp32."),
        ({"backend": "onnx"}, "backend=onnx: expected one of auto, transformers, vllm."),
    ],
)
def test_settings_that_are_wrong(student: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as raised:
        CheckpointSampler(replace(config_of(student), **change))
    assert str(raised.value) == message
