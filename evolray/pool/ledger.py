"""The ledger: every answered call of a shard, written down before the answer is used.

Each time a shard is opened, that attempt gets files of its own in `ledger/<shard>/`, one JSON line per answer, and
replays what earlier attempts were answered. So whatever dies, nothing answered is asked again. A line that was cut
off by a crash is skipped: its call counts as never answered.

On a file system each line is one write call. On an object store, where nothing can be appended, an attempt writes
segments, each holding the lines of at most `SEGMENT_SECONDS`: that much can be lost with a machine.
"""

import errno
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from evolray.errors import EvolrayError
from evolray.pool.layout import Folder, LocalFolder, cannot_write

SEGMENT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One answered call. `key` says what was asked, on whose behalf and of whom (`entry_key`)."""

    key: str
    record_id: str
    purpose: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    model: str

    def to_line(self) -> bytes:
        return json.dumps({name: getattr(self, name) for name in FIELDS}, ensure_ascii=False).encode() + b"\n"


FIELDS = tuple(Entry.__dataclass_fields__)


def entry_key(*parts: str) -> str:
    """32 hex digits over everything that makes two calls the same call."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


class Ledger(Protocol):
    """One attempt at one shard."""

    def append(self, entry: Entry) -> None:
        """Raises EvolrayError when the entry cannot be written: without a ledger no more calls may be made."""
        ...

    def close(self) -> None:
        """Everything appended is where a rerun finds it once this returns."""
        ...


def read_ledger(folder: Folder, shard: int, usable: Callable[[Entry], bool] = lambda entry: True) -> dict[str, Entry]:
    """What earlier attempts at a shard were answered, by key; of several to one call the first usable counts."""
    entries: dict[str, Entry] = {}
    for entry in _entries(folder, shard):
        before = entries.setdefault(entry.key, entry)
        if before is not entry and usable(entry) and not usable(before):
            entries[entry.key] = entry
    return entries


def shards_with_ledger(folder: Folder) -> list[int]:
    """The shards that were ever opened and answered something."""
    return [int(name) for name in folder.names("ledger") if name.isdigit()]


def open_ledger(folder: Folder, shard: int) -> Ledger:
    attempt = f"{time.time_ns():020d}-{os.urandom(3).hex()}"
    if isinstance(folder, LocalFolder):
        return AppendedLedger(folder, f"{_path(shard)}/{attempt}.jsonl")
    return SegmentedLedger(folder, f"{_path(shard)}/{attempt}")


class AppendedLedger:
    """On a file system. The file appears with its first line."""

    def __init__(self, folder: LocalFolder, name: str) -> None:
        self._path = folder.path / name
        self._file: int | None = None
        self._torn = False  # whether the last line may have been written in part

    def append(self, entry: Entry) -> None:
        line = (b"\n" if self._torn else b"") + entry.to_line()
        self._torn = True
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            written = os.write(self._file, line)
        except OSError as error:
            raise cannot_write(str(self._path), error) from error
        if written != len(line):  # a disk that fills up takes part of a line
            raise cannot_write(str(self._path), OSError(errno.ENOSPC, "no space left"))
        self._torn = False

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SegmentedLedger:
    """On an object store. A thread puts what has gathered into a segment of its own, once a second."""

    def __init__(self, folder: Folder, prefix: str, seconds: float = SEGMENT_SECONDS) -> None:
        self._folder, self._prefix, self._seconds = folder, prefix, seconds
        self._lines: list[bytes] = []
        self._segments = 0
        self._error: EvolrayError | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def append(self, entry: Entry) -> None:
        with self._lock:
            if self._error:
                raise self._error
            self._lines.append(entry.to_line())
            if self._thread is None:
                self._thread = threading.Thread(target=self._roll, name="ledger", daemon=True)
                self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._error and self._lines:
            raise self._error

    def _roll(self) -> None:
        while not self._closing.wait(self._seconds):
            self._put()
        self._put()

    def _put(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        self._segments += 1
        try:
            self._folder.write(f"{self._prefix}-{self._segments:06d}.jsonl", b"".join(lines))
        except EvolrayError as error:
            with self._lock:
                self._lines[:0] = lines  # closing tries once more
            self._error = error


def _path(shard: int) -> str:
    return f"ledger/{shard:05d}"


def _entries(folder: Folder, shard: int) -> Iterator[Entry]:
    for name in folder.names(_path(shard)):
        for line in folder.read(f"{_path(shard)}/{name}").split(b"\n"):
            try:
                yield Entry(**json.loads(line))
            except (ValueError, TypeError):
                continue  # the torn end of a file whose writer died, or the empty piece after the last line
