"""A tuned model comes back from the raw model it was made with and from an undamaged diff, or not at all."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from evolray.diff import recover as recover_tuned
from evolray.diff.tensors import read_header
from tests.diff.folders import (
    WEIGHTS,
    Tensors,
    content,
    edited,
    flipped,
    index,
    made_diff,
    model,
    packed,
    refused,
    tensor,
)


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"a": tensor("F32", 4, 3), "b": tensor("BF16", 3, seed=5)}, "its b holds other numbers"),
        ({"a": tensor("F32", 4, 3, seed=5), "b": tensor("BF16", 3)}, "its a holds other numbers"),
        ({"a": tensor("F32", 4, 3)}, "it has no b"),
        ({"a": tensor("F32", 4, 3), "b": tensor("F16", 3)}, "its b is F16 [3], expected BF16 [3]"),
        ({"a": tensor("F32", 5, 3), "b": tensor("BF16", 3)}, "its a is F32 [5, 3], expected F32 [4, 3]"),
    ],
)
def test_another_raw_model_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensors: Tensors, why: str
) -> None:
    _, diff = made_diff(tmp_path)
    other = model(tmp_path / "other", tensors)
    monkeypatch.setattr("evolray.diff.recovery.new_folder", lambda *_: pytest.fail("something was written"))
    message = refused(tmp_path, other, diff)
    assert message.startswith(f"{other}: not the raw model that this diff was made with: {why}.")
    assert "'raw-7b'" in message


def test_a_single_bit_of_the_raw_model_counts(tmp_path: Path) -> None:
    raw, diff = made_diff(tmp_path)
    path = Path(raw) / WEIGHTS
    whole = path.read_bytes()
    found = {one.name: one for one in read_header(path).tensors}
    path.write_bytes(flipped(whole, found["a"].begin + 7))
    assert "its a holds other numbers" in refused(tmp_path, raw, diff)
    path.write_bytes(flipped(whole, found["unused"].begin))  # what the diff does not use may be anything
    recover_tuned(raw, str(diff), str(tmp_path / "back"))
    assert content(tmp_path / "back") == content(tmp_path / "tuned")


def test_the_raw_model_may_be_sharded_otherwise(tmp_path: Path) -> None:
    _, diff = made_diff(tmp_path)
    sharded = tmp_path / "sharded"
    index(sharded, {"b": "model-2.safetensors", "a": "model-1.safetensors"})
    (sharded / "model-1.safetensors").write_bytes(packed({"a": tensor("F32", 4, 3)}))
    (sharded / "model-2.safetensors").write_bytes(packed({"b": tensor("BF16", 3)}))
    recover_tuned(str(sharded), str(diff), str(tmp_path / "back"))
    assert content(tmp_path / "back") == content(tmp_path / "tuned")


# --- damage ---


def test_any_flipped_bit_of_a_diff_is_found(tmp_path: Path) -> None:
    """Every byte of the tensor files and of the copied ones; the header's and the last tensor's, too."""
    raw, diff = made_diff(tmp_path)
    for name in (f"delta/{WEIGHTS}", "config.json"):
        whole = (diff / name).read_bytes()
        for position in range(len(whole)):
            (diff / name).write_bytes(flipped(whole, position))
            assert str(diff / name) in refused(tmp_path, raw, diff), position
        (diff / name).write_bytes(whole)
    recover_tuned(raw, str(diff), str(tmp_path / "back"))


@pytest.mark.parametrize("name", [f"delta/{WEIGHTS}", "config.json", "diff.json"])
@pytest.mark.parametrize("kept", [None, 0, 1, -1])
def test_a_missing_or_shortened_file_is_found(tmp_path: Path, name: str, kept: int | None) -> None:
    raw, diff = made_diff(tmp_path)
    whole = (diff / name).read_bytes().rstrip()
    (diff / name).unlink()
    if kept is not None:
        (diff / name).write_bytes(whole[:kept])
    assert str(diff) in refused(tmp_path, raw, diff)


def test_the_message_names_the_damaged_tensor(tmp_path: Path) -> None:
    raw, diff = made_diff(tmp_path)
    path = diff / "delta" / WEIGHTS
    path.write_bytes(flipped(path.read_bytes(), path.stat().st_size - 1))
    assert refused(tmp_path, raw, diff) == (
        f"{path}: missing or damaged in c; it is not what the diff was made with. Fetch the diff again."
    )


NOTHING = {"num_bytes": 0, "sha256": hashlib.sha256().hexdigest()}
TENSOR_A = ("weights", WEIGHTS, "tensors", "a")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json", "/tmp/evil.json", "a/../../evil.json", "a//b.json", "./a.json", "..", "", "a\\..\\b.json",
        "c:evil.json", "nul\0.json", ".bashrc", "sub/.hidden/a.json", "pytorch_model.bin", "x/optimizer.PT",
        "other.safetensors", "state/rng.json", "diff.json",
    ],
)  # fmt: skip
def test_a_diff_writes_no_file_elsewhere_and_no_pickle(tmp_path: Path, name: str) -> None:
    raw, diff = made_diff(tmp_path)
    edited(diff, "files", name, value=NOTHING)
    assert "is not the name of a file that a diff holds" in refused(tmp_path, raw, diff)


@pytest.mark.parametrize(
    "name", ["../evil.safetensors", "/evil.safetensors", "a/b.safetensors", "evil.bin", ".safetensors"]
)
def test_a_diff_writes_no_weights_elsewhere(tmp_path: Path, name: str) -> None:
    raw, diff = made_diff(tmp_path)
    edited(diff, "weights", name, value={"header_sha256": NOTHING["sha256"], "tensors": {}})
    assert "is not the name of a file that a diff holds" in refused(tmp_path, raw, diff)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kind",), "evolray weight diff 2"),
        (("raw",), None),
        (("files",), []),
        (("files", "config.json", "num_bytes"), -1),
        (("files", "config.json", "num_bytes"), True),
        (("files", "config.json", "sha256"), "0" * 63),
        (("weights", WEIGHTS), None),
        (("weights", WEIGHTS, "header_sha256"), "0" * 64),
        (("weights", WEIGHTS, "tensors"), {}),
        ((*TENSOR_A, "sha256"), 5),
        ((*TENSOR_A, "sha256"), "0" * 64),
        ((*TENSOR_A, "base"), []),
        ((*TENSOR_A, "base", "shape"), [4, -3]),
        ((*TENSOR_A, "base", "dtype"), None),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(tmp_path: Path, path: tuple[str, ...], value: Any) -> None:
    raw, diff = made_diff(tmp_path)
    edited(diff, *path, value=value)
    assert str(diff) in refused(tmp_path, raw, diff)


def test_a_base_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    """b, of three numbers, as the base of a, which has three columns; then an integer as the base of a float."""
    raw, diff = made_diff(tmp_path)
    base = json.loads((diff / "diff.json").read_bytes())["weights"][WEIGHTS]["tensors"]["b"]["base"]
    edited(diff, *TENSOR_A, "base", value=base)
    assert "missing or damaged in a" in refused(tmp_path, raw, diff)
    other = model(tmp_path / "other", {"a": tensor("F32", 4, 3), "b": tensor("BF16", 3), "i": tensor("I64", 4, 3)})
    edited(diff, *TENSOR_A, "base", value={**base, "name": "i", "dtype": "I64", "shape": [4, 3]})
    assert "missing or damaged in a" in refused(tmp_path, other, diff)


def test_a_deeply_nested_description_is_refused(tmp_path: Path) -> None:
    raw, diff = made_diff(tmp_path)
    (diff / "diff.json").write_text("[" * 200_000)
    assert "damaged" in refused(tmp_path, raw, diff)


def test_a_description_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, diff = made_diff(tmp_path)
    monkeypatch.setattr("evolray.diff.description.MAX_BYTES", 100)
    assert "larger than 100 bytes" in refused(tmp_path, raw, diff)


def test_a_file_that_changes_after_it_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, diff = made_diff(tmp_path)
    monkeypatch.setattr("evolray.diff.recovery._check_raw", lambda *_: (diff / "config.json").write_bytes(b"[]"))
    assert "config.json: missing or damaged" in refused(tmp_path, raw, diff)
