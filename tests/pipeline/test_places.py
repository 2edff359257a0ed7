"""What a step's settings name, as its job finds it."""

from pathlib import Path

import pytest

from evolray.errors import UserError
from evolray.pipeline.places import deepspeed_settings, file_place, model_place, shown


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a file, a model's folder, and another directory that holds `sent.jsonl`."""
    (tmp_path / "seeds.jsonl").write_text("{}\n")
    (tmp_path / "student").mkdir()
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "sent.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("given", ["s3://bucket/seeds.jsonl", "https://host/seeds.jsonl", "hf:name:train"])
def test_what_is_no_path_stays(given: str) -> None:
    assert file_place("seeds", given) == given


def test_a_path_becomes_absolute(here: Path) -> None:
    assert file_place("seeds", "seeds.jsonl") == str(here / "seeds.jsonl")


def test_a_file_that_is_not_there_is_named_with_its_setting(here: Path) -> None:
    with pytest.raises(UserError, match=r"^evolve.seeds.path=gone.jsonl: no such file"):
        file_place("evolve.seeds.path", "gone.jsonl")


def test_what_lies_in_the_working_directory_of_the_jobs_stays(here: Path) -> None:
    assert file_place("seeds", "sent.jsonl", base="packed") == "sent.jsonl"
    assert file_place("seeds", "anything.jsonl", base="s3://bucket/packed.zip") == "anything.jsonl"
    assert file_place("seeds", "seeds.jsonl", base="packed") == str(here / "seeds.jsonl")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("scratch", "scratch"), ("meta/model-7b", "meta/model-7b"), ("s3://bucket/run:200", "s3://bucket/run:200"),
        ("student", "{here}/student"), ("student:200", "{here}/student:200"), ("student:best", "student:best"),
    ],
)  # fmt: skip
def test_a_model_is_a_folder_with_or_without_a_step_or_a_name(here: Path, given: str, expected: str) -> None:
    assert model_place(given) == expected.format(here=here)


def test_deepspeed_settings_are_read_where_the_command_is_given(here: Path) -> None:
    (here / "zero.yaml").write_text("zero_optimization: {stage: 2}\n")
    assert deepspeed_settings("train.deepspeed", "zero.yaml") == {"zero_optimization": {"stage": 2}}
    assert deepspeed_settings("train.deepspeed", {"stage": 3}) == {"stage": 3}
    assert deepspeed_settings("train.deepspeed", None) is None
    with pytest.raises(UserError, match=r"^train.deepspeed=gone.yaml: cannot be read .* expected a YAML file"):
        deepspeed_settings("train.deepspeed", "gone.yaml")


def test_urls_are_shown_without_what_may_be_secret() -> None:
    settings = {"run": "s3://key:secret@bucket/run?secret_key=x", "more": ["http://u:p@host/v1", 3, "a?b"]}
    assert shown(settings) == {"run": "s3://***@bucket/run", "more": ["http://***@host/v1", 3, "a?b"]}
