"""What a training costs, worked out beforehand: bytes per worker, and operations per token.

Estimates, to choose micro-batches by and to say early what cannot fit; a real GPU has the last word.
"""

from collections.abc import Mapping
from typing import Any

from evolray.config import TrainConfig
from evolray.train.student import Student

GIB = 2**30


def state_bytes(
    parameters: int, stage: int | None, workers: int, precision: str, deepspeed: Mapping[str, Any], config: TrainConfig
) -> int:
    """Per worker, by the ZeRO paper's table (arXiv 1910.02054, section 3): 16 bytes per parameter, shared or not."""
    mixed = deepspeed != {} and precision != "fp32"
    weights, gradients, optimizer = (2, 2, 12) if mixed else (4, 4, 8)
    if config.lora.rank:  # the frozen weights, and next to nothing for the adapters
        return parameters * weights // (workers if stage == 3 else 1)
    zero = deepspeed.get("zero_optimization", {})
    on_cpu = {key for key in ("offload_optimizer", "offload_param") if zero.get(key, {}).get("device") == "cpu"}
    if "offload_optimizer" in on_cpu:
        optimizer = 0
    if "offload_param" in on_cpu:
        weights = 0
    shared = {None: (0, 0, 0), 0: (0, 0, 0), 1: (0, 0, 1), 2: (0, 1, 1), 3: (1, 1, 1)}[stage]
    costs = zip((weights, gradients, optimizer), shared, strict=True)
    return int(sum(parameters * cost / (workers if is_shared else 1) for cost, is_shared in costs))


def activation_bytes(student: Student, precision: str, checkpointing: bool, gpu: bool) -> float:
    """Per token of a forward pass: 34 x hidden per layer in 16 bits (Korthikanti et al., arXiv 2205.05198, sec. 4)."""
    width = 2 if precision == "fp32" else 1
    layer = 34 * student.hidden * width
    layers = 2 * student.hidden * width * student.layers + layer if checkpointing else layer * student.layers
    head = student.vocabulary * 4 * (1 if gpu else 3)  # the GPU path makes logits in tiles
    return layers + head


def flops_per_token(student: Student, mean_context: float) -> float:
    """Forward and backward, by PaLM's convention (arXiv 2204.02311, appendix B): 6 N + 12 L H T.

    `mean_context`: the sum of the squares of the document lengths over their sum, the T that attention pays for.
    """
    return 6.0 * student.matrix_parameters + 12.0 * student.layers * student.hidden * mean_context
