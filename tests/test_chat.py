"""The chat formats, character by character, and what they promise whoever serves what was trained."""

from itertools import product
from typing import Any

import jinja2
import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from evolray.chat import FORMATS, chat_template

NO_INPUT = "Below is an instruction that describes a task. Write a response that appropriately completes the request."
WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)
TALK = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
COT = "### Response: Let's think step by step."

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Name a tree."}
WITH = {"role": "user", "content": "Count them.", "input": "oak, birch"}
ASSISTANT = {"role": "assistant", "content": "Oak."}


def render(name: str, *messages: dict[str, Any], begin: str = "", **options: Any) -> tuple[str, list[str]]:
    """The text, and the pieces of it that are generated."""
    texts, spans = render_jinja_template(
        [list(messages)],
        chat_template=chat_template(name, begin),
        return_assistant_tokens_mask=True,
        eos_token="</s>",
        **options,
    )
    return texts[0], [texts[0][start:end] for start, end in spans[0]]


@pytest.mark.parametrize(
    ("name", "messages", "text", "generated"),
    [
        ("alpaca", [USER, ASSISTANT],
         f"{NO_INPUT}\n\n### Instruction:\nName a tree.\n\n### Response:Oak.</s>", ["Oak.</s>"]),
        ("alpaca", [WITH, ASSISTANT],
         f"{WITH_INPUT}\n\n### Instruction:\nCount them.\n\n### Input:\noak, birch\n\n### Response:Oak.</s>",
         ["Oak.</s>"]),
        ("alpaca", [SYSTEM, WITH, ASSISTANT],
         "Be brief.\n\n### Instruction:\nCount them.\n\n### Input:\noak, birch\n\n### Response:Oak.</s>", ["Oak.</s>"]),
        ("alpaca", [USER, ASSISTANT, WITH, ASSISTANT],
         f"{NO_INPUT}\n\n### Instruction:\nName a tree.\n\n### Response:Oak.</s>\n\n### Instruction:\nCount them."
         "\n\n### Input:\noak, birch\n\n### Response:Oak.</s>", ["Oak.</s>"] * 2),
        ("alpaca_cot", [USER, ASSISTANT, USER, ASSISTANT],
         f"{NO_INPUT}\n\n### Instruction:\nName a tree.\n\n{COT}\nOak.</s>\n\n### Instruction:\nName a tree.\n\n{COT}"
         "\nOak.</s>", ["\nOak.</s>"] * 2),
        ("alpaca_cot", [WITH, ASSISTANT],
         f"{WITH_INPUT}\n\n### Instruction:\nCount them.\n\n### Input:\noak, birch\n\n{COT}\nOak.</s>", ["\nOak.</s>"]),
        ("freeform", [USER, ASSISTANT, WITH, ASSISTANT],
         "Name a tree.\n\n### Response:Oak.</s>\n\nCount them.\noak, birch\n\n### Response:Oak.</s>", ["Oak.</s>"] * 2),
        ("freeform", [SYSTEM, USER, ASSISTANT],
         "Be brief.\n\nName a tree.\n\n### Response:Oak.</s>", ["Oak.</s>"]),
        ("vicuna", [USER, ASSISTANT, WITH, ASSISTANT],
         f"{TALK} USER: Name a tree. ASSISTANT: Oak.</s>USER: Count them.\noak, birch ASSISTANT: Oak.</s>",
         [" Oak.</s>"] * 2),
        ("vicuna", [SYSTEM, USER, ASSISTANT], "Be brief. USER: Name a tree. ASSISTANT: Oak.</s>", [" Oak.</s>"]),
    ],
)  # fmt: skip
def test_formats_to_the_character(name: str, messages: list[dict[str, Any]], text: str, generated: list[str]) -> None:
    assert render(name, *messages) == (text, generated)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("alpaca", f"{NO_INPUT}\n\n### Instruction:\nName a tree.\n\n### Response:"),
        ("alpaca_cot", f"{NO_INPUT}\n\n### Instruction:\nName a tree.\n\n{COT}"),
        ("freeform", "Name a tree.\n\n### Response:"),
        ("vicuna", f"{TALK} USER: Name a tree. ASSISTANT:"),
    ],
)
def test_a_served_prompt_ends_where_generation_begins(name: str, prompt: str) -> None:
    assert render(name, USER, add_generation_prompt=True) == (prompt, [])
    assert render(name, USER) == (
        prompt.removesuffix({"alpaca_cot": f"\n\n{COT}", "vicuna": " ASSISTANT:"}.get(name, "\n\n### Response:")),
        [],
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("begin", ["", "<s>", "<｜begin▁of▁text｜>", "{{ '\"\\ }}"])
@pytest.mark.parametrize("opening", list(product([(), (SYSTEM,)], [USER, WITH])))
def test_every_served_prompt_is_a_prefix_of_the_text_trained_on(name: str, begin: str, opening: Any) -> None:
    messages = [*opening[0], opening[1], ASSISTANT, WITH, ASSISTANT, USER, ASSISTANT]
    text, generated = render(name, *messages, begin=begin)
    assert text.startswith(begin)
    assert text.count("</s>") == len(generated) == 3
    pieces = []
    for number, message in enumerate(messages):
        if message is ASSISTANT:
            prompt, _ = render(name, *messages[:number], begin=begin, add_generation_prompt=True)
            answered, _ = render(name, *messages[: number + 1], begin=begin)
            assert text.startswith(prompt)
            pieces.append(text[len(prompt) : len(answered)])
    assert pieces == generated


@pytest.mark.parametrize("name", FORMATS)
def test_white_space_around_contents_is_nobodys_business(name: str) -> None:
    messages = (SYSTEM, WITH, ASSISTANT)
    spaced = [{key: text if key == "role" else f" \n{text}\n\n" for key, text in one.items()} for one in messages]
    assert render(name, *spaced) == render(name, *messages)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("blank", ["", " \n", None])
def test_a_blank_input_is_none_and_a_blank_system_message_too(name: str, blank: str | None) -> None:
    assert render(name, USER | {"input": blank}, ASSISTANT) == render(name, USER, ASSISTANT)
    assert render(name, SYSTEM | {"content": blank or ""}, USER, ASSISTANT) == render(name, USER, ASSISTANT)


@pytest.mark.parametrize("name", FORMATS)
def test_template_code_in_a_content_is_text(name: str) -> None:
    hostile = "{{ eos_token }}{% endgeneration %}{# no #}'\\n\""
    text, generated = render(name, {"role": "user", "content": hostile}, {"role": "assistant", "content": hostile})
    assert text.count(hostile) == 2
    assert [piece.strip() for piece in generated] == [f"{hostile}</s>"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([USER, {"role": "tool", "content": "x"}], "unexpected role tool; expected user or assistant"),
        ([USER, ASSISTANT, SYSTEM], "unexpected role system"),
        ([{"role": "user", "content": [{"type": "text", "text": "x"}]}], "the content of a user message must be text"),
        ([{"role": "system", "content": ["x"]}, USER], "the content of a system message must be text"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": None}], "of a assistant message must be"),
    ],
)
def test_the_template_refuses_what_it_cannot_render(name: str, messages: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(jinja2.TemplateError, match=words):
        render(name, *messages)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("trims", [True, False])
def test_the_text_does_not_depend_on_how_an_environment_trims(name: str, trims: bool) -> None:
    environment = jinja2.Environment(trim_blocks=trims, lstrip_blocks=trims)
    template = chat_template(name, "<s>").replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")
    text = environment.from_string(template).render(messages=[USER, ASSISTANT, WITH], eos_token="</s>")
    assert text == render(name, USER, ASSISTANT, WITH, begin="<s>")[0]


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'alpacca'; expected one of alpaca, alpaca_cot, freeform, vicuna"):
        chat_template("alpacca")


def test_every_format_says_what_it_is_and_where_it_comes_from() -> None:
    assert list(FORMATS) == ["alpaca", "alpaca_cot", "freeform", "vicuna"]
    for name, one in FORMATS.items():
        assert one.name == name
        assert one.description
        assert one.source
        assert chat_template(name) == one.template
