"""The chat formats: how a conversation becomes the one text that a student is trained on and served with.

A format is a Jinja chat template in the dialect of Hugging Face transformers. It is saved with the tokenizer, so that
training, transformers, vLLM and whatever else reads a checkpoint render the same characters without any code of ours.

    alpaca       the header and sections of Stanford Alpaca; the response follows "### Response:" at once
    alpaca_cot   the same with a cue to think aloud after "### Response:"; the response starts on a new line
    freeform     the instruction, a blank line, "### Response:"
    vicuna       Vicuna v1.1: a sentence about the two who talk, then USER: and ASSISTANT:

Rules that all of them keep:

-   What the student generates, and nothing else, stands between the template's generation marks: the response and the
    end mark, and before them the white space that parts the response from its cue (alpaca_cot's newline, vicuna's
    space). `add_generation_prompt` therefore ends exactly where generation begins, and a served prompt is a prefix of
    the text trained on.
-   A system message, which must come first, replaces the header (or Vicuna's sentence). A blank one counts as none.
-   Contents lose the white space around them; a blank `input` counts as none. Both are done here so that nobody who
    renders can forget it.
-   Several turns repeat the blocks after the end mark; the header stands once. Whether it is Alpaca's header for an
    input depends on the first user message only, so a conversation that grows never rewrites its beginning.
-   Another role, or a content that is not text, raises. That the roles alternate is not checked here.
"""

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from evolray.errors import UserError


class Message(TypedDict):
    """One message of a conversation. `input` is Alpaca's input and belongs to user messages only."""

    role: Literal["system", "user", "assistant"]
    content: str
    input: NotRequired[str]


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """`template` assumes a tokenizer without a begin mark; `chat_template` adds one."""

    name: str
    description: str
    source: str
    template: str


# The white space control everywhere makes the result independent of an environment's trim_blocks and lstrip_blocks.
_SKELETON = """\
{%- set has_system = messages[0]['role'] == 'system' -%}
{%- set system = messages[0]['content'] | trim if has_system else '' -%}
{%- set turns = messages[1:] if has_system else messages -%}
{%- if has_system and messages[0]['content'] is not string -%}
{{- raise_exception('the content of a system message must be text') -}}
{%- endif -%}
{{- OPENING -}}
{%- for message in turns -%}
{%- if message['role'] not in ['user', 'assistant'] -%}
{{- raise_exception('unexpected role ' ~ message['role'] ~ '; expected user or assistant after one system message') -}}
{%- endif -%}
{%- if message['content'] is not string -%}
{{- raise_exception('the content of a ' ~ message['role'] ~ ' message must be text') -}}
{%- endif -%}
{%- set content = message['content'] | trim -%}
{%- set input = message['input'] | default('', true) | trim -%}
{%- if message['role'] == 'user' -%}
{{- USER -}}
{%- else -%}
{{- CUE -}}
{%- generation -%}
{{- LEAD + content + eos_token -}}
{%- endgeneration -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- CUE -}}
{%- endif -%}
"""

_ALPACA_HEADER = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request."
)
_ALPACA_HEADER_FOR_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)
_ALPACA_OPENING = (
    f"system or ({_ALPACA_HEADER_FOR_INPUT!r} if turns and turns[0]['input'] | default('', true) | trim "
    f"else {_ALPACA_HEADER!r})"
)
_ALPACA_USER = (
    "'\\n\\n### Instruction:\\n' ~ content ~ ('\\n\\n### Input:\\n' ~ input if input)"  # no else: then nothing
)
_RESPONSE = "\n\n### Response:"
_THINK_ALOUD = " Let's think step by step."
_INPUT_BELOW = "content ~ ('\\n' ~ input if input)"
_VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
_AFTER_ANSWER = "loop.previtem is defined and loop.previtem['role'] == 'assistant'"


def _format(
    name: str, description: str, source: str, *, opening: str, user: str, cue: str, lead: str = ""
) -> ChatFormat:
    """`opening` and `user` are Jinja expressions, `cue` and `lead` texts: the prompt's end, the answer's start."""
    parts = {"OPENING": opening, "USER": user, "CUE": repr(cue), "LEAD": repr(lead)}
    template = _SKELETON
    for part, expression in parts.items():
        template = template.replace(f"{{{{- {part} ", f"{{{{- {expression} ")
    return ChatFormat(name, description, source, template)


FORMATS: dict[str, ChatFormat] = {
    one.name: one
    for one in (
        _format(
            "alpaca",
            "header, ### Instruction:, ### Input: where there is one, ### Response:",
            "Stanford Alpaca (github.com/tatsu-lab/stanford_alpaca, train.py); WizardCoder, WizardMath",
            opening=_ALPACA_OPENING,
            user=_ALPACA_USER,
            cue=_RESPONSE,
        ),
        _format(
            "alpaca_cot",
            "alpaca with a cue to think aloud; the response starts on a new line",
            "WizardMath (arxiv.org/abs/2308.09583), the prompt for chains of thought",
            opening=_ALPACA_OPENING,
            user=_ALPACA_USER,
            cue=_RESPONSE + _THINK_ALOUD,
            lead="\n",
        ),
        _format(
            "freeform",
            "the instruction, its input below it, ### Response:",
            "WizardLM (github.com/nlpxucan/WizardLM, train_freeform.py); there an input was dropped",
            opening="system",
            user=f"('\\n\\n' if system or not loop.first) ~ {_INPUT_BELOW}",
            cue=_RESPONSE,
        ),
        _format(
            "vicuna",
            "a sentence about the conversation, USER:, ASSISTANT:",
            "Vicuna v1.1 (github.com/lm-sys/FastChat, conversation.py)",
            opening=f"system or {_VICUNA_SYSTEM!r}",
            user=f"('' if {_AFTER_ANSWER} else ' ') ~ 'USER: ' ~ {_INPUT_BELOW}",
            cue=" ASSISTANT:",
            lead=" ",
        ),
    )
}


def chat_template(name: str, begin: str = "") -> str:
    """The template of a format for a tokenizer that opens texts with the mark `begin` ("" when it opens with none).

    Who renders a template tokenises the text without special tokens, so the template has to write the mark itself.
    Raises ValueError for a name that is not in FORMATS.
    """
    if name not in FORMATS:
        raise ValueError(f"unknown chat format {name!r}; expected one of {', '.join(FORMATS)}")
    return (f"{{{{- {begin!r} -}}}}\n" if begin else "") + FORMATS[name].template


def begin_mark(tokenizer: Any) -> str:
    """The special tokens that the tokenizer puts before a plain text by itself, as text; "" when it puts none.

    Raises UserError when the text would not be read as those tokens, so that no template could write them.
    """
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    marked = tokenizer("a", add_special_tokens=True)["input_ids"]
    num_before = next((at for at in range(len(marked)) if marked[at : at + len(plain)] == plain), 0)
    begin = "".join(tokenizer.convert_ids_to_tokens(marked[:num_before]))
    if tokenizer(begin, add_special_tokens=False)["input_ids"] != marked[:num_before]:
        raise UserError(f"the tokenizer opens a text with {begin!r} but cannot read it. Choose another model.")
    return begin
