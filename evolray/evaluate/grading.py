"""From samples to verdicts, shard by shard: extraction, then the benchmark's grader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evolray.config import ExecutionConfig
from evolray.evaluate.benchmark import Benchmark, Grader, Problem, Verdict
from evolray.evaluate.graded import FAILED, MOST_MESSAGE_CHARACTERS, Graded, storable, write_graded
from evolray.evaluate.registry import BENCHMARKS
from evolray.pool.layout import Folder
from evolray.sampling.questions import Sample, read_samples


@dataclass(frozen=True)
class Assignment:
    """How the samples of one benchmark are graded; what a worker needs of it. `key` names the rules' folder."""

    benchmark: str
    extraction: str
    grading: str
    execution: ExecutionConfig
    key: str


class Desk:
    """One process's graders: each is made when the first shard of its benchmark comes, and kept for the others."""

    def __init__(
        self, folder: Folder, assignments: Mapping[str, Assignment], problems: Mapping[str, Sequence[Problem]]
    ) -> None:
        self._folder, self._assignments = folder, assignments
        self._problems = {name: {one.id: one for one in some} for name, some in problems.items()}
        self._graders: dict[str, Grader] = {}

    def grade_shard(self, shard: int) -> list[Graded]:
        """Grade a sampled shard and write the verdicts. Raises UserError when the grader cannot work here."""
        samples = read_samples(self._folder, shard)
        name = samples[0].id.partition("/")[0]
        assignment, benchmark = self._assignments[name], BENCHMARKS[name]
        if name not in self._graders:
            self._graders[name] = benchmark.grader(assignment.grading, assignment.execution)
        rows = [self._grade(sample, benchmark, assignment) for sample in samples]
        write_graded(self._folder, assignment.key, shard, rows)
        return rows

    def close(self) -> None:
        for grader in self._graders.values():
            grader.close()
        self._graders.clear()

    def _grade(self, sample: Sample, benchmark: Benchmark, assignment: Assignment) -> Graded:
        if sample.cause:
            return Graded(sample.id, sample.sample, "", FAILED, "", f"{sample.cause}: {sample.message}")
        problem = self._problems[benchmark.name][sample.id.partition("/")[2]]
        extracted = benchmark.extractions[assignment.extraction](sample.text, problem)
        if not extracted.strip():
            cut = " (it was cut off at max_tokens)" if sample.finish_reason == "length" else ""
            verdict = Verdict("no_answer", f"the sample holds nothing to grade{cut}")
        else:
            verdict = self._graders[benchmark.name].grade(problem, extracted)
        message = storable(verdict.message[:MOST_MESSAGE_CHARACTERS])
        return Graded(sample.id, sample.sample, storable(extracted), verdict.outcome, verdict.base or "", message)
