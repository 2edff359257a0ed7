"""The stage without its cluster: what makes a run the same run, what ends it before it starts, and what it says."""

import logging
import pickle
import shutil
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from evolray.checkpoints import Checkpoints
from evolray.config import LoraConfig, TrainConfig, WorkersConfig
from evolray.errors import UserError
from evolray.pool.layout import open_folder
from evolray.pool.manifest import describe_run
from evolray.train import manifest as manifests
from evolray.train import stage
from evolray.train.identity import IDENTITY, described, identity_of
from evolray.train.lines import accounts_line
from evolray.train.manifest import TrainManifest
from evolray.train.tokenising.sources import Source
from evolray.train.tokenising.store import write_index
from evolray.train.tokenising.tokens import index_of, to_metadata, tokenise
from tests.train import small

# Settings that say how a training is computed, shown and kept, not what is learnt.
FREE = {
    "run", "packing", "micro_batch_tokens", "precision", "attention", "gradient_checkpointing", "liger",
    "checkpoint_steps", "keep_checkpoints", "log_steps", "log_seconds", "workers",
}  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, student: Path) -> TrainConfig:
    data = tmp_path / "data.jsonl"
    data.write_text('{"instruction": "Name a tree.", "output": "Oak."}\n')
    return small.config_of(tmp_path / "run", student, data=str(data))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    monkeypatch.setattr(logging.getLogger("evolray"), "propagate", True)
    caplog.set_level(logging.INFO, logger="evolray")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "evolray"]


# --- the same run ---


def test_every_setting_is_part_of_the_identity_or_free() -> None:
    """A new setting has to be put on one side. Of deepspeed only the stage counts."""
    assert {*IDENTITY} | FREE | {"deepspeed"} == {field.name for field in fields(TrainConfig)}
    assert not {*IDENTITY} & FREE


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"learning_rate": 1e-4}, "learning_rate=0.005 and would now go on with learning_rate=0.0001"),
        ({"lora": LoraConfig(rank=4)}, "lora.rank=0 and would now go on with lora.rank=4"),
        ({"deepspeed": {"zero_optimization": {"stage": 2}}}, "zero_stage=None and would now go on with zero_stage=2"),
        ({"data": "other.jsonl"}, "would now go on with data=other.jsonl"),
    ],
)
def test_a_rerun_that_would_train_something_else_is_refused(
    config: TrainConfig, changes: dict[str, Any], named: str
) -> None:
    folder = open_folder(config.run)
    describe_run(folder, {}, {}, identity_of(config, None))
    index, accounts = index_of([tokenise(folder, 0, 0, small.examples(6), small.tokenizer(), config)])
    write_index(folder, index, to_metadata(accounts, {}))
    with pytest.raises(UserError) as error:
        stage.train(replace(config, **changes))
    assert named in str(error.value) and "Choose another run=" in str(error.value)


def test_a_run_begun_before_there_were_these_settings_is_the_same_run(config: TrainConfig) -> None:
    before = identity_of(config, None)
    assert "max_tokens" not in before and "numbers" not in before["scratch"]
    after = identity_of(replace(config, max_tokens=5, scratch=replace(config.scratch, numbers=True)), None)
    assert (after["max_tokens"], after["scratch"]["numbers"]) == (5, True)


def test_until_the_examples_are_tokenised_a_setting_can_be_put_right(config: TrainConfig) -> None:
    """What an attempt that got no further left behind does not stay beside what comes next."""
    folder = open_folder(config.run)
    describe_run(folder, {}, {}, identity_of(replace(config, max_length=2), None))
    tokenise(folder, 0, 7, small.examples(6), small.tokenizer(), config)
    with pytest.raises(UserError, match=r"workers.number=1000"):
        stage.train(replace(config, workers=WorkersConfig(number=1000, device="cpu", cpus=1)))
    assert not (Path(config.run) / "data").exists()
    assert f"max_length: {config.max_length}" in (Path(config.run) / "run.yaml").read_text()


def test_a_password_in_a_url_is_not_written_down(config: TrainConfig) -> None:
    config.data = "https://user:secret@host/data.jsonl"
    identity, shown = identity_of(config, None), described(config, open_folder(config.run))
    assert "secret" not in f"{identity}{shown}"


def test_a_finished_run_says_so_and_does_nothing(config: TrainConfig, lines: Callable[[], list[str]]) -> None:
    folder = open_folder(config.run)
    describe_run(folder, {}, {}, identity_of(config, None))
    manifests.write(folder, TrainManifest(folder.url, "complete", steps=1234))
    Path(config.data).unlink()  # nor is the data looked for
    assert isinstance(stage.train(config), Checkpoints)
    assert lines() == [f"{folder.url}: nothing to do, all 1,234 steps are done"]


def test_examples_that_are_tokenised_are_not_again_although_the_manifest_is_missing(
    config: TrainConfig, lines: Callable[[], list[str]]
) -> None:
    """As after a kill between the index and the first manifest."""
    folder = open_folder(config.run)
    index, accounts = index_of([tokenise(folder, 0, 0, small.examples(6), small.tokenizer(), config)])
    write_index(folder, index, to_metadata(accounts, {}))
    run = stage.Run(config, folder, [Source(config.data)], None)
    found = run._tokenised(small.tokenizer(), None)  # type: ignore[arg-type]
    assert found.tokens.tolist() == index.tokens.tolist()
    assert run._manifest.examples == accounts
    assert lines()[0].startswith("6 entries = 6 to train on + 0 held out + 0 rejected; 0 cut; ")


