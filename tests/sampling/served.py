"""A scripted or simulated endpoint as a sampler, and what its tests do with it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evolray.config import SamplerConfig, from_mapping
from evolray.method.teacher import Call, Completion
from evolray.pool.layout import Folder, shards_in
from evolray.sampling.endpoint import EndpointSampler
from evolray.sampling.questions import QUESTIONS, SAMPLED, Sample, read_samples
from evolray.sampling.sampler import Sampling
from evolray.teachers.scripted import Answer

PER_SHARD = 8


def sampler(script: Any = None, **settings: Any) -> EndpointSampler:
    base = {"endpoint.kind": "scripted" if script else "simulated", "engine.shard_size": PER_SHARD}
    values = base | {key.replace("__", "."): value for key, value in settings.items()}
    return EndpointSampler(from_mapping(SamplerConfig, values), script)


def run(one: EndpointSampler, folder: Folder, shards: Sequence[int] | None = None) -> list[Sampling]:
    """What was shown. `shards`: all that are asked, unless given."""
    shown: list[Sampling] = []
    one.run(folder, shards_in(folder, QUESTIONS) if shards is None else shards, shown.append)
    return shown


def samples(folder: Folder) -> list[Sample]:
    return [sample for shard in shards_in(folder, SAMPLED) for sample in read_samples(folder, shard)]


@dataclass
class Asked:
    """A script that notes its calls."""

    answer: Callable[[Call], Answer] = lambda call: Completion(f"It is {call.root_id}.", "stop", 10, 5, "served")
    calls: list[Call] = field(default_factory=list)

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        return self.answer(call)

    @property
    def names(self) -> Counter[tuple[str, int]]:
        return Counter((call.root_id, call.attempt) for call in self.calls)
