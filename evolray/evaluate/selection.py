"""What a config asks to be evaluated: benchmarks with their problems, prompts and rules, all checked and settled."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evolray.config import EvaluateConfig, ExecutionConfig, SamplingConfig
from evolray.config.evaluate import GradingConfig
from evolray.errors import UserError
from evolray.evaluate.benchmark import WITH_INPUTS, Benchmark, Form, Problems, first
from evolray.evaluate.chat.benchmark import ChatBenchmark
from evolray.evaluate.chat.selection import Files, SelectedChat, select_chat
from evolray.evaluate.graded import rules_key
from evolray.evaluate.grading import Assignment
from evolray.evaluate.knowledge.benchmarks import KnowledgeBenchmark
from evolray.evaluate.knowledge.part import SelectedKnowledge
from evolray.evaluate.registry import ALL, AnyBenchmark, find_benchmark
from evolray.pool.seed_formats import without_credentials
from evolray.records import Turn
from evolray.sampling.questions import Question
from evolray.sampling.sampler import Sampler

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

    @property
    def key(self) -> str:
        """Of the rules' folder."""
        return self.assignment.key

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


@dataclass(frozen=True)
class Selection:
    """What a run evaluates: graded, judged and known benchmarks; `names` in the config's order."""

    names: tuple[str, ...]
    graded: tuple[Selected, ...] = ()
    chat: tuple[SelectedChat, ...] = ()
    knowledge: tuple[SelectedKnowledge, ...] = ()

    @classmethod
    def of(cls, one: Selected | SelectedChat) -> "Selection":
        """The one benchmark of ready samples."""
        return cls((one.name,), chat=(one,)) if isinstance(one, SelectedChat) else cls((one.name,), graded=(one,))

    @property
    def sampled(self) -> tuple[Selected | SelectedChat, ...]:
        """Those that evolray asks the model about itself."""
        return (*self.graded, *self.chat)

    def described(self, sampling: SamplingConfig | None) -> dict[str, Any]:
        """By benchmark, what decides its samples; `sampling`: None for ready ones."""
        others: tuple[Selected | SelectedKnowledge, ...] = (*self.graded, *self.knowledge)
        found = {other.name: other.described() for other in others}
        for one in self.chat:
            found[one.name] = one.described()
            if (
                sampling and sampling.temperature is None and one.temperature
            ):  # then the sampler's identity holds neither
                found[one.name] |= {"temperature": one.temperature, "seed": sampling.seed}
        return found


def select(config: EvaluateConfig, has_chat_template: bool, judge: Sampler | None) -> Selection:
    """Raises UserError for a benchmark, a file, a form or a rule that cannot be used."""
    check_grading(config)
    if config.limit is not None and config.limit < 1:
        raise UserError(f"limit={config.limit}: expected 1 or more, or null for all problems.")
    benchmarks = find_all(config.benchmarks)
    files = _Files(config, [one.name for one in benchmarks])
    graded, chat, knowledge = [], [], []
    for one in benchmarks:
        if isinstance(one, KnowledgeBenchmark):
            knowledge.append(SelectedKnowledge(one, files.problems.get(one.name)))
            continue
        release = one.read(files.of_problems(one))
        if isinstance(one, ChatBenchmark):
            if not has_chat_template:
                raise UserError(
                    f"{one.title}: the model has no chat template to put a question in; name a chat_format."
                )
            of_judge = judge, judge_settings(config)
            chat.append(select_chat(one, release, config.limit, config.verdicts, files.of_chat(one), *of_judge))
        else:
            form = find_form(one, config.prompt, has_chat_template)
            graded.append(settle(one, first(release, config.limit), config, config.extraction, form))
    return Selection(tuple(one.name for one in benchmarks), tuple(graded), tuple(chat), tuple(knowledge))


def find_all(names: Sequence[str]) -> list[AnyBenchmark]:
    """Raises UserError for none, an unknown one, and for one that is there twice."""
    if not names:
        raise UserError(f"benchmarks is empty; expected some of {', '.join(ALL)}.")
    found: dict[str, AnyBenchmark] = {}
    for name in names:
        benchmark = find_benchmark(name)
        if benchmark.name in found:
            raise UserError(f"benchmarks names {benchmark.name} twice.")
        found[benchmark.name] = benchmark
    return list(found.values())


def judge_settings(config: GradingConfig) -> dict[str, Any]:
    """What the config says of how the judge answers; None for what the protocol says.

    The seed is here, since a judge's identity has it only where the config has a temperature."""
    sampling = config.judge.sampling
    return {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens, "seed": sampling.seed}


class _Files:
    """The config's paths by benchmark, however its name is spelt. Raises UserError for one that is not evaluated."""

    def __init__(self, config: EvaluateConfig, selected: Sequence[str]) -> None:
        self._selected = selected
        self.problems = self._by_name(config.problems, "problems", strict=False)
        self._baselines = self._by_name(config.baselines, "baselines")
        self._references = self._by_name(config.references, "references")
        self._labels = self._by_name(config.labels, "labels")

    def of_problems(self, benchmark: Benchmark | ChatBenchmark) -> str:
        if benchmark.name not in self.problems:
            raise UserError(
                f"problems.{benchmark.name} is missing: where are the problems of {benchmark.title}? Name a file, "
                f"s3://BUCKET/FILE or hf:NAME as problems.{benchmark.name}=..."
            )
        return self.problems[benchmark.name]

    def of_chat(self, benchmark: ChatBenchmark) -> Files:
        name = benchmark.name
        settings = {"baseline": f"baselines.{name}", "reference": f"references.{name}", "labels": f"labels.{name}"}
        given = self._baselines.get(name, ""), self._references.get(name, ""), self._labels.get(name, "")
        return Files(*given, settings=settings)

    def _by_name(self, paths: Mapping[str, str], setting: str, strict: bool = True) -> dict[str, str]:
        found = {find_benchmark(name).name: path for name, path in paths.items()}
        if strict and (others := [name for name in found if name not in self._selected]):
            raise UserError(f"{setting}.{others[0]}: {others[0]} is not among the benchmarks of this run.")
        return found


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


def questions(selected: Selected | SelectedChat, config: EvaluateConfig) -> Iterator[Question]:
    """All of a benchmark's, the samples of a problem one after another. Of a chat benchmark one sample is judged."""
    if isinstance(selected, SelectedChat):
        yield from _conversations(selected, config)
        return
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


def _conversations(selected: SelectedChat, config: EvaluateConfig) -> Iterator[Question]:
    benchmark, sampling = selected.benchmark, config.sampling
    for problem in selected.problems.all:
        opening, *follow_ups = benchmark.turns(problem)
        yield Question(
            f"{benchmark.name}/{problem.id}", 0, (Turn("user", opening),), follow_ups=tuple(follow_ups),
            max_tokens=sampling.max_tokens or benchmark.max_tokens, stop=tuple(sampling.stop),
            temperature=benchmark.temperature(problem) or None if sampling.temperature is None else None,
        )  # fmt: skip


def described_data(problems: Problems) -> dict[str, str]:
    return {"path": without_credentials(problems.source), "release": problems.release, "sha256": problems.sha256}
