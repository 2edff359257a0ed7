"""A round as steps: one evolve, refine, train and evaluate each, which go on from what the steps before left on disk.

    pool/                   one pool for all rounds: round r adds generation r, and asks nothing again that was answered
    rounds/<r>/mix          what is left of generations 0 to r: each round is merged with all before and with the seeds
    rounds/<r>/student      the same model, trained anew on that mix
    rounds/<r>/dev          its best checkpoint on the development sets

Round 0, the baseline, takes generation 0 of the pool, so that its student has seen the very seeds and responses that
the later rounds build on, whether they came with the seeds or the teacher gave them. It has no evolve step: with the
first one, its seeds are there, and it goes on beside round 1.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from evolray.campaign.settings import Settings
from evolray.config import CampaignConfig, JobConfig
from evolray.pipeline.step import Step

POOL, ROUNDS = "pool", "rounds"
MIX, STUDENT, DEV = "mix", "student", "dev"
STAGES = ("evolve", "refine", "train", "evaluate")

Weights = Mapping[int, Mapping[str, float]]
"""Operator weights by generation, where they were learned."""


def place(number: int, part: str) -> str:
    """Where a round's mix, student or dev lies, from the run directory."""
    return f"{ROUNDS}/{number}/{part}"


def name(number: int, stage: str) -> str:
    """A step's name."""
    return f"round-{number}/{stage}"


def make_steps(config: CampaignConfig, settings: Settings, numbers: Sequence[int], learned: Weights) -> list[Step]:
    """Of the rounds that are worked on side by side: 1, or 0 and 1, or a later one alone."""
    run = Run(config, settings)
    steps = [run.evolve(max(*numbers, 1), learned)]
    for number in numbers:
        steps += [run.refine(number), run.train(number), run.evaluate(number)]
    return steps


class Run:
    """Makes the steps of one campaign. `config.run` is absolute."""

    def __init__(self, config: CampaignConfig, settings: Settings) -> None:
        self._config, self._settings = config, settings

    def evolve(self, generations: int, learned: Weights) -> Step:
        own: dict[str, Any] = {"run": self._at(POOL), "generations": generations}
        if learned:
            own["operators_by_generation"] = {number: dict(learned[number]) for number in sorted(learned)}
        return self._step(generations, "evolve", self._settings.evolve, own)

    def refine(self, number: int) -> Step:
        select = replace(self._settings.refine.select, generations=list(range(number + 1)))
        own = {"run": self._at(place(number, MIX)), "data": self._at(POOL), "select": select}
        return self._step(number, "refine", self._settings.refine, own, name(max(number, 1), "evolve"))

    def train(self, number: int) -> Step:
        own = {"run": self._at(place(number, STUDENT)), "data": self._at(place(number, MIX))}
        return self._step(number, "train", self._settings.train, own, name(number, "refine"))

    def evaluate(self, number: int) -> Step:
        own = {"run": self._at(place(number, DEV)), "model": self._at(place(number, STUDENT))}
        return self._step(number, "evaluate", self._settings.evaluate, own, name(number, "train"))

    def _step(self, number: int, stage: str, base: Any, own: Mapping[str, Any], *needs: str) -> Step:
        job = self._config.jobs.stages.get(stage, JobConfig())
        return Step(name(number, stage), stage, replace(deepcopy(base), **own), needs, job)

    def _at(self, part: str) -> str:
        """Below the run directory, whose URL may end in options."""
        address, mark, options = self._config.run.partition("?")
        return f"{address.rstrip('/')}/{part}{mark}{options}"
