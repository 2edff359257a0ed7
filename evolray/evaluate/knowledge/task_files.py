"""Task files of one's own: read, checked and hashed before anything runs.

lm-eval's task files are programs: `!function` names Python code beside them, metrics may be scripts, prompts are
templates. They are taken from a folder that may come from anywhere, so only this much is let through:

- code: `!function utils.process_docs` where utils.py is, byte for byte, a file of the installed lm-eval, and defines
  that function, and runs no code made from data
- data: JSON, CSV, Parquet, Arrow or text files in the folder, or a data set on the Hub by its name (data sets have no
  code of their own any more); paths are relative to the folder
- everything else that would name code, files or scripts is refused

Templates run in Jinja's sandbox (inside.py). Nothing here guards against a file that makes lm-eval slow or large.

What a task needs travels as bytes, so that what was checked is what runs, on whichever node that is.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from evolray.errors import UserError

FORMATS = ("json", "csv", "parquet", "arrow", "text")
"""Of data files: what the datasets library reads without running or unpickling anything."""
REFUSED = ("class", "custom_dataset", "use_prompt", "hf_evaluate", "unsafe_code")
METRIC = re.compile(r"\w+")
MOST_BYTES = 2 << 30
RUNS_DATA = re.compile(
    rb"(?<![.\w])(?:eval|exec|compile|__import__)\(|subprocess|pickle|os\.system|import_module|import evaluate"
)
INSTALL = 'pip install "evolray[lm-eval]"'


@dataclass(frozen=True)
class TaskFiles:
    """`source`: as the config has it. `names`: of the tasks and groups. `metrics`: that they name.

    `contents`: every file by its path below the folder.
    """

    source: str
    names: frozenset[str]
    metrics: frozenset[str]
    contents: Mapping[str, bytes] = field(repr=False, hash=False)

    @property
    def sha256(self) -> str:
        all_of_it = hashlib.sha256()
        for name, content in sorted(self.contents.items()):
            all_of_it.update(f"{name}\0{_sha256(content)}\0".encode())
        return all_of_it.hexdigest()


class _Function(str):
    """What stands behind `!function`."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Knows lm-eval's one tag, and runs nothing."""


_Loader.add_constructor("!function", lambda loader, node: _Function(loader.construct_scalar(node)))


def read_task_files(source: str, task: str) -> TaskFiles:
    """The task files of a folder, or one of them, with what they need. Raises UserError for what is not let through,
    and when `task` is not among them."""
    place = Path(source).expanduser().absolute()
    if not place.exists():
        raise UserError(f"{source}: no such folder. Expected a folder of lm-eval's task files for {task}, or one file.")
    root = place if place.is_dir() else place.parent
    asked = sorted(root.rglob("*.yaml")) if place.is_dir() else [place]
    reading = _Reading(root)
    for path in asked:
        reading.task_file(path)
    if task not in reading.names:
        found = ", ".join(sorted(reading.names)[:12]) or "none"
        raise UserError(
            f"{source}: no task or group named {task}; found: {found}. Expected lm-eval's task files, with their data "
            "in the same folder."
        )
    return TaskFiles(source, frozenset(reading.names), frozenset(reading.metrics), reading.contents)


