"""What a reader finds whatever the writers were doing, the rules of best and keep, and damaged or hostile folders."""

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from evolray import model_folder
from evolray.checkpoints import Checkpoint, Checkpoints, export, step_name, verify
from evolray.errors import EvolrayError, UserError
from evolray.model_folder import Tree
from evolray.pool.layout import LocalFolder, open_folder

BUCKET, KEY_ID, SECRET = "a-bucket", "AKIAOPENSESAME00", "a-secret/of+the-tests"
INDEX = "model.safetensors.index.json"
MODEL = ("chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json")
STATES = ("state/rank-0.pt", "state/rank-1.pt")


def fill(folder: Path, mark: int = 0, ranks: tuple[int, ...] = (0, 1)) -> None:
    """What the ranks of a training job write; rank 0 the model, every rank its state."""
    (folder / "state").mkdir(exist_ok=True)
    for rank in ranks:
        (folder / f"state/rank-{rank}.pt").write_bytes(b"moments")
    if 0 in ranks:
        save_file({"weight": np.full(8, mark, np.float32)}, folder / "model.safetensors")
        for name in ("config.json", "tokenizer.json"):
            (folder / name).write_text("{}")
        (folder / "chat_template.jinja").write_text("{{ messages }}")


def save(run: str | Path, step: int, mark: int = 0, **about: Any) -> Checkpoint:
    checkpoints = Checkpoints(str(run))
    folder = checkpoints.prepare(step)
    fill(folder, mark)
    checkpoints.publish(step, folder)
    return checkpoints.commit(step, about)


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def steps(run: str | Path) -> list[int]:
    return [one.step for one in Checkpoints(str(run)).all()]


# --- writing and reading ---


def test_a_step_is_there_once_it_is_committed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    folder = checkpoints.prepare(100)
    fill(folder)
    checkpoints.publish(100, folder)
    assert steps(tmp_path / "run") == []
    about = {"loss": 1.25, "held_out_loss": 1.5, "model": "a-model", "created_at": 7.0}
    written = checkpoints.commit(100, about)
    (found,) = checkpoints.all()
    assert found == written == checkpoints.latest() == checkpoints.best()
    assert found.path == tmp_path / "run/checkpoints/step-00000100" and found.url == str(found.path)
    assert (found.loss, found.held_out_loss, found.state) == (1.25, 1.5, found.path / "state")
    assert below(tmp_path / "run/checkpoints") == [
        f"step-00000100/{name}" for name in sorted([*MODEL, "evolray.json", *STATES])
    ]
    sizes = {name: (found.path / name).stat().st_size for name in sorted([*MODEL, *STATES])}
    assert found.about == {**about, "step": 100, "files": sizes}
    assert json.loads((found.path / "evolray.json").read_text()) == found.about


def test_committing_twice_changes_nothing_and_writing_anew_replaces(tmp_path: Path) -> None:
    first = save(tmp_path, 5, loss=1.0)
    assert Checkpoints(str(tmp_path)).commit(5, {"loss": 9.0}) == first
    second = save(tmp_path, 5, mark=1, loss=2.0)
    assert Checkpoints(str(tmp_path)).all() == [second] and second.loss == 2.0
    assert [one.name for one in (tmp_path / "checkpoints").iterdir()] == [step_name(5)]


def test_a_loss_that_is_no_number_is_none_in_valid_json(tmp_path: Path) -> None:
    found = save(tmp_path, 1, loss=float("nan"), held_out_loss=float("inf"))
    assert (found.loss, found.held_out_loss) == (None, None)
    text = (found.path / "evolray.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert Checkpoints(str(tmp_path)).all() == [found]


def test_a_run_without_checkpoints(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "run"))
    assert (checkpoints.all(), checkpoints.latest(), checkpoints.best(), checkpoints.keep(1)) == ([], None, None, [])
    assert not (tmp_path / "run").exists()


def test_steps_come_by_number_and_nothing_else_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for step in (100_000_000, 20, 3):
        save(tmp_path, step)
    folder = tmp_path / "checkpoints"
    for name in ("step-00000004", ".step-00000005.gone-0a", "step-6", "notes"):
        (folder / name).mkdir()
    (folder / "step-00000007").write_text("a file")
    fill(Checkpoints(str(tmp_path)).prepare(8))
    (folder / "step-00000009").mkdir()
    (folder / "step-00000009/evolray.json").write_text('{"step": 9, "fi')
    assert steps(tmp_path) == [3, 20, 100_000_000]
    assert "step-00000009/evolray.json cannot be read; was it cut off or edited? It is left out." in caplog.text