def test_a_student_from_scratch_is_there_whole_or_not_at_all(config: TrainConfig) -> None:
    config.model, config.scratch.vocabulary = "scratch", 300
    run = stage.Run(config, open_folder(config.run), [Source(config.data)], None)
    place = Path(config.run) / "student"
    half = place.with_name(".student.partial")
    half.mkdir(parents=True)
    (half / "stale").touch()  # what a kill in the middle would leave
    assert run._student() == str(place)
    assert not half.exists() and not (place / "stale").exists()
    made = (place / "model.safetensors").stat().st_mtime_ns
    assert run._student() == str(place)
    assert (place / "model.safetensors").stat().st_mtime_ns == made


def test_a_run_killed_behind_its_last_checkpoint_ends_with_the_figures_of_its_last_step(config: TrainConfig) -> None:
    """The manifest is written every few seconds: a rerun that has nothing left to train finds an old one."""
    config = replace(config, epochs=3)
    small.write_examples(Path(config.run), small.examples(6), config)
    first = small.trained(config)
    last = asdict(first.recorder.told[-1])
    with (Path(config.run) / "log.jsonl").open("a") as log:
        log.write('{"step": 6, "lo')  # the kill cut it
    before = TrainManifest(config.run, "running", step=1, steps=6, figures={"step": 1, "steps": 6, "loss": 9.5})

    again = small.trained(config)
    assert again.recorder.told == []
    run = stage.Run(config, open_folder(config.run), [], before)
    run._conclude(again.outcome)
    written = manifests.read(open_folder(config.run))
    assert written is not None and (written.status, written.step) == ("complete", 6)
    assert last["loss"] < 9.5
    assert written.figures == {key: value for key, value in last.items() if value is not None}


# --- what ends a run before it starts ---


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs=0: expected 1 or more"),
        ({"deepspeed": "nowhere.yaml"}, "deepspeed=nowhere.yaml: cannot be read"),
        ({"data": "/nowhere/data.jsonl"}, "nowhere/data.jsonl"),
        ({"columns": {"instruction": "q"}, "generations": [1]}, "is no evolve run"),
        ({"model": "/nowhere/llama"}, "model=/nowhere/llama"),
    ],
)
def test_a_run_that_cannot_start_leaves_nothing_behind(
    config: TrainConfig, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError) as error:
        stage.train(replace(config, **changes))
    assert words in str(error.value)
    assert not Path(config.run).exists()


def test_a_student_from_scratch_needs_a_file_system(config: TrainConfig) -> None:
    with pytest.raises(UserError, match="model=scratch needs a run directory on a file system"):
        stage.train(replace(config, model="scratch", run="mock:///run"))


ACCOUNTS = {
    "entries": 12_345, "train": 12_000, "held_out": 45, "rejected": {"no_response": 100, "over_long": 200}, "cut": 7,
    "tokens": 10**6, "trained_tokens": 654_321, "longest": 2048,
}  # fmt: skip


def test_data_of_which_nothing_is_left_is_refused_with_the_reasons(config: TrainConfig) -> None:
    with pytest.raises(UserError) as error:
        stage._check_examples({**ACCOUNTS, "train": 0, "held_out": 0}, config)
    assert "no example is left to train on, of 12,345 entries: no_response 100, over_long 200. The rejected" in str(
        error.value
    )
    with pytest.raises(UserError, match=r"held_out=0\.001: no root fell into this share of 12,000 examples"):
        stage._check_examples({**ACCOUNTS, "held_out": 0}, replace(config, held_out=0.001))
    stage._check_examples({**ACCOUNTS, "held_out": 0}, config)


def test_the_accounts_are_told_in_a_line() -> None:
    assert accounts_line(ACCOUNTS) == (
        "12,345 entries = 12,000 to train on + 45 held out + 300 rejected (no_response 100, over_long 200); 7 cut; "
        "1,000,000 tokens, 654,321 of them trained; the longest example has 2,048"
    )


def test_a_shared_out_optimizer_state_stays_with_as_many_workers(new_run: Callable[..., TrainConfig]) -> None:
    checkpoints = Checkpoints(new_run(4).run)
    stage._check_resumable(checkpoints, 3, 4)  # nothing to resume from
    folder = checkpoints.prepare(5)
    shutil.copytree(new_run(4).model, folder, dirs_exist_ok=True)
    checkpoints.commit(5, {"workers": 2})
    for zero, workers in ((3, 2), (None, 4), (0, 4)):
        stage._check_resumable(checkpoints, zero, workers)
    with pytest.raises(
        UserError, match=r"ZeRO-1 has shared out its optimizer state over 2 workers; expected .*=2, got 4"
    ):
        stage._check_resumable(checkpoints, 1, 4)


def test_what_the_workers_are_told_can_be_sent(new_run: Callable[..., TrainConfig]) -> None:
    job = small.job_of(new_run(4, workers=WorkersConfig(number=2)))
    sent = pickle.loads(pickle.dumps(job))
    assert sent.tokenizer.chat_template == job.tokenizer.chat_template
    assert replace(sent, tokenizer=None) == replace(job, tokenizer=None)
