"""What follows from config, student and machine, worked out by hand; and each value that cannot work, with its line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evolray.cluster.machine import Machine
from evolray.config import LoraConfig, ScratchConfig, TrainConfig, WorkersConfig
from evolray.errors import UserError
from evolray.train.settings import Settings, check, read_deepspeed, resolve
from evolray.train.sizing import GIB, activation_bytes, flops_per_token, state_bytes
from evolray.train.student import Student

STUDENT = Student("Tiny", 1000, 900, hidden=10, layers=2, vocabulary=50, positions=64, sliding_window=None)
CPU = Machine("cpu", "CPU", 2**30)
GPU = Machine("gpu", "NVIDIA H100 80GB HBM3", 80 * 2**30)
OLD_GPU = Machine("gpu", "Tesla V100-SXM2-32GB", 32 * 2**30, has_bf16=False)
ZERO = {f"zero{stage}": {"zero_optimization": {"stage": stage}} for stage in range(4)}


def config(**changes: Any) -> TrainConfig:
    return replace(TrainConfig(run="runs/a", data="d.json", model="m"), **changes)


def settings(machine: Machine = CPU, student: Student = STUDENT, longest: int = 20, **changes: Any) -> Settings:
    return resolve(config(**changes), student, machine, longest, None, False)


# --- values that cannot work ---


def test_the_defaults_pass() -> None:
    check(config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "int8"}, "precision=int8: expected auto, bf16, fp16, fp32."),
        ({"attention": "flash"}, "attention=flash: expected auto, isolated, flash_attention_2,"),
        ({"schedule": "step"}, "schedule=step: expected cosine, linear, constant."),
        ({"over_long": "keep"}, "over_long=keep: expected drop, cut."),
        ({"workers": WorkersConfig(device="tpu")}, "workers.device=tpu: expected auto, gpu, cpu."),
        ({"max_length": 1}, "max_length=1: expected 2 or more."),
        ({"epochs": 0}, "epochs=0: expected 1 or more."),
        ({"max_steps": 0}, "max_steps=0: expected 1 or more."),
        ({"max_tokens": 0}, "max_tokens=0: expected 1 or more."),
        ({"global_batch": 0}, "global_batch=0: expected 1 or more."),
        ({"learning_rate": -1e-5}, "learning_rate=-1e-05: expected 0 or more."),
        ({"learning_rate": float("nan")}, "learning_rate=nan: expected 0 or more."),
        ({"warmup_steps": -1}, "warmup_steps=-1: expected 0 or more."),
        ({"weight_decay": -0.1}, "weight_decay=-0.1: expected 0 or more."),
        ({"max_grad_norm": -1.0}, "max_grad_norm=-1.0: expected 0 or more."),
        ({"limit": 0}, "limit=0: expected 1 or more."),
        ({"adam_epsilon": -1.0}, "adam_epsilon=-1.0: expected 0 or more."),
        ({"lora": LoraConfig(dropout=1.0)}, "lora.dropout=1.0: expected a share from 0 to below 1."),
        ({"scratch": ScratchConfig(feed_forward=0)}, "scratch.feed_forward=0: expected 1 or more."),
        ({"lora": LoraConfig(rank=-1)}, "lora.rank=-1: expected 0 or more."),
        ({"micro_batch_tokens": 0}, "micro_batch_tokens=0: expected 1 or more."),
        ({"checkpoint_steps": 0}, "checkpoint_steps=0: expected 1 or more."),
        ({"keep_checkpoints": 0}, "keep_checkpoints=0: expected 1 or more."),
        ({"log_steps": 0}, "log_steps=0: expected 1 or more."),
        ({"log_seconds": 0.0}, "log_seconds=0.0: expected 0.1 or more."),
        ({"seed": -1}, "seed=-1: expected 0 or more."),
        ({"workers": WorkersConfig(number=0)}, "workers.number=0: expected 1 or more."),
        ({"workers": WorkersConfig(cpus=-1.0)}, "workers.cpus=-1.0: expected 0 or more."),
        ({"workers": WorkersConfig(max_failures=-2)}, "workers.max_failures=-2: expected -1 or more."),
        ({"scratch": ScratchConfig(layers=0)}, "scratch.layers=0: expected 1 or more."),
        ({"held_out": 1.0}, "held_out=1.0: expected a share from 0 to below 1."),
        ({"held_out": -0.1}, "held_out=-0.1: expected a share from 0 to below 1."),
        ({"adam_betas": [0.9]}, "adam_betas=[0.9]: expected two numbers from 0 to below 1."),
        ({"adam_betas": [0.9, 1.0]}, "adam_betas=[0.9, 1.0]: expected two numbers from 0 to below 1."),
        ({"scratch": ScratchConfig(hidden=12, heads=5)}, "scratch.hidden=12 with scratch.heads=5: expected a multiple"),
        ({"scratch": ScratchConfig(hidden=12, heads=4)}, "scratch.hidden=12 with scratch.heads=4: expected a multiple"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        check(config(**changes))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_length": 2}, {"epochs": 1}, {"max_steps": 1}, {"max_tokens": 1}, {"global_batch": 1},
        {"learning_rate": 0.0},
        {"warmup_steps": 0}, {"weight_decay": 0.0}, {"max_grad_norm": 0.0}, {"limit": 1}, {"micro_batch_tokens": 1},
        {"checkpoint_steps": 1}, {"keep_checkpoints": 1}, {"log_steps": 1}, {"log_seconds": 0.1}, {"seed": 0},
        {"held_out": 0.0}, {"held_out": 0.999}, {"adam_betas": [0.0, 0.999]}, {"lora": LoraConfig(rank=1)},
        {"workers": WorkersConfig(number=1, cpus=0.0, max_failures=-1)},
        {"scratch": ScratchConfig(hidden=2, layers=1, heads=1)},
    ],
)  # fmt: skip
def test_the_nearest_value_that_works_passes(changes: dict[str, Any]) -> None:
    check(config(**changes))


# --- DeepSpeed's settings ---


def test_deepspeed_settings_come_from_a_file_or_from_the_config(tmp_path: Path) -> None:
    path = tmp_path / "zero2.yaml"
    path.write_text("zero_optimization:\n  stage: 2\n")
    assert read_deepspeed(str(path)) == read_deepspeed(ZERO["zero2"]) == ZERO["zero2"]
    assert read_deepspeed(None) is None


@pytest.mark.parametrize("name", ["zero2", "zero3", "zero3_offload"])
def test_the_files_of_the_repository_can_be_read(name: str) -> None:
    content = read_deepspeed(str(Path(__file__).parents[2] / f"conf/deepspeed/{name}.yaml"))
    assert content is not None
    assert content["zero_optimization"]["stage"] == int(name[4])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["zero2"], "expected DeepSpeed's settings, such as zero_optimization: {stage: 2}."),
        ({"zero_optimization": 2}, "expected DeepSpeed's settings"),
        ({"zero_optimization": None}, "expected DeepSpeed's settings"),
        ({"zero_optimization": {"stage": 4}}, "zero_optimization.stage=4: expected 0, 1, 2 or 3."),
        ({"zero_optimization": {"stage": "2"}}, "zero_optimization.stage=2: expected 0, 1, 2 or 3."),
        (
            {"train_batch_size": 8, "bf16": {"enabled": True}},
            "deepspeed sets train_batch_size, bf16, which evolray com",
        ),
        ({"gradient_clipping": 1.0}, "deepspeed sets gradient_clipping, which evolray computes"),
        (
            {"zero_optimisation": {"stage": 2}},
            "zero_optimisation: DeepSpeed knows no such setting; did",
        ),
        ({"fp16": True}, "deepspeed: fp16=True: expected a mapping"),
        ({"zero_optimization": {"offload_optimizer": "cpu"}}, "deepspeed: offload_optimizer=cpu: expected a mapping"),
        ({"zero_optimization": {"offload_param": None}}, "deepspeed: offload_param=None: expected a mapping"),
    ],
)
def test_deepspeed_settings_that_cannot_work_are_named(value: Any, message: str) -> None:
    with pytest.raises(UserError) as error:
        read_deepspeed(value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"a: [", "while parsing"),
        (b"\xff\xfe\xfa", "decode"),
        (b"text", "expected DeepSpeed's"),
    ],
)
def test_a_deepspeed_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "zero.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_deepspeed(str(path))
    assert str(error.value).startswith(f"deepspeed={path}: ") and words in str(error.value)


def test_deepspeed_gets_what_evolray_computes() -> None:
    made = settings(GPU, deepspeed={"zero_optimization": {"stage": 3, "overlap_comm": True}, "fp16": {"loss_scale": 0}})
    assert made.deepspeed_config(accumulation=6, workers=4, max_grad_norm=0.5) == {
        "zero_optimization": {"stage": 3, "overlap_comm": True, "stage3_gather_16bit_weights_on_model_save": True},
        "bf16": {"enabled": True},
        "fp16": {"loss_scale": 0, "enabled": False},
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 6,
        "train_batch_size": 24,
        "gradient_clipping": 0.5,
        "zero_allow_untested_optimizer": True,
        "wall_clock_breakdown": False,
    }
    assert settings().deepspeed_config(1, 1, 1.0) is None
    no_stage = settings(OLD_GPU, deepspeed={})
    made_config = no_stage.deepspeed_config(1, 1, 1.0)
    assert made_config is not None and no_stage.stage == 0
    assert (made_config["zero_optimization"], made_config["fp16"]) == ({"stage": 0}, {"enabled": True})


# --- bytes ---


@pytest.mark.parametrize(
    ("stage", "full", "mixed"),
    [
        (None, 16_000, 16_000),
        (0, 16_000, 16_000),
        (1, 4000 + 4000 + 8000 / 4, 2000 + 2000 + 12_000 / 4),
        (2, 4000 + 4000 / 4 + 8000 / 4, 2000 + 2000 / 4 + 12_000 / 4),
        (3, 16_000 / 4, 16_000 / 4),
    ],
)
def test_state_per_worker_is_that_of_the_zero_paper(stage: int | None, full: float, mixed: float) -> None:
    """1,000 parameters on 4 workers: weights, gradients, and Adam's two moments (with fp32 weights where mixed)."""
    deepspeed = {} if stage is None else ZERO[f"zero{stage}"]
    assert state_bytes(1000, stage, 4, "fp32", deepspeed, config()) == full
    assert state_bytes(1000, stage, 4, "bf16", deepspeed, config()) == mixed


