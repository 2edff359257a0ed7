"""Answers with transformers, on a CPU or a GPU."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from evolray.cluster.machine import Machine
from evolray.config import SamplerConfig, SamplingConfig
from evolray.sampling.models.batching import Limits, in_order, limits_for, take
from evolray.sampling.models.decoding import Row, decode
from evolray.sampling.models.drawing import random_of
from evolray.sampling.models.loading import load_model
from evolray.sampling.models.reading import Reader
from evolray.sampling.models.rendering import Rendered
from evolray.sampling.models.source import Source
from evolray.sampling.questions import Sample
from evolray.sampling.temperature import temperature_of


class TransformersBackend:
    def __init__(self, source: Source, config: SamplerConfig, machine: Machine, precision: str) -> None:
        self._model = load_model(source.place, source.revision, precision, "cuda" if machine.device == "gpu" else "cpu")
        self._sampling = config.sampling
        self._limits = _limits(self._model, machine, config.batch_tokens)
        text = self._model.config.get_text_config()
        self.positions: int | None = getattr(text, "max_position_embeddings", None)
        self.ends = _ends(self._model)

    def answer(
        self, asked: Sequence[Rendered], reader: Reader, tick: Callable[[int], None]
    ) -> Iterator[tuple[Rendered, Sequence[int], str] | Sample]:
        """One temperature after the other: the rows of a batch share theirs."""
        for temperature in sorted({temperature_of(self._sampling, one.question) for one in asked}):
            same = [one for one in asked if temperature_of(self._sampling, one.question) == temperature]
            yield from self._answer(same, replace(self._sampling, temperature=temperature), reader, tick)

    def _answer(
        self, asked: list[Rendered], sampling: SamplingConfig, reader: Reader, tick: Callable[[int], None]
    ) -> Iterator[tuple[Rendered, Sequence[int], str] | Sample]:
        waiting = in_order(asked)
        while waiting:
            batch = take(waiting, self._limits)
            rows = [self._row(one) for one in batch]
            if self._fits(rows, sampling, reader, tick):
                yield from ((one, row.new, row.finish_reason) for one, row in zip(batch, rows, strict=True))
            elif len(batch) == 1:
                yield _out_of_memory(batch[0])
            else:
                self._limits = self._limits.halved(len(batch))
                waiting.extendleft(reversed(batch))

    def _fits(self, rows: list[Row], sampling: SamplingConfig, reader: Reader, tick: Callable[[int], None]) -> bool:
        """Decode the rows; False when the GPU had no memory for it."""
        import torch

        try:
            decode(self._model, rows, sampling, reader, tick)
            return True
        except torch.OutOfMemoryError:
            pass  # its traceback holds the batch's tensors; they can go after this
        torch.cuda.empty_cache()
        return False

    def _row(self, asked: Rendered) -> Row:
        question = asked.question
        return Row(asked.tokens, asked.room, question.stop, random_of(self._sampling.seed, question, asked.turn))


def _limits(model: Any, machine: Machine, batch_tokens: int | None) -> Limits:
    import torch

    weights = sum(one.numel() * one.element_size() for one in model.parameters())
    left = torch.cuda.mem_get_info()[0] if machine.device == "gpu" else machine.memory - weights
    return limits_for(model.config, machine.device, left, model.dtype.itemsize, batch_tokens)


def _ends(model: Any) -> frozenset[int]:
    """Chat models have several: one ends a turn, one a text."""
    found: set[int] = set()
    for config in (model.generation_config, model.config.get_text_config()):
        ends = getattr(config, "eos_token_id", None)
        found.update(ends if isinstance(ends, list | tuple) else [] if ends is None else [ends])
    return frozenset(found)


def _out_of_memory(asked: Rendered) -> Sample:
    return Sample(
        asked.question.id,
        asked.question.sample,
        prompt=asked.text,
        prompt_tokens=len(asked.tokens),
        cause="out_of_memory",
        message=f"a prompt of {len(asked.tokens)} tokens and an answer of up to {asked.room} do not fit into the GPU",
    )