def test_only_rank_0_clears_what_an_earlier_attempt_left(tmp_path: Path) -> None:
    stale = Checkpoints(str(tmp_path)).prepare(1)
    fill(stale)
    other = Checkpoints(str(tmp_path), rank=1, local_rank=0).prepare(1)
    assert other == stale == tmp_path / "checkpoints/.step-00000001.partial"
    assert below(stale) == sorted([*MODEL, *STATES])
    Checkpoints(str(tmp_path)).prepare(1)
    assert below(tmp_path) == []


def test_a_step_that_lacks_files_is_not_committed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    fill(checkpoints.prepare(1), ranks=(1,))
    with pytest.raises(UserError, match=r"\.step-00000001\.partial: no such folder, or nothing in it"):
        checkpoints.commit(1, {})
    with pytest.raises(UserError, match="no such folder"):
        checkpoints.commit(2, {})
    assert checkpoints.all() == []


# --- best and keep ---


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ({1: None, 2: None}, 2),
        ({1: 0.5, 2: None, 3: 0.7}, 1),
        ({1: 0.5, 2: 0.5, 3: 0.7}, 2),
        ({1: float("nan"), 2: 0.9, 3: None}, 2),
        ({1: float("nan"), 2: float("inf")}, 2),
        ({1: 0, 2: 0.1}, 1),
    ],
)
def test_best(tmp_path: Path, losses: dict[int, float | None], best: int) -> None:
    for step, loss in losses.items():
        save(tmp_path, step, held_out_loss=loss)
    found = Checkpoints(str(tmp_path)).best()
    assert found is not None and found.step == best


@pytest.mark.parametrize(
    ("losses", "number", "deleted"),
    [
        ({1: None, 2: None, 3: None}, 1, [1, 2]),
        ({1: None, 2: None, 3: None}, 2, [1]),
        ({1: None, 2: None, 3: None}, 3, []),
        ({1: None, 2: None, 3: None}, 9, []),
        ({1: None, 2: None, 3: None}, 0, [1, 2]),
        ({1: None, 2: None, 3: None}, -1, [1, 2]),
        ({1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8}, 1, [2, 3]),
        ({1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8}, 2, [2]),
        ({1: 0.9, 2: 0.6, 3: 0.6, 4: 0.8}, 1, [1, 2]),
        ({1: 0.9, 2: 0.8, 3: 0.7}, 1, [1, 2]),
        ({1: 0.9}, 1, []),
    ],
)
def test_keep(tmp_path: Path, losses: dict[int, float | None], number: int, deleted: list[int]) -> None:
    for step, loss in losses.items():
        save(tmp_path, step, held_out_loss=loss)
    assert Checkpoints(str(tmp_path)).keep(number) == deleted
    left = [step for step in losses if step not in deleted]
    assert steps(tmp_path) == left
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [step_name(step) for step in left]


def test_keep_takes_leftovers_before_the_newest_and_no_later_ones(tmp_path: Path) -> None:
    for step in (2, 4):
        save(tmp_path, step)
    for name in (
        ".step-00000001.partial", ".step-00000004.partial", ".step-00000005.partial", ".step-00000001.gone-0a",
        "step-00000003", "step-00000005", "notes",
    ):  # fmt: skip
        (tmp_path / "checkpoints" / name).mkdir()
    assert Checkpoints(str(tmp_path)).keep(2) == []
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        ".step-00000005.partial", "notes", "step-00000002", "step-00000004", "step-00000005",
    ]  # fmt: skip


# --- death and readers between any two steps ---


class Died(BaseException):
    pass


