"""Conversations into token ids and masks: which entries give which example, and which tokens are trained."""

import random
from itertools import groupby
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from evolray.chat import FORMATS, Message
from evolray.pool.json_entries import BadSeed
from evolray.records import Record, Turn
from evolray.train.tokenising import examples as examples_module
from evolray.train.tokenising.examples import (
    Encoded,
    Example,
    Rejected,
    encode,
    example_of_entry,
    example_of_record,
    trained_tokens,
)
from evolray.train.tokenising.tokenizer import dress
from tests.train import tokenizers
from tests.train.tokenising import golden_masks

KINDS = {**tokenizers.ALL, "legacy": lambda: tokenizers.sentence_piece(legacy=True)}


def dressed(kind: str, chat_format: str) -> PreTrainedTokenizerFast:
    tokenizer = KINDS[kind]()
    dress(tokenizer, chat_format)
    return tokenizer


def pair(instruction: str, response: str, example_id: str = "x") -> Example:
    return Example(example_id, ({"role": "user", "content": instruction}, {"role": "assistant", "content": response}))


def said(example: Example | Rejected) -> list[tuple[str, str]]:
    assert isinstance(example, Example), example
    return [(message["role"], message["content"]) for message in example.messages]


def entry(value: object, **columns: str) -> Example | Rejected:
    return example_of_entry(value, 7, "folder/data.jsonl", columns)


# --- records and entries ---


def test_a_record_becomes_its_whole_conversation() -> None:
    context = (Turn("system", "Be brief."), Turn("user", "Hi"), Turn("assistant", "Hello"))
    record = Record("r" * 16, 2, None, "open", "deepen", "", "Name a tree.", "Oak.", context)
    example = example_of_record(record)
    assert example.id == f"{'r' * 16}.g2"
    assert said(example) == [
        ("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"),
        ("user", "Name a tree."), ("assistant", "Oak."),
    ]  # fmt: skip


def test_a_record_without_a_response_is_rejected() -> None:
    record = Record("r" * 16, 0, None, "open", "seed", "", "Name a tree.", " \n")
    assert example_of_record(record) == Rejected(record.id, "no_response", "no answer to train on")


@pytest.mark.parametrize(
    "value",
    [
        {"instruction": "i", "output": "o"},
        {"instruction": "i", "input": "<noinput>", "response": "o"},
        {"question": "i", "answer": "o"},
        {"problem": "i", "solution": "o", "answer": "18"},
        {"instruction": "i", "instances": [{"input": "", "output": "o"}]},
        {"messages": [{"role": "user", "content": "i"}, {"role": "assistant", "content": "o"}]},
        {"conversations": [{"from": "human", "value": "i"}, {"from": "gpt", "value": "o"}], "instruction": "no"},
    ],
)
def test_the_shapes_of_seeds_are_the_shapes_of_entries(value: object) -> None:
    example = entry(value)
    assert example == Example("data.jsonl:7", ({"role": "user", "content": "i"}, {"role": "assistant", "content": "o"}))


def test_an_input_stays_apart() -> None:
    example = entry({"instruction": "i", "input": "x", "output": "o"})
    assert isinstance(example, Example)
    assert example.messages[0] == {"role": "user", "content": "i", "input": "x"}


