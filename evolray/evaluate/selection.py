"""What a config asks to be evaluated: benchmarks with their problems, prompts and rules, all checked and settled."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evolray.config import EvaluateConfig, ExecutionConfig
from evolray.config.evaluate import GradingConfig
from evolray.errors import UserError
from evolray.evaluate.benchmark import WITH_INPUTS, Benchmark, Form, Problems
from evolray.evaluate.graded import rules_key
from evolray.evaluate.grading import Assignment
from evolray.evaluate.registry import BENCHMARKS, find_benchmark
from evolray.pool.seed_formats import without_credentials
from evolray.records import Turn
from evolray.sampling.questions import Question

AUTO = "auto"


@dataclass(frozen=True)
class Selected:
    """One benchmark of a run. `form` is None where the samples were drawn by somebody else."""

    benchmark: Benchmark
    problems: Problems
    assignment: Assignment
    rules: dict[str, Any]
    form: Form | None = None

    @property
    def name(self) -> str:
        return self.benchmark.name

    def described(self) -> dict[str, Any]:
        """What decides the samples, for the run's identity."""
        described = {
            "release": self.problems.release,
            "sha256": self.problems.sha256,
            "problems": len(self.problems.all),
        }
        if self.form:
            digest = hashlib.sha256(self.form.text.encode()).hexdigest()[:16]
            described |= {"prompt": self.form.name, "prompt_sha256": digest}
        return described


def select(config: EvaluateConfig, has_chat_template: bool) -> list[Selected]:
    """Raises UserError for a benchmark, a file, a form or a rule that cannot be used."""
    check_grading(config)
    if not config.benchmarks:
        raise UserError(f"benchmarks is empty; expected some of {', '.join(BENCHMARKS)}.")
    if config.limit is not None and config.limit < 1:
        raise UserError(f"limit={config.limit}: expected 1 or more, or null for all problems.")
    sources = {find_benchmark(name).name: path for name, path in config.problems.items()}
    found: dict[str, Selected] = {}
    for name in config.benchmarks:
        benchmark = find_benchmark(name)
        if benchmark.name in found:
            raise UserError(f"benchmarks names {benchmark.name} twice.")
        if benchmark.name not in sources:
            raise UserError(
                f"problems.{benchmark.name} is missing: where are the problems of {benchmark.title}? Name a file, "
                f"a URL or hf:NAME as problems.{benchmark.name}=..."
            )
        form = find_form(benchmark, config.prompt, has_chat_template)
        problems = first(benchmark.read(sources[benchmark.name]), config.limit)
        found[benchmark.name] = settle(benchmark, problems, config, config.extraction, form)
    return list(found.values())


def settle(
    benchmark: Benchmark, problems: Problems, config: GradingConfig, extraction: str, form: Form | None = None
) -> Selected:
    """With the rules it is graded by. Makes a grader once, to see that it can work on this machine."""
    if extraction not in benchmark.extractions:
        known = ", ".join(benchmark.extractions)
        raise UserError(f"extraction={extraction}: {benchmark.title} has {known}.")
    grader = benchmark.grader(config.grading, config.execution)
    rules = {"extraction": extraction, **_applying(grader.rules, problems)}
    grader.close()
    assignment = Assignment(
        benchmark.name, extraction, config.grading, config.execution,
        rules_key({**rules, "sha256": problems.sha256}),
    )  # fmt: skip
    return Selected(benchmark, problems, assignment, rules, form)


def _applying(rules: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    applying = {**rules}
    with_inputs = applying.pop(WITH_INPUTS, {})
    return {**applying, **with_inputs} if "base_input" in problems.all[0].row else applying


def first(problems: Problems, limit: int | None) -> Problems:
    if limit is None or limit >= len(problems.all):
        return problems
    release = f"{problems.release}, the first {limit}"
    return Problems(release, problems.source, problems.sha256, problems.all[:limit])


def find_form(benchmark: Benchmark, wanted: str, has_chat_template: bool) -> Form:
    name = ("instruct" if has_chat_template else "plain") if wanted == AUTO else wanted
    form = benchmark.forms.get(name)
    if form is None:
        raise UserError(f"prompt={wanted}: {benchmark.title} has {', '.join(benchmark.forms)}, and auto.")
    if form.is_chat and not has_chat_template:
        raise UserError(
            f"prompt={wanted}: the model has no chat template to put a message in; use prompt=plain, or name a "
            "chat_format."
        )
    return form


def check_grading(config: GradingConfig) -> None:
    limits: ExecutionConfig = config.execution
    least = {
        "execution.seconds": (limits.seconds, 0.01), "execution.memory_mb": (limits.memory_mb, 64),
        "execution.processes": (limits.processes, 1), "execution.parallel": (limits.parallel, 1),
        "k": (min(config.k, default=1), 1),
    }  # fmt: skip
    for key, (value, minimum) in least.items():
        if value is not None and not value >= minimum:
            raise UserError(f"{key}={value}: expected {minimum} or more.")


def questions(selected: Selected, config: EvaluateConfig) -> Iterator[Question]:
    """All of a benchmark's, the samples of a problem one after another."""
    benchmark, form, sampling = selected.benchmark, selected.form, config.sampling
    assert form is not None
    stop = (*sampling.stop, *form.stop)
    for problem in selected.problems.all:
        text = benchmark.render(form, problem)
        asked: dict[str, Any] = {"messages": (Turn("user", text),)} if form.is_chat else {"prompt": text}
        for sample in range(sampling.n):
            yield Question(
                f"{benchmark.name}/{problem.id}", sample, **asked,
                max_tokens=sampling.max_tokens or benchmark.max_tokens, stop=stop,
            )  # fmt: skip


def described_data(problems: Problems) -> dict[str, str]:
    return {"path": without_credentials(problems.source), "release": problems.release, "sha256": problems.sha256}
