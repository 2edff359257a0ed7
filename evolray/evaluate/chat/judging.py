"""A judge asked about the answers to one benchmark, through a sampler like the model itself.

A question to the judge is one turn of one problem in one order. It is asked again, as the next attempt, when the
answer holds no verdict. In judged/<benchmark>-<rules>/ of the run directory:

    run.yaml                        the rules
    questions/, sampled/, ledger/   what the judge is asked and answers, shard by shard, as of any sampler
    verdicts.parquet                what was read from it
    judged.json                     which answers these are the verdicts on

So an interrupted judge goes on where it was, nothing answered is asked again, and more repeats or attempts add to what
is there. Other rules (another judge, protocol or baseline) have a folder of their own.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from evolray.errors import EvolrayError
from evolray.evaluate.chat.benchmark import Case, Judgement
from evolray.evaluate.chat.selection import SelectedChat
from evolray.evaluate.chat.verdicts import FAILED, NO_VERDICT, VERDICTS, Order, Verdict, read_verdicts, write_verdicts
from evolray.evaluate.graded import storable
from evolray.pool.layout import Folder, shards_in
from evolray.pool.manifest import describe_run
from evolray.sampling.questions import (
    QUESTIONS,
    SAMPLED,
    Question,
    Sample,
    read_questions,
    read_samples,
    write_questions,
)
from evolray.sampling.sampler import Sampling

JUDGE, JUDGED, STATE = "judge", "judged", "judged.json"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the judge, but for the attempt."""

    case: Case
    turn: int
    order: Order
    repeat: int

    @property
    def id(self) -> str:
        return f"{self.case.problem.id}/turn {self.turn}/{self.order}/repeat {self.repeat}"

    def question(self, selected: SelectedChat, attempt: int) -> Question:
        messages = selected.protocol.messages(self.case, self.turn, self.order)
        return Question(
            self.id, attempt, messages, max_tokens=selected.rules["max_tokens"], temperature=selected.judge_temperature
        )


def wanted_of(selected: SelectedChat, cases: Sequence[Case]) -> Iterator[Asked]:
    """Every question, in the order of the cases."""
    places = {problem.id: place for place, problem in enumerate(selected.problems.all)}
    for case in cases:
        for turn in range(1, len(case.turns) + 1):
            for order in _orders(selected, case.problem.id, places[case.problem.id]):
                for repeat in range(selected.settings.repeats):
                    yield Asked(case, turn, order, repeat)


def questions_of(selected: SelectedChat, cases: Sequence[Case]) -> Iterator[Question]:
    """As the judge is asked for the first time."""
    return (one.question(selected, 0) for one in wanted_of(selected, cases))


def _orders(selected: SelectedChat, problem: str, place: int) -> Sequence[Order]:
    """alternate: the model is first on odd places, counted from 1, as in WizardLM's evaluation."""
    settings = selected.settings
    if not selected.protocol.is_comparison:
        return ("alone",)
    if settings.order == "both":
        return ("model_first", "baseline_first")
    model_is_first = place % 2 == 0
    if settings.order == "random":
        model_is_first = Random(f"{settings.seed}/{problem}").random() < 0.5
    return ("model_first",) if model_is_first else ("baseline_first",)