def test_what_is_offloaded_costs_no_gpu_memory() -> None:
    def offloaded(*keys: str) -> int:
        zero = {"stage": 3, **{f"offload_{key}": {"device": "cpu"} for key in keys}}
        return state_bytes(1000, 3, 2, "bf16", {"zero_optimization": zero}, config())

    assert [offloaded(), offloaded("optimizer"), offloaded("optimizer", "param")] == [8000, 2000, 1000]


def test_an_adapter_costs_its_frozen_base() -> None:
    adapter = config(lora=LoraConfig(rank=8))
    assert state_bytes(1000, None, 4, "bf16", {}, adapter) == 4000  # autocast keeps fp32 weights
    assert state_bytes(1000, 2, 4, "bf16", ZERO["zero2"], adapter) == 2000
    assert state_bytes(1000, 3, 4, "bf16", ZERO["zero3"], adapter) == 500


def test_activations_per_token() -> None:
    """34 x 10 per layer in 16 bits; checkpointing keeps 2 x 10 per layer and one layer; logits of 50 in fp32."""
    assert activation_bytes(STUDENT, "bf16", checkpointing=False, gpu=True) == 2 * 340 + 200
    assert activation_bytes(STUDENT, "bf16", checkpointing=True, gpu=True) == 2 * 20 + 340 + 200
    assert activation_bytes(STUDENT, "fp32", checkpointing=False, gpu=False) == 2 * 680 + 600
    assert activation_bytes(STUDENT, "fp32", checkpointing=True, gpu=False) == 2 * 40 + 680 + 600


