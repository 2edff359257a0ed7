"""From tokens to text: indentation survives, special tokens do not, and stop strings are found wherever they fall."""

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from evolray.sampling.models.reading import SLACK_TOKENS, Reader
from tests.sampling import tiny

PIECES = ("<unk>", "</s>", "▁", "▁▁▁▁", "▁return", "return", ":", "▁Oak")


def sentence_piece() -> Any:
    """A "▁" for every space; like Llama 2's, decoding drops the space in front of a text."""
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(PIECES)}, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    made: Any = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")  # type: ignore[no-untyped-call]
    return made


def ids(text: str) -> list[int]:
    found: list[int] = tiny.words()(text)["input_ids"]
    return found


READER = Reader(tiny.words(), frozenset({0}))


def test_the_space_before_the_first_word_stays() -> None:
    words = sentence_piece()
    reader = Reader(words, frozenset({1}))
    prompt, new = [PIECES.index("return"), PIECES.index(":")], [PIECES.index("▁▁▁▁"), PIECES.index("▁return"), 1]
    assert words.decode(new[:2]) == "    return"  # one of five spaces is lost
    assert reader.text(prompt, new) == "     return"


def test_special_tokens_are_left_out() -> None:
    assert READER.text(ids("Name a tree."), [*ids(" Oak"), 0]) == " Oak"
    assert READER.text([0], ids(" Oak")) == " Oak"


def test_an_end_that_is_no_special_token_is_left_out() -> None:
    [dot] = ids(".")
    assert Reader(tiny.words(), frozenset({dot})).text(ids("A"), [*ids("tree"), dot]) == "tree"


def test_a_character_that_is_split_over_tokens() -> None:
    assert READER.text(ids("ab"), ids("½ ≠ ∞")) == "½ ≠ ∞"


def test_the_text_ends_before_the_first_of_the_stops() -> None:
    assert READER.before_stop("a\nb\n\nc###", ("###", "\n\n", "")) == "a\nb"
    assert READER.before_stop("a", ("b",)) is None
    assert READER.before_stop("b", ("b",)) == ""


def first_stop(prompt: str, text: str, stop: tuple[str, ...]) -> int | None:
    """The number of new tokens after which the stop was seen."""
    new = ids(text)
    return next((n for n in range(1, len(new) + 1) if READER.has_stopped(ids(prompt), new[:n], stop)), None)


def test_a_stop_is_seen_with_the_token_that_completes_it() -> None:
    long = "x" * 50
    assert first_stop("A", "xyz!Q!", ("!Q!",)) == 6
    assert first_stop("A", f"{long}!Q!{long}", ("!Q!", "never")) == 53
    assert len("!Q!") + SLACK_TOKENS < 50, "the last tokens alone must have shown it"


def test_a_stop_of_many_bytes_in_many_tokens() -> None:
    assert len(ids("∞")) == 3
    assert first_stop("A", "x" * 30 + "∞∞∞∞", ("∞∞∞∞",)) == 42


def test_a_stop_is_not_looked_for_in_the_prompt() -> None:
    assert first_stop("### Response:", "Response", ("Response:",)) is None
    assert first_stop("A###", "x", ("###x",)) is None


def test_no_stop() -> None:
    assert not READER.has_stopped([1], [2], ())
