"""`evaluate` and `grade`: from a config to scores. Everything that can be wrong is found before the cluster starts.

run.yaml, manifest.json     the full config, what decides the samples, versions; how the run stands
questions/, sampled/        what was asked and answered, shard by shard; ledger/: an endpoint's answers
judged/<rules>/             what a judge was asked about the answers of chat benchmarks, and its verdicts
graded/<rules>/             verdicts; other rules grade the same samples anew, beside the first
knowledge/                  what lm-eval found, with its samples
samples.parquet             every sample: prompt, text, what was extracted, verdict, message
scores.json                 by benchmark: the score with its interval, and the rules, data and versions behind it
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from rich.console import Console

from evolray.config import EvaluateConfig, GradeConfig
from evolray.config.evaluate import GradingConfig
from evolray.errors import UserError
from evolray.evaluate.chat.benchmark import ChatBenchmark
from evolray.evaluate.chat.reading.ready import read_answers_as_samples
from evolray.evaluate.chat.selection import Files, SelectedChat, select_chat
from evolray.evaluate.code import CODE_BENCHMARKS
from evolray.evaluate.knowledge.benchmarks import KnowledgeBenchmark
from evolray.evaluate.knowledge.part import KnowledgePart
from evolray.evaluate.manifest import STAGE
from evolray.evaluate.ready_samples import chosen_extraction, digest_of, read_ready_samples
from evolray.evaluate.registry import find_benchmark
from evolray.evaluate.results import Results
from evolray.evaluate.run import Run
from evolray.evaluate.selection import (
    Selected,
    Selection,
    check_grading,
    find_all,
    judge_settings,
    select,
    settle,
)
from evolray.pool.layout import Folder, hold, open_folder
from evolray.pool.manifest import check_same_run, describe_run
from evolray.pool.seed_formats import without_credentials
from evolray.sampling.opening import Script, open_sampler
from evolray.sampling.sampler import Sampler


def evaluate(
    config: EvaluateConfig, *, script: Script | None = None, judge_script: Script | None = None,
    console: Console | None = None,
) -> Results:  # fmt: skip
    """Sample, grade and judge, or go on where an earlier run of `config.run` ended. What is done is not done again.

    The scripts stand in for `endpoint.script` and `judge.endpoint.script`. Raises UserError, EndpointError,
    BudgetError, Interrupted or EvolrayError; after all of them the same call goes on.
    """
    benchmarks = find_all(config.benchmarks)
    sampler = open_sampler(config, script)
    is_judged = any(isinstance(one, ChatBenchmark) for one in benchmarks)
    judge = open_judge(config, judge_script) if is_judged else None
    selection = select(config, sampler.has_chat_template, judge)
    folder = open_folder(config.run)
    knowledge = [KnowledgePart(folder, one, config) for one in selection.knowledge]
    identity = {
        "stage": STAGE, "sampler": {**sampler.identity}, "n": config.sampling.n, "limit": config.limit,
        "max_tokens": config.sampling.max_tokens, "stop": list(config.sampling.stop),
        "shard_size": config.engine.shard_size, "benchmarks": selection.described(config.sampling),
    }  # fmt: skip
    check_same_run(folder, {}, identity)
    with hold(folder):
        describe_run(folder, _described(config, folder), {}, identity)
        run = Run(config, folder, selection, sampler.name, knowledge)
        run.ask(config)
        run.reject({f"{name} of {one.name}": some for one in selection.chat for name, some in one.rejected.items()})
        run.work(console, sampler, judge, config.retry_failed)
    return Results(config.run)


def grade(
    benchmark_name: str, config: GradeConfig, *, judge_script: Script | None = None, console: Console | None = None
) -> Results:
    """Grade ready samples of one benchmark. Raises UserError, Interrupted or EvolrayError, as `evaluate` does."""
    check_grading(config)
    benchmark = find_benchmark(benchmark_name)
    if isinstance(benchmark, KnowledgeBenchmark):
        raise UserError(f"{benchmark.title}: lm-eval asks the model itself, so there are no samples to grade.")
    problems = benchmark.read(config.problems)
    judge = None
    rejected: Sequence[Mapping[str, Any]]
    identity: dict[str, Any]
    selected: Selected | SelectedChat
    if isinstance(benchmark, ChatBenchmark):
        judge = None if config.reviews else open_judge(config, judge_script)
        samples, rejected, model = read_answers_as_samples(config.samples, benchmark, problems)
        identity = {"samples": digest_of(samples)}
        files = _files(config)
        selected = select_chat(benchmark, problems, None, config.verdicts, files, judge, judge_settings(config))
    else:
        ready = read_ready_samples(config.samples, benchmark, problems, config.extraction)
        samples, rejected, model = ready.samples, ready.rejected, without_credentials(config.samples)
        identity = {"samples": digest_of(samples), "field": ready.key}
        extraction = chosen_extraction(config.extraction, ready.key, benchmark.name in CODE_BENCHMARKS)
        selected = settle(benchmark, problems, config, extraction)
    folder = open_folder(config.run)
    identity |= {"stage": STAGE, "benchmarks": {benchmark.name: selected.described()}}
    check_same_run(folder, {}, identity)
    with hold(folder):
        describe_run(folder, _described(config, folder), {}, identity)
        run = Run(config, folder, Selection.of(selected), model)
        run.take(samples)
        run.reject({"samples": rejected, **(selected.rejected if isinstance(selected, SelectedChat) else {})})
        run.work(console, None, judge, retry_failed=False)
    return Results(config.run)


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


def open_judge(config: GradingConfig, script: Script | None) -> Sampler:
    """Raises UserError when none is named, or what is named cannot be used."""
    if (
        script is None
        and not (config.judge.model or config.judge.endpoint.model)
        and (config.judge.endpoint.kind == "endpoint")
    ):
        raise UserError(
            "chat benchmarks need a judge: set judge.endpoint.model= and judge.endpoint.base_url= to one that is "
            "served, or judge.model= to a checkpoint."
        )
    if config.judge.sampling.n != 1:
        raise UserError(f"judge.sampling.n={config.judge.sampling.n}: expected 1; verdicts.repeats asks it again.")
    return open_sampler(config.judge, script, section="judge.")


def _described(config: EvaluateConfig | GradeConfig, folder: Folder) -> dict[str, Any]:
    """The full config as run.yaml may show it: URLs without credentials."""
    described = asdict(config)
    described["run"] = folder.url
    _hide_credentials(described["judge"])
    if isinstance(config, GradeConfig):
        for name in ("samples", "problems", "baseline", "reference", "labels", "reviews"):
            described[name] = described[name] and without_credentials(described[name])
        return described
    for name in ("problems", "baselines", "references", "labels"):
        described[name] = {benchmark: without_credentials(path) for benchmark, path in described[name].items()}
    _hide_credentials(described)
    return described


def _hide_credentials(sampler: dict[str, Any]) -> None:
    """Of the model's URL and the endpoint's."""
    if sampler["model"]:
        sampler["model"] = without_credentials(sampler["model"])
    if sampler["endpoint"]["base_url"]:
        sampler["endpoint"]["base_url"] = without_credentials(sampler["endpoint"]["base_url"]).partition("?")[0]
