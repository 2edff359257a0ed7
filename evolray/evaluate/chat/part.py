"""One chat benchmark within a run: from the model's samples to verdicts, rows for samples.parquet, and scores."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from evolray.evaluate.chat.benchmark import Case, Judged
from evolray.evaluate.chat.judging import Judging
from evolray.evaluate.chat.scores.entry import label_agreement, make_entry, outcomes_of
from evolray.evaluate.chat.selection import SelectedChat
from evolray.evaluate.chat.verdicts import FAILED, NO_VERDICT, Verdict
from evolray.evaluate.graded import FAILED as UNANSWERED
from evolray.evaluate.graded import MOST_MESSAGE_CHARACTERS, Graded, read_graded, storable, write_graded
from evolray.pool.layout import Folder, shard_name
from evolray.sampling.questions import SAMPLED, Sample, read_samples
from evolray.sampling.sampler import Sampling


class ChatPart:
    """`shards`: the run's shards that hold this benchmark's samples."""

    def __init__(self, folder: Folder, selected: SelectedChat, shards: Sequence[int], shard_size: int) -> None:
        self.selected = selected
        self.shards = shards
        self._folder = folder
        self._judging = Judging(folder, selected, shard_size)
        self._problems = {one.id: one for one in selected.problems.all}

    @property
    def asks(self) -> bool:
        """Whether a judge is asked at all: not where ready verdicts take its place."""
        return self.selected.judge is not None

    def is_done(self, retry_failed: bool) -> bool:
        """Whether all is sampled, and what was answered is judged."""
        if not all(self._folder.exists(shard_name(SAMPLED, shard)) for shard in self.shards):
            return False
        return not self.asks or self._judging.is_done(self._cases(), retry_failed)

    def judge(self, retry_failed: bool, show: Callable[[Sampling, int], None]) -> None:
        if self.asks:
            self._judging.judge(self._cases(), retry_failed, show)

    def write_rows(self) -> None:
        """What became of each sample, where graded benchmarks have it, too."""
        said = outcomes_of(self._judged(), self.selected.protocol.name, self.selected.orders)
        for shard in self.shards:
            rows = [self._row(sample, said) for sample in read_samples(self._folder, shard)]
            write_graded(self._folder, self.selected.key, shard, rows)

    def entry(self) -> dict[str, Any]:
        """What scores.json says of the benchmark, without what it was made by."""
        selected, judged = self.selected, self._judged()
        entry = make_entry(judged, selected.protocol.name, selected.benchmark.groups, selected.orders)
        if selected.labels:
            labels = Judged(selected.problems, self._about_these(selected.labels.verdicts))
            agreement = label_agreement(judged, labels, selected.protocol.name, selected.orders)
            entry.setdefault("reliability", {})["labels"] = {"source": selected.labels.source, **agreement}
        samples = self._samples()
        rows = [row for shard in self.shards for row in read_graded(self._folder, selected.key, shard)]
        asked = {_problem(sample) for sample in samples}
        return {
            "title": selected.benchmark.title,
            "release": selected.problems.release,
            **entry,
            "judge": selected.judge_name,
            "verdict_file": self._judging.file if self.asks else None,
            "protocol": selected.protocol.name,
            "baseline": selected.baseline.name if selected.baseline else self._own_baseline(),
            "problems": len(selected.problems.all),
            "samples": len(samples),
            "missing": len(selected.problems.all) - len(asked),
            "failed": sum(bool(sample.cause) for sample in samples),
            "outcomes": dict(sorted(Counter(row.outcome for row in rows).items())),
        }

    def _own_baseline(self) -> str | None:
        """Who answered in the problems' own file; None where nobody did, or nothing is compared."""
        first = self.selected.problems.all[0]
        if not self.selected.protocol.is_comparison or not self.selected.benchmark.own_baseline(first):
            return None
        return str(first.row.get("generator") or "the problems' own answers")

    def _cases(self) -> list[Case]:
        """In the problems' order, those that were answered."""
        answers = self._answers()
        return [self.selected.case(one, answers[one.id]) for one in self.selected.problems.all if one.id in answers]

    def _answers(self) -> dict[str, tuple[str, ...]]:
        return {_problem(one): (*one.earlier, one.text) for one in self._samples() if not one.cause}

    def _samples(self) -> list[Sample]:
        return [sample for shard in self.shards for sample in read_samples(self._folder, shard)]

    def _judged(self) -> Judged:
        answers, problems = self._answers(), self.selected.problems
        lengths = {
            one.id: (_characters(answers[one.id]), _characters(self.selected.baseline_of(one)))
            for one in problems.all
            if one.id in answers and self.selected.baseline_of(one)
        }
        unanswered = frozenset(one.id for one in problems.all if one.id not in answers)
        return Judged(problems, self._verdicts(), unanswered, lengths)

    def _verdicts(self) -> Sequence[Verdict]:
        if self.asks:
            return self._judging.verdicts()
        assert self.selected.reviews
        return self._about_these(self.selected.reviews.verdicts)

    def _about_these(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Files may be about problems that a limit left out."""
        return [one for one in verdicts if one.problem in self._problems]

    def _row(self, sample: Sample, said: dict[str, tuple[str, str]]) -> Graded:
        if sample.cause:
            return Graded(sample.id, sample.sample, "", UNANSWERED, "", f"{sample.cause}: {sample.message}")
        outcome, message = said.get(_problem(sample), (NO_VERDICT, "no verdict on this problem"))
        outcome = "judge_failed" if outcome == FAILED else outcome
        return Graded(sample.id, sample.sample, "", outcome, "", storable(message[:MOST_MESSAGE_CHARACTERS]))


def _problem(sample: Sample) -> str:
    """A sample's id is <benchmark>/<problem>."""
    return sample.id.partition("/")[2]


def _characters(turns: tuple[str, ...]) -> int:
    return sum(map(len, turns))
