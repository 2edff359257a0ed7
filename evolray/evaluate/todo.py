"""What an invocation of `evaluate` or `grade` has to do, phase by phase; what earlier ones did is not done again."""

from collections.abc import Sequence
from dataclasses import dataclass

from evolray.evaluate.chat.part import ChatPart
from evolray.evaluate.graded import FAILED, GRADED, read_graded
from evolray.evaluate.knowledge.part import KnowledgePart
from evolray.pool.layout import Folder, shard_name, shards_in
from evolray.sampling.questions import SAMPLED, read_samples


@dataclass(frozen=True)
class Todo:
    """Shards to be sampled and to be graded, benchmarks to be judged and to be run by lm-eval."""

    sample: Sequence[int] = ()
    grade: Sequence[int] = ()
    judge: Sequence[ChatPart] = ()
    lm_eval: Sequence[KnowledgePart] = ()

    @property
    def is_nothing(self) -> bool:
        return not (self.sample or self.grade or self.judge or self.lm_eval)

    @property
    def needs_cluster(self) -> bool:
        """Ready reviews are read without one."""
        return bool(self.sample or self.grade or self.lm_eval) or any(part.asks for part in self.judge)

    def said(self, shards: int) -> str:
        """For people; `shards`: how many there are in all."""
        parts = (
            (self.sample, f"{len(self.sample)} of {shards} shards to sample"),
            (self.grade, f"{len(self.grade)} to grade"),
            (self.judge, f"{len(self.judge)} benchmarks to judge"),
            (self.lm_eval, f"{len(self.lm_eval)} for lm-eval"),
        )
        return ", ".join(text for some, text in parts if some)


def to_sample(folder: Folder, shards: Sequence[int], retry_failed: bool) -> list[int]:
    done = {*shards_in(folder, SAMPLED)}
    if retry_failed:
        done = {shard for shard in done if not any(one.cause for one in read_samples(folder, shard))}
    return [shard for shard in shards if shard not in done]


def to_grade(folder: Folder, keys: dict[int, str], sampled_anew: Sequence[int]) -> list[int]:
    """`keys`: shard -> its rules' folder. A verdict on a question without a sample may be out of date: those shards
    are looked at again."""
    found = []
    for shard, key in keys.items():
        if shard in sampled_anew or not folder.exists(shard_name(f"{GRADED}/{key}", shard)):
            found.append(shard)
            continue
        failed = [row.outcome == FAILED for row in read_graded(folder, key, shard)]
        if any(failed) and failed != [bool(one.cause) for one in read_samples(folder, shard)]:
            found.append(shard)
    return found
