"""Files appear whole or not at all, one run at a time, and no message holds a credential."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evolray.errors import EvolrayError, UserError
from evolray.pool.layout import LocalFolder, RemoteFolder, cannot_write, hold, open_folder, shard_name, shards_in

HOLDER = """
import sys
from evolray.pool.layout import hold, open_folder
with hold(open_folder(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def files_below(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_what_is_written_is_read_back_and_listed(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path / "run"))
    folder.write("pool/00001.parquet", b"one")
    folder.write("pool/00000.parquet", b"")
    folder.write("pool/00001.parquet", b"\0 another one")
    assert folder.read("pool/00001.parquet") == b"\0 another one"
    assert folder.read("pool/00000.parquet") == b""
    with folder.open("pool/00001.parquet") as file:
        file.seek(2)
        assert file.read() == b"another one"
    assert folder.exists("pool/00001.parquet") and not folder.exists("pool/00002.parquet")
    assert folder.names("pool") == ["00000.parquet", "00001.parquet"]
    assert files_below(tmp_path) == ["run/pool/00000.parquet", "run/pool/00001.parquet"]


def test_opening_creates_nothing_and_a_missing_folder_has_no_names(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path / "run"))
    assert folder.names("pool") == []
    assert shards_in(folder, "pool") == []
    assert not folder.exists("pool")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [LocalFolder, RemoteFolder])
def test_a_directory_in_a_folder_is_a_folder(tmp_path: Path, kind: type[LocalFolder] | type[RemoteFolder]) -> None:
    folder = kind(str(tmp_path) if kind is LocalFolder else f"file://{tmp_path}")
    below = folder.below("judged/a")
    if kind is RemoteFolder:
        (tmp_path / "judged/a").mkdir(parents=True)  # a file system wants it, an object store does not
    below.write("b.json", b"1")
    assert below.url == f"{folder.url}/judged/a"
    assert folder.read("judged/a/b.json") == b"1" == below.read("b.json")
    assert below.below("c").url == f"{folder.url}/judged/a/c"


def test_files_under_way_are_not_listed(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    folder.write("pool/00000.parquet", b"done")
    (tmp_path / "pool" / ".00001.parquet.1234abcd").write_bytes(b"hal")
    assert folder.names("pool") == ["00000.parquet"]


def test_a_relative_path_and_the_home_folder_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_folder("runs/a").url == str(tmp_path / "runs" / "a")
    assert open_folder("~/runs/a").url == str(tmp_path / "home" / "runs" / "a")


@pytest.mark.parametrize("fails_at", ["write_bytes", "replace"])
@pytest.mark.parametrize("before", [None, b"the file of an earlier run"])
def test_a_write_that_fails_midway_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str, before: bytes | None
) -> None:
    target = tmp_path / "run" / "pool" / "00000.parquet"
    folder = open_folder(str(tmp_path / "run"))
    if before:
        folder.write("pool/00000.parquet", before)

    def fill_up(path: Path, data: object) -> None:
        with path.open("ab") as file:
            file.write(b"half of")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, fails_at, fill_up)
        with pytest.raises(EvolrayError, match="no space left") as raised:
            folder.write("pool/00000.parquet", b"half of it and the rest")
    assert raised.value.exit_code == 1
    assert str(target) in str(raised.value)
    assert files_below(tmp_path) == (["run/pool/00000.parquet"] if before else [])
    if before:
        assert target.read_bytes() == before


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space left. Free some and run the same command again"),
        (errno.EDQUOT, "no space left. Free some and run the same command again"),
        (errno.EACCES, "cannot write ([Errno 13] Permission denied)"),
    ],
)
def test_why_a_write_failed_is_said_in_one_line(number: int, said: str) -> None:
    error = cannot_write("runs/a/pool/00000.parquet", OSError(number, os.strerror(number)))
    assert type(error) is EvolrayError
    assert str(error).startswith("runs/a/pool/00000.parquet: ")
    assert said in str(error)
    assert "\n" not in str(error)


def test_a_run_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(EvolrayError, match="cannot write"):
        open_folder(str(tmp_path / "file" / "run")).write("run.yaml", b"")
    with pytest.raises(EvolrayError, match="cannot write"), hold(open_folder(str(tmp_path / "file" / "run"))):
        pass


def test_a_second_holder_in_this_process_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path / "run"))
    with hold(folder):
        with pytest.raises(UserError, match="another run is working on it"), hold(open_folder(folder.url)):
            pytest.fail("held twice")
        with hold(open_folder(str(tmp_path / "other"))):
            pass
    with hold(folder):
        pass


def test_a_holder_in_another_process_counts_until_it_dies(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path / "run"))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder.url], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="another run is working on it"), hold(folder):
            pytest.fail("held twice")
        other.send_signal(signal.SIGKILL)
        other.wait()
        with hold(folder):
            pass


def test_shard_numbers_come_from_names_and_nothing_else_counts(tmp_path: Path) -> None:
    folder = open_folder(str(tmp_path))
    assert shard_name("pool", 17) == "pool/00017.parquet"
    assert shard_name("pool", 123456) == "pool/123456.parquet"
    for name in (
        "00017.parquet",
        "123456.parquet",
        "00002.parquet",
        "seeds.parquet",
        "00003.parquet.part",
        "17.parquet",
    ):
        folder.write(f"pool/{name}", b"")
    assert shards_in(folder, "pool") == [2, 17, 123456]


@pytest.mark.parametrize("run", ["", "  "])
def test_an_empty_run_is_refused(run: str) -> None:
    with pytest.raises(UserError, match="run is empty"):
        open_folder(run)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://KEYID:sesame@bucket/run?bogus=sesame", "s3://bucket/run"),  # refused for its query
        ("s3://KEYID:sesame x@bucket/run", "s3://bucket/run"),  # no URL at all
        ("nosuch://KEYID:sesame@bucket/run", "nosuch://bucket/run"),  # unknown to pyarrow
        ("s3://KEYID:sesame@/run", "s3:///run"),  # without a bucket
    ],
)
def test_a_url_that_cannot_be_opened_is_named_without_its_credentials(url: str, shown: str) -> None:
    with pytest.raises(UserError) as raised:
        open_folder(url)
    message = str(raised.value)
    assert message.startswith(f"run={shown}: cannot open this URL")
    assert "sesame" not in message and "KEYID" not in message


def test_the_url_of_a_folder_holds_no_credentials() -> None:
    folder = open_folder(
        "s3://KEYID:sesame@bucket/some/run/?region=us-east-1&endpoint_override=localhost:1&scheme=http"
    )
    assert folder.url.rstrip("/") == "s3://bucket/some/run"
    assert "sesame" not in repr(vars(folder)) and "KEYID" not in repr(vars(folder))
    assert not folder.is_local


def test_a_file_url_is_a_run_directory_too(tmp_path: Path) -> None:
    folder = open_folder(f"file://{tmp_path}/run")
    folder.write("pool/00000.parquet", b"whole")
    assert open_folder(str(tmp_path / "run")).read("pool/00000.parquet") == b"whole"
    assert files_below(tmp_path) == ["run/pool/00000.parquet"]
    assert isinstance(open_folder(str(tmp_path)), LocalFolder)
