"""The steps of an ablation, with the stages' own configs: one pool, mixes and students, a sweep over all of them.

    evolve -> refine-0, refine-4 -> (cut-4) -> train-0, train-4 -> sweep

The mix of the seeds alone is the seed file, refined: all of its entries, with responses of their own
(`evolve.seeds.limit` bounds what evolves, not this mix). With `evolve.seeds.respond=anew` the teacher answers the
seeds, too, and that mix is generation 0 of the pool. Every other mix is drawn evenly from the generations up to its
own.
"""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from evolray.ablation import names
from evolray.ablation.settings import settle
from evolray.config import (
    AblationConfig,
    EvolveConfig,
    JobConfig,
    RefineConfig,
    SweepConfig,
    TrainConfig,
    from_mapping,
)
from evolray.errors import UserError
from evolray.pipeline.step import Step
from evolray.pool.layout import LocalFolder
from evolray.pool.seed_formats import without_credentials
from evolray.pool.seeds import read_seeds
from evolray.records import Seed

C = TypeVar("C")

KEPT_CHECKPOINTS = 1_000  # all there will be: each of them is evaluated
MANY_EPOCHS = 1_000  # where `tokens` ends the training
# Settings of refine that change nothing about a mix: how fast it goes, what it costs.
PACE = (
    "run", "data", "engine", "budget", "workers", "memory_mb", "shard_size", "dry_run", "judge.base_url",
    "judge.api_key_env", "judge.timeout_seconds", "judge.max_retries", "judge.give_up_seconds", "judge.max_in_flight",
    "judge.requests_per_minute", "judge.tokens_per_minute", "judge.price_per_million_prompt_tokens",
    "judge.price_per_million_completion_tokens", "select.generations", "select.balance", "select.records",
)  # fmt: skip