@contextmanager
def before_each_step(probe: Callable[[], None]) -> Iterator[None]:
    """Call `probe` before everything that changes the file system (renames, deletions, files written) and at the end.

    A deletion is half done when it is probed a second time.
    """
    inside = False

    def probed(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:
                return call(*args, **kwargs)
            inside = True
            try:
                probe()
                if call is remove_tree and (files := [path for path in Path(args[0]).rglob("*") if path.is_file()]):
                    files[0].unlink()
                    probe()
            finally:
                inside = False
            return call(*args, **kwargs)

        return step

    remove_tree = shutil.rmtree
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", probed(Path.rename))
        patch.setattr(Path, "mkdir", probed(Path.mkdir))
        patch.setattr(shutil, "rmtree", probed(remove_tree))
        patch.setattr(LocalFolder, "write", probed(LocalFolder.write))
        yield
        probe()


def marks(run: Path) -> dict[int, float]:
    """By step, the number that the weights are full of; every checkpoint found is whole."""
    found = {}
    for one in Checkpoints(str(run)).all():
        verify(one)
        assert sorted([*one.about["files"], "evolray.json"]) == below(one.path)
        found[one.step] = float(np.frombuffer((one.path / "model.safetensors").read_bytes()[-4:], np.float32)[0])
    return found


def death_after(survived: int) -> Callable[[], None]:
    left = iter(range(survived))

    def die() -> None:
        if next(left, None) is None:
            raise Died

    return die


def make_new(run: Path) -> None:
    save(run, 3, mark=3)


def replace(run: Path) -> None:
    save(run, 2, mark=9)


def replace_the_only_one(run: Path) -> None:
    save(run, 2, mark=9)


def clean_up(run: Path) -> None:
    Checkpoints(str(run)).keep(1)


PLANS: list[tuple[Callable[[Path], None], list[dict[int, float]]]] = [
    (make_new, [{1: 1, 2: 2}, {1: 1, 2: 2, 3: 3}]),
    (replace, [{1: 1, 2: 2}, {1: 1, 2: 9}]),
    (replace_the_only_one, [{2: 2}, {2: 9}]),
    (clean_up, [{1: 1, 2: 2}, {2: 2}]),
]


def start(run: Path, marks: dict[int, float]) -> None:
    for step, mark in marks.items():
        save(run, step, mark=int(mark))


@pytest.mark.parametrize(("act", "states"), PLANS)
def test_death_at_any_step_leaves_the_state_before_or_after(
    tmp_path: Path, act: Callable[[Path], None], states: list[dict[int, float]]
) -> None:
    seen: list[dict[int, float]] = []
    for survived in range(100):
        run = tmp_path / str(survived)
        start(run, states[0])
        try:
            with before_each_step(death_after(survived)):
                act(run)
        except Died:
            seen.append(marks(run))
        else:
            break
        act(run)  # the same again, as a rerun would
        assert marks(run) == states[-1]
        Checkpoints(str(run)).keep(9)
        assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [step_name(n) for n in states[-1]]
    turn = seen.index(states[-1])
    assert 0 < turn and seen == [states[0]] * turn + [states[-1]] * (len(seen) - turn)


@pytest.mark.parametrize(("act", "states"), PLANS)
def test_a_reader_at_any_step_sees_whole_checkpoints_only(
    tmp_path: Path, act: Callable[[Path], None], states: list[dict[int, float]]
) -> None:
    start(tmp_path, states[0])
    seen: list[dict[int, float]] = []
    with before_each_step(lambda: seen.append(marks(tmp_path))):
        act(tmp_path)
    turn = seen.index(states[-1])
    assert 0 < turn and seen == [states[0]] * turn + [states[-1]] * (len(seen) - turn)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == [step_name(n) for n in states[-1]]


def test_a_reader_whose_list_grew_old_looks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)
    reader, listed, newer = Checkpoints(str(tmp_path)), LocalFolder.names, iter([2, 3])

    def list_then_change(folder: LocalFolder, name: str) -> list[str]:
        names = listed(folder, name)
        if step := next(newer, None):
            save(tmp_path, step)
            shutil.rmtree(tmp_path / "checkpoints" / step_name(step - 1))
        return names

    monkeypatch.setattr(LocalFolder, "names", list_then_change)
    assert [one.step for one in reader.all()] == [3]


