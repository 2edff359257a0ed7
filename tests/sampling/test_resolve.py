"""What a model= names: folders, runs, steps; and everything that is refused before anything is loaded."""

import json
import shutil
from pathlib import Path

import pytest

from evolray.checkpoints import Checkpoints
from evolray.errors import UserError
from evolray.sampling.resolve import resolve
from tests.sampling import tiny


@pytest.fixture
def folder(student: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(student, tmp_path / "model"))


@pytest.fixture
def run(student: Path, tmp_path: Path) -> Path:
    """A run of three checkpoints, the second of which has the lowest held-out loss."""
    checkpoints = Checkpoints(str(tmp_path / "run"))
    for step, loss in ((100, 2.0), (200, 1.0), (300, 1.5)):
        target = checkpoints.prepare(step)
        shutil.copytree(student, target, dirs_exist_ok=True)
        checkpoints.commit(step, {"loss": loss, "held_out_loss": loss})
    return tmp_path / "run"


def test_a_folder(student: Path) -> None:
    found = resolve(str(student))
    assert found.name == str(student)
    assert found.has_chat_template
    assert found.tree is not None
    assert found.tree.path == str(student)
    assert found.weight_bytes == (student / "model.safetensors").stat().st_size
    assert found.stored_as == "float32"


def test_a_run_is_its_best_checkpoint(run: Path) -> None:
    found = resolve(str(run))
    assert found.name == f"{run} step 200"
    assert found.identity["step"] == 200
    assert found.tree is not None
    assert found.tree.path == str(run / "checkpoints/step-00000200")


def test_a_step_of_a_run(run: Path) -> None:
    assert resolve(f"{run}:300").name == f"{run} step 300"


def test_a_step_that_is_not_there(run: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint of step 250 there; steps: 100, 200, 300\."):
        resolve(f"{run}:250")


@pytest.mark.parametrize("there", ["checkpoints/", "run.yaml"])
def test_a_run_without_checkpoints(tmp_path: Path, there: str) -> None:
    (tmp_path / "checkpoints").mkdir() if there.endswith("/") else (tmp_path / there).touch()
    with pytest.raises(UserError, match=r"no checkpoint there; steps: none\."):
        resolve(str(tmp_path))


def test_a_folder_whose_name_ends_like_a_step(student: Path, tmp_path: Path) -> None:
    shutil.copytree(student, tmp_path / "model:300")
    assert resolve(f"{tmp_path}/model:300").name == f"{tmp_path}/model:300"


def test_a_copy_is_the_same_model_and_other_weights_are_another(student: Path, folder: Path) -> None:
    before = resolve(str(student)).identity
    assert resolve(str(folder)).identity == before
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert resolve(str(folder)).identity != before


def test_the_same_weights_as_a_checkpoint_and_as_a_folder(run: Path, student: Path) -> None:
    assert resolve(f"{run}:100").identity["weights"] == resolve(str(student)).identity["weights"]


@pytest.mark.parametrize("place", ["config", "file", "none"])
def test_where_a_chat_template_is(folder: Path, place: str) -> None:
    template = (folder / "chat_template.jinja").read_text()
    if place != "file":
        (folder / "chat_template.jinja").unlink()
    if place == "config":
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    assert resolve(str(folder)).has_chat_template == (place != "none")


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing: there is no such folder\. Expected a Hugging Face folder"):
        resolve(str(tmp_path / "nothing"))


def test_a_mistyped_run_is_not_asked_for_on_the_hub(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent.parent)
    with pytest.raises(UserError, match="there is no such folder"):
        resolve(f"{run.parent.name}/rum")


def test_an_empty_name() -> None:
    with pytest.raises(UserError, match="model is empty"):
        resolve(" ")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder, or nothing in it"):
        resolve(str(tmp_path))


def test_pickled_weights(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"pytorch_model\.bin: a pickle can run code when loaded"):
        resolve(str(folder))


def test_weights_that_were_cut_off(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-10])
    with pytest.raises(UserError, match=r"is damaged: it has \d+ bytes, and its header speaks of \d+"):
        resolve(str(folder))


def test_no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"no tokenizer there; expected tokenizer\.json"):
        resolve(str(folder))


def test_an_adapter_alone(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")
    with pytest.raises(UserError, match="an adapter without its base model"):
        resolve(str(folder))


def test_a_config_that_was_cut_off(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "lla')
    with pytest.raises(UserError, match=r"config\.json cannot be read; was it cut off\?"):
        resolve(str(folder))


def test_a_name_on_the_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig

    def refuse(name: str, **options: object) -> None:
        assert options == {"trust_remote_code": False}
        raise OSError(f"We couldn't connect to the Hub for {name}\nand much more")

    monkeypatch.setattr(AutoConfig, "from_pretrained", refuse)
    with pytest.raises(UserError) as raised:
        resolve("nobody/nothing-7b")
    assert str(raised.value) == (
        "model=nobody/nothing-7b: no such folder here, and as a name on the Hub it cannot be loaded (We couldn't "
        "connect to the Hub for nobody/nothing-7b). Expected a Hugging Face folder or its URL, a run of evolray "
        "train, or a name on the Hub that this machine can reach."
    )


def test_a_name_on_the_hub_is_known_by_its_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig, AutoTokenizer, LlamaConfig

    config = LlamaConfig()
    config._commit_hash = "abc123"
    asked: list[object] = []

    def tokenizer(name: str, **options: object) -> object:
        asked.append((name, options))
        return tiny.words()

    monkeypatch.setattr(AutoConfig, "from_pretrained", lambda name, **options: config)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", tokenizer)
    found = resolve("somebody/something-7b")
    assert (found.name, found.tree, found.revision) == ("somebody/something-7b", None, "abc123")
    assert found.identity == {"model": "somebody/something-7b", "revision": "abc123"}
    assert found.has_chat_template
    assert asked == [("somebody/something-7b", {"revision": "abc123", "trust_remote_code": False})]
