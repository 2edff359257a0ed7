"""The cells of one invocation: those of the checkpoints that are there, new ones while trainings run, and finished ones
whose checkpoint was deleted since."""

import logging
from collections.abc import Callable, Sequence

from evolray.config import SweepConfig
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from evolray.sweep.grid import Grid
from evolray.sweep.records import Record, Records
from evolray.sweep.schedule import Schedule
from evolray.sweep.sources import Source, Student, is_there, shown

logger = logging.getLogger("evolray")


class Plan:
    """`before`: the names of the cells of earlier invocations. Raises UserError when a checkpoint is not there, or when
    the config does not fit what a cell was begun with."""

    def __init__(
        self, config: SweepConfig, folder: LocalFolder, grid: Grid, sources: Sequence[Source], before: Sequence[str]
    ) -> None:
        self.sources, self.records = sources, Records(folder)
        self.tell: Callable[[str], None] = logger.info
        self.is_growing = False
        """Whether more checkpoints may come, as of the last time that was asked."""
        self._grid, self._watch = grid, config.watch
        self._students: set[Student] = set()
        self.schedule = Schedule(
            self.records, folder.path.name, config.jobs, config.retries, lambda cell: is_there(cell.student),
            lambda event: self.tell(event),
        )  # fmt: skip
        self.grow(config.retry_failed)
        self._kept = self._evaluated_before(before)
        self._check_sources()

    @property
    def is_done(self) -> bool:
        return self.schedule.is_idle and not self.is_growing

    def grow(self, retry_failed: bool = False) -> None:
        """Take in the cells of checkpoints that are new."""
        # Asked before the list is made: what a training saves between the two is in the list, now or the next time.
        self.is_growing = self._watch and any(source.is_growing() for source in self.sources)
        found = [student for source in self.sources for student in source.students()]
        if (endpoint := self._grid.endpoint) is not None:
            found = [endpoint]
        cells = self._grid.cells([student for student in found if student not in self._students])
        self._students.update(found)
        for cell in cells:
            self.records.settle(cell)
        self.schedule.add(cells, retry_failed)

    def cells(self) -> dict[str, Record]:
        """By checkpoint in the config's order, by step, then as the grid has them."""
        places = {source.label: place for place, source in reversed([*enumerate(self.sources)])}
        records = {**self._kept, **{name: entry.record for name, entry in self.schedule.entries.items()}}
        return dict(sorted(records.items(), key=lambda one: (places.get(one[1].checkpoint, 0), one[1].step or 0)))

    def counts(self) -> dict[str, int]:
        counts = self.schedule.counts()
        return {**counts, "complete": counts["complete"] + len(self._kept)}

    def _evaluated_before(self, names: Sequence[str]) -> dict[str, Record]:
        kept = {}
        for name in names:
            record = self.records.read(name) if name not in self.schedule.entries else None
            if (
                record
                and any(one.label == record.checkpoint and one.step in (None, record.step) for one in self.sources)
                and self._grid.covers(record.benchmark, record.settings)
                and self.records.scores(name) is not None
            ):
                kept[name] = record
        return kept

    def _check_sources(self) -> None:
        there = {(record.checkpoint, step) for record in self.cells().values() for step in (record.step, None)}
        for source in self.sources:
            if (source.label, source.step) not in there and not self.is_growing:
                step = "" if source.step is None else f" of step {source.step}"
                hint = "; watch=true waits for those of a running training" if source.is_growing() else ""
                raise UserError(f"checkpoints: {shown(source.place)}: no complete checkpoint{step} is there{hint}.")
