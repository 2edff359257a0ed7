"""`campaign`: another generation while the score on the development sets rises (arXiv 2306.08568, section 3).

Each round adds a generation to the pool, refines all generations so far into a mix, trains the same model anew on it
and evaluates that on the development sets; then the stop rule says whether there is another round. All that is known
lies in the run directory: whatever is killed, the same command goes on from there. A finished campaign is left as it
is; it goes on when `rounds` or `patience` are raised.

    run.yaml, manifest.json         what must stay as it is; the rounds, the best, why it ended
    report.html                     the page about it, written anew after each round
    steps/<round>/<stage>/          each step's config, its jobs and their logs (see evolray/pipeline)
    pool/, rounds/<r>/              what the stages make (see steps.py)
"""

import contextlib
import itertools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from evolray.campaign import estimate
from evolray.campaign import manifest as manifests
from evolray.campaign.identity import difference, identity_of
from evolray.campaign.manifest import CampaignManifest
from evolray.campaign.operators import weights as learn_weights
from evolray.campaign.page.writing import PAGE, write_page
from evolray.campaign.recording import history, record
from evolray.campaign.results import Campaign, read
from evolray.campaign.rounds import Decision, Score, decide
from evolray.campaign.settings import Settings, read_settings
from evolray.campaign.steps import POOL, Weights, make_steps
from evolray.config import CampaignConfig
from evolray.errors import BudgetError, EvolrayError, Interrupted, UserError
from evolray.pipeline.places import shown
from evolray.pipeline.running import OpenServer, Pipeline
from evolray.pool.layout import Folder, LocalFolder, hold, open_folder
from evolray.pool.manifest import describe_run, read_manifest
from evolray.pool.seed_formats import without_credentials

__all__ = ["Campaign", "campaign", "dry_run"]

logger = logging.getLogger("evolray")

INCOMPARABLE = "Its rounds could not be compared with each other: choose another run=, or go back to that setting."
STATUS: dict[type[EvolrayError], str] = {Interrupted: "interrupted", BudgetError: "out_of_budget"}


def campaign(
    config: CampaignConfig, *, console: Console | None = None, open_server: OpenServer | None = None
) -> Campaign:
    """Go from round to round until the score falls, or go on where an earlier run of `config.run` ended.

    `open_server` stands in for the job server, as in `Pipeline`. Raises what the stages raise (UserError,
    EndpointError, BudgetError, Interrupted or EvolrayError); after all of them the same call goes on.
    """
    config, settings, folder, identity = _prepared(config)
    changed = difference(folder, identity)
    with hold(folder):
        run = Run(config, settings, folder)
        if changed and run.has_rounds:
            raise UserError(f"{changed} {INCOMPARABLE}")
        if changed is not None and run.decision.goes_on:
            estimate.check(settings)
        describe_run(folder, shown({**asdict(config), "run": folder.url}), {}, identity, anew=True)
        run.work(console, open_server)
    return read(config.run)


def dry_run(config: CampaignConfig) -> list[str]:
    """The steps of the first rounds and what one costs at most: lines for people. Nothing is written, nobody is asked.

    Raises UserError.
    """
    config, settings, _, _ = _prepared(config)
    first = [0, 1] if config.baseline else [1]
    baseline = " after a baseline, round 0" if config.baseline else ""
    lines = [f"at most {config.rounds} rounds{baseline}; the first steps:"]
    for step in make_steps(config, settings, first, {}):
        lines.append(f"  {step.name}" + (f", after {', '.join(step.needs)}" if step.needs else ""))
    lines.append("what a round costs at most; the later ones much the same:")
    for stage, said in estimate.estimate(settings).items():
        lines += [f"  {stage}", *(f"    {line}" for line in said)]
    return lines


