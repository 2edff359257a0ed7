"""How a student is asked, at an endpoint or loaded from a checkpoint: what `evaluate` and `generate` share."""

from dataclasses import dataclass, field

from evolray.config.endpoint import BudgetConfig, EndpointConfig, EngineConfig
from evolray.config.train import WorkersConfig


@dataclass
class SamplingConfig:
    """How answers are drawn."""

    n: int = 1
    """Samples per problem. The papers take 1 (greedy), 20 or 200 (temperature 0.2)."""
    temperature: float | None = None
    """0: greedy. null: what the benchmark's protocol says, which is greedy but for MT-Bench (by category)."""
    top_p: float = 1.0
    """Of the likeliest tokens, as many as make up this share. 1: all."""
    top_k: int = 0
    """0: all tokens."""
    max_tokens: int | None = None
    """Tokens per sample. null: what the benchmark's published scripts use."""
    stop: list[str] = field(default_factory=list)
    """A sample ends before the first of these."""
    seed: int = 0
    """Of a checkpoint's samples: the same seed gives the same samples, for any number of workers and any batch."""


@dataclass
class SamplerConfig:
    """A checkpoint (`model`) or an endpoint (`endpoint.model`): one of the two."""

    model: str | None = None
    """A Hugging Face folder or URL, a name on the Hub, or a run of `evolray train`: its best checkpoint, or that of a
    step as RUN:STEP."""
    chat_format: str | None = None
    """alpaca, alpaca_cot, freeform or vicuna, in place of the chat template that the checkpoint came with."""
    backend: str = "auto"
    """Who runs a checkpoint: transformers, vllm; auto: vllm where it is installed and there is a GPU."""
    precision: str = "auto"
    """Of a checkpoint: bf16, fp16, fp32; auto: bf16 on GPUs that have it, fp32 on CPU."""
    batch_tokens: int | None = None
    """Of a checkpoint: tokens, prompts and answers, that are computed at once. null: as many as its memory holds."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    retry_failed: bool = False
    """Ask again what failed in a finished run."""
