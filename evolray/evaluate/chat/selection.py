"""What a config asks to be judged: a chat benchmark with its answers, protocol and judge, all checked and settled."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from evolray.config import VerdictsConfig
from evolray.errors import UserError
from evolray.evaluate.benchmark import Problem, Problems, first
from evolray.evaluate.chat.benchmark import Case, ChatBenchmark, JudgeProtocol
from evolray.evaluate.chat.reading.answers import Answers, read_answers
from evolray.evaluate.chat.reading.reviews import Reviews, read_reviews
from evolray.evaluate.graded import rules_key
from evolray.sampling.sampler import Sampler

ORDERS = ("both", "alternate", "random")
AUTO = "auto"


@dataclass(frozen=True)
class Files:
    """Paths and URLs of what a judged benchmark needs beside its problems; "" where there is none.

    `settings`: what the config calls each of them, for errors.
    """

    baseline: str = ""
    reference: str = ""
    labels: str = ""
    reviews: str = ""
    model_is: Literal["first", "second"] = "first"
    """Of `reviews`."""
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)

    def setting(self, name: str) -> str:
        return self.settings.get(name, name)


@dataclass(frozen=True)
class SelectedChat:
    """One chat benchmark of a run. `judge`: None where `reviews` take its place. `key` names the rules' folder."""

    benchmark: ChatBenchmark
    problems: Problems
    protocol: JudgeProtocol
    settings: VerdictsConfig
    judge: Sampler | None
    judge_temperature: float | None = None
    """Where the config does not say."""
    baseline: Answers | None = None
    reference: Answers | None = None
    labels: Reviews | None = None
    reviews: Reviews | None = None
    rules: dict[str, Any] = field(default_factory=dict)
    key: str = ""

    @property
    def name(self) -> str:
        return self.benchmark.name

    @property
    def temperature(self) -> float | str:
        """Of the model's answers, where the config does not say."""
        found = {self.benchmark.temperature(problem) for problem in self.problems.all}
        return found.pop() if len(found) == 1 else "by category"

    @property
    def orders(self) -> int:
        """In how many orders each problem is judged."""
        return 2 if self.protocol.is_comparison and self.settings.order == "both" and not self.reviews else 1

    @property
    def judge_name(self) -> str:
        """For reviews, their file."""
        return self.judge.name if self.judge else self.reviews.source.rpartition("/")[2] if self.reviews else ""

    @property
    def rejected(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        """Lines of its files that cannot be used, with `line` and `reason`."""
        files = {
            "baseline": self.baseline, "references": self.reference, "labels": self.labels, "reviews": self.reviews,
        }  # fmt: skip
        return {name: file.rejected for name, file in files.items() if file}

    def described(self) -> dict[str, Any]:
        """What decides the samples, for the run's identity."""
        return {
            "release": self.problems.release,
            "sha256": self.problems.sha256,
            "problems": len(self.problems.all),
        }

    def case(self, problem: Problem, answer: tuple[str, ...]) -> Case:
        """The problem with what the judge sees. Raises UserError when the baseline lacks it."""
        baseline = self.baseline_of(problem)
        if self.protocol.is_comparison and not baseline:
            raise UserError(f"{self.benchmark.title}: the baseline has no answer to problem {problem.id}.")
        shown = self.reference.texts.get(problem.id, ()) if self.reference else ()
        reference = shown if self.benchmark.wants_reference(problem) else ()
        return Case(problem, self.benchmark.turns(problem), answer, baseline, reference)

    def baseline_of(self, problem: Problem) -> tuple[str, ...]:
        if self.baseline:
            return self.baseline.texts.get(problem.id, ())
        return self.benchmark.own_baseline(problem)


def select_chat(
    benchmark: ChatBenchmark, release: Problems, limit: int | None, settings: VerdictsConfig, files: Files,
    judge: Sampler | None, judge_settings: Mapping[str, Any],
) -> SelectedChat:  # fmt: skip
    """`release`: all problems, which files may be about; `limit`: only the first so many are judged.

    `judge_settings`: temperature and max_tokens as the judge's config has them, None for what the protocol says.

    Raises UserError for a protocol, an order or a file that cannot be used.
    """
    protocol = _protocol(benchmark, settings)
    read, problems = _Reader(benchmark, release, files), first(release, limit)
    baseline = read.answers("baseline") if protocol.is_comparison else None
    reviews = read.reviews("reviews", files.model_is)
    if judge and not judge.has_chat_template:
        raise UserError(f"judge: {judge.name} has no chat template to put a question in; name judge.chat_format.")
    reference = read.answers("reference")
    selected = SelectedChat(
        benchmark, problems, protocol, settings, None if reviews else judge,
        protocol.temperature if judge_settings.get("temperature") is None else None,
        baseline, reference, read.reviews("labels"), reviews,
    )  # fmt: skip
    _check_baseline(selected, files)
    rules = _rules(selected, judge_settings)
    decisive = {**rules, "sha256": problems.sha256}
    return replace(selected, rules=rules, key=f"{benchmark.name}-{rules_key(decisive)}")


class _Reader:
    """Of the files about one benchmark. An error begins with the setting that names the file."""

    def __init__(self, benchmark: ChatBenchmark, problems: Problems, files: Files) -> None:
        self._benchmark, self._problems, self._files = benchmark, problems, files

    def answers(self, name: str) -> Answers | None:
        path: str = getattr(self._files, name)
        with self._naming(name):
            return read_answers(path, self._benchmark.name, self._problems, self._benchmark.turns) if path else None

    def reviews(self, name: str, model_is: Literal["first", "second"] = "first") -> Reviews | None:
        path: str = getattr(self._files, name)
        with self._naming(name):
            return read_reviews(path, self._benchmark.name, self._problems, model_is) if path else None

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            raise UserError(f"{self._files.setting(name)}: {error}") from None


def _protocol(benchmark: ChatBenchmark, settings: VerdictsConfig) -> JudgeProtocol:
    if settings.order not in ORDERS:
        raise UserError(f"verdicts.order={settings.order}: expected {', '.join(ORDERS)}.")
    for key, value in (("repeats", settings.repeats), ("attempts", settings.attempts)):
        if value < 1:
            raise UserError(f"verdicts.{key}={value}: expected 1 or more.")
    name = next(iter(benchmark.protocols)) if settings.protocol == AUTO else settings.protocol
    if name not in benchmark.protocols:
        known = ", ".join(benchmark.protocols)
        raise UserError(f"verdicts.protocol={name}: {benchmark.title} has {known}, and auto.")
    return benchmark.protocols[name]


def _check_baseline(selected: SelectedChat, files: Files) -> None:
    """All problems, before anybody is paid."""
    title, setting = selected.benchmark.title, files.setting("baseline")
    if not selected.protocol.is_comparison or selected.reviews:
        return
    missing = [one.id for one in selected.problems.all if not selected.baseline_of(one)]
    if selected.baseline is None and missing:
        raise UserError(
            f"{title} compares the model's answers with a baseline's: name their file, or a run of evolray evaluate, "
            f"as {setting}=..."
        )
    if missing:
        raise UserError(
            f"{setting}: no answer to {len(missing):,} of {len(selected.problems.all):,} problems "
            f"of {title} ({', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''})."
        )


def _rules(selected: SelectedChat, judge_settings: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the verdicts, and what of it a reader of scores wants to know."""
    protocol, settings = selected.protocol, selected.settings
    rules: dict[str, Any] = {"protocol": protocol.name, "source": protocol.source}
    if selected.reviews:
        return rules | {"reviews": selected.reviews.source, "reviews_sha256": selected.reviews.sha256}
    assert selected.judge
    given = {"temperature": protocol.temperature, "max_tokens": protocol.max_tokens}
    given |= {key: value for key, value in judge_settings.items() if value is not None}
    prompts = {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in sorted(protocol.prompts.items())}
    rules |= {"judge": selected.judge.name, "judge_identity": {**selected.judge.identity}, **given, "prompts": prompts}
    if protocol.is_comparison:
        rules["order"] = settings.order if settings.order != "random" else f"random, seed {settings.seed}"
        rules["baseline"] = selected.baseline.sha256 if selected.baseline else "the problems' own"
    if selected.reference:
        rules["references"] = selected.reference.sha256
    return rules