class Run:
    """One invocation: which rounds are finished, which are to be done, and the manifest about them."""

    def __init__(self, config: CampaignConfig, settings: Settings, folder: Folder) -> None:
        self._started = time.monotonic()
        self._config, self._settings, self._folder = config, settings, folder
        before = manifests.read(folder)
        self._seconds_before = before.seconds if before else 0.0
        self._manifest = before or CampaignManifest(folder.url, "running")
        self._manifest.run, self._manifest.model = folder.url, without_credentials(settings.train.model)
        self.decision = self._look()

    @property
    def has_rounds(self) -> bool:
        return bool(self._manifest.rounds)

    def work(self, console: Console | None, open_server: OpenServer | None) -> None:
        """Round after round. Raises the error that stands for why the campaign stopped, if it did."""
        if not self.decision.goes_on:
            logger.info("%s: nothing to do: %s", self._folder.url, self.decision.why)
            if (self._manifest.status, self._manifest.message) != ("complete", self.decision.why):
                self._write("complete", self.decision.why)
                write_page(self._folder)
            return
        title = f"campaign of at most {self._config.rounds} rounds into {self._folder.url}"
        logger.info(title)
        name = self._folder.url.rstrip("/").rpartition("/")[2]
        try:
            with (
                _observed(self._config.run, open_server),
                Pipeline(
                    self._folder, name, self._config.jobs, title=title, console=console, open_server=open_server
                ) as pipeline,
            ):
                while self.decision.goes_on:
                    self._make(self._next(), pipeline)
        except EvolrayError as error:
            self._write(STATUS.get(type(error), "stopped"), str(error))
            write_page(self._folder)
            raise
        self._write("complete", self.decision.why)
        write_page(self._folder)
        logger.info("%s: %s", self._folder.url, self.decision.why)

    def _make(self, numbers: Sequence[int], pipeline: Pipeline) -> None:
        """Rounds side by side, up to their scores."""
        self._manifest.working_on = list(numbers)
        learned = self._learned(max(numbers))
        self._write("running")  # before they are used, for later invocations
        if not self._folder.exists(PAGE):
            write_page(self._folder)
        pipeline.run(make_steps(self._config, self._settings, numbers, learned))
        self.decision = self._look()
        self._manifest.working_on = []
        self._write("running")
        write_page(self._folder)
        for one in self._manifest.rounds:
            if one["round"] in numbers:
                logger.info("%s", _said(one))
        logger.info("%s", self.decision.why)

    def _next(self) -> list[int]:
        """The rounds without a score that can be made now: the baseline goes with the first one."""
        finished = {one["round"] for one in self._manifest.rounds}
        baseline = [0] if self._config.baseline and 0 not in finished else []
        if baseline:
            return [0] if 1 in finished else [0, 1]
        return [max(finished, default=0) + 1]

    def _look(self) -> Decision:
        """Take in the rounds that are finished on disk. One that is listed stays as it was when it was finished."""
        listed = {one["round"]: one for one in self._manifest.rounds}
        for number in itertools.count(0 if self._config.baseline else 1):
            if number not in listed:
                found = record(self._folder, number, [one for key, one in sorted(listed.items()) if key < number])
                if found:
                    listed[number] = found
                elif number:
                    break
        rounds = [listed[key] for key in sorted(listed)]
        scores = {one["round"]: Score(one["score"], one["low"], one["high"]) for one in rounds}
        decision = decide(scores, self._config.rounds, self._config.patience, self._config.tolerance)
        if self._config.baseline and 0 not in scores:
            decision = replace(decision, goes_on=True, why="the baseline, round 0, has no score yet")
        for one in rounds:
            one["fell"] = one["round"] in decision.fallen
        self._settle(rounds, decision)
        return decision

    def _settle(self, rounds: list[dict[str, Any]], decision: Decision) -> None:
        self._manifest.rounds = rounds
        best = next((one for one in rounds if one["round"] == decision.best), None)
        kept = ("round", "score", "low", "high", "student", "step")
        self._manifest.best = {key: best[key] for key in kept} if best else {}
        self._manifest.calls = sum(one["calls"] for one in rounds)
        self._manifest.cost = round(sum(one["cost"] for one in rounds), 6)
        self._manifest.tokens = {
            kind: sum(one["tokens"][kind] for one in rounds) for kind in ("prompt", "completion")
        } if rounds else {}  # fmt: skip
        pool = read_manifest(self._folder.below(POOL))
        self._manifest.teacher = pool.teacher if pool else ""

    def _learned(self, number: int) -> Weights:
        """Those that generations up to `number` were or will be evolved with. What was used once stays."""
        if not self._config.operators.learn:
            return {}
        seen = [one for one in self._manifest.rounds if one["round"] < number]
        found = learn_weights(
            history(self._folder, seen), self._config.operators.least, self._settings.evolve.operators
        )  # fmt: skip
        for generation, learned in found.items():
            if generation <= number:
                self._manifest.weights.setdefault(str(generation), learned)
        return {int(generation): one for generation, one in self._manifest.weights.items() if int(generation) <= number}

    def _write(self, status: str, message: str = "") -> None:
        one = self._manifest
        one.status, one.message = status, message
        one.seconds = round(self._seconds_before + time.monotonic() - self._started, 1)
        manifests.write(self._folder, one)


@contextlib.contextmanager
def _observed(run: str, open_server: OpenServer | None) -> Iterator[None]:
    """Its metrics, where Ray is what runs it."""
    if open_server is not None:
        yield
        return
    from evolray.campaign import on_ray  # Ray takes a second to import

    with on_ray.observed(run):
        yield


def _prepared(config: CampaignConfig) -> tuple[CampaignConfig, Settings, Folder, dict[str, Any]]:
    """With an absolute run directory, as jobs work in another one. Raises UserError."""
    folder = open_folder(config.run)
    if isinstance(folder, LocalFolder):
        config = replace(config, run=folder.url)
    settings = read_settings(config)
    return config, settings, folder, identity_of(config, settings)


def _said(one: Mapping[str, Any]) -> str:
    interval = "" if one["low"] is None else f" (95 % interval {one['low']:.1f} to {one['high']:.1f})"
    records, steps = one["mix"]["records"], one["training"]["steps"]
    return f"round {one['round']}: {one['score']:.1f} %{interval}, from {records:,} records in {steps:,} steps"
