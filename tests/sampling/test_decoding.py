"""Batches change nothing: left padding, rows that leave, stops, ends; measured against transformers' own generate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from evolray.config import SamplingConfig
from evolray.sampling.models.decoding import Batch, Row, decode
from evolray.sampling.models.drawing import random_of
from evolray.sampling.models.reading import Reader
from evolray.sampling.questions import Question, Sample
from tests.sampling import tiny

SAMPLED = {"temperature": 0.8, "top_p": 0.95, "top_k": 60}
LONGEST = max(len(tiny.words()(text)["input_ids"]) for text in tiny.PROMPTS)
TOKENS = 24
BATCHES = [rows * (LONGEST + TOKENS) for rows in (1, 3, 8)]

GPT2_SIZES = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": tiny.POSITIONS}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": tiny.POSITIONS}
# A little of everything that differs in how positions and padding are treated.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {**SIZES, "intermediate_size": 48},
    "qwen2": {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2},
    "mistral": {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2, "sliding_window": 16},
    "gemma": {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2, "head_dim": 8},
    "gemma3_text": {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 16},
    # Layers with a state beside others with keys and values: its rows stay to the end.
    "lfm2": {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]},
    "gpt2": GPT2_SIZES,
    "gpt_bigcode": GPT2_SIZES,  # StarCoder
    "gpt_neox": {**SIZES, "intermediate_size": 48},
    "opt": {**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 32},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "falcon": {**SIZES, "num_kv_heads": 2},
}


def untrained(kind: str) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind, **ARCHITECTURES[kind], vocab_size=len(tiny.words()), initializer_range=tiny.SPREAD, bos_token_id=0,
        eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    attention = "eager" if kind == "bloom" else "sdpa"
    model: Any = AutoModelForCausalLM.from_config(config, attn_implementation=attention)  # type: ignore[no-untyped-call]
    return model.eval()


def rows_of(prompts: list[list[int]], room: int = TOKENS) -> list[Row]:
    return [Row(prompt, room, (), random_of(0, Question(f"q{at}", 0))) for at, prompt in enumerate(prompts)]


def prompts() -> list[list[int]]:
    return [tiny.words()(text)["input_ids"] for text in tiny.PROMPTS]


def test_the_models_here_have_no_near_ties(student: Path) -> None:
    """Else the comparisons below would be about rounding."""
    model = AutoModelForCausalLM.from_pretrained(student)
    for row in _decoded(model, rows_of(prompts())):
        with torch.inference_mode():
            logits = model(torch.tensor([[*row.prompt, *row.new]])).logits[0, len(row.prompt) - 1 : -1]
        first, second = logits.topk(2, dim=-1).values.unbind(-1)
        assert float((first - second).min()) > 1e-3


def _decoded(model: Any, rows: list[Row], ends: frozenset[int] = frozenset({0})) -> list[Row]:
    decode(model, rows, SamplingConfig(), Reader(tiny.words(), ends), lambda written: None)
    return rows


@pytest.mark.parametrize("kind", [*ARCHITECTURES])
def test_greedy_equals_transformers_generate_one_by_one(kind: str) -> None:
    """All prompts in one batch, padded on the left and left at different steps, against each by itself."""
    model = untrained(kind)
    rows = [replace(row, room=TOKENS - 2 * at) for at, row in enumerate(rows_of(prompts()))]
    for row in _decoded(model, rows):
        tokens = torch.tensor([row.prompt])
        alone = model.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=row.room, do_sample=False, pad_token_id=0
        )
        assert row.new == alone[0, len(row.prompt) :].tolist()
        assert row.finish_reason == ("stop" if row.new[-1] == 0 else "length")


@pytest.mark.parametrize("settings", [{}, SAMPLED], ids=["greedy", "sampled"])
def test_equal_samples_in_any_batch_and_order(student: Path, settings: dict[str, Any]) -> None:
    asked = [replace(one, sample=sample) for one in tiny.questions(TOKENS) for sample in range(2 if settings else 1)]
    found = [tiny.answers(tiny.configured(student, size, **settings), asked) for size in (*BATCHES, None)]
    assert found[1:] == found[:1] * 3
    backwards = tiny.answers(tiny.configured(student, BATCHES[1], **settings), asked[::-1])
    assert backwards[::-1] == found[0]
    assert len({one.completion_tokens for one in found[0]} | {one.text for one in found[0]}) > 5, "not all the same"


def test_sampling_is_repeatable_and_differs_by_seed_and_sample(student: Path) -> None:
    asked = [Question("q", sample, prompt="A", max_tokens=TOKENS) for sample in range(6)]
    first, again, other = (
        tiny.answers(tiny.configured(student, temperature=1.0, seed=seed), asked) for seed in (0, 0, 1)
    )
    assert first == again
    assert len({one.text for one in [*first, *other]}) == 12


def greedy(student: Path, **more: Any) -> list[Sample]:
    return tiny.answers(tiny.configured(student), tiny.questions(TOKENS, **more))


def test_a_sample_ends_before_the_first_stop(student: Path) -> None:
    whole = greedy(student)
    stop = whole[3].text[4:6]
    cut = greedy(student, stop=(stop, "never said"))
    assert cut[3].text == whole[3].text[: whole[3].text.index(stop)]
    assert cut[3].finish_reason == "stop"
    assert 0 < cut[3].completion_tokens < whole[3].completion_tokens
    untouched = [at for at, one in enumerate(whole) if stop not in one.text]
    assert untouched
    assert [cut[at] for at in untouched] == [whole[at] for at in untouched]


def test_max_tokens_of_each_question(student: Path) -> None:
    whole = greedy(student)
    asked = [replace(one, max_tokens=at + 1) for at, one in enumerate(tiny.questions())]
    short = tiny.answers(tiny.configured(student), asked)
    assert [one.completion_tokens for one in short] == [1, 2, 3, 4, 5, 6, 7]
    assert {one.finish_reason for one in short} == {"length"}
    assert all(
        one.text.rstrip("\N{REPLACEMENT CHARACTER}") in other.text for one, other in zip(short, whole, strict=True)
    )


def test_any_of_several_ends(student: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(student)
    [whole] = _decoded(model, rows_of(prompts()[:1]))
    [row] = _decoded(model, rows_of(prompts()[:1]), frozenset({0, whole.new[3]}))
    assert row.new == whole.new[: whole.new.index(whole.new[3]) + 1]
    assert row.finish_reason == "stop"
    assert (
        not Reader(tiny.words(), frozenset({0, whole.new[3]}))
        .text(row.prompt, row.new)
        .endswith(tiny.words().decode(whole.new[3]))
    )


def test_an_end_from_generation_config(student: Path, tmp_path: Path) -> None:
    """Where chat models name the token that ends a turn."""
    model = AutoModelForCausalLM.from_pretrained(student)
    [whole] = _decoded(model, rows_of(prompts()[:1]))
    model.generation_config.eos_token_id = [0, whole.new[2]]
    model.save_pretrained(tmp_path)
    tiny.words().save_pretrained(tmp_path)
    [sample] = tiny.answers(tiny.configured(tmp_path), tiny.questions(TOKENS)[:1])
    assert (sample.finish_reason, sample.completion_tokens) == ("stop", whole.new.index(whole.new[2]) + 1)


def test_rows_that_are_done_leave_the_batch(student: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(student)
    sizes: list[int] = []
    rows = [replace(row, room=at + 1) for at, row in enumerate(rows_of(prompts()))]
    decode(model, rows, SamplingConfig(), Reader(tiny.words(), frozenset()), sizes.append)
    assert sizes == [7, 6, 5, 4, 3, 2, 1]


def test_a_cache_that_cannot_lose_rows_keeps_them(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoModelForCausalLM.from_pretrained(student)
    rows = [[replace(row, room=at + 1) for at, row in enumerate(rows_of(prompts()))] for _ in range(2)]
    _decoded(model, rows[0])
    monkeypatch.setattr(Batch, "_is_divisible", lambda self: False)
    _decoded(model, rows[1])
    assert [row.new for row in rows[0]] == [row.new for row in rows[1]]


@pytest.mark.parametrize("divisible", [True, False])
def test_samples_of_one_question_share_its_prompt(
    student: Path, divisible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AutoModelForCausalLM.from_pretrained(student)
    sampling = SamplingConfig(temperature=1.0)
    questions = [Question(f"q{at}", sample) for at in (4, 0, 2) for sample in range(3)]
    texts = {f"q{at}": prompt for at, prompt in enumerate(prompts())}
    reader = Reader(tiny.words(), frozenset({0}))
    apart, together = ([Row(texts[one.id], TOKENS, (), random_of(0, one)) for one in questions] for _ in range(2))
    for row in apart:
        decode(model, [row], sampling, reader, lambda written: None)
    if not divisible:
        monkeypatch.setattr(Batch, "_is_divisible", lambda self: False)
    batches: list[int] = []
    model.register_forward_pre_hook(lambda _, args, given: batches.append(len(given["input_ids"])), with_kwargs=True)
    decode(model, together, sampling, reader, lambda written: None)
    assert [row.new for row in together] == [row.new for row in apart]
    assert batches == [3] + [9] * (TOKENS - 1 + (not divisible))
    assert len({tuple(row.new) for row in together}) == 9


def test_what_the_tokenizer_has_no_word_for_is_never_said(tmp_path: Path) -> None:
    """Many models have rows to spare behind the vocabulary."""
    torch.manual_seed(0)
    words = tiny.words()
    model = tiny.llama(len(words) + 64)
    with torch.no_grad():
        model.lm_head.weight[len(words) :] = model.lm_head.weight[: len(words)].mean(dim=0) + 9
    model.save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    for sample in tiny.answers(tiny.configured(tmp_path, temperature=1.0), tiny.questions(TOKENS)):
        assert (sample.completion_tokens == TOKENS or sample.finish_reason == "stop") and sample.text


def test_a_conversation_and_a_prompt_of_the_same_text_get_the_same_answer(student: Path) -> None:
    asked = Question("q", 0, tiny.said("Name a tree."), max_tokens=TOKENS)
    [chat] = tiny.answers(tiny.configured(student), [asked])
    [plain] = tiny.answers(tiny.configured(student), [Question("q", 0, prompt=chat.prompt, max_tokens=TOKENS)])
    assert chat == plain
    assert chat.prompt.endswith("### Instruction:\nName a tree.\n\n### Response:")
    assert chat.model == "tiny"


def test_too_long_is_a_failure_and_little_room_a_shorter_answer(student: Path) -> None:
    asked = [Question("q", at, prompt="x" * size, max_tokens=40) for at, size in enumerate((170, 150, 100))]
    long, tight, free = tiny.answers(tiny.configured(student), asked)
    assert (long.cause, long.text, long.model) == ("too_long", "", "tiny")
    assert long.message == f"the prompt has 170 tokens, and the model takes {tiny.POSITIONS} with the answer"
    assert (tight.cause, tight.completion_tokens, tight.finish_reason) == ("", tiny.POSITIONS - 150, "length")
    assert (free.cause, free.completion_tokens) == ("", 40)
