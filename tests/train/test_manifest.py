"""manifest.json of a training: what was written is read, and what is not a training's is left alone."""

from pathlib import Path

import pytest

from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder
from evolray.train.manifest import TrainManifest, read, refuse_other_stage, write


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path / "run"))


def test_a_manifest_comes_back_as_it_was(folder: Folder) -> None:
    assert read(folder) is None
    manifest = TrainManifest(
        "runs/a", "running", model="m", step=3, steps=9, examples={"train": 7, "rejected": {"x": 1}}
    )
    before = manifest.updated_at
    write(folder, manifest)
    assert read(folder) == manifest
    assert manifest.updated_at >= before


def test_the_manifest_of_another_stage_is_none_of_ours(folder: Folder) -> None:
    folder.write("manifest.json", b'{"run": "runs/a", "status": "complete", "kept": 3}')
    assert read(folder) is None


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"stage": "train"}', b'{"stage": "train", "colour": 1}', b"\xff"])
def test_a_manifest_that_cannot_be_read_is_named(folder: Folder, content: bytes) -> None:
    folder.write("manifest.json", content)
    with pytest.raises(UserError, match=r"manifest\.json cannot be read \(.+\); was it edited\?"):
        read(folder)


def test_the_run_of_another_stage_is_refused(folder: Folder) -> None:
    refuse_other_stage(folder)  # nothing there yet
    folder.write("run.yaml", b"identity:\n  stage: train\n")
    refuse_other_stage(folder)
    folder.write("run.yaml", b"identity:\n  generations: 3\n")
    with pytest.raises(UserError, match="holds the run of another stage; choose another run="):
        refuse_other_stage(folder)
