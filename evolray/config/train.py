"""The settings of `evolray train`. Few dials: what follows from others is computed and logged (train/settings.py)."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class ScratchConfig:
    """`model=scratch`: a small LLaMA with random weights and a tokenizer trained on the data, for trying things out."""

    hidden: int = 128
    """Width of the layers."""
    layers: int = 3
    """Transformer blocks."""
    heads: int = 4
    """Attention heads of each."""
    feed_forward: int = 256
    """Width inside the feed-forward parts."""
    vocabulary: int = 2048
    """Entries of the tokenizer: byte-level BPE, so that no text is unknown to it."""
    numbers: bool = False
    """Each number of 0-99 is one token, whatever the data holds; small students calculate far better with it. Longer
    ones are two digits after two."""


@dataclass
class LoraConfig:
    """Low-rank adapters (arXiv 2106.09685) in place of full fine-tuning. Checkpoints hold the merged student."""

    rank: int = 0
    """0: full fine-tuning."""
    alpha: int = 32
    """The adapters' output is scaled by alpha / rank."""
    dropout: float = 0.0
    """On the adapters' input."""
    targets: list[str] = field(default_factory=list)
    """Names of the layers that get adapters. Empty: all linear layers but the last."""


@dataclass
class WorkersConfig:
    """The processes that compute, and what each of them gets."""

    number: int = 1
    """Data-parallel processes, one per GPU; on CPU, one per group of cores."""
    device: str = "auto"
    """gpu, cpu, or auto: gpu where the cluster has any."""
    cpus: float | None = None
    """What Ray sets aside for each worker, and the threads it computes with. null: 1 on GPUs; on CPU, its share of
    the cores."""
    max_failures: int = 3
    """How often dead workers are replaced, and training goes on from the last checkpoint. -1: always."""
    wait_seconds: float = 0.0
    """How long to wait for a cluster that is still growing before it counts as too small."""


@dataclass
class TrainConfig:
    """`evolray train`: a pool or a file of instructions in, a checkpoint out."""

    run: str = MISSING
    """The run directory: a path that every node sees, or a URL such as s3://bucket/run."""
    data: str = MISSING
    """An evolve run, or a file: JSON, JSONL, Parquet (.gz too, or s3://...), hf:NAME[:SPLIT]."""
    model: str = MISSING
    """The student: a Hugging Face folder, a name on the Hub, or scratch."""

    generations: list[int] = field(default_factory=list)
    """Of an evolve run: the generations to train on. Empty: all."""
    columns: dict[str, str] = field(default_factory=dict)
    """Of a file: its names for ours where they differ, for example {instruction: question, response: solution}."""
    limit: int | None = None
    """Take only the first so many entries."""
    held_out: float = 0.0
    """The share of examples kept back for the held-out loss. All generations of a seed are on the same side."""

    chat_format: str = "alpaca"
    """alpaca, alpaca_cot, freeform or vicuna."""
    max_length: int = 2048
    """Tokens per example."""
    over_long: str = "drop"
    """drop: an example that is longer is rejected. cut: its end is cut off, as the originals do."""

    epochs: int = 3
    """Passes over the examples."""
    max_steps: int | None = None
    """Stop the schedule after so many steps, whatever the epochs."""
    max_tokens: int | None = None
    """Stop the schedule before so many tokens, prompts among them, are exceeded, whatever the epochs: with enough
    epochs, students of different data train on equally much."""
    global_batch: int = 64
    """Examples per optimizer step, as the papers count them, packed or not, however many workers there are."""
    learning_rate: float = 2e-5
    """The highest, at the end of the warm-up."""
    schedule: str = "cosine"
    """cosine, linear or constant, after the warm-up."""
    warmup_steps: int = 2
    """Steps in which the learning rate rises from 0."""
    weight_decay: float = 0.0
    """Of AdamW, as the next two."""
    adam_betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    """Decay of the averages of the gradient and of its square."""
    adam_epsilon: float = 1e-8
    """Keeps AdamW from dividing by nothing."""
    max_grad_norm: float = 1.0
    """Gradients of a larger norm are scaled down to it."""
    seed: int = 0
    """Of the order of examples, of the held-out ones, and of a scratch student's weights."""

    packing: bool = True
    """Examples end to end in a row, none seeing another. false: padded, examples of like length together."""
    micro_batch_tokens: int | None = None
    """Tokens per forward pass of a worker. null: as many as its memory holds."""
    precision: str = "auto"
    """bf16, fp16, fp32; auto: bf16 on GPUs that have it, fp32 on CPU."""
    attention: str = "auto"
    """isolated (ours: per document, no mask), flash_attention_2, flash_attention_3, sdpa, eager; auto: what fits.

    sdpa and eager keep packed documents apart by a mask that transformers makes from positions; not all of its
    architectures do (OPT does not), so choose them for comparisons only.
    """
    gradient_checkpointing: bool | None = None
    """null: on GPUs only."""
    liger: bool | None = None
    """Liger's fused kernels. null: on GPUs, where liger-kernel is installed."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    scratch: ScratchConfig = field(default_factory=ScratchConfig)
    deepspeed: Any = None
    """A YAML file such as conf/deepspeed/zero2.yaml, or its content. null: plain data parallelism."""

    checkpoint_steps: int | None = None
    """null: once per epoch."""
    keep_checkpoints: int = 2
    """The latest so many stay, and the one with the lowest held-out loss."""
    log_steps: int = 1
    """Steps from one line of the losses to the next."""
    log_seconds: float = 30.0
    """How often a log that is no terminal gets a line of progress."""
    workers: WorkersConfig = field(default_factory=WorkersConfig)