def turns(*contents: tuple[str, str]) -> dict[str, Any]:
    return {"conversations": [{"from": speaker, "value": text} for speaker, text in contents]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (turns(("human", "a"), ("gpt", "b"), ("human", "c"), ("gpt", "d")), "a b c d"),
        (turns(("gpt", "0"), ("human", "a"), ("gpt", "b")), "a b"),  # shared from the middle
        (turns(("system", "s"), ("gpt", "0"), ("human", "a"), ("gpt", "b")), "s a b"),
        (turns(("system", " "), ("human", "a"), ("gpt", "b")), "a b"),
        (turns(("human", "a"), ("gpt", "b"), ("human", "unanswered")), "a b"),
        (turns(("human", "a"), ("gpt", "b"), ("human", "unanswered"), ("gpt", " ")), "a b"),
    ],
)
def test_turns_are_trimmed_to_a_conversation_that_ends_in_an_answer(value: object, expected: str) -> None:
    assert " ".join(text for _, text in said(entry(value))) == expected


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (BadSeed("not JSON"), "bad_entry", "folder/data.jsonl, line 7: not JSON"),
        ("text", "bad_entry", "the entry is text; expected an object"),
        ({"output": "o"}, "bad_entry", "no instruction"),
        ({"instruction": "i", "output": 5}, "bad_entry", "output is a number"),
        ({"instruction": "i", "output": "\ud83d"}, "bad_entry", "surrogate"),
        (turns(("human", "\ud83d"), ("gpt", "b")), "bad_entry", "surrogate"),
        (turns(("stranger", "a")), "bad_entry", "turn 0 of conversations is from 'stranger'"),
        ({"instruction": "i", "output": " \n"}, "no_response", "no answer"),
        ({"instruction": "i"}, "no_response", "no answer"),
        (turns(), "no_response", "no answer"),
        (turns(("human", "a")), "no_response", "no answer"),
        (turns(("gpt", "a")), "no_response", "no answer"),
        (turns(("human", "a"), ("human", "b"), ("gpt", "c")), "turns_do_not_alternate", "turn 2 is the user's"),
        (turns(("gpt", "0"), ("gpt", "1"), ("human", "a"), ("gpt", "b")), "turns_do_not_alternate", "turn 1 is the as"),
        (turns(("human", "a"), ("system", "s"), ("gpt", "b")), "turns_do_not_alternate", "turn 2 is the system's"),
        (turns(("human", ""), ("gpt", "b")), "blank_turn", "turn 1, the user's, is blank"),
        (turns(("human", "a"), ("gpt", ""), ("human", "c"), ("gpt", "d")), "blank_turn", "turn 2, the assistant's"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_says_why(value: object, reason: str, words: str) -> None:
    rejected = entry(value)
    assert isinstance(rejected, Rejected), rejected
    assert (rejected.id, rejected.reason, rejected.num_tokens) == ("data.jsonl:7", reason, 0)
    assert words in rejected.message


@pytest.mark.parametrize(
    ("value", "columns", "expected"),
    [
        ({"q": "i", "a": "o"}, {"instruction": "q", "response": "a"}, "i o"),
        # The columns named are the ones meant, whatever else the file has.
        ({"q": "i", "instruction": "no", "messages": [], "instances": [{"output": "no"}], "output": "o"},
         {"instruction": "q"}, "i o"),
        ({"instruction": "i", "response": "no", "output": "o"}, {"response": "output"}, "i o"),
        ({"output": "i", "instruction": "o"}, {"instruction": "output", "response": "instruction"}, "i o"),
        ({"chat": [{"from": "human", "value": "i"}, {"from": "gpt", "value": "o"}]}, {"messages": "chat"}, "i o"),
    ],
)  # fmt: skip
def test_columns_name_the_keys(value: object, columns: dict[str, str], expected: str) -> None:
    assert " ".join(text for _, text in said(entry(value, **columns))) == expected


def test_a_column_that_is_not_there_is_named() -> None:
    rejected = entry({"question": "i", "a": "o"}, instruction="q")
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "bad_entry"
    assert "no column 'q' for the instruction; found 'question', 'a'" in rejected.message


# --- the mask, token by token ---


@pytest.mark.parametrize(("kind", "name"), golden_masks.MASKS)
def test_golden_masks(kind: str, name: str) -> None:
    chat_format, messages = golden_masks.CONVERSATIONS[name]
    tokenizer = dressed(kind, chat_format)
    [encoded] = encode([Example("x", messages)], tokenizer, max_length=1000, over_long="drop")
    assert isinstance(encoded, Encoded)
    tokens = zip(tokenizer.convert_ids_to_tokens(encoded.input_ids), encoded.trained, strict=True)
    runs = [(trained, " ".join(token for token, _ in run)) for trained, run in groupby(tokens, key=lambda one: one[1])]
    assert runs == [(number % 2 == 1, text) for number, text in enumerate(golden_masks.MASKS[kind, name])]


def test_every_tokenizer_has_a_golden_mask_for_every_conversation() -> None:
    assert set(golden_masks.MASKS) == {(kind, name) for kind in tokenizers.ALL for name in golden_masks.CONVERSATIONS}
    assert {chat_format for chat_format, _ in golden_masks.CONVERSATIONS.values()} == set(FORMATS)


# --- the mask, whatever the response ---

LOSSLESS = (
    "```python\nprint(1)\n```", ": starts with a colon", "- a list\n- of two", "...", "“quoted”", "a", "0",
    "😀👍🏽 and a family 👨‍👩‍👧", "漢字かな", "cafe\u0301 and caf\u00e9", "  both sides  ",
    "\n\nline\n\n\nline\n", "one\r\ntwo\ttab", "\u00a0hard spaces\u00a0",
    "word " * 500, "x" * 3000, "### Response: again\n\n### Instruction:\nnot one", "USER: hi ASSISTANT: ho",
    "{{ eos_token }}{% generation %}", "zero\u200bwidth", "\0nul", "\ufeffmark", "</ s> < /s>",
)  # fmt: skip
PIECES = (
    "a", "Oak", " ", "  ", "\n", "\n\n", "```", ":", ".", "é", "漢", "😀", "👨‍👩‍👧",
    "### Response:", "\t", "'s", "3",
)  # fmt: skip


def fuzz() -> list[str]:
    rng = random.Random(7)
    texts = ["".join(rng.choices(PIECES, k=rng.randint(1, 12))) for _ in range(150)]
    return [text for text in texts if text.strip()]


@pytest.mark.parametrize("chat_format", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_covers_what_is_generated_and_nothing_else(kind: str, chat_format: str) -> None:
    tokenizer = dressed(kind, chat_format)
    texts = [*LOSSLESS, *fuzz()]
    # Each text is once the first answer, once an instruction and once the second answer.
    conversations = [
        (*pair("Name a tree.", one).messages, *pair(one, two).messages)
        for one, two in zip(texts, [*texts[1:], texts[0]], strict=True)
    ]
    encoded = encode([Example("x", one) for one in conversations], tokenizer, max_length=10**6, over_long="drop")
    num_straddling = 0
    for messages, one in zip(conversations, encoded, strict=True):
        assert isinstance(one, Encoded), one
        num_straddling += check_mask(tokenizer, messages, one, is_lossless=kind != "word_level")
    # ":```" and the like: the test has seen the hard case where there is one
    assert (num_straddling > 0) == (chat_format in ("alpaca", "freeform"))


def check_mask(
    tokenizer: PreTrainedTokenizerFast, messages: tuple[Message, ...], encoded: Encoded, is_lossless: bool
) -> int:
    """How many answers begin inside a token. Spans are worked out from renderings of the beginnings alone."""
    text = rendered(tokenizer, messages)
    starts = [len(rendered(tokenizer, messages[:turn], add_generation_prompt=True)) for turn in (1, 3)]
    ends = [len(rendered(tokenizer, messages[:turn])) for turn in (2, 4)]
    spans = list(zip(starts, ends, strict=True))
    again = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    assert again["input_ids"] == encoded.input_ids
    assert not encoded.trained[0]
    covered = set()
    num_straddling = 0
    for (start, end), trained in zip(again["offset_mapping"], encoded.trained, strict=True):
        num_straddling += any(start < begin < end for begin in starts)
        if trained:
            covered.update(range(start, end))
        if start < end:
            assert trained == any(start < stop and end > begin for begin, stop in spans), text[start:end]
    runs = [
        [token_id for token_id, _ in run]
        for trained, run in groupby(zip(encoded.input_ids, encoded.trained, strict=True), key=lambda one: one[1])
        if trained
    ]
    assert [run[-1] for run in runs] == [tokenizer.eos_token_id] * 2
    for (start, end), run in zip(spans, runs, strict=True):
        assert all(at in covered for at in range(start, end) if not text[at].isspace())
        decoded = tokenizer.decode(run, clean_up_tokenization_spaces=False)
        if is_lossless:
            answer = text[start:end].lstrip(" ")  # a decoder takes the space off that a piece begins with
            assert decoded.endswith(answer)
            assert text[:start].endswith(decoded.removesuffix(answer).strip(" "))
    return num_straddling


def rendered(tokenizer: PreTrainedTokenizerFast, messages: tuple[Message, ...], **options: bool) -> str:
    return str(tokenizer.apply_chat_template([dict(one) for one in messages], tokenize=False, **options))


@pytest.mark.parametrize(
    ("offsets", "spans", "expected"),
    [
        ([(0, 2), (2, 4), (4, 6)], [(2, 6)], "011"),
        ([(0, 2), (2, 4), (4, 6)], [(3, 6)], "011"),  # straddles the beginning
        ([(0, 2), (2, 4), (4, 6), (6, 8)], [(2, 5)], "0110"),  # and the end
        ([(0, 2), (2, 4), (4, 6), (6, 8), (8, 9)], [(2, 4), (6, 8)], "01010"),
        ([(0, 2), (3, 4)], [(2, 4)], "01"),  # the space of a byte-level token
        ([(0, 2), (4, 4), (4, 6)], [(2, 6)], "011"),  # a token of white space alone
        ([(0, 2), (4, 4), (4, 6)], [(4, 6)], "001"),
        ([(0, 2), (2, 2), (2, 4), (4, 4), (4, 6)], [(2, 4)], "01100"),  # tokens that cover nothing
        ([(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)], [(1, 2)], "01110"),  # bytes of one character
        ([(0, 1), (1, 2), (0, 0), (2, 3)], [(1, 2)], "0100"),  # no place at all
        ([(0, 3)], [(0, 3)], "0"),  # nothing before it
        ([(0, 1), (1, 2)], [(1, 9)], "01"),
        ([], [], ""),
    ],
)
def test_trained_tokens(offsets: list[tuple[int, int]], spans: list[tuple[int, int]], expected: str) -> None:
    assert trained_tokens(offsets, spans) == [digit == "1" for digit in expected]


# --- what encode refuses ---


def test_one_outcome_per_example_in_order_across_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples_module, "BATCH", 2)
    tokenizer = dressed("byte_level", "freeform")
    texts = ["a", "<|endoftext|>", "<|endoftext|>", "b", "c <|endoftext|>", "d", "e"]
    outcomes = encode(
        [pair("i", text, str(n)) for n, text in enumerate(texts)], tokenizer, max_length=99, over_long="drop"
    )
    assert [outcome.id for outcome in outcomes] == [str(n) for n in range(len(texts))]
    assert [isinstance(outcome, Encoded) for outcome in outcomes] == ["<" not in text for text in texts]
    assert encode([], tokenizer, max_length=99, over_long="drop") == []


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "be </s> brief"},
        {"role": "user", "content": "what is <s>?"},
        {"role": "user", "content": "i", "input": "x</s>"},
        {"role": "assistant", "content": "<unk>"},
    ],
)
def test_text_that_would_be_read_as_a_mark_is_refused(message: Message) -> None:
    tokenizer = dressed("sentence_piece", "alpaca")
    [rejected] = encode([Example("x", (message,))], tokenizer, max_length=1000, over_long="drop")
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "holds_special_token"
    assert any(repr(mark) in rejected.message for mark in ("<s>", "</s>", "<unk>"))


def test_over_long_examples_are_dropped_or_cut() -> None:
    tokenizer = dressed("word_level", "freeform")
    example = pair("Name a tree.", "Oak and birch are trees.")
    # Name a tree . ### Response : | Oak and birch are trees . [EOS]
    [whole] = encode([example], tokenizer, max_length=14, over_long="drop")
    assert isinstance(whole, Encoded)
    assert (len(whole.input_ids), sum(whole.trained), whole.cut) == (14, 7, False)
    [dropped] = encode([example], tokenizer, max_length=13, over_long="drop")
    assert dropped == Rejected("x", "over_long", "14 tokens, the limit is 13", 14)
    [cut] = encode([example], tokenizer, max_length=8, over_long="cut")
    assert cut == Encoded("x", whole.input_ids[:8], [False] * 7 + [True], cut=True)
    [nothing] = encode([example], tokenizer, max_length=7, over_long="cut")
    message = "14 tokens, the limit is 7, and the response begins behind it"
    assert nothing == Rejected("x", "no_response_within_max_length", message, 14)
    with pytest.raises(ValueError, match="expected drop or cut"):
        encode([example], tokenizer, max_length=8, over_long="split")
