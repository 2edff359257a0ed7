"""What both backends are: something that answers rendered questions, in any order; and which of them it is."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from evolray.cluster.machine import Machine
from evolray.config import SamplerConfig
from evolray.errors import UserError
from evolray.sampling.conversation import Conversation
from evolray.sampling.models.loading import choose_precision, load_tokenizer
from evolray.sampling.models.reading import Reader
from evolray.sampling.models.rendering import Rendered, Renderer
from evolray.sampling.models.source import Source
from evolray.sampling.questions import Question, Sample

BACKENDS = ("auto", "transformers", "vllm")


class Backend(Protocol):
    positions: int | None
    """Tokens that prompt and answer may have together; None when there is no limit."""
    ends: frozenset[int]
    """Tokens that end an answer."""

    def answer(
        self, asked: Sequence[Rendered], reader: Reader, tick: Callable[[int], None]
    ) -> Iterator[tuple[Rendered, Sequence[int], str] | Sample]:
        """A turn with the tokens of its answer and the finish reason, or a Sample with a cause, for each.

        `tick` is told of new tokens as they come; what it raises ends the work.
        """


class Answering:
    """A loaded model that turns questions into samples. `name` is what the samples are stored under."""

    def __init__(self, source: Source, name: str, config: SamplerConfig, machine: Machine) -> None:
        self._name = name
        tokenizer = load_tokenizer(source.place, source.revision, config.chat_format)
        precision = choose_precision(config.precision, machine)
        self._backend = _open_backend(source, config, machine, precision)
        eos = () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)
        self._reader = Reader(tokenizer, self._backend.ends | {*eos})
        self._render = Renderer(tokenizer, self._backend.positions)

    def __call__(self, questions: Sequence[Question], tick: Callable[[int], None]) -> Iterator[Sample]:
        """The samples as they are done: each question's once, in no particular order.

        Conversations go in rounds, since the second turns cannot be asked before the first are answered: all first
        turns, in batches, then all second ones, and so on.
        """
        going = [Conversation(question) for question in questions]
        while going:
            asked = {(one.question.id, one.question.sample): one for one in going}
            going = []
            for turn in self._round([*asked.values()], tick):
                conversation = asked[turn.id, turn.sample]
                if sample := conversation.take(turn):
                    yield sample
                else:
                    going.append(conversation)

    def _round(self, conversations: Sequence[Conversation], tick: Callable[[int], None]) -> Iterator[Sample]:
        """What comes of the next turn of each."""
        rendered = [self._render(one.question, one.answers) for one in conversations]
        yield from (self._named(one) for one in rendered if isinstance(one, Sample))
        asked = [one for one in rendered if isinstance(one, Rendered)]
        if asked:
            for done in self._backend.answer(asked, self._reader, tick):
                yield self._named(done) if isinstance(done, Sample) else self._sample(*done)

    def _named(self, sample: Sample) -> Sample:
        return replace(sample, model=self._name)

    def _sample(self, asked: Rendered, new: Sequence[int], finish_reason: str) -> Sample:
        text = self._reader.text(asked.tokens, new)
        cut = self._reader.before_stop(text, asked.question.stop)
        return Sample(
            id=asked.question.id,
            sample=asked.question.sample,
            text=text if cut is None else cut,
            prompt=asked.text,
            finish_reason=finish_reason if cut is None else "stop",
            prompt_tokens=len(asked.tokens),
            completion_tokens=len(new),
            model=self._name,
        )


def vllm_is_installed() -> bool:
    return importlib.util.find_spec("vllm") is not None


def check_backend(backend: str) -> None:
    if backend not in BACKENDS:
        raise UserError(f"backend={backend}: expected one of {', '.join(BACKENDS)}.")
    if backend == "vllm" and not vllm_is_installed():
        raise UserError(
            "backend=vllm: vLLM is not installed here. Install it with: pip install vllm (it brings a torch of its "
            "own), or choose backend=transformers."
        )


def _open_backend(source: Source, config: SamplerConfig, machine: Machine, precision: str) -> Backend:
    check_backend(config.backend)  # a node may lack what the driver has
    if config.backend == "vllm" or (config.backend == "auto" and machine.device == "gpu" and vllm_is_installed()):
        from evolray.sampling.models.by_vllm import VllmBackend

        return VllmBackend(source, config.sampling, precision)
    from evolray.sampling.models.by_transformers import TransformersBackend

    return TransformersBackend(source, config, machine, precision)
