"""trl's SFTTrainer, fed by our plan of batches instead of a dataset, with losses that are exact whatever the packing.

What is ours: what a batch is (`Batches`), the held-out loss as one mean over all its trained tokens, the stop at a loss
that is no number, and where a checkpoint goes. The loop, the optimizer, accumulation and DeepSpeed are the library's.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from accelerate.utils import gather_object
from torch.nn.functional import cross_entropy
from torch.utils.data import SequentialSampler
from trl.trainer.sft_trainer import SFTTrainer

from evolray.train.batches import Batches, deal
from evolray.train.seen import Seen
from evolray.train.tokenising.store import Document, Store

logger = logging.getLogger(__name__)

IGNORED = -100  # the label that losses pass over
SHOWN_IDS = 20
ADAPTER = "adapter"  # where a checkpoint's state keeps it


class Feed:
    """Makes the tensors of a micro-batch: training ones by their item number, held-out ones by their examples."""

    def __init__(self, store: Store, numbers: np.ndarray, batches: Batches, pad_token_id: int) -> None:
        """`numbers` (examples,): for each example of the plan, its number in the store."""
        self.batches, self._store, self._numbers, self._pad = batches, store, numbers, pad_token_id

    def __call__(self, items: list[dict[str, int]]) -> dict[str, Any]:
        (item,) = items
        return self.tensors([self._store[self._numbers[place]] for place in self.batches.micro_batch(item["item"])])

    def tensors(self, documents: Sequence[Document]) -> dict[str, Any]:
        """Packed: ids, labels and positions (1, T) with boundaries (documents + 1,). Else (B, T) with a mask."""
        documents = documents or [Document("", np.array([self._pad], np.int32), np.array([False]))]
        batch = packed(documents) if self.batches.packing else padded(documents, self._pad)
        return {**batch, "ids": [document.id for document in documents if document.id]}


def packed(documents: Sequence[Document]) -> dict[str, Any]:
    lengths = [len(document.input_ids) for document in documents]
    boundaries = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    return {
        "input_ids": torch.cat([_ids(document) for document in documents])[None],
        "labels": torch.cat([_labels(document) for document in documents])[None],
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "cu_seq_lens_q": boundaries,
        "cu_seq_lens_k": boundaries,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }


def padded(documents: Sequence[Document], pad_token_id: int) -> dict[str, Any]:
    def pad(rows: list[torch.Tensor], value: int) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)

    return {
        "input_ids": pad([_ids(document) for document in documents], pad_token_id),
        "labels": pad([_labels(document) for document in documents], IGNORED),
        "attention_mask": pad([torch.ones(len(document.input_ids), dtype=torch.long) for document in documents], 0),
    }


def _ids(document: Document) -> torch.Tensor:
    return torch.from_numpy(document.input_ids.astype(np.int64))


def _labels(document: Document) -> torch.Tensor:
    """The first token's label is never used: at a document's start there is nothing to foretell it from."""
    labels = np.where(document.trained, document.input_ids, IGNORED).astype(np.int64)
    labels[:1] = IGNORED
    return torch.from_numpy(labels)


class StudentTrainer(SFTTrainer):
    """`held_out`: numbers in the store. `save` writes a checkpoint. `seen` is this worker's share.

    `diverged` says why training stopped by itself, on all workers alike: the loss is no number any more.
    """

    def __init__(
        self,
        *,
        feed: Feed,
        store: Store,
        held_out: np.ndarray,
        held_out_lengths: np.ndarray,
        micro_batch_tokens: int,
        save: Callable[["StudentTrainer"], None],
        **settings: Any,
    ) -> None:
        self._items = datasets.Dataset.from_dict({"item": np.arange(len(feed.batches))})
        super().__init__(data_collator=feed, train_dataset=self._items, **settings)
        self._feed, self._store, self._write_checkpoint = feed, store, save
        self.seen, self.diverged = Seen(), ""
        self._held_out = _piles(held_out, held_out_lengths, micro_batch_tokens, self.args.world_size)

    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        """The plan has shuffled already."""
        return SequentialSampler(self._items)

    def training_step(self, model: Any, inputs: dict[str, Any], *arguments: Any, **settings: Any) -> torch.Tensor:
        ids = inputs.pop("ids")
        loss: torch.Tensor = super().training_step(model, inputs, *arguments, **settings)  # type: ignore[no-untyped-call]
        bad = self.accelerator.reduce((~torch.isfinite(loss)).float(), "sum")
        if bad and not self.diverged:
            self.diverged = self._why_diverged(loss, ids)
            self.control.should_training_stop = True
        self.seen.add(ids, self.state.global_step // self._feed.batches.steps_per_epoch)
        return loss

    def _why_diverged(self, loss: torch.Tensor, ids: list[str]) -> str:
        mine = [] if torch.isfinite(loss) else ids
        theirs = gather_object(mine)
        shown = ", ".join(theirs[:SHOWN_IDS]) + (f" and {len(theirs) - SHOWN_IDS} more" if theirs[SHOWN_IDS:] else "")
        return (
            f"the loss is no number any more at step {self.state.global_step + 1}, with these examples: {shown}. "
            "Look at them; a lower learning_rate, more warmup_steps and precision=bf16 or fp32 help, too."
        )

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The sum over this micro-batch's trained tokens, over the number of them in the whole global batch."""
        if return_outputs or num_items_in_batch is None or self.aux_loss_enabled:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[no-untyped-call]
        # DDP and DeepSpeed average the gradients of the workers, where a sum is wanted.
        return self.summed_loss(model, inputs) * (self.accelerator.num_processes / num_items_in_batch)

    def summed_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """The negative log-likelihood of the trained tokens, summed."""
        labels, others = inputs["labels"], {key: value for key, value in inputs.items() if key != "labels"}
        if labels.is_cuda:  # trl's tiles: no logits of trained tokens x vocabulary
            outputs = model(**others, labels=labels, use_cache=False, fused_lm_head=True)
            summed: torch.Tensor = -outputs.log_probs.sum()
            return summed
        targets = labels[:, 1:]
        if len(labels) == 1:  # logits for the trained tokens alone: most of a small student's work is the vocabulary
            places = (targets[0] != IGNORED).nonzero().flatten()
            logits = model(**others, use_cache=False, logits_to_keep=places).logits[0]
            return cross_entropy(logits.float(), targets[0, places], reduction="sum")
        logits = model(**others, use_cache=False).logits[:, :-1]
        trained = targets != IGNORED
        return cross_entropy(logits[trained].float(), targets[trained], reduction="sum")

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The held-out loss: the mean over all trained tokens, however they are packed and spread over workers."""
        model: Any = self.model_wrapped if self.is_deepspeed_enabled else self.model
        was_training = model.training
        model.eval()
        total = torch.zeros(2, dtype=torch.float64)
        mine = self._held_out[self.args.process_index :: self.args.world_size]
        with torch.no_grad(), self.compute_loss_context_manager():
            for pile in mine:
                inputs = self._feed.tensors([self._store[number] for number in pile])
                del inputs["ids"]
                inputs = self._prepare_inputs(inputs)
                num_tokens = (inputs["labels"][:, 1:] != IGNORED).sum()
                total += torch.tensor([float(self.summed_loss(model, inputs)), float(num_tokens)], dtype=torch.float64)
        model.train(was_training)
        loss, num_tokens = self.accelerator.reduce(total.to(self.args.device), "sum").tolist()
        metrics = {"eval_loss": loss / max(num_tokens, 1)}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, *_: Any) -> None:
        if not self.diverged:
            self._write_checkpoint(self)

    def save_state(self, folder: Path) -> None:
        """What a resume needs; every worker calls it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._save_optimizer_and_scheduler(str(folder))
        self._save_scaler(str(folder))
        self._save_rng_state(str(folder))
        if self.args.should_save:
            self.state.save_to_json(str(folder / "trainer_state.json"))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """The weights lie beside the state, as the checkpoint itself; DeepSpeed keeps its own with the state."""
        adapter = Path(resume_from_checkpoint) / ADAPTER
        where = adapter if adapter.exists() else Path(resume_from_checkpoint).parent
        super()._load_from_checkpoint(str(where), model)


def _piles(numbers: np.ndarray, lengths: np.ndarray, most_tokens: int, workers: int) -> list[list[int]]:
    """Held-out micro-batches, as many for every worker, since ZeRO-3 gathers weights in each forward pass."""
    if not len(numbers):
        return []
    rounds = -(-int(lengths.sum()) // (most_tokens * workers))
    return [[int(numbers[place]) for place in pile] for pile in deal(lengths.tolist(), rounds * workers)]