class Plan:
    """`config` with absolute paths; `generations` in ascending order. Raises UserError for what cannot work."""

    def __init__(self, config: AblationConfig, folder: LocalFolder) -> None:
        self.config = settle(config)
        self.generations = _generations(config.generations)
        _check_counts(config)
        self._path = folder.path
        self.evolve = self._evolve()
        self._takes_seed_file = 0 in self.generations and self.evolve.seeds.respond != "anew"
        if self.generations == (0,) and not self._takes_seed_file:
            raise UserError(
                "generations=[0] with evolve.seeds.respond=anew: nothing is evolved, so there is no pool whose "
                "generation 0 the teacher has answered. Add a generation, or train on the seeds' own responses."
            )
        self._refine(self.generations[-1], None)  # settings that a stage does not know are found here, not in its job
        self._train(self.generations[-1])
        self._sweep()

    # --- steps ---

    def evolving(self) -> list[Step]:
        """None where no student is to see an evolved instruction."""
        return [self._step(names.EVOLVE, "evolve", self.evolve)] if self.generations[-1] else []

    def refining(self) -> list[Step]:
        """All mixes, as large as they are said to be, or as large as they get."""
        return [
            self._step(names.refine_step(one), "refine", self._refine(one, self.config.records), *self._before(one))
            for one in self.generations
        ]

    def cutting(self, sizes: Mapping[int, int], records: int) -> list[Step]:
        """Where the settings do not say how large the mixes are: those again that are larger than `records`, for which
        only the selection is done anew. `sizes`: by generations, before any was cut."""
        return [
            self._step(names.cut_step(one), "refine", self._refine(one, records), names.refine_step(one))
            for one in self.generations
            if self.config.records is None and sizes[one] > records
        ]

    def training(self) -> list[Step]:
        return [
            self._step(names.train_step(one), "train", self._train(one), names.refine_step(one))
            for one in self.generations
        ]

    def sweeping(self) -> Step:
        return self._step(names.SWEEP, "sweep", self._sweep(), *(names.train_step(one) for one in self.generations))

    def identity(self) -> dict[str, Any]:
        """What decides the mixes, which must not change under the students trained on them."""
        refine = asdict(self._refine(self.generations[-1], None))
        return {
            "stage": "ablation",
            "records": self.config.records,
            "tokens": self.config.tokens,
            "seeds": {"path": without_credentials(self.evolve.seeds.path), "respond": self.evolve.seeds.respond},
            "refine": {key: value for key, value in _flat(refine).items() if not _is_pace(key)},
        }

    def check_seeds(self) -> None:
        """Raises UserError when the seed file cannot make the mix of the seeds alone, as far as can be told from it."""
        if not self._takes_seed_file:
            return
        path, wanted = self.evolve.seeds.path, self.config.records or 1
        usable = (
            one
            for one in read_seeds(path, turn=self.evolve.seeds.turn)
            if isinstance(one, Seed) and one.response.strip()
        )
        found = sum(1 for _ in islice(usable, wanted))
        if not found:
            raise UserError(
                f"evolve.seeds.path={without_credentials(path)}: no seed has a response, and a student of the seeds "
                "alone needs some. Have the teacher answer them with evolve.seeds.respond=anew, or leave 0 out of "
                "generations."
            )
        if found < wanted:
            raise UserError(
                f"records={wanted}: {without_credentials(path)} has {found:,} seeds with a response. Give records a "
                "smaller number, or more seeds; evolve.seeds.limit bounds what evolves, not this student's mix."
            )

    # --- configs ---

    def _evolve(self) -> EvolveConfig:
        own = {"run": self._place(names.POOL), "generations": max(self.generations[-1], 1)}
        return _make(EvolveConfig, "evolve", self.config.evolve, own)

    def _refine(self, generations: int, records: int | None) -> RefineConfig:
        select: dict[str, Any] = {}
        if generations == 0 and self._takes_seed_file:
            data = self.evolve.seeds.path
        else:
            data = self._place(names.POOL)
            select = {"select.generations": [*range(generations + 1)]}
            if records is not None:  # there is nothing to share out where all are taken
                select["select.balance"] = "generation"
        own = {"run": self._place(names.mix_folder(generations)), "data": data, "select.records": records, **select}
        return _make(RefineConfig, "refine", self.config.refine, own)

    def _train(self, generations: int) -> TrainConfig:
        own: dict[str, Any] = {
            "run": self._place(names.student_folder(generations)), "data": self._place(names.mix_folder(generations)),
        }  # fmt: skip
        usual: dict[str, Any] = {"keep_checkpoints": KEPT_CHECKPOINTS}
        if self.config.tokens is not None:
            own["max_tokens"], usual["epochs"] = self.config.tokens, MANY_EPOCHS
        return _make(TrainConfig, "train", {**usual, **self.config.train}, own)

    def _sweep(self) -> SweepConfig:
        jobs = self.config.jobs
        # What fails is tried again with the job of the whole sweep, as any step is.
        usual: dict[str, Any] = {
            "jobs": jobs.at_once, "retries": 0, "retry_failed": True, "metadata": jobs.metadata,
            "log_seconds": jobs.log_seconds, "working_dir": "." if jobs.working_dir else None,
        }  # fmt: skip
        own = {
            "run": self._place(names.SWEEP),
            "checkpoints": [self._place(names.student_folder(one)) for one in self.generations],
        }
        return _make(SweepConfig, "sweep", {**usual, **self.config.sweep}, own)

    def _step(self, name: str, stage: str, config: Any, *needs: str) -> Step:
        return Step(name, stage, config, needs, self.config.jobs.stages.get(stage, JobConfig()))

    def _before(self, generations: int) -> tuple[str, ...]:
        return () if generations == 0 and self._takes_seed_file else (names.EVOLVE,)

    def _place(self, name: str) -> str:
        return str(Path(self._path) / name)


def _generations(given: list[int]) -> tuple[int, ...]:
    if not given:
        raise UserError("generations is empty; expected a number of generations for each student, such as [0, 4].")
    for one in given:
        if one < 0 or given.count(one) > 1:
            what = "is there twice" if one >= 0 else "is below 0"
            raise UserError(f"generations={given}: {one} {what}; expected different numbers from 0 on.")
    return tuple(sorted(given))


def _check_counts(config: AblationConfig) -> None:
    for name, value in (("records", config.records), ("tokens", config.tokens)):
        if value is not None and value < 1:
            raise UserError(f"{name}={value}: expected at least 1, or null.")


def _make(schema: type[C], stage: str, given: Mapping[str, Any], own: Mapping[str, Any]) -> C:
    try:
        return from_mapping(schema, {**given, **own})
    except UserError as error:
        raise UserError(f"{stage}: {error}") from None


def _is_pace(key: str) -> bool:
    return any(f"{key}.".startswith(f"{one}.") for one in PACE)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
