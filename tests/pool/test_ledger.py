"""The ledger: what was answered is found again, whatever the writer died of."""

import json
import resource
import threading
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from evolray.errors import EvolrayError
from evolray.pool.layout import LocalFolder, open_folder
from evolray.pool.ledger import (
    AppendedLedger,
    Entry,
    SegmentedLedger,
    entry_key,
    open_ledger,
    read_ledger,
    shards_with_ledger,
)

ENTRY = Entry("k" * 32, "0" * 16 + ".g1", "evolve", "What is two and two?", "stop", 7, 5, "m")
NASTY = (
    'two\nlines\r\n and {"json": "\\n"}',
    "日本語 😀 \u2028 \u0085 \ufeff",
    "\0\x1b[31m",
    "",
    " " * 5000,
)


class Store:
    """A folder in memory that fails as often as it is told, as an object store does."""

    url, is_local = "s3://bucket/run", False

    def __init__(self, failures: int = 0) -> None:
        self.files: dict[str, bytes] = {}
        self.failures = failures
        self.written = threading.Event()

    def open(self, name: str) -> pa.NativeFile:
        return pa.BufferReader(self.files[name])

    def read(self, name: str) -> bytes:
        return self.files[name]

    def write(self, name: str, data: bytes) -> None:
        try:
            if self.failures:
                self.failures -= 1
                raise EvolrayError("s3://bucket/run: cannot write (slow down).")
            assert name not in self.files
            self.files[name] = data
        finally:
            self.written.set()

    def exists(self, name: str) -> bool:
        return name in self.files

    def names(self, folder: str) -> list[str]:
        return sorted({name.removeprefix(f"{folder}/").split("/")[0] for name in self.files if name.startswith(folder)})


def entries(*keys: str) -> list[Entry]:
    return [replace(ENTRY, key=key, text=f"answer to {key}") for key in keys]


def ledger_files(folder: LocalFolder, shard: int) -> list[Path]:
    return sorted((folder.path / "ledger" / f"{shard:05d}").iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    return LocalFolder(str(tmp_path / "run"))


@pytest.mark.parametrize("text", NASTY)
def test_an_entry_is_read_back_field_by_field(folder: LocalFolder, text: str) -> None:
    ledger = open_ledger(folder, 3)
    ledger.append(replace(ENTRY, text=text))
    ledger.close()
    assert read_ledger(folder, 3) == {ENTRY.key: replace(ENTRY, text=text)}
    assert ledger_files(folder, 3)[0].read_bytes().count(b"\n") == 1
    assert read_ledger(folder, 4) == {}
    assert shards_with_ledger(folder) == [3]


def test_each_append_is_in_the_file_before_it_returns(folder: LocalFolder) -> None:
    ledger = AppendedLedger(folder, "ledger/00000/one.jsonl")
    path = folder.path / "ledger" / "00000" / "one.jsonl"
    for number, entry in enumerate(entries("a", "b", "c"), start=1):
        ledger.append(entry)
        lines = path.read_bytes().splitlines(keepends=True)
        assert len(lines) == number
        assert Entry(**json.loads(lines[-1])) == entry
        assert set(read_ledger(folder, 0)) == set("abc"[:number])
    ledger.close()


def test_a_ledger_that_gets_no_answer_leaves_no_file(folder: LocalFolder) -> None:
    open_ledger(folder, 0).close()
    assert not (folder.path / "ledger").exists()
    assert shards_with_ledger(folder) == []


def test_every_attempt_has_files_of_its_own_and_the_first_answer_counts(folder: LocalFolder) -> None:
    for text in ("first", "second", "third"):
        ledger = open_ledger(folder, 0)
        ledger.append(replace(ENTRY, text=text))
        ledger.append(replace(ENTRY, key=text))
        ledger.close()
    assert len(ledger_files(folder, 0)) == 3
    known = read_ledger(folder, 0)
    assert known[ENTRY.key].text == "first"
    assert set(known) == {ENTRY.key, "first", "second", "third"}


@pytest.mark.parametrize("torn_off", range(1, 40, 3))
def test_a_torn_last_line_is_a_call_that_was_not_answered(folder: LocalFolder, torn_off: int) -> None:
    ledger = open_ledger(folder, 0)
    for entry in entries("a", "b"):
        ledger.append(entry)
    ledger.append(replace(ENTRY, key="c", text="é" * 30))
    ledger.close()
    (path,) = ledger_files(folder, 0)
    path.write_bytes(path.read_bytes()[: -1 - torn_off])
    assert list(read_ledger(folder, 0)) == ["a", "b"]
    again = open_ledger(folder, 0)
    again.append(entries("c")[0])
    again.close()
    assert list(read_ledger(folder, 0)) == ["a", "b", "c"]


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"null\n", b"[]\n", b'{"key": "a"}\n', b"\xff\xfe\n", b"{\n"])
def test_a_line_that_is_no_entry_is_skipped(folder: LocalFolder, garbage: bytes) -> None:
    ledger = open_ledger(folder, 0)
    ledger.append(ENTRY)
    ledger.close()
    (path,) = ledger_files(folder, 0)
    path.write_bytes(garbage + b"\n" + path.read_bytes() + garbage)
    assert read_ledger(folder, 0) == {ENTRY.key: ENTRY}


