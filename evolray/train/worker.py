"""What one worker does: load the student, train it by the plan, write checkpoints. Knows torch, not Ray."""

import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig

from evolray.checkpoints import Checkpoint, Checkpoints
from evolray.config import TrainConfig
from evolray.errors import EvolrayError, UserError
from evolray.pool.layout import open_folder
from evolray.train import attention, deepspeed_ops
from evolray.train.batches import Batches
from evolray.train.figures import Figures, Watch, mean_context
from evolray.train.quiet import quiet
from evolray.train.seen import Seen
from evolray.train.settings import Machine, Settings, flops_per_token
from evolray.train.store import Store, read_index
from evolray.train.student import Student, load_student, lora, merge_adapter
from evolray.train.trainer import Feed, StudentTrainer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
ADAPTER = "adapter"


@dataclass(frozen=True)
class Job:
    """All that the workers need to know; it can be pickled. `model`: the folder or name that is loaded."""

    config: TrainConfig
    model: str
    tokenizer: "PreTrainedTokenizerFast"
    student: Student
    machine: Machine
    settings: Settings
    accumulation: int
    about: dict[str, Any]
    """What every checkpoint says of where it came from."""


@dataclass(frozen=True)
class Place:
    rank: int
    workers: int
    local_rank: int


class Watcher(Protocol):
    """Whoever watches a training, seen from a worker."""

    def tell(self, figures: Figures) -> None:
        """Called on rank 0, at every log."""

    def wants_stop(self) -> bool:
        """Asked on rank 0, at every log: whether to write a checkpoint and stop."""

    def saved(self, checkpoint: dict[str, Any]) -> None:
        """Called on all workers after a checkpoint, with `step` and its losses."""


