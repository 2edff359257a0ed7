"""One worker's way with a shard: its questions, answered, in one file. No Ray here.

Answers that are there already are kept, and only what failed is asked again: so a caller that gives a finished shard
retries its failures. A shard is written whole or not at all.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from evolray.errors import EvolrayError
from evolray.pool.layout import Folder, shard_name
from evolray.sampling.board import Tally
from evolray.sampling.questions import (
    QUESTIONS,
    SAMPLED,
    Question,
    Sample,
    read_questions,
    read_samples,
    write_samples,
)

REPORT_SECONDS = 0.5
Answer = Callable[[Sequence[Question], Callable[[int], None]], Iterator[Sample]]


class ToldToStop(Exception):
    """The board has said so; what is not written yet is given up."""


class ShardWorker:
    """`report` is given a shard's tally about twice a second and says whether to go on."""

    def __init__(self, answer: Answer, folder: Folder, report: Callable[[int, Tally], bool]) -> None:
        self._answer, self._folder, self._report = answer, folder, report
        self._reported_at = 0.0

    def __call__(self, shard: int) -> None:
        """Raises ToldToStop, or what has gone wrong."""
        questions = self._read(shard)
        kept = kept_samples(self._folder, shard)
        tally = Tally.of(kept.values())
        self._tell(shard, tally)

        def tick(written: int) -> None:
            tally.writing += written
            if time.monotonic() - self._reported_at >= REPORT_SECONDS:
                self._tell(shard, tally)

        done = dict(kept)
        for sample in self._answer([one for one in questions if (one.id, one.sample) not in kept], tick):
            done[sample.id, sample.sample] = sample
            tally.add(sample)
            tally.writing = max(0, tally.writing - sample.completion_tokens)
        write_samples(self._folder, shard, [done[one.id, one.sample] for one in questions])
        self._tell(shard, Tally.of(done.values()))

    def _tell(self, shard: int, tally: Tally) -> None:
        self._reported_at = time.monotonic()
        if not self._report(shard, tally):
            raise ToldToStop

    def _read(self, shard: int) -> list[Question]:
        try:
            return read_questions(self._folder, shard)
        except FileNotFoundError:
            raise EvolrayError(
                f"{self._folder.url}/{shard_name(QUESTIONS, shard)}: a node of the cluster does not see this file. "
                "Use a run directory on shared storage or a URL such as s3://bucket/run."
            ) from None


def kept_samples(folder: Folder, shard: int) -> dict[tuple[str, int], Sample]:
    """What a shard's file holds of answers, without what failed."""
    if not folder.exists(shard_name(SAMPLED, shard)):
        return {}
    return {(one.id, one.sample): one for one in read_samples(folder, shard) if not one.cause}
