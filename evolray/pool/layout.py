"""Where things lie in a run directory, and how they get there whole.

    run.yaml                    the full config, versions and prompt hashes
    seeds/00017.parquet         the roots of shard 17, as read from the seed file
    pool/00017.parquet          kept records; its presence says that the shard is finished
    eliminated/00017.parquet    rejected ones with their reason
    failed/00017.parquet        what could not be done, with its cause
    ledger/00017/*.jsonl        every answered call of the shard
    manifest.json               accounts, calls, tokens, cost, status

`Folder` is a local path or any URL that pyarrow.fs opens. A file is written aside and renamed on a file system, and
put in one piece on an object store, so a reader sees it whole or not at all. Nothing is fsynced: what a crashed node
had not yet handed to its disk is lost with it.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from evolray.errors import EvolrayError, UserError

SHARD_FILE = re.compile(r"(\d{5,})\.parquet$")


class Folder(Protocol):
    """A directory of files with names such as "pool/00017.parquet". `url` holds no credentials."""

    url: str
    is_local: bool

    def open(self, name: str) -> pa.NativeFile:
        """For random access, as Parquet footers want it."""
        ...

    def read(self, name: str) -> bytes: ...

    def write(self, name: str, data: bytes) -> None: ...

    def put(self, name: str, file: Path) -> None:
        """A copy of a local file, for those that are too large to be held as bytes."""
        ...

    def exists(self, name: str) -> bool: ...

    def names(self, folder: str) -> list[str]:
        """The names of the files right below `folder`, sorted; none when it does not exist."""
        ...

    def remove(self, folder: str) -> None:
        """With everything in it; nothing when it does not exist."""
        ...

    def below(self, name: str) -> "Folder":
        """A directory in this one, as a Folder of its own."""
        ...


class LocalFolder:
    is_local = True

    def __init__(self, path: str) -> None:
        self.path = Path(path).expanduser().absolute()
        self.url = str(self.path)

    def open(self, name: str) -> pa.NativeFile:
        return pa.OSFile(str(self.path / name), "rb")

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        target = self.path / name
        aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(data)
            aside.replace(target)
        except OSError as error:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise cannot_write(str(target), error) from error

    def put(self, name: str, file: Path) -> None:
        target = self.path / name
        aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, aside)
            aside.replace(target)
        except OSError as error:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise cannot_write(str(target), error) from error

    def exists(self, name: str) -> bool:
        return (self.path / name).exists()

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.path / folder) if not entry.name.startswith("."))
        except FileNotFoundError:
            return []

    def remove(self, folder: str) -> None:
        try:
            shutil.rmtree(self.path / folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise cannot_write(str(self.path / folder), error) from error

    def below(self, name: str) -> "LocalFolder":
        return LocalFolder(str(self.path / name))


class RemoteFolder:
    is_local = False

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # the query may hold secrets, too
        try:
            self._files, self._path = fs.FileSystem.from_uri(url)
        except Exception as error:
            why = _short(error).replace(url, self.url)
            for secret in filter(None, (parts.netloc.rpartition("@")[0], parts.query)):
                why = why.replace(secret, "***")
            raise UserError(f"run={self.url}: cannot open this URL ({why}).") from None

    def open(self, name: str) -> pa.NativeFile:
        return self._files.open_input_file(f"{self._path}/{name}")

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return bytes(file.read())

    def write(self, name: str, data: bytes) -> None:
        try:
            with self._files.open_output_stream(f"{self._path}/{name}") as file:
                file.write(data)
        except OSError as error:
            raise cannot_write(f"{self.url}/{name}", error) from error

    def put(self, name: str, file: Path) -> None:
        try:
            with file.open("rb") as here, self._files.open_output_stream(f"{self._path}/{name}") as there:
                shutil.copyfileobj(here, there, 1 << 24)
        except OSError as error:
            raise cannot_write(f"{self.url}/{name}", error) from error

    def exists(self, name: str) -> bool:
        return bool(self._files.get_file_info(f"{self._path}/{name}").type != fs.FileType.NotFound)

    def names(self, folder: str) -> list[str]:
        infos = self._files.get_file_info(fs.FileSelector(f"{self._path}/{folder}", allow_not_found=True))
        return sorted(info.base_name for info in infos)

    def remove(self, folder: str) -> None:
        try:
            self._files.delete_dir_contents(f"{self._path}/{folder}", missing_dir_ok=True)
        except OSError as error:
            raise cannot_write(f"{self.url}/{folder}", error) from error

    def below(self, name: str) -> "RemoteFolder":
        inner = copy(self)
        inner.url, inner._path = f"{self.url}/{name}", f"{self._path}/{name}"
        return inner


def open_folder(url: str) -> Folder:
    """Raises UserError for a URL that cannot be opened. Nothing is created yet."""
    if not url.strip():
        raise UserError("run is empty; expected a path or a URL for the run directory.")
    if url.startswith("file://"):
        return LocalFolder(urlsplit(url).path)
    return RemoteFolder(url.rstrip("/")) if "://" in url else LocalFolder(url)


@contextmanager
def hold(folder: Folder) -> Iterator[None]:
    """Keep a second run out of a local run directory; the lock ends with the process, however it ends.

    Raises UserError when another run holds it. An object store has no locks: there, it is the user's to take care.
    """
    if not isinstance(folder, LocalFolder):
        yield
        return
    lock = folder.path / ".lock"
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError as error:
        raise cannot_write(str(folder.path), error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"{folder.url}: another run is working on it; wait for it, or choose another run=."
            ) from None
        yield


def shard_name(folder: str, shard: int) -> str:
    return f"{folder}/{shard:05d}.parquet"


def shards_in(folder: Folder, name: str) -> list[int]:
    """The numbers of the shards in one of the run's folders."""
    found = (SHARD_FILE.match(file) for file in folder.names(name))
    return sorted(int(match[1]) for match in found if match)


def cannot_write(path: str, error: OSError) -> EvolrayError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EvolrayError(f"{path}: no space left. Free some and run the same command again; it goes on from there.")
    return EvolrayError(f"{path}: cannot write ({_short(error)}).")


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
