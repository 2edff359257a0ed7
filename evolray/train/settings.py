"""What follows from config, student and machines: micro-batches, precision, attention, DeepSpeed's settings.

Everything is worked out before a worker starts, from numbers alone, and logged with where it came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

from evolray.cluster.machine import Machine
from evolray.config import TrainConfig
from evolray.errors import UserError
from evolray.train.sizing import GIB, activation_bytes, state_bytes
from evolray.train.student import Student

PRECISIONS = ("auto", "bf16", "fp16", "fp32")
ATTENTIONS = ("auto", "isolated", "flash_attention_2", "flash_attention_3", "sdpa", "eager")
SCHEDULES = ("cosine", "linear", "constant")
# Beyond so many tokens per forward pass nothing gets faster, while memory would.
MOST_TOKENS = {"gpu": 16_384, "cpu": 4096}
USABLE = 0.85  # of the memory; the rest is for what no estimate knows
OFFLOADS = ("offload_optimizer", "offload_param")
COMPUTED = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping")


@dataclass(frozen=True)
class Settings:
    """`stage`: ZeRO's, None without DeepSpeed. `deepspeed`: its settings but for the derived ones."""

    precision: str
    attention: str
    gradient_checkpointing: bool
    liger: bool
    stage: int | None
    deepspeed: dict[str, Any] | None
    micro_batch_tokens: int
    state_bytes: int
    """Weights, gradients and the optimizer's state, per worker."""

    def deepspeed_config(self, accumulation: int, workers: int, max_grad_norm: float) -> dict[str, Any] | None:
        if self.deepspeed is None:
            return None
        zero = {**self.deepspeed.get("zero_optimization", {}), "stage": self.stage}
        if self.stage == 3:
            zero["stage3_gather_16bit_weights_on_model_save"] = True
        return {
            **self.deepspeed,
            "zero_optimization": zero,
            "bf16": {"enabled": self.precision == "bf16"},
            "fp16": {**self.deepspeed.get("fp16", {}), "enabled": self.precision == "fp16"},
            "train_micro_batch_size_per_gpu": 1,  # a micro-batch is one item, however many examples it holds
            "gradient_accumulation_steps": accumulation,
            "train_batch_size": accumulation * workers,
            "gradient_clipping": max_grad_norm,
            "zero_allow_untested_optimizer": True,
            "wall_clock_breakdown": False,
        }


