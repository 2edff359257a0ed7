"""Writing a checkpoint from inside a training: held-out loss, weights, state, and what it says of itself."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from evolray.checkpoints import Checkpoints
from evolray.train.figures import Watch
from evolray.train.job import Job, Place
from evolray.train.seen import Seen
from evolray.train.student import merge_adapter
from evolray.train.trainer import ADAPTER, StudentTrainer
from evolray.train.watching import Watcher

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class Saving:
    """Writes a checkpoint: held-out loss, weights, state. Every worker calls it at the same step."""

    def __init__(
        self, job: Job, place: Place, checkpoints: Checkpoints, watch: Watch | None, watcher: Watcher, held_out: bool
    ) -> None:
        self._job, self._place, self._checkpoints = job, place, checkpoints
        self._watch, self._watcher, self._held_out = watch, watcher, held_out
        self.last_step = 0

    def __call__(self, trainer: StudentTrainer) -> None:
        step = trainer.state.global_step
        if step == self.last_step:  # asked twice for one step, at its interval and at the end
            return
        held_out_loss = trainer.evaluate()["eval_loss"] if self._held_out else None
        folder = self._checkpoints.prepare(step)
        wait = trainer.accelerator.wait_for_everyone
        wait()
        self._write_weights(trainer, folder)
        trainer.save_state(folder / "state")
        wait()
        self._checkpoints.publish(step, folder)
        wait()
        seen = trainer.seen.join(_of_others(trainer.seen, self._place))
        if self._watch:
            about = self._about(step, held_out_loss, seen)
            self._checkpoints.commit(step, about)
            self._checkpoints.keep(self._job.config.keep_checkpoints)
            self._watch.saved()
        wait()
        self.last_step = step
        self._watcher.saved({"step": step, "held_out_loss": held_out_loss, "examples": seen.examples})

    def _write_weights(self, trainer: StudentTrainer, folder: Path) -> None:
        job = self._job
        adapter = folder / "state" / ADAPTER
        trainer.save_model(str(adapter if job.config.lora.rank else folder), _internal_call=True)
        if self._place.rank:
            return
        if job.config.lora.rank:
            merge_adapter(job.model, adapter, folder, DTYPES[job.settings.precision])
            job.tokenizer.save_pretrained(str(folder))
        for written in (adapter, folder):  # a pickle of the trainer's arguments, which nobody needs
            with suppress(FileNotFoundError):
                (written / "training_args.bin").unlink()

    def _about(self, step: int, held_out_loss: float | None, seen: Seen) -> dict[str, Any]:
        assert self._watch
        return {
            **self._job.about,
            "epoch": step / self._watch.steps_per_epoch,
            "loss": self._watch.loss,
            "held_out_loss": held_out_loss,
            "examples_seen": seen.examples,
            "examples_digest": seen.hexadecimal,
            "tokens_seen": self._watch.tokens,
            "workers": self._place.workers,
            "settings": {key: value for key, value in asdict(self._job.settings).items() if key != "deepspeed"},
        }


def _of_others(mine: Seen, place: Place) -> list[Seen]:
    if place.workers == 1:
        return []
    gathered: list[Any] = [None] * place.workers
    torch.distributed.all_gather_object(gathered, mine)
    return [one for rank, one in enumerate(gathered) if rank != place.rank]
