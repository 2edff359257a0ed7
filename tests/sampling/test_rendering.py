"""What the model is given: the template's text or the prompt itself, never cut."""

from typing import Any

import pytest

from evolray.chat import FORMATS
from evolray.errors import UserError
from evolray.records import Turn
from evolray.sampling.models.loading import load_tokenizer
from evolray.sampling.models.rendering import Rendered, Renderer
from evolray.sampling.questions import Question, Sample
from tests.sampling import tiny

PLAIN = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}{{ '>' if add_generation_prompt }}"
PICKY = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system, please') }}{% endif %}hello"


def render(question: Question, words: Any = None, positions: int | None = None) -> Rendered | Sample:
    return Renderer(words or tiny.words(), positions)(question)


def rendered(question: Question, words: Any = None, positions: int | None = None) -> Rendered:
    found = render(question, words, positions)
    assert isinstance(found, Rendered)
    return found


@pytest.mark.parametrize("begin", [None, "<s>"])
@pytest.mark.parametrize("chat_format", [*FORMATS])
def test_a_conversation_is_the_template_s_text_and_no_special_token_twice(begin: str | None, chat_format: str) -> None:
    words = tiny.tokenizer(begin, chat_format)
    turns = (Turn("system", "Be brief."), *tiny.said("Name a tree."), Turn("assistant", "Oak."), *tiny.said("And?"))
    found = rendered(Question("q", 0, turns), words)
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    expected = words.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert found.text == expected
    assert list(found.tokens) == words(expected, add_special_tokens=False)["input_ids"]
    assert words.decode(found.tokens) == expected
    assert found.tokens.count(words.convert_tokens_to_ids("<s>")) == (1 if begin else 0)


@pytest.mark.parametrize("begin", [None, "<s>"])
def test_a_chat_format_stands_in_for_the_template_as_training_writes_it(begin: str | None, tmp_path: Any) -> None:
    tiny.tokenizer(begin, None).save_pretrained(tmp_path)
    words = load_tokenizer(tmp_path, None, "vicuna")
    assert words.chat_template == tiny.tokenizer(begin, "vicuna").chat_template
    assert rendered(Question("q", 0, tiny.said("Hi")), words).text.startswith((begin or "") + "A chat between")


def test_a_prompt_is_continued_as_it_stands() -> None:
    text = "  def f(x):\n\treturn"
    found = rendered(Question("q", 0, prompt=text))
    assert found.text == text
    assert tiny.words().decode(found.tokens) == text


def test_a_prompt_opens_with_the_tokenizer_s_mark_and_never_ends_with_one() -> None:
    from tokenizers import processors

    words = tiny.tokenizer("<s>")
    plain = words("tree", add_special_tokens=False)["input_ids"]
    assert list(rendered(Question("q", 0, prompt="tree"), words).tokens) == [1, *plain]
    words.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 0)]
    )
    assert words("tree")["input_ids"] == [1, *plain, 0]
    assert list(rendered(Question("q", 0, prompt="tree"), words).tokens) == [1, *plain]


def test_an_input_goes_where_the_template_has_a_place_for_it() -> None:
    question = Question("q", 0, tiny.said("Sum up."), given_input="1 2 3")
    assert "### Instruction:\nSum up.\n\n### Input:\n1 2 3\n\n### Response:" in rendered(question).text
    words = tiny.tokenizer(chat_format=None)
    words.chat_template = PLAIN
    assert rendered(question, words).text == "[user] Sum up.\n1 2 3\n>"


@pytest.mark.parametrize("chat_format", [*FORMATS])
def test_a_later_turn_follows_all_that_was_said(chat_format: str) -> None:
    words = tiny.tokenizer(chat_format=chat_format)
    question = Question("q", 0, tiny.said("Name a tree."), follow_ups=("And?", "More?"))
    found = Renderer(words, None)(question, ["Oak.", "Ash."])
    turns = [*question.messages, Turn("assistant", "Oak."), *tiny.said("And?"), Turn("assistant", "Ash."),
             *tiny.said("More?")]  # fmt: skip
    assert isinstance(found, Rendered)
    assert (found.text, found.turn) == (rendered(Question("q", 0, tuple(turns)), words).text, 3)
    assert rendered(question, words).turn == 1


def test_an_input_stays_with_its_message_in_later_turns() -> None:
    question = Question("q", 0, tiny.said("Sum up."), given_input="1 2 3", follow_ups=("And again?",))
    found = Renderer(tiny.words(), None)(question, ["6"])
    assert isinstance(found, Rendered)
    assert found.text.endswith(
        "### Instruction:\nSum up.\n\n### Input:\n1 2 3\n\n### Response:6</s>\n\n### Instruction:\nAnd again?"
        "\n\n### Response:"
    )
    words = tiny.tokenizer(chat_format=None)
    words.chat_template = PLAIN
    found = Renderer(words, None)(question, ["6"])
    assert isinstance(found, Rendered)
    assert found.text == "[user] Sum up.\n1 2 3\n[assistant] 6\n[user] And again?\n>"


def test_a_conversation_without_a_template_is_refused() -> None:
    with pytest.raises(UserError, match=r"no chat template, so conversations cannot be put to it\. Choose prompt=p"):
        render(Question("q", 0, tiny.said("Hi")), tiny.tokenizer(chat_format=None))


def test_a_conversation_that_the_template_refuses_is_one_failure() -> None:
    words = tiny.tokenizer(chat_format=None)
    words.chat_template = PICKY
    found = render(Question("q", 3, (Turn("system", "Be brief."), *tiny.said("Hi"))), words)
    assert found == Sample(
        "q", 3, cause="not_rendered", message="the chat template does not take this conversation (no system, please)"
    )


def test_a_prompt_that_is_longer_than_the_model_is_not_cut() -> None:
    found = render(Question("q", 0, prompt="x" * 50), positions=50)
    assert found == Sample(
        "q", 0, prompt="x" * 50, prompt_tokens=50, cause="too_long",
        message="the prompt has 50 tokens, and the model takes 50 with the answer",
    )  # fmt: skip


@pytest.mark.parametrize(("positions", "room"), [(51, 1), (69, 19), (70, 20), (1000, 20), (None, 20)])
def test_the_answer_has_the_room_that_is_left(positions: int | None, room: int) -> None:
    assert rendered(Question("q", 0, prompt="x" * 50, max_tokens=20), positions=positions).room == room


def test_a_prompt_without_tokens() -> None:
    found = render(Question("q", 0, prompt=""))
    assert isinstance(found, Sample)
    assert (found.cause, found.message) == ("empty_prompt", "the prompt has no tokens")