def read_deepspeed(value: Any) -> dict[str, Any] | None:
    """A YAML file's content, or the mapping itself. Raises UserError when it is neither or sets what is computed."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            with open(value, encoding="utf-8") as file:
                content = yaml.safe_load(file)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"deepspeed={value}: cannot be read ({reason}); expected a YAML file.") from None
    else:
        content = value
    if not isinstance(content, Mapping) or not isinstance(content.get("zero_optimization", {}), Mapping):
        raise UserError(f"deepspeed={value}: expected DeepSpeed's settings, such as zero_optimization: {{stage: 2}}.")
    if wrong := [key for key in (*COMPUTED, "bf16") if key in content]:
        raise UserError(f"deepspeed sets {', '.join(wrong)}, which evolray computes from the config; leave it out.")
    zero = content.get("zero_optimization", {})
    for key, inner in (("fp16", content.get("fp16", {})), *((key, zero.get(key, {})) for key in OFFLOADS)):
        if not isinstance(inner, Mapping):
            raise UserError(f"deepspeed: {key}={inner}: expected a mapping, such as {{device: cpu}} for an offload.")
    if "zero_optimization" not in content and (near := get_close_matches("zero_optimization", content, 1)):
        raise UserError(f"deepspeed: {near[0]}: DeepSpeed knows no such setting; did you mean zero_optimization?")
    stage = zero.get("stage", 0)
    if stage not in (0, 1, 2, 3):
        raise UserError(f"deepspeed: zero_optimization.stage={stage}: expected 0, 1, 2 or 3.")
    return {str(key): item for key, item in content.items()}


def check(config: TrainConfig) -> None:
    """Raises UserError for a value that cannot work, whatever the student and the cluster."""
    for key, value, known in (
        ("precision", config.precision, PRECISIONS),
        ("attention", config.attention, ATTENTIONS),
        ("schedule", config.schedule, SCHEDULES),
        ("over_long", config.over_long, ("drop", "cut")),
        ("workers.device", config.workers.device, ("auto", "gpu", "cpu")),
    ):
        if value not in known:
            raise UserError(f"{key}={value}: expected {', '.join(known)}.")
    least: dict[str, tuple[float | None, float]] = {
        "max_length": (config.max_length, 2), "epochs": (config.epochs, 1), "max_steps": (config.max_steps, 1),
        "max_tokens": (config.max_tokens, 1),
        "global_batch": (config.global_batch, 1), "learning_rate": (config.learning_rate, 0),
        "warmup_steps": (config.warmup_steps, 0), "weight_decay": (config.weight_decay, 0),
        "adam_epsilon": (config.adam_epsilon, 0), "max_grad_norm": (config.max_grad_norm, 0),
        "limit": (config.limit, 1), "lora.rank": (config.lora.rank, 0),
        "micro_batch_tokens": (config.micro_batch_tokens, 1), "checkpoint_steps": (config.checkpoint_steps, 1),
        "keep_checkpoints": (config.keep_checkpoints, 1), "log_steps": (config.log_steps, 1),
        "log_seconds": (config.log_seconds, 0.1), "workers.number": (config.workers.number, 1),
        "workers.cpus": (config.workers.cpus, 0), "workers.max_failures": (config.workers.max_failures, -1),
        "seed": (config.seed, 0), "scratch.hidden": (config.scratch.hidden, 1),
        "scratch.layers": (config.scratch.layers, 1), "scratch.heads": (config.scratch.heads, 1),
        "scratch.feed_forward": (config.scratch.feed_forward, 1),
    }  # fmt: skip
    for key, (number, minimum) in least.items():
        if number is not None and not number >= minimum:
            raise UserError(f"{key}={number}: expected {minimum} or more.")
    if not 0 <= config.held_out < 1:
        raise UserError(f"held_out={config.held_out}: expected a share from 0 to below 1.")
    if not 0 <= config.lora.dropout < 1:
        raise UserError(f"lora.dropout={config.lora.dropout}: expected a share from 0 to below 1.")
    if len(config.adam_betas) != 2 or not all(0 <= beta < 1 for beta in config.adam_betas):
        raise UserError(f"adam_betas={config.adam_betas}: expected two numbers from 0 to below 1.")
    if config.scratch.hidden % config.scratch.heads or config.scratch.hidden // config.scratch.heads % 2:
        raise UserError(
            f"scratch.hidden={config.scratch.hidden} with scratch.heads={config.scratch.heads}: "
            "expected a multiple of twice the heads."
        )


def resolve(
    config: TrainConfig, student: Student, machine: Machine, longest: int, flash: str | None, has_liger: bool
) -> Settings:
    """`longest` example in tokens; `flash`: the installed flash attention, as transformers calls it.

    Raises UserError for too little memory, and for a length or a precision that the student or the machine lacks.
    """
    deepspeed = read_deepspeed(config.deepspeed)
    stage = None if deepspeed is None else int(deepspeed.get("zero_optimization", {}).get("stage", 0))
    gpu = machine.device == "gpu"
    if student.positions is not None and longest > student.positions:
        raise UserError(
            f"max_length={config.max_length}: there are examples of {longest} tokens, and {student.architecture} here "
            f"has {student.positions} positions. Lower max_length to that."
        )
    precision = config.precision
    if precision == "auto":
        precision = ("bf16" if machine.has_bf16 else "fp16") if gpu else "fp32"
    if precision == "fp16" and not gpu:
        raise UserError("precision=fp16 needs GPUs; on CPU expected fp32 or bf16.")
    if precision == "bf16" and not machine.has_bf16:
        raise UserError(f"precision=bf16: {machine.name} has no bf16; expected fp16 or fp32.")
    checkpointing = gpu if config.gradient_checkpointing is None else config.gradient_checkpointing
    if config.liger and not (gpu and has_liger):
        raise UserError("liger=true needs GPUs and the package liger-kernel (pip install 'evolray[gpu]').")
    state = state_bytes(student.parameters, stage, config.workers.number, precision, deepspeed or {}, config)
    room = machine.memory * USABLE - state
    per_token = activation_bytes(student, precision, checkpointing, gpu)
    tokens = min(MOST_TOKENS[machine.device], int(max(room, 0) / per_token))
    if room < per_token * (least := config.micro_batch_tokens or longest):
        what = f"micro_batch_tokens={least}" if config.micro_batch_tokens else f"the longest example ({least} tokens)"
        raise UserError(
            f"too little memory: weights, gradients and optimizer need {state / GIB:.1f} GiB per worker, {what} "
            f"{per_token * least / GIB:.1f} GiB, but a worker has {machine.memory / GIB:.1f} GiB ({machine.name}). "
            "More workers with deepspeed=conf/deepspeed/zero3.yaml, zero3_offload.yaml, lora.rank=16, a smaller "
            "max_length or a smaller student need less."
        )
    return Settings(
        precision=precision,
        attention=_attention(config, student, longest, flash, precision),
        gradient_checkpointing=checkpointing,
        liger=gpu and has_liger if config.liger is None else config.liger,
        stage=stage,
        deepspeed=deepspeed,
        micro_batch_tokens=config.micro_batch_tokens or max(tokens, longest),
        state_bytes=state,
    )


def _attention(config: TrainConfig, student: Student, longest: int, flash: str | None, precision: str) -> str:
    if config.packing and not student.isolates:
        raise UserError(
            f"packing=true: the attention of {student.architecture} does not keep packed examples apart; expected "
            "packing=false, with attention=sdpa or eager."
        )
    windowed = student.sliding_window is not None and student.sliding_window < longest
    if config.attention == "isolated" and (windowed or not config.packing):
        why = f"the student's attention sees {student.sliding_window} tokens only" if windowed else "packing=false"
        raise UserError(f"attention=isolated: {why}; expected sdpa or flash_attention_2.")
    if config.attention.startswith("flash") and config.attention != flash:
        raise UserError(
            f"attention={config.attention}: {f'{flash} is' if flash else 'no flash attention is'} installed here; "
            "expected auto, or pip install flash-attn on the machines with GPUs."
        )
    if config.attention != "auto":
        return config.attention
    if flash and precision != "fp32":
        return flash
    return "sdpa" if windowed or not config.packing else "isolated"
