"""The students as they are on disk: what each was trained on, measured, and what its checkpoints scored.

A student is judged by its last checkpoint, the one that has seen as many tokens as those of the others; to choose the
best by the held-out scores themselves would flatter it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evolray.ablation import names
from evolray.ablation.scores import ALL, Cell, Score, read_cells
from evolray.checkpoints import CHECKPOINTS, Checkpoints
from evolray.pool.layout import Folder
from evolray.pool.manifest import MANIFEST
from evolray.report.numbers.evolved import read_json

COMPLETE = "complete"


@dataclass(frozen=True)
class Checkpoint:
    """`tokens`: those it had been trained on. `cells`: where its samples are, relative to the sweep, by benchmark."""

    step: int
    tokens: int
    scores: tuple[Score, ...]
    cells: tuple[tuple[str, str], ...]

    def score(self, benchmark: str, group: str = ALL) -> Score | None:
        return next((one for one in self.scores if (one.benchmark, one.group) == (benchmark, group)), None)


@dataclass(frozen=True)
class Student:
    """`generations`: up to which its mix goes. `examples` are those of its mix; `tokens` and `steps` what it was
    trained on and in, epochs adding up; None where it has not got so far. `state`: for people. `checkpoints`: those
    that have been evaluated, by step."""

    generations: int
    state: str
    examples: int | None = None
    tokens: int | None = None
    steps: int | None = None
    loss: float | None = None
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def title(self) -> str:
        return names.title(self.generations)

    @property
    def last(self) -> Checkpoint | None:
        """The evaluated one with the most steps."""
        return self.checkpoints[-1] if self.checkpoints else None

    def score(self, benchmark: str, group: str = ALL) -> Score | None:
        """Of the last checkpoint."""
        return self.last.score(benchmark, group) if self.last else None


def read_students(folder: Folder, generations: Sequence[int]) -> tuple[Student, ...]:
    """Of the ablation in `folder`. Raises UserError for files that cannot be read."""
    cells = read_cells(folder)
    return tuple(_read(folder, one, cells) for one in sorted(generations))


def _read(folder: Folder, generations: int, cells: Sequence[Cell]) -> Student:
    mix = read_json(folder.below(names.mix_folder(generations)), MANIFEST)
    place = folder.below(names.student_folder(generations))
    training = read_json(place, MANIFEST)
    figures = training.get("figures") or {}
    own = [cell for cell in cells if cell.student == names.folder_name(generations)]
    checkpoints = _checkpoints(place, training, own)
    examples = (training.get("examples") or {}).get("train")
    if examples is None and mix.get("status") == COMPLETE:
        examples = (mix.get("mix") or {}).get("records")
    return Student(
        generations, _state(mix, training, checkpoints), examples, figures.get("tokens"), figures.get("step"),
        figures.get("loss"), checkpoints,
    )  # fmt: skip


def _state(mix: dict[str, Any], training: dict[str, Any], checkpoints: Sequence[Checkpoint]) -> str:
    if training.get("status") == COMPLETE:
        return "trained" if not checkpoints or checkpoints[-1].step < training.get("step", 0) else COMPLETE
    if training:
        steps = f"{training.get('step', 0):,} of {training.get('steps', 0):,} steps"
        return f"{training.get('status')}, {steps}" if training.get("steps") else str(training.get("status"))
    return "refined" if mix.get("status") == COMPLETE else "refining" if mix else "waiting"


def _checkpoints(place: Folder, training: dict[str, Any], cells: Sequence[Cell]) -> tuple[Checkpoint, ...]:
    if not cells:
        return ()
    seen = _tokens_seen(place)
    figures = training.get("figures") or {}
    each = figures.get("tokens", 0) / max(figures.get("step", 0), 1)
    found = []
    for step in sorted({cell.step for cell in cells}):
        own = [cell for cell in cells if cell.step == step]
        scores = tuple(score for cell in own for score in cell.scores)
        # One that was deleted since says no more how many tokens it has seen: steps have about equally many.
        tokens = seen.get(step, round(each * step))
        found.append(Checkpoint(step, tokens, scores, tuple((cell.benchmark, cell.name) for cell in own)))
    return tuple(found)


def _tokens_seen(place: Folder) -> dict[int, int]:
    if not place.names(CHECKPOINTS):
        return {}
    found = ((one.step, one.about.get("tokens_seen")) for one in Checkpoints(place.url).all())
    return {step: int(tokens) for step, tokens in found if isinstance(tokens, int | float)}
