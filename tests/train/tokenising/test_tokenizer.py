"""Dressing tokenizers, refusing those that cannot hold a format, and growing a model to fit."""

import json
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    ByT5Tokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedTokenizerFast,
)

from evolray.chat import FORMATS, begin_mark
from evolray.errors import UserError
from evolray.train.tokenising.examples import Encoded, Example, encode
from evolray.train.tokenising.tokenizer import Outfit, dress, grow_embeddings, load_tokenizer
from tests.train import tokenizers

EXAMPLE = Example("x", ({"role": "user", "content": "Name a tree."}, {"role": "assistant", "content": "Oak."}))


def words(*tokens: str, unknown: str | None = "[UNK]") -> Tokenizer:
    """A word-level tokenizer of the formats' words and `tokens`."""
    known = tokenizers.word_level().get_vocab()
    vocabulary = [*dict.fromkeys([unknown or "Oak", *(word for word in known if word[0] != "["), *tokens])]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(vocabulary)}, unknown or "Oak"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def encoded_tokens(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    [encoded] = encode([EXAMPLE], tokenizer, max_length=1000, over_long="drop")
    assert isinstance(encoded, Encoded)
    return list(tokenizer.convert_ids_to_tokens(encoded.input_ids))


# --- end, padding, begin ---


@pytest.mark.parametrize(
    ("kind", "outfit"),
    [
        ("byte_level", Outfit("<|endoftext|>", "<|endoftext|>", "", ())),
        ("sentence_piece", Outfit("</s>", "<unk>", "<s>", ())),
        ("word_level", Outfit("[EOS]", "[PAD]", "", ())),
    ],
)
@pytest.mark.parametrize("chat_format", FORMATS)
def test_what_each_kind_is_dressed_in(kind: str, chat_format: str, outfit: Outfit) -> None:
    tokenizer = tokenizers.ALL[kind]()
    num_tokens = len(tokenizer)
    assert dress(tokenizer, chat_format) == outfit
    assert len(tokenizer) == num_tokens
    assert (tokenizer.eos_token, tokenizer.pad_token) == (outfit.end_token, outfit.pad_token)
    assert tokenizer.padding_side == "right"
    once = tokenizer.chat_template
    assert dress(tokenizer, chat_format) == outfit  # a second time changes nothing
    assert tokenizer.chat_template == once


@pytest.mark.parametrize(
    ("tokens", "end", "added"),
    [
        (["</s>", "<|endoftext|>"], "</s>", ()),
        (["<|endoftext|>", "<|im_end|>"], "<|endoftext|>", ()),
        (["<|eot_id|>"], "<|eot_id|>", ()),
        ([], "</s>", ("</s>",)),
    ],
)
def test_a_missing_end_mark_is_found_in_the_vocabulary_or_added(tokens: list[str], end: str, added: tuple[str]) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words(*tokens), unk_token="[UNK]")
    num_tokens = len(tokenizer)
    outfit = dress(tokenizer, "freeform")
    assert (outfit.end_token, outfit.added_tokens, len(tokenizer)) == (end, added, num_tokens + len(added))
    assert encoded_tokens(tokenizer)[-3:] == ["Oak", ".", end]


def test_an_end_mark_keeps_its_ways() -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words(), unk_token="[UNK]")
    tokenizer.add_special_tokens({"eos_token": AddedToken("<|end|>", rstrip=True, normalized=False, special=True)})
    assert dress(tokenizer, "alpaca") == Outfit("<|end|>", "[UNK]", "", ())
    [known] = [one for one in tokenizer.added_tokens_decoder.values() if one.content == "<|end|>"]
    assert known.rstrip


@pytest.mark.parametrize(
    ("tokens", "marks", "pad"),
    [
        (["</s>", "<pad>", "[PAD]"], {"pad_token": "[PAD]"}, "[PAD]"),
        (["</s>", "<|finetune_right_pad_id|>"], {}, "<|finetune_right_pad_id|>"),
        (["</s>"], {}, "[UNK]"),
    ],
)
def test_padding_is_found_and_never_added(tokens: list[str], marks: dict[str, str], pad: str) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words(*tokens), unk_token="[UNK]", **marks)
    num_tokens = len(tokenizer)
    assert dress(tokenizer, "vicuna").pad_token == pad
    assert (tokenizer.pad_token, len(tokenizer)) == (pad, num_tokens)


