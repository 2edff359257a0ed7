"""Whatever bits the tuned tensor has, they come back; what the diff stores for it is as small as can be."""

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from evolray.diff import difference
from evolray.diff import make as make_diff
from evolray.diff import recover as recover_tuned
from tests.diff.folders import (
    ITEM_BYTES,
    WEIGHTS,
    Tensors,
    content,
    delta_of,
    floats,
    model,
    packed,
    round_trip,
    tensor,
)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference, "CHUNK_BYTES", 64)


def test_why_not_a_subtraction() -> None:
    """What this arithmetic is for: a difference of floats does not give the tuned weight back."""
    raw, tuned = np.float32(1.0), np.float32(1e-9)
    assert (tuned - raw) + raw == 0.0 != tuned
    bits = raw.view(np.uint32)
    assert ((tuned.view(np.uint32) ^ bits) ^ bits).view(np.float32) == tuned


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64", "I8", "U8", "BOOL", "C64"])
def test_every_bit_pattern_of_every_dtype_comes_back(tmp_path: Path, small_chunks: None, dtype: str) -> None:
    made = round_trip(tmp_path, {"a": tensor(dtype, 40, 11)}, {"a": tensor(dtype, 40, 11, seed=1)})
    assert (made.num_tensors, made.num_bytes) == (1, 440 * ITEM_BYTES.get(dtype, 1))
    assert (made.new_tensors, made.grown_tensors, made.converted_tensors) == ((), (), ())
    assert delta_of(tmp_path / "diff", "a") not in (tensor(dtype, 40, 11)[2], tensor(dtype, 40, 11, seed=1)[2])


def test_four_bit_numbers_and_dtypes_yet_unknown_come_back(tmp_path: Path) -> None:
    raw: Tensors = {"a": ("F4", [3, 2], b"abc"), "b": ("F5_NEW", [2, 2], b"123")}
    tuned: Tensors = {"a": ("F4", [4, 2], b"xyzw"), "b": ("F5_NEW", [2, 2], b"456")}
    made = round_trip(tmp_path, raw, tuned)
    assert (made.new_tensors, made.grown_tensors) == ((), ("a",))


@pytest.mark.parametrize(
    ("raw", "tuned"),
    [pair for pair in itertools.product(("F64", "F32", "F16", "BF16"), repeat=2) if pair[0] != pair[1]],
)
@pytest.mark.parametrize("rows", [(40, 40), (40, 43), (43, 40)], ids=["same", "grown", "cut"])
def test_another_float_dtype_in_the_raw_model_is_exact(
    tmp_path: Path, small_chunks: None, raw: str, tuned: str, rows: tuple[int, int]
) -> None:
    made = round_trip(tmp_path, {"a": tensor(raw, rows[0], 11)}, {"a": tensor(tuned, rows[1], 11, seed=1)})
    assert made.converted_tensors == ("a",)
    assert made.grown_tensors == (("a",) if rows[1] > rows[0] else ())


