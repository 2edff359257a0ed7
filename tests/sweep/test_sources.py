"""What the entries of `checkpoints` stand for, and how long a training counts as running."""

import json
from pathlib import Path

import pytest

from evolray.errors import UserError
from evolray.sweep.sources import Source, Student, find_sources, is_there, shown
from tests.sweep import places


def test_a_training_is_all_its_complete_checkpoints(tmp_path: Path) -> None:
    run = places.training(tmp_path / "tiny", [100, 300, 200])
    (run / "checkpoints" / "step-00000400").mkdir()  # not complete: it has no evolray.json
    (source,) = find_sources([str(run)], {})
    assert source == Source("tiny", str(run), is_training=True)
    assert source.students() == [Student("tiny", f"{run}:{step}", step) for step in (100, 200, 300)]
    assert source.students()[0].name == "tiny-step-00000100"


def test_one_step_of_a_training(tmp_path: Path) -> None:
    run = places.training(tmp_path / "tiny", [100, 200])
    (source,) = find_sources([f"{run}:200"], {})
    assert source.students() == [Student("tiny", f"{run}:200", 200)]


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places.training(tmp_path / "tiny", [100])
    monkeypatch.chdir(tmp_path)
    (source,) = find_sources(["tiny"], {})
    assert source.place == str(tmp_path / "tiny")


def test_folders_and_names_on_the_hub_are_one_checkpoint(tmp_path: Path) -> None:
    folder = places.model(tmp_path / "llama")
    sources = find_sources([str(folder), "Qwen/Qwen2.5-Coder-1.5B"], {})
    assert [source.students() for source in sources] == [
        [Student("llama", str(folder))],
        [Student("Qwen2.5-Coder-1.5B", "Qwen/Qwen2.5-Coder-1.5B")],
    ]


def test_places_with_the_same_last_part_get_names_of_their_own_that_stay(tmp_path: Path) -> None:
    code, math = (places.training(tmp_path / domain / "tiny", [1]) for domain in ("code", "math"))
    first, second = find_sources([str(code), str(math)], {})
    assert first.label == "tiny"
    assert second.label.startswith("tiny-") and second.label != "tiny"
    known = {source.label: source.place for source in (first, second)}
    again = find_sources([str(math), str(code)], known)
    assert {source.place: source.label for source in again} == {
        source.place: source.label for source in (first, second)
    }


@pytest.mark.parametrize(
    ("status", "silent_seconds", "is_growing"),
    [
        ("running", 0.0, True),
        ("running", 3600.0, False),  # killed: nobody wrote another word
        ("complete", 0.0, False),
        ("interrupted", 0.0, False),
        ("stopped", 0.0, False),
    ],
)
def test_how_long_a_training_may_grow(tmp_path: Path, status: str, silent_seconds: float, is_growing: bool) -> None:
    run = places.training(tmp_path / "tiny", [100], status, silent_seconds)
    (source,) = find_sources([str(run)], {})
    assert source.is_growing() is is_growing
    (one_step,) = find_sources([f"{run}:100"], {})
    assert one_step.is_growing() is False


def test_a_training_that_has_not_written_its_manifest_is_growing(tmp_path: Path) -> None:
    run = tmp_path / "tiny"
    run.mkdir()
    (run / "run.yaml").write_text("identity:\n  stage: train\n")
    (source,) = find_sources([str(run)], {})
    assert (source.is_growing(), source.students()) == (True, [])


def test_a_deleted_checkpoint_is_noticed(tmp_path: Path) -> None:
    run = places.training(tmp_path / "tiny", [100])
    assert is_there(Student("tiny", f"{run}:100", 100))
    assert not is_there(Student("tiny", f"{run}:200", 200))
    assert is_there(Student("model", "org/model"))
    assert is_there(Student("endpoint", None))


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = places.training(tmp_path / "tiny", [100])
    pool = tmp_path / "pool"
    pool.mkdir()
    (pool / "run.yaml").write_text("identity: {domain: open}\n")
    (pool / "manifest.json").write_text(json.dumps({"status": "complete"}))
    (tmp_path / "empty").mkdir()
    for entries, message in [
        ([str(tmp_path / "nowhere")], "there is no such folder"),
        (["pool/nowhere"], "there is no such folder"),
        ([str(pool)], "is a run of another stage"),
        (["./empty"], "is no model, it has no config.json"),
        ([str(run), "tiny"], "tiny is there twice"),
        ([str(run), f"{run}:100"], f"{run}:100 is there twice"),
        ([f"{run}:100", str(run)], f"step 100 of {run} is there twice"),
        ([f"{run}:100", "tiny:100"], "tiny:100 is there twice"),
    ]:
        with pytest.raises(UserError, match=message):
            find_sources(entries, {})


def test_credentials_are_not_shown() -> None:
    assert shown("s3://key:secret@bucket/run?token=1") == "s3://bucket/run"
    assert shown("/runs/a@b") == "/runs/a@b"
