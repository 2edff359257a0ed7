"""From records and data files to token ids, each token marked as trained or not.

    Record, entry of a file -> Example (a conversation) -> Encoded (ids and mask)
                            -> Rejected (why it cannot be trained on)

Nothing is dropped in silence: one outcome per input. Reasons:

    bad_entry                        the entry of a file cannot be read as a conversation or an instruction
    blank_turn                       a turn other than the last answer is blank
    turns_do_not_alternate           user and assistant do not take turns
    no_response                      there is no answer to train on
    holds_special_token              a content holds the text of a special token, which would be read as the mark itself
    over_long                        more tokens than the limit
    no_response_within_max_length    a cut would leave no token to train on

**The mask.** The conversation is rendered by the chat template and tokenised once, as one text. The template says which
characters the student generates; the tokens that cover them are trained. Tokenising prompt and response apart and
counting the prompt's tokens is the usual way, and wrong wherever the two would be tokenised differently together.

A token that straddles the boundary, such as ":```" for a response that opens with a fence right after "### Response:",
is trained: it carries the response's first characters, and a student never trained on it never learns to begin. The
price is that a served prompt ends in ":" instead, the nearest that a prompt can come. The first token of an example is
never trained, having nothing before it to be foretold from.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evolray.chat import Message
from evolray.pool.columns import renamed
from evolray.pool.json_entries import BadSeed
from evolray.pool.seeds import check_encodable, conversation_of, texts_of
from evolray.records import Record, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BATCH = 1024  # examples rendered and tokenised together; bounds the memory that offsets take


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation to train on: at most one system message, then user and assistant by turns, ending in an answer."""

    id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids (T,) and, for each, whether its loss counts (T,). `cut`: the end was cut off at the limit."""

    id: str
    input_ids: list[int] = field(repr=False)
    trained: list[bool] = field(repr=False)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """`num_tokens` where the length is the reason, else 0."""

    id: str
    reason: str
    message: str
    num_tokens: int = 0


def example_of_record(record: Record) -> Example | Rejected:
    """A pool's record: the turns before it, its instruction, its response. All answers in it are trained."""
    turns = [*record.context, Turn("user", record.instruction), Turn("assistant", record.response)]
    return _example(record.id, turns)


def example_of_entry(entry: object, line: int, source: str, columns: Mapping[str, str]) -> Example | Rejected:
    """One entry of a data file, in any of the shapes that seeds come in; a conversation with all of its turns.

    `entry` is what `read_entries(path, entry_keys(columns))` yields, a BadSeed included. `columns` maps our names
    (`pool.columns.COLUMNS`) to the file's.
    """
    path = urlsplit(source).path if "://" in source else source  # a URL's query says where the store is, not what
    example_id = f"{PurePosixPath(path).name}:{line}"
    try:
        if isinstance(entry, BadSeed):
            raise entry
        entry = renamed(entry, columns)
        if (turns := conversation_of(entry)) is not None:
            check_encodable(*(turn.content for turn in turns))
            return _example(example_id, turns)
        instruction, given_input, response = texts_of(entry)
        check_encodable(instruction, given_input, response)
    except BadSeed as problem:
        return Rejected(example_id, "bad_entry", f"{source}, line {line}: {problem}")
    return _example(example_id, [Turn("user", instruction), Turn("assistant", response)], given_input)


def encode(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast", *, max_length: int, over_long: str
) -> list[Encoded | Rejected]:
    """Token ids and masks, one outcome per example, in order.

    `tokenizer` is one that `tokenizer.dress` has given a chat template. An example of more than
    `max_length` tokens is rejected (`over_long` "drop") or loses its end ("cut"): a cut one has no end mark there, so
    the student does not learn to stop in the middle.
    """
    if over_long not in ("drop", "cut"):
        raise ValueError(f"over_long is {over_long!r}; expected drop or cut")
    special = special_token_pattern(tokenizer)
    outcomes: list[Encoded | Rejected] = []
    for start in range(0, len(examples), BATCH):
        batch = examples[start : start + BATCH]
        refused = {number: no for number, one in enumerate(batch) if (no := _special_token_in(one, special))}
        fine = [one for number, one in enumerate(batch) if number not in refused]
        encoded = _encode_batch(fine, tokenizer, max_length, over_long == "cut")
        outcomes += [refused[number] if number in refused else next(encoded) for number in range(len(batch))]
    return outcomes


