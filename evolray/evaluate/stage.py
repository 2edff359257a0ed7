"""`evaluate` and `grade`: from a config to scores. Everything that can be wrong is found before the cluster starts.

run.yaml, manifest.json     the full config, what decides the samples, versions; how the run stands
questions/, sampled/        what was asked and answered, shard by shard; ledger/: an endpoint's answers
graded/<rules>/             verdicts; other rules grade the same samples anew, beside the first
samples.parquet             every sample: prompt, text, what was extracted, verdict, message
scores.json                 by benchmark: pass@k with intervals, and the rules, data and versions behind it
"""

from dataclasses import asdict
from typing import Any

from rich.console import Console

from evolray.config import EvaluateConfig, GradeConfig
from evolray.evaluate.code import CODE_BENCHMARKS
from evolray.evaluate.manifest import STAGE
from evolray.evaluate.ready_samples import chosen_extraction, read_ready_samples
from evolray.evaluate.registry import find_benchmark
from evolray.evaluate.results import Results
from evolray.evaluate.run import Run
from evolray.evaluate.selection import check_grading, select, settle
from evolray.pool.layout import Folder, hold, open_folder
from evolray.pool.manifest import check_same_run, describe_run
from evolray.pool.seed_formats import without_credentials
from evolray.sampling.opening import Script, open_sampler


def evaluate(config: EvaluateConfig, *, script: Script | None = None, console: Console | None = None) -> Results:
    """Sample and grade, or go on where an earlier run of `config.run` ended. What is done is not done again.

    `script` stands in for `endpoint.script`. Raises UserError, EndpointError, BudgetError, Interrupted or EvolrayError;
    after all of them the same call goes on.
    """
    sampler = open_sampler(config, script)
    selected = select(config, sampler.has_chat_template)
    folder = open_folder(config.run)
    identity = {
        "stage": STAGE, "sampler": {**sampler.identity}, "n": config.sampling.n, "limit": config.limit,
        "max_tokens": config.sampling.max_tokens, "stop": list(config.sampling.stop),
        "shard_size": config.engine.shard_size, "benchmarks": {one.name: one.described() for one in selected},
    }  # fmt: skip
    check_same_run(folder, {}, identity)
    with hold(folder):
        describe_run(folder, _described(config, folder), {}, identity)
        run = Run(config, folder, selected, sampler.name)
        run.ask(config)
        run.work(console, sampler, config.retry_failed)
    return Results(config.run)


def grade(benchmark_name: str, config: GradeConfig, *, console: Console | None = None) -> Results:
    """Grade ready samples of one benchmark. Raises UserError, Interrupted or EvolrayError, as `evaluate` does."""
    check_grading(config)
    benchmark = find_benchmark(benchmark_name)
    problems = benchmark.read(config.problems)
    ready = read_ready_samples(config.samples, benchmark, problems, config.extraction)
    extraction = chosen_extraction(config.extraction, ready.key, benchmark.name in CODE_BENCHMARKS)
    selected = settle(benchmark, problems, config, extraction)
    folder = open_folder(config.run)
    identity = {
        "stage": STAGE, "samples": ready.digest(), "field": ready.key,
        "benchmarks": {benchmark.name: selected.described()},
    }  # fmt: skip
    check_same_run(folder, {}, identity)
    with hold(folder):
        describe_run(folder, _described(config, folder), {}, identity)
        run = Run(config, folder, [selected], without_credentials(config.samples))
        run.take(ready)
        run.work(console)
    return Results(config.run)


def _described(config: EvaluateConfig | GradeConfig, folder: Folder) -> dict[str, Any]:
    """The full config as run.yaml may show it: URLs without credentials."""
    described = asdict(config)
    described["run"] = folder.url
    if isinstance(config, GradeConfig):
        described["samples"], described["problems"] = (
            without_credentials(path) for path in (config.samples, config.problems)
        )
        return described
    described["problems"] = {name: without_credentials(path) for name, path in config.problems.items()}
    if config.model:
        described["model"] = without_credentials(config.model)
    if config.endpoint.base_url:
        described["endpoint"]["base_url"] = without_credentials(config.endpoint.base_url).partition("?")[0]
    return described
