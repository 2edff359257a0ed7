"""DeepSpeed's compiled helpers: which ones a training needs, and how they get built without a trap.

On CPU DeepSpeed compiles a shared-memory helper at its start (one to two minutes, g++ needed) that serves inference
alone, so it is left out. The optimizer of CPU offload must be compiled: by one process per machine, before the others
need it, and with a lock that a killed process cannot leave behind, since torch's own then blocks every later training
without a word.
"""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evolray.errors import UserError

EXTENSIONS = "TORCH_EXTENSIONS_DIR"


def prepare(settings: Mapping[str, Any], on_cpu: bool) -> None:
    """Raises UserError when the optimizer of CPU offload is wanted and cannot be compiled here."""
    if on_cpu:
        _leave_out_shared_memory()
    _join_process_group(on_cpu)
    offload = settings.get("zero_optimization", {}).get("offload_optimizer", {})
    if offload.get("device") == "cpu":
        _build_cpu_adam()


def _join_process_group(on_cpu: bool) -> None:
    """Before ZeRO-3 loads a model: until then DeepSpeed takes the number of workers for 1, and refuses the batch."""
    import deepspeed
    import torch

    if torch.distributed.is_initialized():
        deepspeed.init_distributed(dist_backend="gloo" if on_cpu else "nccl", verbose=False)


def _leave_out_shared_memory() -> None:
    import deepspeed
    from deepspeed.accelerator import get_accelerator

    builder = get_accelerator().create_op_builder("ShareMemCommBuilder")
    if builder is not None:
        deepspeed.ops.__compatible_ops__[builder.NAME] = False


def _build_cpu_adam() -> None:
    from deepspeed.ops.op_builder import CPUAdamBuilder

    root = Path(os.environ.setdefault(EXTENSIONS, str(Path.home() / ".cache" / "evolray" / "torch_extensions")))
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".evolray.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ends with its holder
        # Whoever left torch's lock is gone: all of ours wait above.
        for stale in root.glob(f"**/{CPUAdamBuilder.NAME}/lock"):
            stale.unlink(missing_ok=True)
        try:
            CPUAdamBuilder().load()
        except Exception as error:  # a compiler may be missing or fail in any way
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise UserError(
                f"deepspeed: offload_optimizer needs DeepSpeed's CPU Adam, which cannot be compiled here ({reason}). "
                "Install g++ and ninja, or use conf/deepspeed/zero3.yaml."
            ) from None
