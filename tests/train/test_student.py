"""What is known of a student before training, students from scratch, and what is refused before it is loaded."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer

from evolray.chat import Message
from evolray.config import LoraConfig, ScratchConfig
from evolray.errors import UserError
from evolray.train.attention import isolates
from evolray.train.student import (
    Student,
    describe,
    grow_student,
    load_student,
    lora,
    make_scratch,
    train_tokenizer,
    written,
)
from evolray.train.tokenising.tokenizer import dress, load_tokenizer
from tests.train import small, tokenizers

TEXTS = list(tokenizers.CORPUS)


def test_a_student_is_described_without_its_weights(student: Path) -> None:
    vocabulary = len(small.tokenizer())
    layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48 + 2 * 32  # q and o, k and v of two heads, feed-forward, norms
    parameters = 2 * vocabulary * 32 + 2 * layer + 32
    assert describe(str(student)) == Student(
        "LlamaForCausalLM",
        parameters,
        parameters - vocabulary * 32,
        32,
        2,
        vocabulary,
        positions=256,
        sliding_window=None,
    )


def test_a_tied_embedding_is_multiplied_with(tmp_path: Path) -> None:
    tied = describe(str(small.write_student(tmp_path / "tied", tied=True)))
    assert tied.matrix_parameters == tied.parameters


def test_positions_and_windows_come_from_the_config(tmp_path: Path) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    shape = MistralConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, sliding_window=128,
    )  # fmt: skip
    MistralForCausalLM(shape).save_pretrained(tmp_path)
    described = describe(str(tmp_path))
    assert (described.architecture, described.positions, described.sliding_window) == ("MistralForCausalLM", 512, 128)


SMALL = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 64, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("llama", True), ("mistral", True), ("qwen2", True), ("qwen3", True), ("gemma", True), ("gpt_neox", True),
        ("gpt2", True), ("gpt_bigcode", True), ("starcoder2", True), ("mixtral", True), ("opt", True),
        ("stablelm", False),  # loses the boundaries on the way
        ("gemma2", False),  # caps its scores
        ("bloom", False), ("falcon", False), ("gptj", False), ("mpt", False),  # attention code of their own
    ],
)  # fmt: skip
def test_an_architecture_that_would_mix_packed_examples_is_found(architecture: str, expected: bool) -> None:
    config = AutoConfig.for_model(architecture, **SMALL)
    before = config.to_dict()
    assert isolates(config) is expected
    assert config.to_dict() == before


def test_a_description_says_whether_packed_examples_stay_apart(tmp_path: Path, student: Path) -> None:
    from transformers import StableLmConfig, StableLmForCausalLM

    StableLmForCausalLM(StableLmConfig(**SMALL, intermediate_size=48)).save_pretrained(tmp_path)
    assert [describe(str(folder)).isolates for folder in (student, tmp_path)] == [True, False]


def test_a_folder_that_is_no_student_is_refused(tmp_path: Path, student: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json there; expected a Hugging Face folder"):
        describe(str(tmp_path))
    (tmp_path / "config.json").write_text((student / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(UserError, match=r"no \*\.safetensors there\. Pickled weights \(\*\.bin\) are not loaded"):
        describe(str(tmp_path))
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=rf"model={tmp_path}: no such student, or it cannot be loaded \("):
        describe(str(tmp_path))


def test_code_of_a_students_own_is_not_run(tmp_path: Path, student: Path) -> None:
    config = json.loads((student / "config.json").read_text())
    config |= {
        "model_type": "unheard_of",
        "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match="no such student, or it cannot be loaded"):
        describe(str(tmp_path))
    assert not (tmp_path / "ran").exists()


# --- from scratch ---

SCRATCH = ScratchConfig(hidden=16, layers=1, heads=2, feed_forward=24, vocabulary=300)


def test_a_student_from_scratch_is_a_plain_folder(tmp_path: Path) -> None:
    make_scratch(SCRATCH, 128, TEXTS, 7, tmp_path)
    described = describe(str(tmp_path))
    assert (described.hidden, described.layers, described.vocabulary, described.positions) == (16, 1, 300, 128)
    assert described.parameters == 300 * 16 + (4 * 16 * 16 + 3 * 16 * 24 + 2 * 16) + 16
    tokenizer = load_tokenizer(str(tmp_path))
    assert dress(tokenizer, "vicuna").added_tokens == ()
    text = "“quoted” 漢字 \x00 and 😀"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_same_seed_makes_the_same_student(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        make_scratch(SCRATCH, 128, TEXTS, seed, tmp_path / name)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c
    assert (tmp_path / "a/tokenizer.json").read_bytes() == (tmp_path / "b/tokenizer.json").read_bytes()


def test_a_vocabulary_needs_room_for_the_bytes_and_the_end() -> None:
    with pytest.raises(UserError, match=r"scratch\.vocabulary=256: expected more than the 256 bytes"):
        train_tokenizer(TEXTS, 256)
    assert len(train_tokenizer(TEXTS, 257)) == 257


def test_numbers_are_one_token_each_with_and_without_a_space() -> None:
    made = train_tokenizer(TEXTS, 480, numbers=True)
    assert len(made) == 480
    for number in range(100):
        for text in (f"{number}", f" {number}"):
            assert len(made(text)["input_ids"]) == 1
        assert made.decode(made(f"{number} - {number}")["input_ids"]) == f"{number} - {number}"
    assert made.tokenize("1234 and 507") == ["12", "34", "Ġand", "Ġ50", "7"]
    assert made.tokenize("-05") == ["-", "0", "5"]


def test_numbers_survive_saving_and_are_there_without_being_in_the_data(tmp_path: Path) -> None:
    make_scratch(replace(SCRATCH, vocabulary=450, numbers=True), 128, ["no digits here"], 7, tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    assert loaded.tokenize("It is 37.")[-2:] == ["Ġ37", "."]
    assert loaded.decode(loaded("x = 99, 漢字")["input_ids"]) == "x = 99, 漢字"
    assert loaded.convert_tokens_to_ids("</s>") == loaded.eos_token_id == loaded("</s>")["input_ids"][0]


def test_a_vocabulary_needs_room_for_the_numbers_too() -> None:
    message = r"scratch\.vocabulary=446: expected more than the 256 bytes and 190 numbers"
    with pytest.raises(UserError, match=message):
        train_tokenizer(TEXTS, 446, numbers=True)
    assert len(train_tokenizer(TEXTS, 447, numbers=True)) == 447


def test_what_a_tokenizer_is_trained_on_holds_the_formats_words() -> None:
    said = [
        [Message(role="user", content=f"Name {n}."), Message(role="assistant", content="Oak.")] for n in range(2500)
    ]
    texts = [*written(said, "freeform")]
    assert texts[0] == "Name 0.\n\n### Response:Oak." and texts[-1] == "Name 2499.\n\n### Response:Oak."
    assert len(texts) == 2500
    assert "Ġinstruction" in train_tokenizer(written(said, "alpaca"), 2000).get_vocab()


# --- loading and changing ---


def test_a_student_is_loaded_as_wanted(student: Path) -> None:
    loaded = load_student(str(student), "sdpa", torch.bfloat16)
    assert (loaded.dtype, loaded.config._attn_implementation) == (torch.bfloat16, "sdpa")


def test_an_adapter_goes_to_all_linear_layers_or_those_named() -> None:
    assert lora(LoraConfig()) is None
    everywhere = lora(LoraConfig(rank=8, alpha=16, dropout=0.1))
    assert (everywhere.r, everywhere.lora_alpha, everywhere.lora_dropout) == (8, 16, 0.1)
    assert everywhere.target_modules == "all-linear"
    assert lora(LoraConfig(rank=8, targets=["q_proj", "v_proj"])).target_modules == {"q_proj", "v_proj"}


def test_a_student_without_an_end_mark_gets_a_row_for_it(tmp_path: Path, student: Path) -> None:
    tokenizer = tokenizers.byte_level(end=None)
    base = load_student(str(student), "sdpa", torch.float32)
    base.resize_token_embeddings(len(tokenizer))
    base.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    outfit = dress(tokenizer, "alpaca")
    assert outfit.added_tokens == ("</s>",)
    grown = tmp_path / "grown"
    grow_student(str(tmp_path / "base"), tokenizer, grown)
    made = load_student(str(grown), "sdpa", torch.float32)
    old = base.get_input_embeddings().weight
    assert made.get_input_embeddings().weight.shape[0] == len(old) + 1
    assert torch.allclose(made.get_input_embeddings().weight[-1], old.mean(dim=0), atol=1e-6)
    assert AutoTokenizer.from_pretrained(grown).eos_token == "</s>"
