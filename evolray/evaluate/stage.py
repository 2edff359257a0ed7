"""`evaluate` and `grade`: from a config to scores. Everything that can be wrong is found before the cluster starts.

run.yaml, manifest.json     the full config, what decides the samples, versions; how the run stands
questions/, sampled/        what was asked and answered, shard by shard; ledger/: an endpoint's answers
judged/<rules>/             what a judge was asked about the answers of chat benchmarks, and its verdicts
graded/<rules>/             verdicts; other rules grade the same samples anew, beside the first
knowledge/                  what lm-eval found, with its samples
samples.parquet             every sample: prompt, text, what was extracted, verdict, message
scores.json                 by benchmark: the score with its interval, and the rules, data and versions behind it
"""

from dataclasses import asdict
from typing import Any

from rich.console import Console

from evolray.config import EvaluateConfig, GradeConfig
from evolray.evaluate import estimate
from evolray.evaluate.knowledge.part import KnowledgePart
from evolray.evaluate.manifest import STAGE
from evolray.evaluate.opening import open_asked, open_ready
from evolray.evaluate.results import Results
from evolray.evaluate.run import Run
from evolray.pool.layout import Folder, hold, open_folder
from evolray.pool.manifest import check_same_run, describe_run
from evolray.pool.seed_formats import without_credentials
from evolray.sampling.opening import Script


def evaluate(
    config: EvaluateConfig, *, script: Script | None = None, judge_script: Script | None = None,
    console: Console | None = None,
) -> Results:  # fmt: skip
    """Sample, grade and judge, or go on where an earlier run of `config.run` ended. What is done is not done again.

    The scripts stand in for `endpoint.script` and `judge.endpoint.script`. Raises UserError, EndpointError,
    BudgetError, Interrupted or EvolrayError; after all of them the same call goes on.
    """
    asked = open_asked(config, script, judge_script)
    folder = open_folder(config.run)
    knowledge = [KnowledgePart(folder, one, config) for one in asked.selection.knowledge]
    identity = {
        "stage": STAGE, "sampler": {**asked.sampler.identity}, "n": config.sampling.n, "limit": config.limit,
        "max_tokens": config.sampling.max_tokens, "stop": list(config.sampling.stop),
        "shard_size": config.engine.shard_size, "benchmarks": asked.selection.described(config.sampling),
    }  # fmt: skip
    check_same_run(folder, {}, identity)
    with hold(folder):
        describe_run(folder, _described(config, folder), {}, identity)
        run = Run(config, folder, asked.selection, asked.sampler.name, knowledge)
        run.ask(config)
        run.reject(asked.rejected)
        run.work(console, asked.sampler, asked.judge, config.retry_failed)
    return Results(config.run)


def grade(
    benchmark: str, config: GradeConfig, *, judge_script: Script | None = None, console: Console | None = None
) -> Results:
    """Grade ready samples of one benchmark, or have them judged. Raises as `evaluate` does."""
    ready = open_ready(benchmark, config, judge_script)
    folder = open_folder(config.run)
    identity = ready.identity | {"stage": STAGE, "benchmarks": ready.selection.described(None)}
    check_same_run(folder, {}, identity)
    with hold(folder):
        describe_run(folder, _described(config, folder), {}, identity)
        run = Run(config, folder, ready.selection, ready.model)
        run.take(ready.samples)
        run.reject(ready.rejected)
        run.work(console, None, ready.judge, retry_failed=False)
    return Results(config.run)


def dry_run_evaluate(config: EvaluateConfig) -> list[str]:
    """What `evaluate` would ask and what it would cost at most, line by line. Raises UserError."""
    asked = open_asked(config, None, None)
    return [
        *estimate.of_model(asked.selection, config, asked.sampler.name),
        *estimate.of_judge(asked.selection, config),
    ]


def dry_run_grade(benchmark: str, config: GradeConfig) -> list[str]:
    """What `grade` would ask a judge and what it would cost, line by line. Raises UserError."""
    ready = open_ready(benchmark, config, None)
    answers = {one.id.partition("/")[2]: (*one.earlier, one.text) for one in ready.samples}
    return estimate.of_judge(ready.selection, config, answers) or ["nothing is asked: samples are graded here."]


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
