"""Which files go along, what the user is told, and that a folder appears whole or not at all."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolray.diff import difference, folders, making, summary
from evolray.diff import make as make_diff
from evolray.diff import recover as recover_tuned
from evolray.errors import EvolrayError, UserError
from tests.diff.folders import WEIGHTS, content, made_diff, model, packed, refused, tensor


def test_which_files_are_copied(tmp_path: Path) -> None:
    raw = model(tmp_path / "raw", {"a": tensor("F32", 2)})
    tuned = tmp_path / "tuned"
    model(tuned, {"a": tensor("F32", 2, seed=1)})
    copied = ["config.json", "tokenizer.model", "additional_chat_templates/rag.jinja", "modeling_own.py", "LICENSE"]
    left_out = [
        "checkpoint-20/config.json", "consolidated.safetensors", "diff.json", "global_step20/zero.json",
        "model.Q4.GGUF", "optimizer.pt", "pytorch_model.bin", "rng_state.PTH", "runs/events", "state/rng.json",
        "tf_model.h5", "tokens.npy", "training_args.bin",
    ]  # fmt: skip
    for name in [*copied, *left_out, ".gitattributes", ".git/config"]:
        (tuned / name).parent.mkdir(exist_ok=True)
        (tuned / name).write_text(name)
    os.mkfifo(tuned / "pipe")
    made = make_diff(raw, str(tuned), str(tmp_path / "diff"))
    assert set(made.left_out) == {*left_out, "pipe"}
    assert made.num_files == len(copied)
    assert set(content(tmp_path / "diff")) == {*copied, "diff.json", f"delta/{WEIGHTS}"}
    recover_tuned(raw, str(tmp_path / "diff"), str(tmp_path / "back"))
    assert set(content(tmp_path / "back")) == {*copied, WEIGHTS}
    assert all((tmp_path / "back" / name).read_text() == name for name in copied)


def test_links_of_a_download_cache_are_followed(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "1").write_bytes(packed({"a": tensor("F32", 2, seed=1)}))
    (blobs / "2").write_bytes(b"{}")
    (snapshot / WEIGHTS).symlink_to("../../blobs/1")
    (snapshot / "config.json").symlink_to("../../blobs/2")
    raw = model(tmp_path / "raw", {"a": tensor("F32", 2)})
    make_diff(raw, str(snapshot), str(tmp_path / "diff"))
    recover_tuned(raw, str(tmp_path / "diff"), str(tmp_path / "back"))
    assert content(tmp_path / "back") == content(snapshot)
    assert not any(path.is_symlink() for path in (tmp_path / "back").iterdir())


def test_files_that_a_publisher_adds_to_a_diff_do_no_harm(tmp_path: Path) -> None:
    raw, diff = made_diff(tmp_path)
    (diff / "README.md").write_text("how to recover")
    (diff / "pytorch_model.bin").write_bytes(b"pickle")
    recover_tuned(raw, str(diff), str(tmp_path / "back"))
    assert set(content(tmp_path / "back")) == {WEIGHTS, "config.json"}


# --- what the user gets wrong ---


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "neither model.safetensors nor model.safetensors.index.json is in it"),
        ({"pytorch_model__bin": b""}, "its weights are pickles"),
        ({"adapter_config__json": b"", "adapter_model__safetensors": b""}, "this is an adapter; merge it"),
        ({"diff__json": b""}, "this is a weight diff, not a model; expected the order RAW TUNED DIFF to make"),
    ],
)
def test_a_folder_without_a_model_is_told_by_what_it_is(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    raw = model(tmp_path / "raw", {"a": tensor("F32", 1)})
    other = model(tmp_path / "other", {}, **files)
    (tmp_path / "other" / WEIGHTS).unlink()
    for first, second in ((raw, other), (other, raw)):
        with pytest.raises(UserError, match=message):
            make_diff(first, second, str(tmp_path / "diff"))


def test_a_model_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder; expected a local model folder"):
        make_diff("owner/name", "owner/other", str(tmp_path / "diff"))


def test_recover_with_the_folders_in_the_wrong_order(tmp_path: Path) -> None:
    raw, diff = made_diff(tmp_path)
    assert "no diff.json in it" in refused(tmp_path, str(diff), raw)


def test_models_that_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    raw = model(tmp_path / "raw", {"a.b": tensor("F32", 3)})
    with pytest.raises(
        UserError, match=r"no tensor in common .* begins with x\.y \(F32 \[3\]\), the raw model with a\.b"
    ):
        make_diff(raw, model(tmp_path / "tuned", {"x.y": tensor("F32", 3)}), str(tmp_path / "diff"))
    for shape in ([3, 1], [1, 3], []):
        other = model(tmp_path / f"other {shape}", {"a.b": tensor("F32", 3, seed=1), "m": tensor("F32", *shape)})
        wide = model(tmp_path / f"wide {shape}", {"a.b": tensor("F32", 3), "m": tensor("F32", 3, 2)})
        with pytest.raises(
            UserError, match=r"m is F32 \[3, 2\] in the tuned model and F32 \[.*only the number of rows"
        ):
            make_diff(other, wide, str(tmp_path / "diff"))
    assert not (tmp_path / "diff").exists()


def test_a_target_is_new_or_empty(tmp_path: Path) -> None:
    raw, diff = made_diff(tmp_path)
    tuned, taken, file, empty = str(tmp_path / "tuned"), tmp_path / "taken", tmp_path / "file", tmp_path / "empty"
    for folder in (taken, empty):
        folder.mkdir()
    for path in (taken / "precious", file):
        path.write_text("precious")
    for target in (taken, file):
        with pytest.raises(UserError, match="already exists; expected a new or empty folder"):
            make_diff(raw, tuned, str(target))
        with pytest.raises(UserError, match="already exists; expected a new or empty folder"):
            recover_tuned(raw, str(diff), str(target))
    assert (taken / "precious").read_text() == file.read_text() == "precious"
    recover_tuned(raw, str(diff), f"{empty}/")
    recover_tuned(raw, str(diff), str(tmp_path / "new" / "below"))
    assert content(empty) == content(tmp_path / "new" / "below") == content(tuned)


# --- whole or not at all ---


def disk_is_full(*_: object) -> Any:
    raise OSError(28, "No space left on device")


def interrupt(*_: object) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("fail", "error"), [(disk_is_full, EvolrayError), (interrupt, KeyboardInterrupt)])
def test_what_is_cut_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: Callable[..., Any], error: type[BaseException]
) -> None:
    raw, diff = made_diff(tmp_path)
    before = set(tmp_path.iterdir())
    monkeypatch.setattr("evolray.diff.making.copy", fail)
    monkeypatch.setattr("evolray.diff.recovery.copy", fail)
    for attempt in (
        lambda: make_diff(raw, str(tmp_path / "tuned"), str(tmp_path / "again")),
        lambda: recover_tuned(raw, str(diff), str(tmp_path / "back")),
    ):
        with pytest.raises(error):
            attempt()
    assert set(tmp_path.iterdir()) == before


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, diff = made_diff(tmp_path)
    room = type("Usage", (), {"free": 10})
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: room)
    assert "needs 0.0 GB, and 0.0 GB are free" in refused(tmp_path, raw, diff, EvolrayError)


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = model(tmp_path / "raw", {"a": tensor("BF16", 50)})
    tuned = model(tmp_path / "tuned", {"a": tensor("F32", 50)})

    def shrinking(*arguments: Any) -> Any:
        os.truncate(Path(raw) / WEIGHTS, 101)
        return difference.base_of(*arguments)

    monkeypatch.setattr(making, "base_of", shrinking)
    with pytest.raises(UserError, match="ends within a; it became shorter while it was read"):
        make_diff(raw, tuned, str(tmp_path / "diff"))
    assert not (tmp_path / "diff").exists()


# --- what is told ---


def test_the_summary_in_words(tmp_path: Path) -> None:
    made = summary.Summary("out", 1234, 2_500_000_000, ("x",), ("e",), ("a", "b", "c", "d", "e"), 7, ("t.bin",), 12.3)
    assert str(made) == (
        "out: 1,234 tensors (2.50 GB) and 7 other files in 12 s; with rows that the raw model lacks: e; of another "
        "dtype in the raw model: a, b, c and 2 more; without a counterpart in the raw model, so stored as they are: x; "
        "left out: t.bin"
    )
    raw, diff = made_diff(tmp_path)
    recovered = recover_tuned(raw, str(diff), str(tmp_path / "back"))
    assert (recovered.folder, recovered.num_tensors, recovered.num_files) == (str(tmp_path / "back"), 3, 1)
    assert (recovered.num_bytes, recovered.new_tensors, recovered.grown_tensors, recovered.converted_tensors) == (
        92,
        ("c",),
        ("a",),
        ("b",),
    )


def test_progress_is_logged_now_and_then(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    monkeypatch.setattr(summary.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO), summary.progress("make", 4_000_000_000) as advance:
        for _ in range(4):
            now[0] += 20
            advance(1_000_000_000)
    assert caplog.messages == ["make: 2.0 of 4.0 GB", "make: 4.0 of 4.0 GB"]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with caplog.at_level(logging.INFO), summary.progress("make", 100) as advance:
        advance(100)
    assert caplog.messages == []


def test_no_engine_is_loaded() -> None:
    engines = "torch transformers ray pyarrow omegaconf"
    program = f"import sys, evolray.diff\nprint([name for name in {engines.split()!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
