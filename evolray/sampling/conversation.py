"""A question on its way through its turns: what is asked next, and one sample made of the answers to all of them.

An answer may be empty or cut off; it is an answer all the same, and the conversation goes on with it as it is.
"""

from dataclasses import replace

from evolray.sampling.questions import Question, Sample

CUT_OFF = "length"


class Conversation:
    def __init__(self, question: Question) -> None:
        self.question = question
        self._done: list[Sample] = []

    @property
    def turn(self) -> int:
        """The one to be asked next, from 1."""
        return 1 + len(self._done)

    @property
    def answers(self) -> tuple[str, ...]:
        """To the turns before."""
        return tuple(one.text for one in self._done)

    def take(self, sample: Sample) -> Sample | None:
        """What came of the turn. The question's sample, once that was its last turn or one without an answer."""
        if not sample.cause and self.turn < self.question.turns:
            self._done.append(sample)
            return None
        return self._joined(sample) if self.question.follow_ups else sample

    def _joined(self, last: Sample) -> Sample:
        turns = [*self._done, last]
        message = f"turn {self.turn} of {self.question.turns}: {last.message}" if last.cause else last.message
        return replace(
            last,
            earlier=self.answers,
            finish_reason=CUT_OFF if any(one.finish_reason == CUT_OFF for one in turns) else last.finish_reason,
            prompt_tokens=sum(one.prompt_tokens for one in turns),
            completion_tokens=sum(one.completion_tokens for one in turns),
            model=last.model or turns[0].model,
            message=message,
        )