class Judging:
    """One benchmark's verdicts in a run directory."""

    def __init__(self, run: Folder, selected: SelectedChat, shard_size: int) -> None:
        self._selected, self._shard_size = selected, shard_size
        self._run, self._folder = run, run.below(f"{JUDGED}/{selected.key}")

    @property
    def file(self) -> str:
        """Of the verdicts, in the run directory."""
        return f"{JUDGED}/{self._selected.key}/{VERDICTS}"

    def verdicts(self) -> list[Verdict]:
        return read_verdicts(self._folder, VERDICTS)

    def is_done(self, cases: Sequence[Case], retry_failed: bool) -> bool:
        """Whether these very answers are judged, but for what the judge itself failed at."""
        if not self._folder.exists(STATE):
            return False
        state = json.loads(self._folder.read(STATE))
        return state["digest"] == self._digest(cases) and not (retry_failed and state["failed"])

    def judge(self, cases: Sequence[Case], retry_failed: bool, show: Callable[[Sampling, int], None]) -> None:
        """Ask what was not asked before. `show` is told how far it is, and of how many questions.

        Raises what `Sampler.run` does; what was answered by then is kept.
        """
        describe_run(self._folder, self._selected.rules, {}, {"stage": JUDGE, "rules": self._selected.key})
        wanted = {one.id: one for one in wanted_of(self._selected, cases)}
        for attempt in range(self._selected.settings.attempts):
            answers = self._answers()
            again = [one for one in wanted.values() if self._wants(answers, one, attempt)]
            self._ask(again, attempt)
            self._sample(attempt == 0 and retry_failed, show)
        self._conclude(cases, wanted)

    def _wants(self, answers: Mapping[str, list[Sample]], one: Asked, attempt: int) -> bool:
        """Whether this attempt is due: the one before was answered, and cannot be read."""
        before = answers.get(one.id, [])
        if len(before) != attempt:
            return False
        return not attempt or (not before[-1].cause and self._read(before[-1]) is None)

    def _answers(self) -> dict[str, list[Sample]]:
        """What the judge said so far, by question, in the order of the attempts."""
        found: dict[str, list[Sample]] = {}
        for shard in shards_in(self._folder, SAMPLED):
            for sample in read_samples(self._folder, shard):
                found.setdefault(sample.id, []).append(sample)
        return {name: sorted(samples, key=lambda one: one.sample) for name, samples in found.items()}

    def _ask(self, wanted: Sequence[Asked], attempt: int) -> None:
        """Write the questions down that no earlier invocation has written down."""
        shards = shards_in(self._folder, QUESTIONS)
        there = {(one.id, one.sample) for shard in shards for one in read_questions(self._folder, shard)}
        new = [one.question(self._selected, attempt) for one in wanted if (one.id, attempt) not in there]
        number = shards[-1] + 1 if shards else 0
        for start in range(0, len(new), self._shard_size):
            write_questions(self._folder, number, new[start : start + self._shard_size])
            number += 1

    def _sample(self, retry_failed: bool, show: Callable[[Sampling, int], None]) -> None:
        asked, done = shards_in(self._folder, QUESTIONS), {*shards_in(self._folder, SAMPLED)}
        if retry_failed:
            done = {shard for shard in done if not any(one.cause for one in read_samples(self._folder, shard))}
        todo = [shard for shard in asked if shard not in done]
        number = sum(len(read_questions(self._folder, shard)) for shard in asked) if todo else 0
        if todo:
            assert self._selected.judge
            others = [name for name in self._run.names(JUDGED) if name != self._selected.key]
            beside = [self._run.below(f"{JUDGED}/{name}") for name in others]
            self._selected.judge.run(self._folder, todo, lambda now: show(now, number), beside)

    def _conclude(self, cases: Sequence[Case], wanted: Mapping[str, Asked]) -> None:
        answers = self._answers()
        verdicts = [self._verdict(one, answers.get(one.id, [])) for one in wanted.values()]
        write_verdicts(self._folder, VERDICTS, verdicts)
        failed = sum(one.outcome == FAILED for one in verdicts)
        state = {"digest": self._digest(cases), "verdicts": len(verdicts), "failed": failed}
        self._folder.write(STATE, json.dumps(state).encode() + b"\n")

    def _verdict(self, one: Asked, answers: Sequence[Sample]) -> Verdict:
        if not answers:
            raise EvolrayError(f"{self._folder.url}: the judge was never asked about {one.id}.")
        last = answers[-1]
        scores: tuple[float | None, float | None] = (None, None)
        outcome = NO_VERDICT
        if last.cause:
            outcome = FAILED
        elif judgement := self._read(last):
            swapped = one.order == "baseline_first"
            scores = (judgement.second, judgement.first) if swapped else (judgement.first, judgement.second)
            outcome = compared(*scores)
        message = f"{last.cause}: {last.message}" if last.cause else ""
        return Verdict(
            one.case.problem.id, outcome, one.turn, one.order, one.repeat, *scores, storable(last.text), last.model,
            storable(message),
        )  # fmt: skip

    def _read(self, sample: Sample) -> Judgement | None:
        """Of an answer that was cut off only whole lines count: a 10 may be a 1 by then."""
        text = sample.text if sample.finish_reason != "length" else sample.text.rpartition("\n")[0]
        return self._selected.protocol.parse(text)

    def _digest(self, cases: Sequence[Case]) -> str:
        """Of the answers and of how often they are judged; the rules are in the folder's name."""
        settings = self._selected.settings
        digest = hashlib.sha256(f"{settings.repeats}/{settings.attempts}".encode())
        for case in cases:
            digest.update(repr((case.problem.id, case.answer)).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def compared(model: float | None, baseline: float | None) -> str:
    """The outcome of two scores; "scored" where there is but one."""
    if model is None or baseline is None:
        return "scored"
    return "win" if model > baseline else "loss" if model < baseline else "tie"
