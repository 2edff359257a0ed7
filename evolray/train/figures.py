"""The figures of a training as it goes: to TensorBoard, to a log file in the run directory, and to whoever watches.

Counts of tokens come from the plan, so that no worker has to ask the others for them.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from transformers import TrainerCallback

from evolray.pool.layout import Folder, LocalFolder
from evolray.train.batches import Batches, size
from evolray.train.watching import LOG, Figures

BOARD = "tensorboard"  # a folder of the run
WATCHED_SECONDS = 60.0  # the window that speeds are means over


class Watch(TrainerCallback):
    """Turns what the trainer logs into Figures. On rank 0 only."""

    def __init__(
        self,
        batches: Batches,
        flops_per_token: float,
        peak_flops: float | None,
        folder: Folder,
        scratch: Path,
        start: tuple[int, int, int],
        tell: Callable[[Figures], None],
    ) -> None:
        """`start`: step, examples and tokens that a resumed training has behind it.

        Figures are appended to in `folder`; to an object store they go by way of `scratch`, with every checkpoint.
        """
        from tensorboardX import SummaryWriter

        self._batches, self._flops, self._peak, self._tell = batches, flops_per_token, peak_flops, tell
        self.step, self.examples, self.tokens = start
        self.loss: float | None = None
        self.held_out_loss: float | None = None
        self._computed = self._real = 0
        self._window: list[tuple[float, int]] = []
        self._folder = folder
        self._place = folder.path if isinstance(folder, LocalFolder) else scratch
        if not folder.is_local and folder.exists(LOG):
            (scratch / LOG).write_bytes(folder.read(LOG))
        self._board = SummaryWriter(str(self._place / BOARD), purge_step=start[0] + 1 if start[0] else None)
        self._log = (self._place / LOG).open("a", encoding="utf-8")

    @property
    def steps_per_epoch(self) -> int:
        return self._batches.steps_per_epoch

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._window = [(time.monotonic(), self.tokens)]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        step = state.global_step - 1
        for worker in range(self._batches.workers * self._batches.accumulation):
            item = step * self._batches.workers * self._batches.accumulation + worker
            lengths = self._batches.lengths[self._batches.micro_batch(item)].tolist()
            self._computed += size(lengths, self._batches.packing)
            self._real += sum(lengths)
        self.step = state.global_step
        self.examples += len(self._batches.examples(step))
        self.tokens += int(self._batches.lengths[self._batches.examples(step)].sum())
        if state.global_step >= self._batches.steps:
            control.should_log = True  # so that the last figures are those of the whole training, whatever log_steps

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        logs = logs or {}
        if "loss" not in logs:
            return
        self.loss = float(logs["loss"])
        self._publish(self._figures(logs))

    def on_evaluate(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.held_out_loss = float(others["metrics"]["eval_loss"])
        figures = self._figures({})
        figures.held_out_loss = self.held_out_loss
        self._publish(figures)

    def close(self) -> None:
        self._board.close()
        self._log.close()
        self._upload()

    def flush(self) -> None:
        self._board.flush()
        self._log.flush()

    def saved(self) -> None:
        """A checkpoint is written: the figures up to it go where it went."""
        self.flush()
        self._upload()

    def _upload(self) -> None:
        if not self._folder.is_local:
            for file in (self._place / LOG, *(self._place / BOARD).iterdir()):
                self._folder.write(str(file.relative_to(self._place)), file.read_bytes())

    def _figures(self, logs: dict[str, Any]) -> Figures:
        now = time.monotonic()
        self._window.append((now, self.tokens))
        while len(self._window) > 2 and now - self._window[1][0] > WATCHED_SECONDS:
            self._window.pop(0)
        (start, before), seconds = self._window[0], max(now - self._window[0][0], 1e-9)
        speed = (self.tokens - before) / seconds
        flops = speed * self._flops
        left = self._tokens_in_all() - self.tokens
        return Figures(
            step=self.step,
            steps=self._batches.steps,
            epoch=self.step / self._batches.steps_per_epoch,
            loss=_number(logs.get("loss")),
            learning_rate=_number(logs.get("learning_rate")),
            gradient_norm=_number(logs.get("grad_norm")),
            tokens_per_second=speed,
            flops_per_second=flops,
            mfu=flops / (self._peak * self._batches.workers) if self._peak else None,
            memory_bytes=_memory(),
            padding=1 - self._real / self._computed if self._computed else 0.0,
            examples=self.examples,
            tokens=self.tokens,
            seconds_left=left / speed if speed and now - start > 1 else None,
        )

    def _tokens_in_all(self) -> int:
        per_epoch = int(self._batches.lengths.sum())
        return round(per_epoch * self._batches.steps / self._batches.steps_per_epoch)

    def _publish(self, figures: Figures) -> None:
        given = {key: value for key, value in asdict(figures).items() if value is not None and key != "steps"}
        values = {key: value for key, value in given.items() if math.isfinite(value)}  # JSON has no other numbers
        for key, value in values.items():
            if key not in ("step", "seconds_left"):
                self._board.add_scalar(f"train/{key}", value, figures.step)
        self._log.write(json.dumps(values) + "\n")
        self.flush()
        self._tell(figures)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _memory() -> int:
    """The most a GPU has held; on CPU, what this process holds."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return int(psutil.Process().memory_info().rss)


def mean_context(lengths: np.ndarray) -> float:
    """What a token attends to on average, as a length: sum of squares over sum."""
    lengths = lengths.astype(np.float64)
    return float((lengths**2).sum() / max(lengths.sum(), 1.0))