def test_flops_per_token_are_those_of_palm() -> None:
    assert flops_per_token(STUDENT, mean_context=30.0) == 6 * 900 + 12 * 2 * 10 * 30
    seven_b = Student("Llama", 6_738_415_616, 6_607_343_616, 4096, 32, 32_000, 2048, None)
    assert flops_per_token(seven_b, 2048.0) == 6 * 6_607_343_616 + 12 * 32 * 4096 * 2048


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12), ("NVIDIA H100 PCIe", 756e12), ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA A10G", 70e12), ("NVIDIA A10", 125e12), ("NVIDIA L40S", 362e12), ("NVIDIA L4", 121e12),
        ("NVIDIA GH200 480GB", 989e12), ("NVIDIA H200", 989e12), ("Tesla V100-SXM2-32GB", 125e12), ("CPU", None),
        ("Some GPU", None),
    ],
)  # fmt: skip
def test_peaks_go_by_the_longest_name_that_fits(name: str, peak: float | None) -> None:
    assert Machine("gpu", name, 0).peak_flops == peak


# --- micro-batches ---

STATE, PER_TOKEN = 16_000, 1960


def test_a_micro_batch_is_what_the_memory_holds() -> None:
    memory = int((STATE + PER_TOKEN * 100.5) / 0.85)
    made = settings(replace(CPU, memory=memory))
    assert (made.micro_batch_tokens, made.state_bytes) == (100, STATE)
    assert settings(CPU).micro_batch_tokens == 4096  # with more, nothing gets faster
    assert settings(GPU).micro_batch_tokens == 16_384