def test_a_reader_that_may_not_write_sees_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer died before its rename; who may write does it in its place, who may not must not fail."""
    save(tmp_path, 2).path.rename(tmp_path / "checkpoints/.step-00000002.partial")

    def refuse(path: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "read-only")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        assert steps(tmp_path) == []
    assert steps(tmp_path) == [2]


# --- verify ---


def weights(folder: Path) -> Path:
    return folder / "model.safetensors"


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def shard(folder: Path, placed: dict[str, Any]) -> None:
    weights(folder).rename(folder / "model-00001-of-00002.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": placed}))


def with_header(header: Any) -> Callable[[bytes], bytes]:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return lambda data: len(raw).to_bytes(8, "little") + raw + bytes(32)


def put_a_file_there(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing": (lambda folder: shutil.rmtree(folder), "no such folder, or nothing in it"),
    "a file": (put_a_file_there, "no such folder, or nothing in it"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
    "no weights": (lambda folder: weights(folder).unlink(), "neither model.safetensors nor .* is there"),
    "a pickle": (lambda folder: (folder / "training_args.bin").write_bytes(b""), "training_args.bin: a pickle"),
    "cut off": (lambda folder: rewrite(weights(folder), lambda data: data[:-1]), "has 103 bytes.*speaks of 104"),
    "too long": (lambda folder: rewrite(weights(folder), lambda data: data + b"\0"), "has 105 bytes.*speaks of 104"),
    "empty": (lambda folder: rewrite(weights(folder), lambda data: b""), "is not a safetensors file, or was cut off"),
    "huge header": (
        lambda folder: rewrite(weights(folder), lambda data: (2**62).to_bytes(8, "little") + data[8:]),
        "is not a safetensors file",
    ),
    "no JSON": (lambda folder: rewrite(weights(folder), with_header(b"{nothing}")), "header cannot be read"),
    "a list": (lambda folder: rewrite(weights(folder), with_header([])), "header cannot be read"),
    "no offsets": (lambda folder: rewrite(weights(folder), with_header({"a": {}})), "header cannot be read"),
    "text offsets": (
        lambda folder: rewrite(weights(folder), with_header({"a": {"data_offsets": ["0", "32"]}})),
        "header cannot be read",
    ),
    "deep header": (lambda folder: rewrite(weights(folder), with_header(b"[" * 200_000)), "header cannot be read"),
    "a missing shard": (lambda folder: shard(folder, {"weight": ONE, "bias": TWO}), f"{TWO} is missing"),
    "a missing tensor": (lambda folder: shard(folder, {"weight": ONE, "bias": ONE}), f"{ONE} lacks bias"),
    "a name that leaves": (lambda folder: shard(folder, {"weight": "../x.safetensors"}), "expected the name of a file"),
    "an absolute name": (lambda folder: shard(folder, {"weight": "/x.safetensors"}), "expected the name of a file"),
    "no names": (lambda folder: shard(folder, {"weight": 3}), "index.json cannot be read"),
    "no index": (lambda folder: (folder / INDEX).write_text("{}"), "index.json cannot be read"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_verify_names_what_is_wrong(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    fill(folder)
    verify(folder)
    damage, message = DAMAGE[kind]
    damage(folder)
    with pytest.raises(UserError, match=message):
        verify(folder)


def test_verify_follows_links_as_those_of_the_hub_cache(tmp_path: Path) -> None:
    for name in ("blobs", "snapshot"):
        (tmp_path / name).mkdir()
    fill(tmp_path / "blobs")
    for name in MODEL:
        (tmp_path / "snapshot" / name).symlink_to(f"../blobs/{name}")
    verify(tmp_path / "snapshot")
    (tmp_path / "blobs/config.json").unlink()
    with pytest.raises(UserError, match=r"config\.json"):
        verify(tmp_path / "snapshot")


def test_verify_takes_shards_and_adapters(tmp_path: Path) -> None:
    fill(tmp_path)
    shard(tmp_path, {"weight": ONE})
    verify(str(tmp_path))
    (tmp_path / INDEX).unlink()
    (tmp_path / ONE).rename(tmp_path / "adapter_model.safetensors")
    (tmp_path / "config.json").rename(tmp_path / "adapter_config.json")
    verify(tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match=r"neither model\.safetensors nor"):
        verify(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: (path / "tokenizer.json").write_text("{ }"), "tokenizer.json has 3 bytes instead of 2"),
        (lambda path: (path / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    ],
)
def test_verify_compares_with_what_was_committed(
    tmp_path: Path, change: Callable[[Path], Any], message: str
) -> None:  # fmt: skip
    checkpoint = save(tmp_path, 1)
    change(checkpoint.path)
    for act in (verify, Checkpoints(str(tmp_path)).fetch, lambda one: export(one, tmp_path / "out")):
        with pytest.raises(UserError, match=message):
            act(checkpoint)
    assert not (tmp_path / "out").exists()


def test_a_state_that_was_removed_is_missed_by_those_that_resume_only(tmp_path: Path) -> None:
    checkpoint, checkpoints = save(tmp_path, 1), Checkpoints(str(tmp_path))
    assert checkpoints.fetch(checkpoint, with_state=True) == checkpoint.path
    shutil.rmtree(checkpoint.state)
    verify(checkpoint)
    assert checkpoints.fetch(checkpoint, with_state=False) == checkpoint.path
    with pytest.raises(UserError, match=r"state/rank-0\.pt is missing"):
        checkpoints.fetch(checkpoint, with_state=True)


# --- export ---


def test_export_copies_all_but_the_state(tmp_path: Path) -> None:
    checkpoint = save(tmp_path, 1, mark=4)
    (checkpoint.path / "notes.txt").write_text("not among the files that were committed")
    (tmp_path / "empty").mkdir()
    for place, target in ((checkpoint, "new/folder"), (checkpoint.path, "empty"), (str(checkpoint.path), "text")):
        export(place, tmp_path / target)
        assert below(tmp_path / target) == sorted([*MODEL, "evolray.json"])
        verify(tmp_path / target)
        for name in below(tmp_path / target):
            assert (tmp_path / target / name).read_bytes() == (checkpoint.path / name).read_bytes()
    export(tmp_path / "text", tmp_path / "again")
    assert below(tmp_path / "again") == sorted([*MODEL, "evolray.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "checkpoints", "empty", "new", "text"]


def test_export_refuses_what_is_occupied_and_what_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoint = save(tmp_path, 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for target in ("full", "full/file", "link"):
        with pytest.raises(UserError, match="already there and is not an empty folder"):
            export(checkpoint, tmp_path / target)
    for source in (tmp_path, tmp_path / "full/file", tmp_path / "nowhere"):
        with pytest.raises(UserError, match="no complete checkpoint; expected a folder such as RUN/checkpoints/step-"):
            export(source, tmp_path / "out")
    assert (tmp_path / "full/file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "full", "link"]


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (OSError(errno.ENOSPC, "full"), "no space left"),
        (OSError(errno.EIO, "broken"), "cannot write"),
        (FileNotFoundError(errno.ENOENT, "gone"), "was the checkpoint deleted"),
    ],
)
def test_an_export_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: OSError, message: str
) -> None:
    checkpoint, copy = save(tmp_path, 1), Tree._copy

    def fail(tree: Tree, name: str, into: Tree) -> None:
        if name == "tokenizer.json":
            raise cause
        copy(tree, name, into)

    monkeypatch.setattr(Tree, "_copy", fail)
    with pytest.raises(EvolrayError, match=message):
        export(checkpoint, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


@pytest.mark.parametrize("name", ["../escaped", "/etc/escaped", "a/../../escaped", "a\\b", "", "a//b", "."])
def test_a_checkpoint_cannot_name_files_outside(tmp_path: Path, name: str) -> None:
    checkpoint = save(tmp_path / "run", 1)
    about = {**checkpoint.about, "files": {**checkpoint.about["files"], name: 1}}
    (checkpoint.path / "evolray.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match=r"evolray\.json cannot be read"):
        export(checkpoint.path, tmp_path / "out/folder")
    assert steps(tmp_path / "run") == [] and not (tmp_path / "out").exists()


# --- an object store ---


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """host:port of an S3 server with an empty bucket."""
    boto3, server = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
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
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Go to the node of that name, which has a temporary directory of its own."""

    def go(name: str) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name))
        return tmp_path / name

    go("first")
    return go


