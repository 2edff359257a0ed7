"""Loading takes weights and a tokenizer from a folder, and none of the code that lies there."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from evolray.cluster.machine import Machine
from evolray.errors import UserError
from evolray.sampling.models.loading import choose_precision, compute_with, load_model, load_tokenizer

ATTACK = "raise SystemExit('code of the checkpoint was run')"


@pytest.fixture
def folder(student: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(student, tmp_path / "model"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_code_beside_a_known_architecture_is_not_run(folder: Path) -> None:
    (folder / "attack.py").write_text(ATTACK)
    edit(folder / "config.json", auto_map={"AutoConfig": "attack.A", "AutoModelForCausalLM": "attack.B"})
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["attack.C", None]})
    assert type(load_model(folder, None, "fp32", "cpu")).__name__ == "LlamaForCausalLM"
    assert load_tokenizer(folder, None, None)("tree")["input_ids"]


def test_an_architecture_that_needs_its_own_code_is_refused(folder: Path) -> None:
    (folder / "attack.py").write_text(ATTACK)
    edit(folder / "config.json", auto_map={"AutoConfig": "attack.A", "AutoModelForCausalLM": "attack.B"},
         model_type="attack")  # fmt: skip
    with pytest.raises(UserError, match=rf"^model={folder}: cannot be loaded \(.+\)\.$"):
        load_model(folder, None, "fp32", "cpu")


def test_an_architecture_without_keys_and_values_is_refused(folder: Path) -> None:
    from transformers import MambaConfig, MambaForCausalLM

    MambaForCausalLM(MambaConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1)).save_pretrained(folder)
    with pytest.raises(UserError, match="MambaForCausalLM keeps no keys and values to go on from"):
        load_model(folder, None, "fp32", "cpu")


def test_pickled_weights_are_not_loaded(folder: Path) -> None:
    """`resolve` refuses them by their names; this is for those on the Hub."""
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(folder, None, "fp32", "cpu")


def test_a_tokenizer_that_cannot_be_read(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=rf"^model={folder}: no tokenizer can be loaded \(.+\)\.$"):
        load_tokenizer(folder, None, None)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_precision_that_is_asked_for(student: Path, precision: str, dtype: torch.dtype) -> None:
    model = load_model(student, None, precision, "cpu")
    assert model.dtype == dtype
    assert not model.training
    assert model.config._attn_implementation == "sdpa"


def test_precision_by_machine() -> None:
    def chosen(device: str, has_bf16: bool, wanted: str = "auto") -> str:
        return choose_precision(wanted, Machine(device, "", 1, has_bf16))

    assert [chosen("cpu", True), chosen("gpu", True), chosen("gpu", False)] == ["fp32", "bf16", "fp16"]
    assert chosen("cpu", True, "fp16") == "fp16"


def test_threads() -> None:
    before = torch.get_num_threads()
    compute_with(2)
    assert torch.get_num_threads() == 2
    compute_with(before)


def test_loading_says_nothing(student: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_tokenizer(student, None, None)
    load_model(student, None, "fp32", "cpu")
    assert capfd.readouterr() == ("", "")