def test_too_little_memory_is_said_with_what_is_needed() -> None:
    enough = int((STATE + PER_TOKEN * 20) / 0.85) + 1
    assert settings(replace(CPU, memory=enough)).micro_batch_tokens == 20
    with pytest.raises(
        UserError, match=r"too little memory: weights, gradients and optimizer need 0\.0 GiB per worker"
    ):
        settings(replace(CPU, memory=enough - 2))
    big = replace(STUDENT, parameters=7 * GIB)
    with pytest.raises(UserError) as error:
        settings(GPU, big)
    assert "optimizer need 112.0 GiB per worker, the longest example (20 tokens) 0.0 GiB" in str(error.value)
    assert "a worker has 80.0 GiB (NVIDIA H100 80GB HBM3)" in str(error.value)
    assert settings(GPU, big, deepspeed=ZERO["zero3"], workers=WorkersConfig(number=8)).state_bytes == 14 * GIB


def test_the_tokens_of_a_pass_are_the_users_to_say() -> None:
    assert settings(micro_batch_tokens=33).micro_batch_tokens == 33
    assert settings(micro_batch_tokens=5000).micro_batch_tokens == 5000
    with pytest.raises(UserError, match=r"too little memory: .*micro_batch_tokens=100000000 "):
        settings(micro_batch_tokens=100_000_000)


def test_fewer_tokens_than_the_longest_example_has_are_not_raised_in_silence() -> None:
    assert settings(micro_batch_tokens=10).micro_batch_tokens == 10  # accumulation_for refuses it


# --- precision, attention and the rest ---


@pytest.mark.parametrize(("machine", "precision"), [(CPU, "fp32"), (GPU, "bf16"), (OLD_GPU, "fp16")])
def test_precision_is_what_the_machine_has(machine: Machine, precision: str) -> None:
    assert settings(machine).precision == precision


