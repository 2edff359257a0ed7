"""A checkpoint as a sampler: found and checked here, loaded and run by the workers (`on_ray.py`, `models/`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evolray.chat import FORMATS
from evolray.cluster.machine import Machine
from evolray.config import SamplerConfig
from evolray.errors import UserError
from evolray.model_folder import check
from evolray.pool.layout import Folder, shards_in
from evolray.sampling.board import Tally
from evolray.sampling.models.answering import check_backend
from evolray.sampling.models.loading import PRECISIONS, choose_precision
from evolray.sampling.naming import named_in
from evolray.sampling.questions import QUESTIONS, SAMPLED, read_questions, read_samples
from evolray.sampling.resolve import resolve
from evolray.sampling.sampler import Sampling
from evolray.sampling.temperature import temperature_of

BYTES = {"float32": 4, "float": 4, "bfloat16": 2, "float16": 2, "half": 2}
"""Of a weight in a file, by the config's word for its type."""


class CheckpointSampler:
    """Raises UserError when `config.model` cannot be found, is damaged or not safe to load, or a setting is wrong.

    `section` stands before the settings' names in errors.
    """

    def __init__(self, config: SamplerConfig, section: str = "") -> None:
        self._config, self._section = config, section
        with named_in(section):
            _check(config)
            self._model = resolve(config.model or "")
        self.name = self._model.name
        self.has_chat_template = config.chat_format is not None or self._model.has_chat_template
        sampling = config.sampling
        self.identity: Mapping[str, Any] = {
            **self._model.identity,
            "chat_format": config.chat_format,
            "backend": config.backend,
            "precision": config.precision,
            "temperature": temperature_of(sampling),
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "seed": sampling.seed if sampling.temperature else None,
        }

    def check(self) -> None:
        """That the folder is still there and whole: a training deletes checkpoints that are no longer the latest."""
        if self._model.tree is not None:
            check(self._model.tree, with_state=False)

    def run(
        self, folder: Folder, shards: Sequence[int], show: Callable[[Sampling], None], beside: Sequence[Folder] = ()
    ) -> None:
        """As `Sampler.run`. In a shard that was finished before, what failed is asked again."""
        if not shards:
            return
        if not self.has_chat_template:
            self._refuse_conversations(folder, shards)
        from evolray.sampling.on_ray import Orders, run_shards

        orders = Orders(self._model, self._config, folder)
        with named_in(self._section):
            run_shards(orders, list(shards), _earlier(folder, shards), self._refuse_small_machine, show)

    def _refuse_conversations(self, folder: Folder, shards: Sequence[int]) -> None:
        for shard in shards:
            if any(question.prompt is None for question in read_questions(folder, shard)):
                plain = "" if self._section else "prompt=plain, or "
                raise UserError(
                    f"{self._section}model={self.name} has no chat template, so instructions cannot be put to it. "
                    f"Choose {plain}the {self._section}chat_format it was trained on: {', '.join(FORMATS)}."
                )

    def _refuse_small_machine(self, machine: Machine) -> None:
        """Before anything is loaded: a process that a CPU's memory does not hold ends without a word."""
        precision = PRECISIONS[choose_precision(self._config.precision, machine)]
        stored = BYTES.get(self._model.stored_as, BYTES[precision])
        needed = self._model.weight_bytes * BYTES[precision] // stored
        if needed > machine.memory:
            raise UserError(
                f"model={self.name}: its weights take {needed / 1e9:.1f} GB in {precision}, and a worker has "
                f"{machine.memory / 1e9:.1f} GB ({machine.name}). Use fewer workers per node, precision=bf16, or a "
                "smaller model."
            )


def _check(config: SamplerConfig) -> None:
    if config.chat_format is not None and config.chat_format not in FORMATS:
        raise UserError(f"chat_format={config.chat_format}: expected one of {', '.join(FORMATS)}.")
    if config.precision not in ("auto", *PRECISIONS):
        raise UserError(f"precision={config.precision}: expected auto, {', '.join(PRECISIONS)}.")
    check_backend(config.backend)


def _earlier(folder: Folder, shards: Sequence[int]) -> Tally:
    """What is sampled in the shards that are not worked on now."""
    tally = Tally()
    for shard in sorted({*shards_in(folder, SAMPLED)} & {*shards_in(folder, QUESTIONS)} - {*shards}):
        for sample in read_samples(folder, shard):
            tally.add(sample)
    return tally