@pytest.fixture
def url(endpoint: str, node: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run directory that does not exist yet. The credentials are in the environment."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return f"s3://{BUCKET}/{tmp_path.name}/run?endpoint_override={endpoint}&scheme=http&region=us-east-1"


def stored(url: str) -> list[str]:
    return list(model_folder.open_tree(url).sizes())


def test_every_node_uploads_its_own_and_rank_0_commits(url: str, node: Callable[[str], Path], tmp_path: Path) -> None:
    ranks = {"first": [(0, 0), (1, 1)], "second": [(2, 0), (3, 1)]}
    all_of = {name: [Checkpoints(url, *one) for one in places] for name, places in ranks.items()}
    folders: dict[str, Path] = {}
    for name, several in all_of.items():
        node(name)
        (folders[name],) = {one.prepare(100) for one in several}
        assert folders[name].is_relative_to(tmp_path / name)
    for name, folder in folders.items():
        fill(folder, mark=5, ranks=tuple(rank for rank, _ in ranks[name]))
    for name, several in all_of.items():
        node(name)
        for one in reversed(several):
            one.publish(100, folders[name])
        assert below(tmp_path / name) == []
        assert all_of["first"][0].all() == []
    node("first")
    written = all_of["first"][0].commit(100, {"loss": 1.0})
    (found,) = Checkpoints(url).all()
    assert found == written and found.loss == 1.0 and not found.is_local
    assert found.url == f"s3://{BUCKET}/{tmp_path.name}/run/checkpoints/step-00000100"
    names = sorted([*MODEL, *(f"state/rank-{rank}.pt" for rank in range(4))])
    assert list(found.about["files"]) == names
    assert stored(url) == [f"checkpoints/step-00000100/{name}" for name in sorted([*names, "evolray.json"])]
    verify(found)
    with pytest.raises(UserError, match="is not on this machine; get it with"):
        _ = found.path


def test_fetch_copies_once_and_verifies(url: str, node: Callable[[str], Path], tmp_path: Path) -> None:
    checkpoint, checkpoints = save(url, 7, mark=7), Checkpoints(url)
    here = node("second")
    bare = checkpoints.fetch(checkpoint, with_state=False)
    whole = checkpoints.fetch(checkpoint, with_state=True)
    given = checkpoints.fetch(checkpoint, with_state=False, into=tmp_path / "given/folder")
    assert bare.is_relative_to(here) and given == tmp_path / "given/folder"
    assert below(bare) == below(given) == sorted([*MODEL, "evolray.json"])
    assert below(whole) == sorted([*MODEL, "evolray.json", *STATES])
    verify(bare)
    open_folder(url).write("checkpoints/step-00000007/config.json", b"{changed}")
    inodes = {path: path.stat().st_ino for path in (bare, whole, given)}
    assert checkpoints.fetch(checkpoint) == bare and checkpoints.fetch(checkpoint, True) == whole
    assert checkpoints.fetch(checkpoint, False, given) == given
    assert {path: path.stat().st_ino for path in inodes} == inodes
    with pytest.raises(UserError, match=r"config\.json has 9 bytes instead of 2"):
        checkpoints.fetch(checkpoint, False, tmp_path / "new")
    assert not (tmp_path / "new").exists() and len(list(tmp_path.iterdir())) == 3


def test_a_copy_of_another_checkpoint_is_not_taken_for_it(url: str, tmp_path: Path) -> None:
    checkpoints, old = Checkpoints(url), save(url, 7, mark=1)
    copy = checkpoints.fetch(old, into=tmp_path / "copy")
    kept = checkpoints.fetch(old)
    new = save(url, 7, mark=2)
    assert new.about["files"] == old.about["files"] and new != old
    with pytest.raises(UserError, match="already there and is not an empty folder"):
        checkpoints.fetch(new, into=copy)
    fetched = checkpoints.fetch(new)
    assert weights(kept).read_bytes() == weights(copy).read_bytes() != weights(fetched).read_bytes()


def test_a_damaged_copy_is_made_again_also_by_several_at_once(url: str) -> None:
    checkpoint, checkpoints = save(url, 7), Checkpoints(url)
    copy = checkpoints.fetch(checkpoint, with_state=True)
    weights(copy).unlink()
    assert checkpoints.fetch(checkpoint, with_state=True) == copy
    verify(copy)
    shutil.rmtree(copy)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: checkpoints.fetch(checkpoint, True), range(4))) == {copy}
    verify(copy)
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_export_of_a_url(url: str, tmp_path: Path) -> None:
    checkpoint = save(url, 7)
    path, _, query = url.partition("?")
    export(checkpoint, tmp_path / "one")
    export(f"{path}/checkpoints/step-00000007?{query}", tmp_path / "two")
    for target in ("one", "two"):
        verify(tmp_path / target)
        assert below(tmp_path / target) == sorted([*MODEL, "evolray.json"])