def test_a_precision_that_the_machine_lacks_is_refused() -> None:
    with pytest.raises(UserError, match="precision=fp16 needs GPUs; on CPU expected fp32 or bf16"):
        settings(CPU, precision="fp16")
    with pytest.raises(UserError, match="precision=bf16: Tesla V100-SXM2-32GB has no bf16; expected fp16 or fp32"):
        settings(OLD_GPU, precision="bf16")
    assert settings(CPU, precision="bf16").precision == "bf16"
    assert settings(OLD_GPU, precision="fp32").precision == "fp32"


def test_no_example_is_longer_than_the_student_has_positions() -> None:
    assert settings(longest=64).micro_batch_tokens == 4096
    with pytest.raises(UserError, match="there are examples of 65 tokens, and Tiny here has 64 positions"):
        settings(longest=65)
    assert settings(student=replace(STUDENT, positions=None), longest=65)  # relative positions have no end


@pytest.mark.parametrize(
    ("changes", "window", "flash", "expected"),
    [
        ({}, None, None, "isolated"),
        ({}, 20, None, "isolated"),  # a window as wide as the longest example is none
        ({}, 19, None, "sdpa"),
        ({"packing": False}, None, None, "sdpa"),
        ({"precision": "bf16"}, 19, "flash_attention_2", "flash_attention_2"),
        ({"precision": "fp32"}, None, "flash_attention_2", "isolated"),  # the kernel has no fp32
        ({"precision": "bf16", "attention": "eager"}, None, "flash_attention_2", "eager"),
        ({"precision": "bf16", "attention": "isolated"}, None, "flash_attention_2", "isolated"),
    ],
)
def test_attention_is_the_best_that_fits(
    changes: dict[str, Any], window: int | None, flash: str | None, expected: str
) -> None:
    student = replace(STUDENT, sliding_window=window)
    assert resolve(config(**changes), student, CPU, 20, flash, False).attention == expected


def test_isolated_attention_is_refused_where_it_would_be_wrong() -> None:
    windowed = replace(STUDENT, sliding_window=19)
    with pytest.raises(
        UserError, match="attention=isolated: the student's attention sees 19 tokens only; expected sdpa"
    ):
        settings(student=windowed, attention="isolated")
    with pytest.raises(UserError, match="attention=isolated: packing=false; expected sdpa"):
        settings(attention="isolated", packing=False)


def test_a_flash_attention_that_is_not_installed_is_refused() -> None:
    with pytest.raises(UserError, match="attention=flash_attention_3: flash_attention_2 is installed here"):
        resolve(config(attention="flash_attention_3", precision="bf16"), STUDENT, CPU, 20, "flash_attention_2", False)
    with pytest.raises(UserError, match="attention=flash_attention_2: no flash attention is installed here"):
        settings(attention="flash_attention_2")


@pytest.mark.parametrize("attention", ["auto", "isolated", "sdpa", "flash_attention_2"])
def test_packing_is_refused_where_examples_would_see_each_other(attention: str) -> None:
    leaky = replace(STUDENT, isolates=False)
    with pytest.raises(UserError, match="packing=true: the attention of Tiny does not keep packed examples apart"):
        settings(student=leaky, attention=attention)
    assert settings(student=leaky, packing=False).attention == "sdpa"


def test_gpus_get_checkpointing_and_liger_unless_told_otherwise() -> None:
    def made(machine: Machine, has_liger: bool, **changes: Any) -> tuple[bool, bool]:
        one = resolve(config(**changes), STUDENT, machine, 20, None, has_liger)
        return one.gradient_checkpointing, one.liger

    assert [made(CPU, True), made(GPU, True), made(GPU, False)] == [(False, False), (True, True), (True, False)]
    assert made(GPU, True, gradient_checkpointing=False, liger=False) == (False, False)
    assert made(CPU, False, gradient_checkpointing=True) == (True, False)
    for machine, has_liger in ((CPU, True), (GPU, False)):
        with pytest.raises(UserError, match="liger=true needs GPUs and the package liger-kernel"):
            made(machine, has_liger, liger=True)