def test_without_anything_else_the_end_mark_pads() -> None:
    tokenizer = tokenizers.byte_level(end=None)
    assert dress(tokenizer, "alpaca") == Outfit("</s>", "</s>", "", ("</s>",))


def test_a_tokenizer_that_ends_texts_by_itself_ends_them_once() -> None:
    plain = words("<s>", "</s>")
    marks = [(mark, plain.token_to_id(mark)) for mark in ("<s>", "</s>")]
    plain.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=marks)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="[UNK]", bos_token="<s>", eos_token="</s>")
    assert dress(tokenizer, "freeform").begin == "<s>"
    tokens = encoded_tokens(tokenizer)
    assert (tokens[0], tokens[-1], tokens.count("<s>"), tokens.count("</s>")) == ("<s>", "</s>", 1, 1)


def test_one_mark_may_begin_and_end_a_text() -> None:
    """As OPT's does: the first one is not trained, the one after the answer is."""
    plain = words("</s>")
    plain.post_processor = processors.TemplateProcessing(
        single="</s> $A", special_tokens=[("</s>", plain.token_to_id("</s>"))]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="[UNK]", bos_token="</s>", eos_token="</s>")
    assert dress(tokenizer, "freeform").begin == "</s>"
    tokens = encoded_tokens(tokenizer)
    assert (tokens[0], tokens[-1], tokens.count("</s>")) == ("</s>", "</s>", 2)
    [encoded] = encode([EXAMPLE], tokenizer, max_length=1000, over_long="drop")
    assert isinstance(encoded, Encoded)
    assert sum(encoded.trained) == 3


def test_a_begin_mark_that_cannot_be_read_is_refused() -> None:
    plain = words("<s>", "</s>")
    plain.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", plain.token_to_id("<s>"))]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="[UNK]")
    with pytest.raises(UserError, match="opens a text with '<s>' but cannot read it"):
        begin_mark(tokenizer)


# --- what the tokenizer cannot hold ---


def test_the_words_that_a_tokenizer_lacks_are_named() -> None:
    tokenizer = tokenizers.word_level(corpus=("Below is a task . ### Instruction : Response",))
    with pytest.raises(
        UserError, match=r"cannot hold the chat format alpaca: it has no tokens for 'an', 'instruction'"
    ):
        dress(tokenizer, "alpaca")
    dress(tokenizer, "freeform")  # whose words it has
    with pytest.raises(UserError, match=r"Choose another chat format \(alpaca, alpaca_cot, freeform\)"):
        dress(tokenizer, "vicuna")


def test_a_tokenizer_that_drops_characters_without_a_word_is_refused() -> None:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    plain = Tokenizer(models.BPE({letter: number for number, letter in enumerate([*letters, "</s>"])}, []))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="</s>")
    with pytest.raises(UserError, match="it has no tokens for '#', 'R', ':'"):
        dress(tokenizer, "freeform")


def test_words_glued_to_punctuation_are_missed_where_the_tokenizer_splits_at_spaces_only() -> None:
    plain = words("</s>", "###", "Response:")
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="[UNK]")
    with pytest.raises(UserError, match="it has no tokens for 'Response:'"):  # the answer follows without a space
        dress(tokenizer, "freeform")


def test_an_end_mark_that_also_stands_for_the_unknown_is_refused_where_the_unknown_occurs() -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words(), unk_token="[UNK]", eos_token="[UNK]")
    with pytest.raises(UserError, match=r"reads its end mark '\[UNK\]' 6 times in a conversation of two answers"):
        dress(tokenizer, "vicuna")


def test_normalised_case_and_white_space_are_held() -> None:
    plain = tokenizers.sentence_piece().backend_tokenizer
    plain.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace("\n", " ")])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    assert dress(tokenizer, "alpaca").begin == "<s>"


def test_a_tokenizer_that_does_not_decode_to_its_text_is_refused() -> None:
    plain = tokenizers.sentence_piece().backend_tokenizer
    plain.normalizer = normalizers.Replace("#", "*")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    with pytest.raises(UserError, match=r"cannot hold the chat format freeform.*\*\*\* Response:"):
        dress(tokenizer, "freeform")


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="'alpacca'; expected one of alpaca, alpaca_cot, freeform, vicuna"):
        dress(tokenizers.byte_level(), "alpacca")