def test_a_checkpoint_that_was_deleted_meanwhile(url: str, tmp_path: Path) -> None:
    old = save(url, 1)
    save(url, 2)
    assert Checkpoints(url).keep(1) == [1]
    with pytest.raises(EvolrayError, match="was the checkpoint deleted"):
        export(old, tmp_path / "out")
    with pytest.raises(EvolrayError, match="was the checkpoint deleted"):
        Checkpoints(url).fetch(old, into=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_keep_in_an_object_store(url: str) -> None:
    for step, loss in {1: 0.5, 2: 0.4, 3: 0.6, 4: 0.7}.items():
        save(url, step, held_out_loss=loss)
    open_folder(url).write("checkpoints/step-00000001/evolray.json", b"{")  # as if a deletion had been cut off
    open_folder(url).write("checkpoints/step-00000009/config.json", b"{}")  # as if a later step were being written
    assert Checkpoints(url).keep(1) == [3]
    assert steps(url) == [2, 4]
    assert {name.split("/")[1] for name in stored(url)} == {step_name(step) for step in (2, 4, 9)}


def test_death_in_an_object_store(url: str, node: Callable[[str], Path]) -> None:
    """Nothing counts before the commit, and what an attempt left is not part of the next one."""
    save(url, 1)
    first = Checkpoints(url)
    folder = first.prepare(2)
    fill(folder)
    (folder / "state/rank-7.pt").write_bytes(b"from a larger job")
    assert steps(url) == [1]
    again = node("first") and first.prepare(2)
    assert again == folder and below(folder) == []
    fill(folder)
    (folder / "state/rank-7.pt").write_bytes(b"from a larger job")
    first.publish(2, folder)
    assert steps(url) == [1]
    second = save(url, 2)
    assert steps(url) == [1, 2] and sorted(second.about["files"]) == sorted([*MODEL, *STATES])
    assert Checkpoints(url).commit(2, second.about) == second
    Checkpoints(url).prepare(2)
    assert steps(url) == [1]


def test_a_node_clears_what_earlier_jobs_left_there(url: str, tmp_path: Path) -> None:
    fill(Checkpoints(url).prepare(1))
    assert below(tmp_path) != []
    Checkpoints(url, rank=3, local_rank=1).prepare(2)
    assert below(tmp_path) != []
    Checkpoints(url, rank=2, local_rank=0).prepare(2)
    assert below(tmp_path) == []


def test_an_incomplete_upload_is_not_committed(url: str) -> None:
    checkpoints = Checkpoints(url)
    folder = checkpoints.prepare(1)
    fill(folder)
    weights(folder).unlink()
    checkpoints.publish(1, folder)
    with pytest.raises(UserError, match=r"checkpoints/step-00000001 is not whole: neither model\.safetensors nor"):
        checkpoints.commit(1, {})
    assert steps(url) == []


def test_an_upload_that_fails_says_where(url: str) -> None:
    checkpoints = Checkpoints(url)
    folder = checkpoints.prepare(1)
    fill(folder)
    elsewhere = Checkpoints(url.replace(BUCKET, "no-such-bucket"))
    with pytest.raises(EvolrayError, match=r"s3://no-such-bucket/.*/step-00000001: cannot write") as raised:
        elsewhere.publish(1, folder)
    assert SECRET not in str(raised.value) and below(folder) == sorted([*MODEL, *STATES])


def test_credentials_are_in_nothing_that_is_shown_or_left(url: str) -> None:
    address = url.replace("s3://", f"s3://{KEY_ID}:a-secret%2Fof%2Bthe-tests@")
    checkpoint = save(address, 1)
    checkpoints = Checkpoints(address)
    shown = repr(checkpoint) + repr(checkpoints) + checkpoints.url + checkpoint.url + str(checkpoint.about)
    left = checkpoint.tree.read("evolray.json").decode()
    for secret in ("a-secret", KEY_ID, "endpoint_override"):
        assert secret not in shown + left


def test_a_folder_of_another_user_is_not_written_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Checkpoints(url).prepare(1).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))
    with pytest.raises(UserError, match="belongs to another user"):
        Checkpoints(url).prepare(1)