@pytest.mark.parametrize(
    ("raw", "tuned"), [pair for pair in itertools.product(("float64", "float32", "float16", "bfloat16"), repeat=2)]
)
def test_weights_that_did_not_change_are_zeros_in_whatever_dtype(tmp_path: Path, raw: str, tuned: str) -> None:
    """The conversion is torch's: a frozen layer that training saves in another dtype leaves nothing in the diff."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    weights = (torch.randn(1000, dtype=torch.float64) * 10.0 ** torch.randint(-6, 4, (1000,))).to(getattr(torch, raw))
    for name, dtype in (("raw", raw), ("tuned", tuned)):
        (tmp_path / name).mkdir()
        save_file({"a": weights.to(getattr(torch, dtype))}, tmp_path / name / WEIGHTS)
    make_diff(str(tmp_path / "raw"), str(tmp_path / "tuned"), str(tmp_path / "diff"))
    assert not any(delta_of(tmp_path / "diff", "a"))


def test_rows_that_the_raw_model_lacks_are_stored_as_they_are(tmp_path: Path) -> None:
    raw: Tensors = {"embed": ("F32", [2, 2], floats(1, 2, 3, 4)), "bias": ("F32", [1], floats(5))}
    tuned: Tensors = {"embed": ("F32", [3, 2], floats(1, 2, 3, 4, 7, 8)), "bias": ("F32", [2], floats(5, 9))}
    made = round_trip(tmp_path, raw, tuned)
    assert made.grown_tensors == ("embed", "bias")
    assert delta_of(tmp_path / "diff", "embed") == bytes(16) + floats(7, 8)
    assert delta_of(tmp_path / "diff", "bias") == bytes(4) + floats(9)


def test_fewer_rows_than_the_raw_model_has(tmp_path: Path) -> None:
    made = round_trip(tmp_path, {"a": ("F32", [3], floats(1, 2, 3))}, {"a": ("F32", [2], floats(1, 2))})
    assert (made.grown_tensors, delta_of(tmp_path / "diff", "a")) == ((), bytes(8))


def test_what_has_no_counterpart_is_stored_as_it_is(tmp_path: Path) -> None:
    raw: Tensors = {"a": tensor("F32", 3), "quantized": tensor("I8", 4)}
    tuned: Tensors = {
        "a": tensor("F32", 3, seed=1),
        "score.weight": tensor("F32", 2, 3),
        "quantized": tensor("F32", 4),
    }
    made = round_trip(tmp_path, raw, tuned)
    assert made.new_tensors == ("score.weight", "quantized")
    for name in made.new_tensors:
        assert delta_of(tmp_path / "diff", name) == tuned[name][2]
    assert "without a counterpart in the raw model, so stored as they are: score.weight, quantized" in str(made)


@pytest.mark.parametrize(
    ("raw", "tuned"), [("wte.weight", "transformer.wte.weight"), ("model.wte.weight", "wte.weight")]
)
def test_a_name_may_have_another_beginning(tmp_path: Path, raw: str, tuned: str) -> None:
    made = round_trip(tmp_path, {raw: tensor("F32", 3, 2)}, {tuned: tensor("F32", 3, 2)})
    assert (made.new_tensors, delta_of(tmp_path / "diff", tuned)) == ((), bytes(24))


def test_empty_tensors_and_single_numbers(tmp_path: Path) -> None:
    raw: Tensors = {"none": ("F32", [0, 4], b""), "one": ("F32", [], floats(1)), "grown": ("F32", [0], b"")}
    tuned: Tensors = {"none": ("F32", [0, 4], b""), "one": ("F32", [], floats(2)), "grown": ("F32", [1], floats(3))}
    made = round_trip(tmp_path, raw, tuned)
    assert (made.num_tensors, made.num_bytes, made.grown_tensors) == (3, 8, ("grown",))


def test_headers_come_back_word_for_word(tmp_path: Path) -> None:
    """Order, metadata and padding are the tuned file's own, odd ones, too."""
    raw = model(tmp_path / "raw", {"b": tensor("F32", 3), "a": tensor("F32", 2)})
    tuned = model(tmp_path / "tuned", {})
    odd = packed(
        {"a": tensor("F32", 2, seed=1), "b": tensor("F32", 3, seed=1)}, {"format": "pt", "wer": "ä"}, padding=13
    )
    (tmp_path / "tuned" / WEIGHTS).write_bytes(odd)
    make_diff(raw, tuned, str(tmp_path / "diff"))
    recover_tuned(raw, str(tmp_path / "diff"), str(tmp_path / "back"))
    assert (tmp_path / "back" / WEIGHTS).read_bytes() == odd


def test_the_same_two_models_give_the_same_diff(tmp_path: Path) -> None:
    raw = model(tmp_path / "raw", {"a": tensor("F32", 9)})
    tuned = model(tmp_path / "tuned", {"a": tensor("F32", 9, seed=1)}, config__json=b"{}")
    for name in ("one", "two"):
        make_diff(raw, tuned, str(tmp_path / name))
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_memory_does_not_grow_with_the_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference, "CHUNK_BYTES", 1 << 14)
    size = 1 << 22
    raw = model(tmp_path / "raw", {"a": ("BF16", [size // 4], bytes(size // 2))})
    tuned = model(tmp_path / "tuned", {"a": ("F32", [size // 4], bytes(size))})
    make_diff(raw, tuned, str(tmp_path / "warm"))
    recover_tuned(raw, str(tmp_path / "warm"), str(tmp_path / "warm back"))
    tracemalloc.start()
    make_diff(raw, tuned, str(tmp_path / "diff"))
    recover_tuned(raw, str(tmp_path / "diff"), str(tmp_path / "back"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 2
