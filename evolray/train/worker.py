"""What one worker does: load the student, train it by the plan, write checkpoints. Knows torch, not Ray."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig

from evolray.checkpoints import Checkpoint, Checkpoints
from evolray.errors import EvolrayError, UserError
from evolray.pool.layout import open_folder
from evolray.quiet import quiet
from evolray.train import attention, deepspeed_ops
from evolray.train.batches import Batches
from evolray.train.figures import Watch, mean_context
from evolray.train.job import SHARED, Job, Outcome, Place, plan
from evolray.train.saving import Saving
from evolray.train.seen import Seen
from evolray.train.sizing import flops_per_token
from evolray.train.student import load_student, lora
from evolray.train.tokenising.store import Index, Store, read_index
from evolray.train.trainer import Feed, StudentTrainer
from evolray.train.watching import Watcher

SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


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
            watch = Watch(batches, flops, job.machine.peak_flops, folder, Path(scratch), start, watcher.tell)
            callbacks.append(watch)
        callbacks.append(_StopTogether(watcher, place))
        saving = Saving(job, place, checkpoints, watch, watcher, bool(len(held_out)))
        trainer = _trainer(job, batches, index, store, numbers, held_out, saving, callbacks, scratch)
        trainer.seen = seen if place.rank == 0 else Seen()
        saving.last_step = start[0]
        if start[0] < batches.steps:
            state = checkpoints.fetch(before, with_state=True) / "state" if before else None
            trainer.train(resume_from_checkpoint=str(state) if state else None)
        if watch:
            watch.close()
        return Outcome(trainer.state.global_step or start[0], saving.last_step >= batches.steps, trainer.diverged)


def _trainer(
    job: Job,
    batches: Batches,
    index: Index,
    store: Store,
    numbers: np.ndarray,
    held_out: np.ndarray,
    saving: Saving,
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
        use_cache=True,  # goes into the checkpoint's config; training itself never asks for a cache
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