class Nobody:
    """The Watcher of a training that nobody watches."""

    def tell(self, figures: Figures) -> None: ...

    def wants_stop(self) -> bool:
        return False

    def saved(self, checkpoint: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """`finished`: the last step is done. Else it was stopped, or `diverged` says why it stopped itself."""

    step: int
    finished: bool
    diverged: str = ""


def train(job: Job, place: Place, watcher: Watcher) -> Outcome:
    """Train, or go on from the run's latest checkpoint. Needs torch's process group where there are several workers.

    Raises UserError when the run's data or checkpoint does not fit, EvolrayError when something cannot be written.
    """
    quiet()
    config = job.config
    folder = open_folder(config.run)
    found = read_index(folder)
    if found is None:
        raise UserError(
            f"{folder.url}: a node of the cluster does not see the tokenised examples of this run. {SHARED}"
        )
    index = found[0]
    numbers, held_out = np.flatnonzero(~index.held_out), np.flatnonzero(index.held_out)
    batches = plan(config, index.tokens[numbers], job.accumulation)
    store = Store(folder, index)
    checkpoints = Checkpoints(config.run, place.rank, place.local_rank)
    before = _agreed(checkpoints, place)
    with tempfile.TemporaryDirectory(prefix="evolray-train-") as scratch:
        seen = _seen_before(before)
        start = (before.step if before else 0, seen.examples, int(before.about["tokens_seen"]) if before else 0)
        watch = None
        callbacks: list[TrainerCallback] = []
        if place.rank == 0:
            flops = flops_per_token(job.student, mean_context(index.tokens[numbers]))
            figures = Path(folder.url if folder.is_local else scratch)
            watch = Watch(batches, flops, job.machine.peak_flops, figures, start, watcher.tell)
            callbacks.append(watch)
        callbacks.append(_StopTogether(watcher, place))
        saving = _Saving(job, place, checkpoints, watch, watcher, bool(len(held_out)))
        trainer = _trainer(job, batches, index, store, numbers, held_out, saving, callbacks, scratch)
        trainer.seen = seen if place.rank == 0 else Seen()
        saving.last_step = start[0]
        if start[0] < batches.steps:
            state = checkpoints.fetch(before, with_state=True) / "state" if before else None
            trainer.train(resume_from_checkpoint=str(state) if state else None)
        if watch:
            watch.close()
        return Outcome(trainer.state.global_step or start[0], saving.last_step >= batches.steps, trainer.diverged)


SHARED = "Use a path on storage that all nodes share, or a URL such as s3://bucket/run."


def plan(config: TrainConfig, lengths: np.ndarray, accumulation: int) -> Batches:
    return Batches(
        lengths=lengths,
        global_batch=config.global_batch,
        epochs=config.epochs,
        seed=config.seed,
        workers=config.workers.number,
        accumulation=accumulation,
        packing=config.packing,
        max_steps=config.max_steps,
    )


def _trainer(
    job: Job,
    batches: Batches,
    index: Any,
    store: Store,
    numbers: np.ndarray,
    held_out: np.ndarray,
    saving: "_Saving",
    callbacks: list[TrainerCallback],
    scratch: str,
) -> StudentTrainer:
    attention.register()
    arguments = _arguments(job, batches, scratch)  # first: under ZeRO-3 it decides how the weights are loaded
    mixed = job.settings.deepspeed is not None and job.settings.precision == "bf16"
    model = load_student(job.model, job.settings.attention, torch.bfloat16 if mixed else torch.float32)
    trainer = StudentTrainer(
        feed=Feed(store, numbers, batches, job.tokenizer.pad_token_id),
        store=store,
        held_out=held_out,
        held_out_lengths=index.tokens[held_out],
        micro_batch_tokens=job.settings.micro_batch_tokens,
        save=saving,
        model=model,
        args=arguments,
        processing_class=job.tokenizer,
        callbacks=callbacks,
        peft_config=lora(job.config.lora),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(job: Job, batches: Batches, scratch: str) -> SFTConfig:
    config, settings = job.config, job.settings
    on_cpu = job.machine.device == "cpu"
    if settings.deepspeed is not None:
        deepspeed_ops.prepare(settings.deepspeed, on_cpu)
    return SFTConfig(
        output_dir=scratch,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=job.accumulation,
        max_steps=batches.steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type=SCHEDULERS[config.schedule],
        warmup_steps=config.warmup_steps,
        weight_decay=config.weight_decay,
        adam_beta1=config.adam_betas[0],
        adam_beta2=config.adam_betas[1],
        adam_epsilon=config.adam_epsilon,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch" if on_cpu else "adamw_torch_fused",
        seed=config.seed,
        bf16=settings.precision == "bf16",
        fp16=settings.precision == "fp16",
        use_cpu=on_cpu,
        activation_checkpointing=settings.gradient_checkpointing,
        use_liger_kernel=settings.liger,
        deepspeed=settings.deepspeed_config(job.accumulation, batches.workers, config.max_grad_norm),
        ddp_find_unused_parameters=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        dataloader_num_workers=0 if on_cpu else 2,
        logging_steps=config.log_steps,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=config.checkpoint_steps or batches.steps_per_epoch,
        eval_strategy="no",  # a checkpoint evaluates for itself
        report_to=[],
        disable_tqdm=True,
    )


class _Saving:
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


class _StopTogether(TrainerCallback):
    """Stops all workers at one step when rank 0 is told to: with a checkpoint, so that nothing is lost."""

    def __init__(self, watcher: Watcher, place: Place) -> None:
        self._watcher, self._place = watcher, place

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if "loss" not in (logs or {}):
            return
        wanted = torch.tensor([float(self._place.rank == 0 and self._watcher.wants_stop())], device=args.device)
        if self._place.workers > 1:
            torch.distributed.all_reduce(wanted)
        if wanted.item():
            control.should_save = control.should_training_stop = True


def _agreed(checkpoints: Checkpoints, place: Place) -> Checkpoint | None:
    """The latest checkpoint as rank 0 sees it: on shared storage another node may see less for a moment."""
    latest = checkpoints.latest()
    steps = [latest.step if latest else 0]
    if place.workers > 1:
        device = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else None
        torch.distributed.broadcast_object_list(steps, src=0, device=device)
    if steps[0] == (latest.step if latest else 0):
        return latest
    found = next((one for one in checkpoints.all() if one.step == steps[0]), None)
    if not found:
        raise EvolrayError(f"{checkpoints.url}: this node does not see the checkpoint of step {steps[0]}. {SHARED}")
    return found


def _seen_before(before: Checkpoint | None) -> Seen:
    if not before:
        return Seen()
    return Seen(int(before.about["examples_seen"]), int(before.about["examples_digest"], 16))


def _of_others(mine: Seen, place: Place) -> list[Seen]:
    if place.workers == 1:
        return []
    gathered: list[Any] = [None] * place.workers
    torch.distributed.all_gather_object(gathered, mine)
    return [one for rank, one in enumerate(gathered) if rank != place.rank]
