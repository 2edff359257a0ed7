"""The script beside evolray's training: what one writes by hand, and what the original's train.py comes to.

Imported by train_cpu.py and train_gpu.py, not run. A batch is taken as given, in random order, and padded to its
longest example; the model computes logits at every place, padding included, and its own loss from the labels. All else
is as in evolray's training: the examples of every step, the student, the optimizer, the schedule, the clipping. So the
losses must agree, and the scripts that import this say by how much they do.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

IGNORED = -100

Row = tuple[torch.Tensor, torch.Tensor]
"""One example: ids and labels, both (tokens,) int64."""


class Tell(Protocol):
    """Told of a training now and then: `tokens` real ones so far, `loss` the mean over the steps since."""

    def __call__(self, step: int, tokens: int, loss: float) -> None: ...


@dataclass(frozen=True)
class Recipe:
    """What both sides train by. `precision`: fp32, or bf16 by autocast over fp32 weights.

    `rows_per_pass`: more rows than that are several forward passes of one step; None: always one.
    """

    learning_rate: float
    warmup_steps: int
    steps: int
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    log_steps: int = 5
    device: str = "cpu"
    precision: str = "fp32"
    checkpointing: bool = False
    rows_per_pass: int | None = None


def pad(rows: Sequence[Row], pad_token_id: int) -> dict[str, torch.Tensor]:
    """(B, T), T the longest of these rows."""
    ids = pad_sequence([row[0] for row in rows], batch_first=True, padding_value=pad_token_id)
    labels = pad_sequence([row[1] for row in rows], batch_first=True, padding_value=IGNORED)
    lengths = torch.tensor([len(row[0]) for row in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": torch.arange(ids.shape[1])[None] < lengths[:, None]}


def by_loop(model: Any, batches: Sequence[list[Row]], pad_token_id: int, recipe: Recipe, tell: Tell) -> None:
    """A bare loop over torch and transformers, with nothing around it."""
    from transformers import get_cosine_schedule_with_warmup

    model.to(recipe.device).train()
    model.config.use_cache = False
    if recipe.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    decayed = [one for one in model.parameters() if one.ndim > 1]
    others = [one for one in model.parameters() if one.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=recipe.device != "cpu")
    schedule = get_cosine_schedule_with_warmup(optimizer, recipe.warmup_steps, recipe.steps)
    tokens, losses = 0, []
    for step, rows in enumerate(batches, 1):
        loss = torch.zeros((), device=recipe.device)
        trained = sum(int((row[1] != IGNORED).sum()) for row in rows)
        for first in range(0, len(rows), recipe.rows_per_pass or len(rows)):
            some = pad(rows[first : first + (recipe.rows_per_pass or len(rows))], pad_token_id)
            inputs = {name: tensor.to(recipe.device) for name, tensor in some.items()}
            with torch.autocast(recipe.device, torch.bfloat16, enabled=recipe.precision == "bf16"):
                part = model(**inputs, num_items_in_batch=trained).loss
            part.backward()
            loss += part.detach()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        tokens += sum(len(row[0]) for row in rows)
        losses.append(loss)
        if step % recipe.log_steps == 0:
            tell(step, tokens, float(torch.stack(losses).mean()))
            losses = []


def by_trainer(model: Any, batches: Sequence[list[Row]], pad_token_id: int, recipe: Recipe, tell: Tell) -> None:
    """The same with transformers' Trainer around it, as the original has it."""
    from torch.utils.data import SequentialSampler
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    tokens = np.cumsum([sum(len(row[0]) for row in rows) for rows in batches])

    class InOrder(Trainer):
        def _get_train_sampler(self, *_: Any) -> SequentialSampler:
            return SequentialSampler(batches)

    class Telling(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            if logs and "loss" in logs:
                tell(state.global_step, int(tokens[state.global_step - 1]), float(logs["loss"]))

    model.config.use_cache = False
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=1,  # an item is a batch already
            max_steps=recipe.steps,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=recipe.warmup_steps,
            weight_decay=recipe.weight_decay,
            max_grad_norm=recipe.max_grad_norm,
            optim="adamw_torch" if recipe.device == "cpu" else "adamw_torch_fused",
            use_cpu=recipe.device == "cpu",
            bf16=recipe.precision == "bf16",
            activation_checkpointing=recipe.checkpointing,
            logging_steps=recipe.log_steps,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = InOrder(
            model=model,
            args=arguments,
            train_dataset=batches,
            data_collator=lambda items: pad(items[0], pad_token_id),
            callbacks=[Telling()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def rows_of(documents: Sequence[Any]) -> list[Row]:
    """Documents of evolray's store, in memory, with labels as evolray makes them."""
    rows = []
    for document in documents:
        labels = np.where(document.trained, document.input_ids, IGNORED).astype(np.int64)
        labels[:1] = IGNORED
        rows.append((torch.from_numpy(document.input_ids.astype(np.int64)), torch.from_numpy(labels)))
    return rows