def special_token_pattern(tokenizer: "PreTrainedTokenizerFast") -> re.Pattern[str]:
    """Matches the text of any special token of the tokenizer; what it matches is one mark to it, not characters."""
    texts = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    texts |= set(tokenizer.all_special_tokens)
    return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True) if text) or r"(?!)")


def _example(example_id: str, turns: Sequence[Turn], given_input: str = "") -> Example | Rejected:
    """An alternating conversation that ends in an answer, from turns as they were found.

    Blank system turns go; so does a first turn of the assistant (shared chats often begin in the middle) and a last
    turn of the user that nobody answered.
    """
    turns = [turn for turn in turns if turn.role != "system" or turn.content.strip()]
    system = [turn for turn in turns[:1] if turn.role == "system"]
    said = turns[len(system) :]
    if said and said[0].role == "assistant":
        said = said[1:]
    if said and said[-1].role == "assistant" and not said[-1].content.strip():
        said = said[:-1]
    if said and said[-1].role == "user":
        said = said[:-1]
    expected = ("user", "assistant")
    for number, turn in enumerate(said):
        if turn.role != expected[number % 2]:
            message = f"turn {number + 1} is the {turn.role}'s; expected user and assistant by turns"
            return Rejected(example_id, "turns_do_not_alternate", message)
        if not turn.content.strip():
            return Rejected(example_id, "blank_turn", f"turn {number + 1}, the {turn.role}'s, is blank")
    if not said:
        return Rejected(example_id, "no_response", "no answer to train on")
    messages: list[Message] = [{"role": turn.role, "content": turn.content} for turn in (*system, *said)]
    if given_input.strip():
        messages[len(system)]["input"] = given_input
    return Example(example_id, tuple(messages))


def _special_token_in(example: Example, special: re.Pattern[str]) -> Rejected | None:
    for number, message in enumerate(example.messages, 1):
        if found := special.search(message["content"]) or special.search(message.get("input", "")):
            message_text = f"message {number} holds {found[0]!r}, which the tokenizer reads as a mark of its own"
            return Rejected(example.id, "holds_special_token", message_text)
    return None


def _encode_batch(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast", max_length: int, cut: bool
) -> Iterator[Encoded | Rejected]:
    from transformers.utils.chat_template_utils import render_jinja_template

    if not examples:
        return
    render: Any = render_jinja_template  # its types promise a text alone
    texts, spans = render(
        [list(example.messages) for example in examples],
        chat_template=tokenizer.chat_template,
        return_assistant_tokens_mask=True,
        **tokenizer.special_tokens_map,
    )
    tokens: Any = tokenizer(
        texts,
        add_special_tokens=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    rows = zip(examples, tokens["input_ids"], tokens["offset_mapping"], spans, strict=True)
    for example, input_ids, offsets, generated in rows:
        yield _encoded(example.id, input_ids, trained_tokens(offsets, generated), max_length, cut)


def _encoded(
    example_id: str, input_ids: list[int], trained: list[bool], max_length: int, cut: bool
) -> Encoded | Rejected:
    num_tokens = len(input_ids)
    if num_tokens <= max_length:
        return Encoded(example_id, input_ids, trained)
    length = f"{num_tokens:,} tokens, the limit is {max_length:,}"
    if not cut:
        return Rejected(example_id, "over_long", length, num_tokens)
    if not any(trained[:max_length]):
        message = f"{length}, and the response begins behind it"
        return Rejected(example_id, "no_response_within_max_length", message, num_tokens)
    return Encoded(example_id, input_ids[:max_length], trained[:max_length], cut=True)


def trained_tokens(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Which tokens cover characters of the generated spans; both are (start, end) in characters, ascending.

    Tokenizers leave characters out of offsets, such as the space that a byte-level token begins with or white space
    that a word-level one skips. Such characters count to the token after them: a token reaches back to where the one
    before it ended. A token that covers nothing even so, put in by the tokenizer, is trained where it stands in a span
    or right before it, not right after it.
    """
    trained = [False] * len(offsets)
    reached = list(accumulate([end for _, end in offsets], max))
    for start, end in spans:
        first = bisect_right(reached, start)
        while first > 1 and reached[first - 2] == start and offsets[first - 1][0] >= offsets[first - 1][1]:
            first -= 1
        last = bisect_left(reached, end) + 1
        while last < len(offsets) and offsets[last][0] < min(end, offsets[last][1]):  # more bytes of one character
            last += 1
        trained[first:last] = [True] * (min(last, len(offsets)) - first)
    if trained:
        trained[0] = False
    return trained
