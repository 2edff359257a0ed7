"""Between train and evaluate: list, keep, fetch, verify and export the checkpoints of a run.

    checkpoints/step-00000100/      a plain Hugging Face folder: config.json, *.safetensors, tokenizer, chat template
        evolray.json                step, losses, data, versions, the names and sizes of all files; it comes last
        state/                      what a resume needs (optimizer, scheduler, random states); never exported

A checkpoint counts once its evolray.json is there. On a file system the folder is filled as `.step-00000100.partial`
and renamed; an object store knows no renaming, so there every node uploads what it wrote and evolray.json comes at the
end. The ranks of a training job call the same methods in both cases, on one step at a time:

    checkpoints = Checkpoints(run, rank, local_rank)
    folder = checkpoints.prepare(step)        # every rank; then a barrier
    ...                                       # every rank writes its files into `folder`; then a barrier
    checkpoints.publish(step, folder)         # every rank; then a barrier
    checkpoints.commit(step, about)           # rank 0
    checkpoints.keep(2)                       # rank 0

Whatever dies between two of these calls, or within one, a reader finds what was complete before or what is complete
now. Only where a step is written a second time is it away in between: for an instant on a file system, from `prepare`
to `commit` in an object store. Nothing is fsynced. Files that run code when they are loaded (pickles) are refused
everywhere but in state/, which is not looked into here.
"""

import hashlib
import json
import logging
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyarrow import fs

from evolray.errors import EvolrayError, UserError
from evolray.model_folder import ABOUT, STATE, Tree, check, check_files, is_state, open_tree, read_about
from evolray.pool.layout import cannot_write, open_folder
from evolray.pool.scratch import scratch

