"""A model in an object store: a real S3 protocol over a socket, served by moto."""

import pickle
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolray.errors import UserError
from evolray.model_folder import open_tree
from evolray.sampling.fetching import fetch
from evolray.sampling.resolve import resolve

pytest.importorskip("boto3")
server = pytest.importorskip("moto.server")

BUCKET, KEY_ID, SECRET = "models", "AKIAOPENSESAME00", "a-secret-of-the-tests"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    import boto3

    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET,
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    client.close()
    yield f"{host}:{port}"
    moto.stop()


@pytest.fixture
def url(endpoint: str, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The student's folder in the bucket, and a temporary directory that is this test's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    found = f"s3://{BUCKET}/{tmp_path.name}?endpoint_override={endpoint}&scheme=http&region=us-east-1"
    source = open_tree(str(student))
    source.copy(source.sizes(), open_tree(found))
    return found


def test_a_local_folder_is_used_where_it_lies(student: Path) -> None:
    assert fetch(open_tree(str(student))) == student


def test_a_local_folder_that_a_node_does_not_see(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone: a node of the cluster does not see this folder"):
        fetch(open_tree(str(tmp_path / "gone")))


def test_a_copy_is_made_once_and_is_whole(url: str, student: Path) -> None:
    found = resolve(url)
    assert "?" not in found.name
    assert found.identity == resolve(str(student)).identity
    assert found.tree is not None
    copy = fetch(found.tree)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
        path.name: path.read_bytes() for path in student.iterdir()
    }
    stamp = (copy / "model.safetensors").stat().st_mtime_ns
    assert fetch(found.tree) == copy
    assert (copy / "model.safetensors").stat().st_mtime_ns == stamp
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_what_was_found_travels_to_the_workers(url: str) -> None:
    found = pickle.loads(pickle.dumps(resolve(url)))
    assert (fetch(found.tree) / "model.safetensors").stat().st_size == found.weight_bytes


def test_a_step_of_a_run_in_an_object_store(url: str) -> None:
    path, _, query = url.partition("?")
    with pytest.raises(UserError, match=r"no checkpoint of step 30 there; steps: none") as raised:
        resolve(f"{path}/run:30?{query}")
    assert SECRET not in str(raised.value)


def test_another_user_s_directory_is_refused(url: str, tmp_path: Path) -> None:
    tree = resolve(url).tree
    assert tree is not None
    fetch(tree)
    [folder] = (tmp_path / "scratch").iterdir()
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="belongs to another user"):
        fetch(tree)