# --- loading ---


@pytest.mark.parametrize("chat_format", FORMATS)
@pytest.mark.parametrize("kind", tokenizers.ALL)
def test_what_is_saved_renders_and_encodes_the_same(tmp_path: Path, kind: str, chat_format: str) -> None:
    tokenizer = tokenizers.ALL[kind]()
    outfit = dress(tokenizer, chat_format)
    tokenizer.save_pretrained(tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    assert loaded.chat_template == tokenizer.chat_template
    assert (loaded.eos_token, loaded.pad_token, loaded.padding_side) == (outfit.end_token, outfit.pad_token, "right")
    assert encoded_tokens(loaded) == encoded_tokens(tokenizer)
    # What a server does with the messages, without a line of ours.
    prompt = [dict(EXAMPLE.messages[0])]
    served = loaded.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
    [encoded] = encode([EXAMPLE], tokenizer, max_length=1000, over_long="drop")
    assert isinstance(encoded, Encoded)
    assert served == encoded.input_ids[: encoded.trained.index(True)]


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(UserError, match="/no/such/folder: there is no such folder; expected one with a tokenizer"):
        load_tokenizer("/no/such/folder")


@pytest.mark.parametrize("files", [{}, {"tokenizer.json": "{"}, {"tokenizer_config.json": json.dumps({"x": 1})}])
def test_a_folder_without_a_usable_tokenizer(tmp_path: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match="no tokenizer can be loaded"):
        load_tokenizer(str(tmp_path))


def test_a_name_while_the_hub_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"no-one/nothing: no tokenizer can be loaded: .*that the Hub can be reached"):
        load_tokenizer("no-one/nothing")


def test_a_slow_tokenizer_is_refused(tmp_path: Path) -> None:
    ByT5Tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"slow tokenizer \(ByT5Tokenizer\), which cannot tell which characters"):
        load_tokenizer(str(tmp_path))


# --- growing a model ---

SIZES = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_are_the_mean_of_the_old(tied: bool) -> None:
    tokenizer = tokenizers.byte_level(end=None)
    num_old = len(tokenizer)
    dress(tokenizer, "alpaca")
    model = LlamaForCausalLM(LlamaConfig(vocab_size=num_old, tie_word_embeddings=tied, **SIZES))
    before = [
        model.get_input_embeddings().weight.detach().clone(),
        model.get_output_embeddings().weight.detach().clone(),
    ]
    assert grow_embeddings(model, tokenizer) == 1
    after = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    assert (after[0].data_ptr() == after[1].data_ptr()) == tied
    for old, new in zip(before, after, strict=True):
        assert new.shape == (num_old + 1, 8)
        assert torch.equal(new[:num_old], old)
        torch.testing.assert_close(new[num_old], old.mean(dim=0))
    assert model.config.vocab_size == num_old + 1
    assert grow_embeddings(model, tokenizer) == 0


def test_an_output_bias_grows_too() -> None:
    tokenizer = tokenizers.byte_level(end=None)
    num_old = len(tokenizer)
    dress(tokenizer, "alpaca")
    model = PhiForCausalLM(PhiConfig(vocab_size=num_old, **SIZES))
    with torch.no_grad():
        model.lm_head.bias.copy_(torch.arange(num_old))
    assert grow_embeddings(model, tokenizer) == 1
    assert model.lm_head.bias.tolist() == [*range(num_old), (num_old - 1) / 2]


def test_weights_that_are_spread_over_workers_are_refused() -> None:
    tokenizer = tokenizers.word_level()
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **SIZES))
    model.get_input_embeddings().weight.ds_id = 0  # what DeepSpeed marks its parts with
    with pytest.raises(ValueError, match="grow its embeddings before that"):
        grow_embeddings(model, tokenizer)


def test_rows_to_spare_are_left_alone() -> None:
    tokenizer = tokenizers.word_level()
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer) + 26, **SIZES))
    before = model.get_input_embeddings().weight.detach().clone()
    assert grow_embeddings(model, tokenizer) == 0
    assert torch.equal(model.get_input_embeddings().weight, before)