CHECKPOINTS = "checkpoints"
STEP = re.compile(r"step-(\d{8,})")
PARTIAL = re.compile(r"\.step-(\d{8,})\.partial")
GONE = re.compile(r"\.step-\d{8,}\.gone-[0-9a-f]+")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A complete one. `about` is its evolray.json, `url` its folder without credentials."""

    step: int
    url: str
    about: dict[str, Any] = field(repr=False, hash=False)
    tree: Tree = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return step_name(self.step)

    @property
    def loss(self) -> float | None:
        return _finite(self.about.get("loss"))

    @property
    def held_out_loss(self) -> float | None:
        return _finite(self.about.get("held_out_loss"))

    @property
    def is_local(self) -> bool:
        return isinstance(self.tree.files, fs.LocalFileSystem)

    @property
    def path(self) -> Path:
        """Raises UserError when it lies in an object store."""
        if not self.is_local:
            raise UserError(f"{self.url} is not on this machine; get it with Checkpoints.fetch or evolray export.")
        return Path(self.tree.path)

    @property
    def state(self) -> Path:
        return self.path / STATE


class Checkpoints:
    """Those of one run directory, a path or a URL.

    `rank` counts in the whole job, `local_rank` on this node; readers need neither. Raises UserError when the URL
    cannot be opened. Creates nothing.
    """

    def __init__(self, run: str, rank: int = 0, local_rank: int = 0) -> None:
        self._folder = open_folder(run)
        self._tree = open_tree(run, self._folder).below(CHECKPOINTS)
        self._rank, self._local_rank = rank, local_rank
        self.url = self._tree.url

    def __repr__(self) -> str:
        return f"Checkpoints({self._folder.url!r})"

    # --- reading ---

    def all(self) -> list[Checkpoint]:
        """The complete ones, by step."""
        while True:
            found = {step: self._read(step) for step in self._steps()}
            missed = {step for step, one in found.items() if one is None}
            # One that was deleted since it was listed has made room for a newer one, which is not in the list yet.
            if not missed or missed <= {*self._steps()}:
                return [one for one in found.values() if one]

    def latest(self) -> Checkpoint | None:
        return next(reversed(self.all()), None)

    def best(self) -> Checkpoint | None:
        """The one with the lowest held-out loss, the later one of equals; the latest when none has a held-out loss."""
        return _best(self.all())

    def at(self, step: int | None = None) -> Checkpoint:
        """That of a step, or the best. Raises UserError when there is none."""
        complete = self.all()
        chosen = _best(complete) if step is None else next((one for one in complete if one.step == step), None)
        if chosen is None:
            there = ", ".join(str(one.step) for one in complete) or "none"
            wanted = "" if step is None else f" of step {step}"
            raise UserError(f"{self.url}: no checkpoint{wanted} there; steps: {there}.")
        return chosen

    def fetch(self, checkpoint: Checkpoint, with_state: bool = False, into: str | Path | None = None) -> Path:
        """A verified local folder of it: its own, or else a copy at `into` or in this node's temporary directory.

        A copy that is already there is not made again. A local checkpoint stays subject to `keep`. Raises UserError
        when it is damaged, has no state although `with_state` wants it, or when `into` holds something else;
        EvolrayError when it cannot be copied, for example as it was deleted meanwhile.
        """
        wanted = _wanted(checkpoint.about, with_state)
        if with_state and not any(map(is_state, wanted)):
            raise UserError(
                f"{checkpoint.url} has no {STATE}/ to resume from; choose another checkpoint, or start anew."
            )
        if checkpoint.is_local:
            try:
                check(checkpoint.tree, with_state)
            except FileNotFoundError as error:
                raise EvolrayError(f"{checkpoint.url} was deleted while it was read.") from error
            return checkpoint.path
        if into is None:
            # Named after its content, so that no process of the node takes away what another one is reading.
            digest = _digest(json.dumps(checkpoint.about, sort_keys=True))
            target = scratch(_digest(self.url)) / f"{checkpoint.name}-{digest}{'-with-state' if with_state else ''}"
        else:
            target = Path(into).expanduser().absolute()
        if _holds(target, checkpoint.about, wanted):
            return target
        if into is None:
            _delete_tree(target)
        _refuse_occupied(target)
        return _copy_aside(checkpoint.tree, checkpoint.about, wanted, target)

    # --- writing ---

    def prepare(self, step: int) -> Path:
        """The local folder into which to write a step. All ranks call it, then wait for each other, then write.

        What an earlier attempt left there is cleared: on a file system by rank 0, else on every node by its local
        rank 0. In an object store rank 0 also deletes what there is of this step.
        """
        folder = self._partial(step)
        try:
            if self._folder.is_local and self._rank == 0:
                _delete_tree(folder)
            if not self._folder.is_local and self._local_rank == 0:
                for stale in folder.parent.glob(".step-*.partial"):
                    shutil.rmtree(stale, ignore_errors=True)
            if not self._folder.is_local and self._rank == 0:
                self._delete_objects(step)
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(str(folder), error) from error
        return folder

    def publish(self, step: int, folder: Path) -> None:
        """Upload what the ranks of this node wrote, and delete it here; nothing to do on a file system.

        Every rank may call it, and the local rank 0 acts. Raises EvolrayError when a file cannot be uploaded.
        """
        if self._folder.is_local or self._local_rank:
            return
        source = open_tree(str(folder))
        target = self._tree.below(step_name(step))
        try:
            source.copy((name for name in source.sizes() if name != ABOUT), target)
        except OSError as error:
            raise cannot_write(target.url, error) from error
        shutil.rmtree(folder, ignore_errors=True)

    def commit(self, step: int, about: Mapping[str, Any]) -> Checkpoint:
        """Make the step complete, in place of an earlier checkpoint of the same step. For rank 0.

        Adds `step`, `created_at` (seconds since 1970) and `files` to `about`. Committing a step again of which
        nothing new was written changes nothing. Raises UserError when the folder lacks something (`verify`), as when
        the run directory is not one that every node sees.
        """
        name = step_name(step)
        local = self._folder.is_local
        folder = self._partial(step).name if local else name
        tree = self._tree.below(folder)
        if not (local and self._partial(step).exists()) and (before := self._read(step)):
            return before
        sizes = tree.sizes()
        sizes.pop(ABOUT, None)
        check_files(tree, sizes)
        about = {**about, "step": step, "created_at": about.get("created_at", time.time()), "files": sizes}
        # JSON has no NaN and no infinity.
        about = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in about.items()}
        self._folder.write(f"{CHECKPOINTS}/{folder}/{ABOUT}", json.dumps(about, indent=1).encode() + b"\n")
        if local:
            _put_in_place(self._partial(step), Path(self._tree.path) / name)
        return Checkpoint(step, self._tree.below(name).url, about, self._tree.below(name))

    def keep(self, number: int) -> list[int]:
        """Delete all but the `number` latest and the best; return the deleted steps. For rank 0.

        The newest always stays. What crashes left behind of older steps goes, too.
        """
        complete = self.all()
        if not complete:
            return []
        kept = {one.step for one in complete[-max(number, 1) :]}
        if (best := _best(complete)) is not None:
            kept.add(best.step)
        deleted = [one.step for one in complete if one.step not in kept]
        try:
            for step in deleted:
                self._delete(step)
            self._delete_leftovers(kept)
        except OSError as error:
            raise cannot_write(self.url, error) from error
        return deleted

    # --- the inside ---

    def _steps(self) -> list[int]:
        if self._folder.is_local:
            self._finish_commits()
        matches = (STEP.fullmatch(name) for name in self._folder.names(CHECKPOINTS))
        return sorted(int(match[1]) for match in matches if match)

    def _read(self, step: int) -> Checkpoint | None:
        """None for one that is not complete, or that was deleted meanwhile."""
        tree = self._tree.below(step_name(step))
        try:
            about = read_about(tree)
        except UserError as error:
            log.warning("%s It is left out.", error)
            return None
        return None if about is None else Checkpoint(step, tree.url, about, tree)

    def _partial(self, step: int) -> Path:
        parent = Path(self._tree.path) if self._folder.is_local else scratch(_digest(self.url))
        return parent / f".{step_name(step)}.partial"

    def _finish_commits(self) -> None:
        """Rename what was complete when its writer died just before doing so itself.

        It is the newer state, and where a step was being replaced the only one. A writer that is about to rename finds
        its work done.
        """
        parent = Path(self._tree.path)
        with suppress(OSError):  # nothing there yet, or a reader without the right to write
            for folder in parent.iterdir():
                match = PARTIAL.fullmatch(folder.name)
                if match and (folder / ABOUT).exists() and not (target := parent / step_name(int(match[1]))).exists():
                    with suppress(OSError):
                        folder.rename(target)

    def _delete(self, step: int) -> None:
        if self._folder.is_local:
            # A complete leftover of the same step would come back in its place.
            _delete_tree(self._partial(step))
            _delete_tree(Path(self._tree.path) / step_name(step))
        else:
            self._delete_objects(step)

    def _delete_objects(self, step: int) -> None:
        """evolray.json first, so that a reader never takes the rest for complete."""
        tree = self._tree.below(step_name(step))
        with suppress(FileNotFoundError):
            tree.files.delete_file(f"{tree.path}/{ABOUT}")
        with suppress(FileNotFoundError):
            tree.files.delete_dir(tree.path)

    def _delete_leftovers(self, kept: set[int]) -> None:
        """Half-written and half-deleted steps before the newest; a later one may be at work."""
        newest = max(kept)
        names = os.listdir(self._tree.path) if self._folder.is_local else self._folder.names(CHECKPOINTS)
        for name in names:
            if GONE.fullmatch(name):
                shutil.rmtree(Path(self._tree.path) / name, ignore_errors=True)
            elif (match := PARTIAL.fullmatch(name)) and int(match[1]) <= newest:
                _delete_tree(Path(self._tree.path) / name)
            elif (match := STEP.fullmatch(name)) and int(match[1]) < newest and int(match[1]) not in kept:
                self._delete(int(match[1]))


def verify(place: Checkpoint | str | Path) -> None:
    """Check that a model folder, complete or exported, local or a URL, can be loaded and is safe to.

    Raises UserError that names what is wrong: no config.json, no weights, a file that the index or evolray.json
    names is missing or has another size, a safetensors file is cut off or its header makes no sense, or a pickle lies
    outside state/. state/ itself may be missing.
    """
    check(_tree_of(place), with_state=False)


def export(place: Checkpoint | str | Path, target: str | Path) -> None:
    """Copy a checkpoint, all but its state/, to a new folder `target`, which is there whole or not at all.

    Raises UserError when the checkpoint is not complete, or when `target` holds anything; EvolrayError when it cannot
    be written.
    """
    tree, target = _tree_of(place), Path(target).expanduser().absolute()
    about = place.about if isinstance(place, Checkpoint) else read_about(tree)
    if about is None:
        raise UserError(
            f"{tree.url}: no {ABOUT} there, so this is no complete checkpoint; expected a folder such as "
            f"RUN/{CHECKPOINTS}/{step_name(100)}."
        )
    _refuse_occupied(target)
    _copy_aside(tree, about, _wanted(about, with_state=False), target)


def step_name(step: int) -> str:
    return f"step-{step:08d}"


# --- which is which ---


def _best(complete: list[Checkpoint]) -> Checkpoint | None:
    judged = [(one.held_out_loss, -one.step, one) for one in complete if one.held_out_loss is not None]
    return min(judged, key=lambda entry: entry[:2])[2] if judged else next(reversed(complete), None)


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode()).hexdigest()[:16]


def _tree_of(place: Checkpoint | str | Path) -> Tree:
    return place.tree if isinstance(place, Checkpoint) else open_tree(str(place))


def _wanted(about: Mapping[str, Any], with_state: bool) -> list[str]:
    return [name for name in about["files"] if with_state or not is_state(name)] + [ABOUT]


def _holds(folder: Path, about: Mapping[str, Any], wanted: list[str]) -> bool:
    """Whether an earlier call has put the same checkpoint there."""
    tree = open_tree(str(folder))
    with suppress(UserError):
        if read_about(tree) == about:
            sizes = tree.sizes()
            return all(name == ABOUT or sizes.get(name) == about["files"][name] for name in wanted)
    return False


# --- moving folders ---


def _refuse_occupied(target: Path) -> None:
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise UserError(f"{target} is already there and is not an empty folder; choose another, or remove it.")


def _copy_aside(tree: Tree, about: Mapping[str, Any], wanted: list[str], target: Path) -> Path:
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        tree.copy(wanted, open_tree(str(aside)))
        check(open_tree(str(aside)), with_state=any(map(is_state, wanted)))
        try:
            aside.rename(target)
        except OSError:
            if not _holds(target, about, wanted):  # else another process was faster with the same
                raise
    except FileNotFoundError as error:
        if read_about(tree) is not None:
            check(tree, with_state=any(map(is_state, wanted)))
        raise EvolrayError(f"{tree.url}: a file went missing during the copy; was the checkpoint deleted?") from error
    except OSError as error:
        raise cannot_write(str(target), error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _put_in_place(aside: Path, target: Path) -> None:
    """Rename, moving an old checkpoint out of the way first.

    A reader may do the renaming at any moment when there is no target (`_finish_commits`). So the target is an old one
    only if it was there before what is aside was seen, and moving the new one away is ruled out.
    """
    gone = target.with_name(f".{target.name}.gone-{secrets.token_hex(4)}")
    if target.exists() and aside.exists():
        target.rename(gone)
    try:
        aside.rename(target)
    except FileNotFoundError:
        if not (target / ABOUT).exists():
            raise
    shutil.rmtree(gone, ignore_errors=True)


def _delete_tree(folder: Path) -> None:
    """Out of sight at once, so that no reader sees half of it."""
    name = folder.name.removeprefix(".").removesuffix(".partial")
    gone = folder.with_name(f".{name}.gone-{secrets.token_hex(4)}")
    with suppress(FileNotFoundError):
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
