"""Models as transformers saves them come back from a diff file by file, and load as before."""

import filecmp
from pathlib import Path

import pytest

from evolray.diff import make as make_diff
from evolray.diff import recover as recover_tuned
from tests.diff.folders import (
    WEIGHTS,
    content,
    round_trip,
    tensor,
)

WORDS = ["<unk>", "<s>", "</s>", *(f"w{number}" for number in range(61))]


def save(folder: Path, words: list[str], seed: int, dtype: str, shard: str, tied: bool) -> None:
    """A tiny Llama as `save_pretrained` writes it, with its tokenizer. The same seed gives the same model."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=tied,
    )  # fmt: skip
    student = LlamaForCausalLM(config)
    if len(words) > len(WORDS):
        student.resize_token_embeddings(len(words), mean_resizing=False)
    student.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=shard)
    words_of = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    words_of.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words_of, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token=words[-1]
    )
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
    tokenizer.save_pretrained(folder)


def tune(folder: Path, dtype: str, shard: str) -> None:
    """Move every weight a little, as training does; a tied one stays tied."""
    import torch
    from transformers import AutoModelForCausalLM

    student = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    with torch.no_grad():
        for weights in student.parameters():
            weights += 1e-2 * torch.randn_like(weights)
    for old in folder.glob("model*"):
        old.unlink()
    student.save_pretrained(folder, max_shard_size=shard)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize(
    ("raw_dtype", "tuned_dtype", "raw_shard", "tuned_shard"),
    [
        ("float32", "float32", "5GB", "5GB"),
        ("bfloat16", "bfloat16", "20KB", "12KB"),
        ("float16", "float16", "5GB", "12KB"),
        ("bfloat16", "float32", "20KB", "5GB"),
        ("float32", "bfloat16", "20KB", "12KB"),
    ],
)
def test_a_tuned_llama_with_a_new_pad_row_comes_back(
    tmp_path: Path, raw_dtype: str, tuned_dtype: str, raw_shard: str, tuned_shard: str, tied: bool
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    raw, tuned, diff, back = (tmp_path / name for name in ("raw", "tuned", "diff", "back"))
    save(raw, WORDS, 1, raw_dtype, raw_shard, tied)
    save(tuned, [*WORDS, "[PAD]"], 1, tuned_dtype, tuned_shard, tied)
    tune(tuned, tuned_dtype, tuned_shard)
    (tuned / "evolray.json").write_text('{"step": 100}')

    made = make_diff(str(raw), str(tuned), str(diff))
    recovered = recover_tuned(str(raw), str(diff), str(back))

    embeddings = {"model.embed_tokens.weight"} if tied else {"lm_head.weight", "model.embed_tokens.weight"}
    for told in (made, recovered):
        assert (set(told.grown_tensors), told.new_tensors, told.left_out) == (embeddings, (), ())
        assert told.num_tensors == (20 if tied else 21)
        assert len(told.converted_tensors) == (0 if raw_dtype == tuned_dtype else told.num_tensors)
    sharded = len(list(tuned.glob("model-*.safetensors")))
    assert sharded > 2 if tuned_shard != "5GB" else sharded == 0
    same, different, missing = filecmp.cmpfiles(tuned, back, list(content(tuned)), shallow=False)
    assert (len(same), different, missing) == (len(content(back)), [], [])
    assert {"config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja", "evolray.json"} <= {*same}

    one, other = (AutoModelForCausalLM.from_pretrained(folder) for folder in (tuned, back))
    token_ids = AutoTokenizer.from_pretrained(back)("w3 w9 [PAD]", return_tensors="pt").input_ids
    assert token_ids.tolist() == [[6, 12, 64]]
    assert other.dtype == getattr(torch, tuned_dtype)
    assert torch.equal(one(token_ids).logits, other(token_ids).logits)


def test_transformers_does_not_take_a_diff_for_a_model(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    for shard in ("5GB", "12KB"):
        raw, tuned, diff = (tmp_path / shard / name for name in ("raw", "tuned", "diff"))
        save(raw, WORDS, 1, "float32", "5GB", tied=False)
        save(tuned, WORDS, 2, "float32", shard, tied=False)
        make_diff(str(raw), str(tuned), str(diff))
        with pytest.raises(OSError):
            AutoModelForCausalLM.from_pretrained(diff)


def test_safetensors_reads_a_diff(tmp_path: Path) -> None:
    from safetensors import safe_open

    round_trip(tmp_path, {"a": tensor("F32", 2, 3)}, {"a": tensor("F32", 3, 3, seed=1)})
    with safe_open(tmp_path / "diff" / "delta" / WEIGHTS, "np") as file:
        assert (list(file.keys()), file.metadata()) == (["a"], {"format": "pt"})
        assert file.get_slice("a").get_shape() == [3, 3]
