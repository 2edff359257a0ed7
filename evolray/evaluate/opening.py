"""Who is asked and what is given, for `evaluate` and for `grade`: everything that can be wrong is found here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evolray.config import EvaluateConfig, GradeConfig
from evolray.config.evaluate import GradingConfig
from evolray.errors import UserError
from evolray.evaluate.benchmark import Benchmark
from evolray.evaluate.chat.benchmark import ChatBenchmark
from evolray.evaluate.chat.reading.ready import read_answers_as_samples
from evolray.evaluate.chat.selection import Files, select_chat
from evolray.evaluate.code import CODE_BENCHMARKS
from evolray.evaluate.knowledge.benchmarks import KnowledgeBenchmark
from evolray.evaluate.ready_samples import chosen_extraction, digest_of, read_ready_samples
from evolray.evaluate.registry import find_benchmark
from evolray.evaluate.selection import Selection, check_grading, find_all, judge_settings, select, settle
from evolray.pool.seed_formats import without_credentials
from evolray.sampling.opening import Script, open_sampler
from evolray.sampling.questions import Sample
from evolray.sampling.sampler import Sampler


@dataclass(frozen=True)
class Asked:
    """Of `evaluate`: the model, the judge where there is one, and what they are asked about."""

    sampler: Sampler
    judge: Sampler | None
    selection: Selection

    @property
    def rejected(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        """Lines that cannot be used, by the file that they are in."""
        return {f"{name} of {one.name}": some for one in self.selection.chat for name, some in one.rejected.items()}


@dataclass(frozen=True)
class Ready:
    """Of `grade`: somebody else's samples of one benchmark. `model`: whose they are, as far as that is known."""

    selection: Selection
    samples: Sequence[Sample]
    rejected: dict[str, Sequence[Mapping[str, Any]]]
    model: str
    identity: dict[str, Any]
    judge: Sampler | None = None


def open_asked(config: EvaluateConfig, script: Script | None, judge_script: Script | None) -> Asked:
    """Raises UserError."""
    benchmarks = find_all(config.benchmarks)
    sampler = open_sampler(config, script)
    is_judged = any(isinstance(one, ChatBenchmark) for one in benchmarks)
    judge = open_judge(config, judge_script) if is_judged else None
    return Asked(sampler, judge, select(config, sampler.has_chat_template, judge))


def open_ready(benchmark_name: str, config: GradeConfig, judge_script: Script | None) -> Ready:
    """Raises UserError."""
    check_grading(config)
    benchmark = find_benchmark(benchmark_name)
    if isinstance(benchmark, KnowledgeBenchmark):
        raise UserError(f"{benchmark.title}: lm-eval asks the model itself, so there are no samples to grade.")
    if isinstance(benchmark, ChatBenchmark):
        return _ready_answers(benchmark, config, judge_script)
    return _ready_samples(benchmark, config)


def open_judge(config: GradingConfig, script: Script | None) -> Sampler:
    """Raises UserError when none is named, or what is named cannot be used."""
    endpoint = config.judge.endpoint
    if script is None and endpoint.kind == "endpoint" and not (config.judge.model or endpoint.model):
        raise UserError(
            "chat benchmarks need a judge: set judge.endpoint.model= and judge.endpoint.base_url= to one that is "
            "served, or judge.model= to a checkpoint."
        )
    if config.judge.sampling.n != 1:
        raise UserError(f"judge.sampling.n={config.judge.sampling.n}: expected 1; verdicts.repeats asks it again.")
    return open_sampler(config.judge, script, section="judge.")


def _ready_samples(benchmark: Benchmark, config: GradeConfig) -> Ready:
    problems = benchmark.read(config.problems)
    ready = read_ready_samples(config.samples, benchmark, problems, config.extraction)
    extraction = chosen_extraction(config.extraction, ready.key, benchmark.name in CODE_BENCHMARKS)
    selected = settle(benchmark, problems, config, extraction)
    identity = {"samples": digest_of(ready.samples), "field": ready.key}
    model = without_credentials(config.samples)
    return Ready(Selection.of(selected), ready.samples, {"samples": ready.rejected}, model, identity)


def _ready_answers(benchmark: ChatBenchmark, config: GradeConfig, judge_script: Script | None) -> Ready:
    problems = benchmark.read(config.problems)
    judge = None if config.reviews else open_judge(config, judge_script)
    try:
        samples, rejected, model = read_answers_as_samples(config.samples, benchmark, problems)
    except UserError as error:
        raise UserError(f"samples: {error}") from None
    selected = select_chat(benchmark, problems, None, config.verdicts, _files(config), judge, judge_settings(config))
    identity = {"samples": digest_of(samples)}
    return Ready(
        Selection.of(selected), samples, {"samples": rejected, **selected.rejected}, model, identity, judge
    )  # fmt: skip


def _files(config: GradeConfig) -> Files:
    side: Literal["first", "second"]
    if config.model_is == "first":
        side = "first"
    elif config.model_is == "second":
        side = "second"
    else:
        raise UserError(f"model_is={config.model_is}: expected first or second.")
    return Files(
        config.baseline or "", config.reference or "", config.labels or "", config.reviews or "", model_is=side
    )  # fmt: skip
