"""What a sweep's `checkpoints` are: trainings with all their steps, one step of a training, model folders, names.

Read from disk alone, again and again while a training runs. A training counts as running while its manifest says so and
was written lately: one that was killed says "running" for ever.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolray.checkpoints import CHECKPOINTS, Checkpoints, step_name
from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder
from evolray.pool.manifest import MANIFEST, RUN

TRAINING = "train"
SILENT_SECONDS = 600.0
"""A running training writes its manifest every few seconds; after so long without a word it counts as ended."""


@dataclass(frozen=True)
class Student:
    """One model to evaluate. `model` is its name for `evolray evaluate`; None: the endpoint of the settings."""

    label: str
    model: str | None
    step: int | None = None

    @property
    def name(self) -> str:
        return self.label if self.step is None else f"{self.label}-{step_name(self.step)}"


@dataclass(frozen=True)
class Source:
    """An entry of `checkpoints`. `place` is an absolute path, a URL or a name on the Hub; `label` its short name."""

    label: str
    place: str
    is_training: bool = False
    step: int | None = None

    def students(self) -> list[Student]:
        """Those that are complete now, by step."""
        if not self.is_training:
            return [Student(self.label, self.place)]
        steps = [one.step for one in Checkpoints(self.place).all() if self.step is None or one.step == self.step]
        return [Student(self.label, f"{self.place}:{step}", step) for step in steps]

    def is_growing(self) -> bool:
        """Whether more checkpoints may come."""
        return self.is_training and self.step is None and _is_running(open_folder(self.place))


def find_sources(entries: Sequence[str], taken: Mapping[str, str]) -> list[Source]:
    """The entries in their order. `taken` holds labels that are in use already, with the (`shown`) places they stand
    for.

    Raises UserError for one that is no checkpoint, and for the same one twice.
    """
    taken = dict(taken)
    sources: list[Source] = []
    for entry in entries:
        place, step, is_training = _identify(entry)
        if any(one.place == place and one.step in (None, step) for one in sources):
            raise UserError(f"checkpoints: {entry} is there twice; expected each checkpoint once.")
        label = _label(shown(place), taken)
        taken[label] = shown(place)
        sources.append(Source(label, place, is_training, step))
    for one in sources:
        if one.step is not None and Source(one.label, one.place, True) in sources:
            raise UserError(
                f"checkpoints: step {one.step} of {one.place} is there twice, as one of the whole run, too."
            )
    return sources


def shown(place: str) -> str:
    """A place without the credentials that a URL may hold."""
    return re.sub(r"://[^/@]*@", "://", place).partition("?")[0] if "://" in place else place


def is_there(student: Student) -> bool:
    """False for a checkpoint of a training that was deleted, as `keep_checkpoints` does."""
    if student.model is None or student.step is None:
        return True
    place = student.model.rpartition(":")[0]
    return any(one.step == student.step for one in Checkpoints(place).all())


def _identify(entry: str) -> tuple[str, int | None, bool]:
    """The place, the step and whether it is a training."""
    run, colon, tail = entry.rpartition(":")
    if colon and tail.isdigit() and "/" not in tail and _is_training(open_folder(run)):
        return _absolute(run), int(tail), True
    place = _absolute(entry)
    folder = open_folder(place)
    if _is_training(folder):
        return place, None, True
    if "://" not in place and not Path(place).exists():
        if _looks_like_a_path(entry):
            raise UserError(
                f"checkpoints: {entry}: there is no such folder. Expected a run of evolray train, RUN:STEP, a model "
                "folder or a name on the Hub."
            )
        return entry, None, False
    if not folder.exists("config.json") and not folder.exists("adapter_config.json"):
        what = "a run of another stage" if folder.exists(RUN) else "no model, it has no config.json"
        raise UserError(
            f"checkpoints: {entry} is {what}. Expected a run of evolray train, RUN:STEP, a model folder or a name on "
            "the Hub."
        )
    return place, None, False


def _absolute(entry: str) -> str:
    """Jobs work in another directory."""
    return entry.rstrip("/") if "://" in entry else str(Path(entry).expanduser().absolute())


def _looks_like_a_path(entry: str) -> bool:
    """Names on the Hub have the form of a relative path; one whose first folder is there is meant as a path."""
    parts = Path(entry).parts
    return entry.startswith(("/", ".", "~")) or len(parts) > 2 or (len(parts) == 2 and Path(parts[0]).is_dir())


def _is_training(folder: Folder) -> bool:
    if folder.exists(MANIFEST):
        return _manifest(folder).get("stage") == TRAINING
    if folder.exists(RUN):  # before it has written a manifest
        return b"stage: train" in folder.read(RUN)
    return bool(folder.names(CHECKPOINTS))


def _is_running(folder: Folder) -> bool:
    if not folder.exists(MANIFEST):
        return folder.exists(RUN)
    manifest = _manifest(folder)
    silent = time.time() - float(manifest.get("updated_at", 0.0))
    return manifest.get("status") == "running" and silent < SILENT_SECONDS


def _manifest(folder: Folder) -> dict[str, Any]:
    try:
        content = json.loads(folder.read(MANIFEST))
    except ValueError as error:
        raise UserError(f"{folder.url}/{MANIFEST} cannot be read ({error}); was it edited?") from None
    return content if isinstance(content, dict) else {}


def _label(place: str, taken: Mapping[str, str]) -> str:
    """The last part of the place; with a hash behind it when it stands for another place already."""
    label = re.sub(r"[^\w.-]+", "-", place.rstrip("/").rpartition("/")[2]) or "model"
    if taken.get(label, place) == place:
        return label
    return f"{label}-{hashlib.sha256(place.encode()).hexdigest()[:6]}"
