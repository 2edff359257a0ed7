"""Answers with vLLM, which schedules the questions itself: all of a shard at once.

Written against vLLM's documented interface (LLM, SamplingParams, RequestOutput); tested with a stand-in of the same
interface, not on a GPU. The tokens are ours to render and to read, so that both backends give and take the same text.
Every answer has a seed of its own; vLLM does not promise the same answers for other batches or versions.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from evolray.config import SamplingConfig
from evolray.errors import UserError
from evolray.sampling.models.drawing import stream_of
from evolray.sampling.models.loading import PRECISIONS, first_line
from evolray.sampling.models.reading import Reader
from evolray.sampling.models.rendering import Rendered
from evolray.sampling.models.source import Source
from evolray.sampling.questions import Sample
from evolray.sampling.temperature import temperature_of


class VllmBackend:
    def __init__(self, source: Source, sampling: SamplingConfig, precision: str) -> None:
        from vllm import LLM

        self._sampling = sampling
        try:
            self._model = LLM(
                model=str(source.place),
                revision=source.revision,
                tokenizer_revision=source.revision,
                dtype=PRECISIONS[precision],
                load_format="safetensors",
                trust_remote_code=False,
                seed=sampling.seed,
            )
        except Exception as error:
            raise UserError(f"model={source.place}: vLLM cannot load it ({first_line(error)}).") from None
        self.positions: int | None = self._model.llm_engine.model_config.max_model_len
        self.ends: frozenset[int] = frozenset()  # vLLM reads generation_config.json itself and leaves them out

    def answer(
        self, asked: Sequence[Rendered], reader: Reader, tick: Callable[[int], None]
    ) -> Iterator[tuple[Rendered, Sequence[int], str] | Sample]:
        prompts = [{"prompt_token_ids": list(one.tokens)} for one in asked]
        outputs = self._model.generate(prompts, [self._parameters(one) for one in asked], use_tqdm=False)
        for one, output in zip(asked, outputs, strict=True):
            completion = output.outputs[0]
            tick(len(completion.token_ids))
            yield one, list(completion.token_ids), str(completion.finish_reason)

    def _parameters(self, asked: Rendered) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=temperature_of(self._sampling, asked.question),
            top_p=self._sampling.top_p,
            top_k=self._sampling.top_k or -1,  # every version reads -1 as all tokens
            max_tokens=asked.room,
            stop=list(asked.question.stop),
            seed=_seed_of(self._sampling.seed, asked),
        )


def _seed_of(seed: int, asked: Rendered) -> int:
    digest = hashlib.sha256(stream_of(seed, asked.question, asked.turn).encode()).digest()
    return int.from_bytes(digest[:4], "little")