class _Reading:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.contents: dict[str, bytes] = {}
        self.names: set[str] = set()
        self.metrics: set[str] = set()
        self._bytes = 0

    def task_file(self, path: Path) -> None:
        name = self._name(path, path)
        if name in self.contents:
            return
        self._take(path)
        try:
            config = yaml.load(self.contents[name], _Loader)
        except (yaml.YAMLError, RecursionError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"{path}: cannot be read as a task file ({first}). Only the tag !function is known."
            ) from None
        if not isinstance(config, dict):
            raise UserError(f"{path}: expected the fields of a task or a group, got {type(config).__name__}.")
        self.names |= {value for key in ("task", "group") if isinstance(value := config.get(key), str)}
        self._checks_metrics = "process_results" not in config  # else they are names that its function gives
        try:
            for key, value in _fields(config):
                self._check(path, key, value)
        except RecursionError:
            raise UserError(f"{path}: a field of it contains itself.") from None

    def _check(self, path: Path, key: str, value: Any) -> None:
        """A field of a task file, however deep it lies."""
        if key in REFUSED and value not in (None, False):
            raise UserError(f"{path}: {key} is refused, since it would run code that comes with a task file.")
        if isinstance(value, _Function):
            self._function(path, value)
        elif key == "include":
            for one in _each(value):
                self.task_file(self._file(path, one))
        elif key == "metric" and isinstance(value, str):
            self._metric(path, value)
        elif key == "dataset_path" and isinstance(value, str):
            self._dataset(path, value)
        elif key in ("data_files", "data_dir"):
            for one in _each(list(value.values()) if isinstance(value, dict) else value):
                self._data(path, one)

    def _metric(self, path: Path, named: str) -> None:
        if not METRIC.fullmatch(named):
            raise UserError(f"{path}: metric: {named} is refused; expected the name of one of lm-eval's metrics.")
        if self._checks_metrics:
            self.metrics.add(named)

    def _function(self, path: Path, named: str) -> None:
        module, _, function = named.rpartition(".")
        inner = f"{module.replace('.', '/')}.py"
        beside = path.parent / inner
        if beside.is_file():
            if _is_own(beside.read_bytes(), function):
                self._take(beside)
                return
        elif module.startswith("lm_eval.tasks.") and (own := own_folder().parent.parent / inner).is_file():
            if _is_own(own.read_bytes(), function):
                return
        raise UserError(
            f"{path}: !function {named} is refused: it runs code that is not lm-eval's own, or that runs code from its "
            "data. Expected an unchanged copy of a file of the installed lm-eval beside it, or templates in place of "
            "functions."
        )

    def _dataset(self, path: Path, named: str) -> None:
        if named in FORMATS:
            return
        if (self._root / named).is_dir():
            self._data(path, named)
        elif named.count("/") != 1 or named.startswith((".", "/", "~")) or "://" in named:
            raise UserError(
                f"{path}: dataset_path: {named} is refused. Expected {', '.join(FORMATS)} with data_files in the "
                "folder, a folder in it, or OWNER/NAME of a data set on the Hub."
            )

    def _data(self, path: Path, named: object) -> None:
        """Relative to the folder, as lm-eval reads it there; may be a pattern."""
        text = str(named)
        if "://" in text or Path(text).is_absolute() or ".." in Path(text).parts:
            raise UserError(f"{path}: data at {text} is refused; expected a path relative to {self._root}, and in it.")
        found = [self._root / text] if (self._root / text).exists() else sorted(self._root.glob(text))
        for one in found:
            for file in sorted(one.rglob("*")) if one.is_dir() else [one]:
                if file.is_file() and file.suffix != ".py":
                    self._take(file)
        if not found:
            raise UserError(f"{path}: data at {text}: no such file in {self._root}.")

    def _file(self, path: Path, named: object) -> Path:
        found = path.parent / str(named)
        if not found.is_file():
            raise UserError(f"{path}: include: {named}: no such file.")
        return found

    def _take(self, path: Path) -> None:
        name = self._name(path, path)
        if name not in self.contents:
            self._bytes += path.stat().st_size
            if self._bytes > MOST_BYTES:
                raise UserError(f"{self._root}: more than {MOST_BYTES >> 30} GiB of task files and data.")
            self.contents[name] = path.read_bytes()

    def _name(self, path: Path, shown: Path) -> str:
        """Links are followed: what lies outside of the folder is not taken."""
        try:
            path.resolve().relative_to(self._root.resolve())
            return Path(*_plain(path.relative_to(self._root).parts)).as_posix()
        except ValueError:
            raise UserError(f"{shown}: lies outside of {self._root}; copy it into the folder.") from None


def _plain(parts: tuple[str, ...]) -> list[str]:
    plain: list[str] = []
    for part in parts:
        if part == "..":
            if not plain:
                raise ValueError(part)
            plain.pop()
        else:
            plain.append(part)
    return plain


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of nested mappings and lists, in order; `""` for what stands in a list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from _fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield "", inner
            yield from _fields(inner)


@lru_cache(maxsize=1)
def _own_code() -> frozenset[str]:
    """SHA-256 of the Python files among lm-eval's tasks."""
    return frozenset(_sha256(path.read_bytes()) for path in own_folder().rglob("*.py"))


def _is_own(content: bytes, function: str) -> bool:
    """Whether the Python file is one of lm-eval's that defines the function, and runs no code made from its data, which
    may be anybody's here."""
    defined = re.search(rb"^def %s\(" % re.escape(function.encode()), content, re.MULTILINE)
    return bool(defined) and not RUNS_DATA.search(content) and _sha256(content) in _own_code()


def own_folder() -> Path:
    """The tasks of the installed lm-eval. Raises UserError when it is not installed."""
    if (spec := find_spec("lm_eval")) is None:
        raise UserError(f"knowledge benchmarks are run by lm-eval, which is not installed: {INSTALL}")
    return Path(next(iter(spec.submodule_search_locations or ()))) / "tasks"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
