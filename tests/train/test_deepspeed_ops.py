"""DeepSpeed's compiled helpers: what is left out, what is built, and what happens where it cannot be."""

import os
from pathlib import Path
from typing import Any

import pytest

from evolray.errors import UserError
from evolray.train import deepspeed_ops
from evolray.train.deepspeed_ops import EXTENSIONS

OFFLOAD: dict[str, Any] = {"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}}}


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """DeepSpeed's builder of CPU Adam, which here compiles nothing; `built` counts its calls."""
    from deepspeed.ops.op_builder import CPUAdamBuilder

    monkeypatch.setenv(EXTENSIONS, str(tmp_path / "extensions"))
    monkeypatch.setattr(CPUAdamBuilder, "built", 0, raising=False)

    def load(self: Any) -> None:
        CPUAdamBuilder.built += 1

    monkeypatch.setattr(CPUAdamBuilder, "load", load)
    return CPUAdamBuilder


def test_on_cpu_the_shared_memory_helper_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import deepspeed
    from deepspeed.accelerator import get_accelerator

    name = get_accelerator().create_op_builder("ShareMemCommBuilder").NAME
    monkeypatch.setitem(deepspeed.ops.__compatible_ops__, name, True)
    deepspeed_ops.prepare({"zero_optimization": {"stage": 2}}, on_cpu=False)
    assert deepspeed.ops.__compatible_ops__[name] is True
    deepspeed_ops.prepare({"zero_optimization": {"stage": 2}}, on_cpu=True)
    assert deepspeed.ops.__compatible_ops__[name] is False


@pytest.mark.parametrize(
    ("settings", "built"),
    [
        ({}, 0),
        ({"zero_optimization": {"stage": 3}}, 0),
        ({"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "nvme"}}}, 0),
        ({"zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}}}, 0),
        (OFFLOAD, 1),
    ],
)
def test_the_optimizer_is_built_where_it_is_offloaded(builder: Any, settings: dict[str, Any], built: int) -> None:
    deepspeed_ops.prepare(settings, on_cpu=False)
    assert builder.built == built


def test_a_lock_that_a_killed_build_left_does_not_stop_the_next(builder: Any, tmp_path: Path) -> None:
    stale = tmp_path / "extensions" / "py311_cpu" / builder.NAME / "lock"
    stale.parent.mkdir(parents=True)
    stale.touch()
    other = stale.parent.with_name("other_op") / "lock"
    other.parent.mkdir()
    other.touch()
    deepspeed_ops.prepare(OFFLOAD, on_cpu=False)
    assert builder.built == 1
    assert not stale.exists() and other.exists()


def test_where_it_cannot_be_compiled_the_user_is_told(builder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: Any) -> None:
        raise RuntimeError("Error building extension\nmore lines")

    monkeypatch.setattr(builder, "load", load)
    for _ in range(2):  # the second attempt does not wait for the first
        with pytest.raises(UserError, match=r"cannot be compiled here \(Error building extension\)\. Install g\+\+"):
            deepspeed_ops.prepare(OFFLOAD, on_cpu=False)


def test_it_is_built_where_every_worker_of_the_user_looks(
    builder: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(EXTENSIONS)
    monkeypatch.setenv("HOME", str(tmp_path))
    deepspeed_ops.prepare(OFFLOAD, on_cpu=False)
    assert os.environ[EXTENSIONS] == str(tmp_path / ".cache/evolray/torch_extensions")
