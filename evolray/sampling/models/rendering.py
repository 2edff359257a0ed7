"""From a question to the tokens that the model is given. Nothing is ever cut off.

A conversation goes through the chat template, which writes every special token itself; a prompt is continued as it
stands, after the special tokens that the tokenizer opens a text with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evolray.errors import UserError
from evolray.records import Turn
from evolray.sampling.models.loading import first_line
from evolray.sampling.questions import Question, Sample

INPUT = "['input']"


@dataclass(frozen=True, slots=True)
class Rendered:
    """`room`: tokens that the answer may have. `turn`: of the question's, from 1, the one that is answered."""

    question: Question
    text: str
    tokens: tuple[int, ...]
    room: int
    turn: int = 1


class Renderer:
    def __init__(self, tokenizer: Any, positions: int | None) -> None:
        self._tokenizer, self._positions = tokenizer, positions

    def __call__(self, question: Question, answers: Sequence[str] = ()) -> Rendered | Sample:
        """`answers`: to the turns before. A Sample with a cause for what cannot be asked.

        Raises UserError when the model knows no conversations.
        """
        try:
            text, tokens = self._tokens(question, answers)
        except UserError:
            raise
        except Exception as error:  # a template raises what it likes, among them what it says of unexpected roles
            message = f"the chat template does not take this conversation ({first_line(error)})"
            return Sample(question.id, question.sample, cause="not_rendered", message=message)
        failed = Sample(question.id, question.sample, prompt=text, prompt_tokens=len(tokens))
        if not tokens:
            return _with_cause(failed, "empty_prompt", "the prompt has no tokens")
        room = question.max_tokens if self._positions is None else self._positions - len(tokens)
        if room < 1:
            message = f"the prompt has {len(tokens)} tokens, and the model takes {self._positions} with the answer"
            return _with_cause(failed, "too_long", message)
        return Rendered(question, text, tuple(tokens), min(room, question.max_tokens), 1 + len(answers))

    def _tokens(self, question: Question, answers: Sequence[str]) -> tuple[str, list[int]]:
        tokenizer = self._tokenizer
        if question.prompt is not None:
            tokens = list(tokenizer(question.prompt)["input_ids"])
            # Some tokenizers end every text, too; what follows its end is no continuation.
            while tokens and tokens[-1] == tokenizer.eos_token_id and not question.prompt.endswith(tokenizer.eos_token):
                tokens.pop()
            return question.prompt, tokens
        if not tokenizer.chat_template:
            raise UserError(
                "the checkpoint has no chat template, so conversations cannot be put to it. Choose prompt=plain, or "
                "chat_format=alpaca (alpaca_cot, freeform, vicuna) if it was trained on one."
            )
        turns = (*_turns(question, tokenizer.chat_template), *question.after(answers))
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        if question.given_input and _has_place_for_input(tokenizer.chat_template):
            messages[len(question.messages) - 1]["input"] = question.given_input
        text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        return text, list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _turns(question: Question, template: object) -> tuple[Turn, ...]:
    return question.messages if _has_place_for_input(template) else question.joined


def _has_place_for_input(template: object) -> bool:
    """Templates of evolray.chat have, and nobody else's."""
    return INPUT in str(template)


def _with_cause(sample: Sample, cause: str, message: str) -> Sample:
    return Sample(
        sample.id, sample.sample, prompt=sample.prompt, prompt_tokens=sample.prompt_tokens, cause=cause, message=message
    )