def test_a_disk_that_takes_part_of_a_line_is_full(folder: LocalFolder) -> None:
    """The kernel cuts the write at a file size limit as it does on a full disk."""
    ledger = open_ledger(folder, 0)
    ledger.append(entries("a")[0])
    (path,) = ledger_files(folder, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        with pytest.raises(EvolrayError, match="no space left"):
            ledger.append(entries("b")[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ledger.close()
    assert path.read_bytes().count(b"\n") == 1 and not path.read_bytes().endswith(b"\n")
    assert list(read_ledger(folder, 0)) == ["a"]


def test_a_ledger_that_cannot_be_written_says_so(folder: LocalFolder) -> None:
    folder.path.parent.mkdir(exist_ok=True)
    folder.path.write_text("a file where the run directory should be")
    with pytest.raises(EvolrayError, match="cannot write"):
        open_ledger(folder, 0).append(ENTRY)


def test_a_key_has_32_hex_digits_and_stands_for_all_its_parts() -> None:
    parts = ("0" * 16 + ".g1", "judge", "0", "settings", "user", "Is it?")
    key = entry_key(*parts)
    assert len(key) == 32 and int(key, 16) >= 0
    assert entry_key(*parts) == key
    for position in range(len(parts)):
        changed = [part + "x" * (position == n) for n, part in enumerate(parts)]
        assert entry_key(*changed) != key


def test_a_key_changes_when_a_boundary_moves() -> None:
    keys = {
        entry_key(*parts)
        for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ("c", "ab"), ("a", "b", "c"), ())
    }
    assert len(keys) == 8


def test_texts_that_are_no_unicode_have_a_key() -> None:
    assert entry_key("\ud800") != entry_key("\ud801") != entry_key("\ufffd")


def test_segments_hold_every_line_in_order_once_closed() -> None:
    store = Store()
    ledger = open_ledger(store, 7)
    assert isinstance(ledger, SegmentedLedger)
    for entry in entries("a", "b", "c"):
        ledger.append(entry)
    ledger.close()
    assert list(read_ledger(store, 7)) == ["a", "b", "c"]
    assert shards_with_ledger(store) == [7]
    assert all(name.startswith("ledger/00007/") and name.endswith(".jsonl") for name in store.files)


def test_segments_are_written_while_the_shard_is_open() -> None:
    store = Store()
    ledger = SegmentedLedger(store, "ledger/00000/one", seconds=0.001)
    for number, entry in enumerate(entries("a", "b", "c"), start=1):
        store.written.clear()
        ledger.append(entry)
        assert store.written.wait(timeout=60)
        assert len(store.files) == number
    ledger.close()
    assert sorted(store.files) == [f"ledger/00000/one-{number:06d}.jsonl" for number in (1, 2, 3)]
    assert list(read_ledger(store, 0)) == ["a", "b", "c"]


def test_nothing_appended_is_nothing_stored() -> None:
    store = Store()
    open_ledger(store, 0).close()
    assert store.files == {}


def test_a_store_that_fails_once_stops_the_calls_and_loses_no_line() -> None:
    store = Store(failures=1)
    ledger = SegmentedLedger(store, "ledger/00000/one", seconds=0.001)
    ledger.append(entries("a")[0])
    assert store.written.wait(timeout=60)
    with pytest.raises(EvolrayError, match="cannot write"):
        for entry in entries(*"b" * 100_000):  # the thread needs a moment to say what happened
            ledger.append(entry)
    ledger.close()  # tries again
    assert set(read_ledger(store, 0)) >= {"a"}


def test_a_store_that_goes_on_failing_fails_the_closing() -> None:
    store = Store(failures=10**9)
    ledger = SegmentedLedger(store, "ledger/00000/one", seconds=60)
    ledger.append(ENTRY)
    with pytest.raises(EvolrayError, match="cannot write"):
        ledger.close()
    assert store.files == {}


def test_the_ledger_suits_the_folder(tmp_path: Path) -> None:
    assert isinstance(open_ledger(open_folder(str(tmp_path)), 0), AppendedLedger)
    assert isinstance(open_ledger(Store(), 0), SegmentedLedger)
