"""What sampling asks of an endpoint and writes, shard by shard: one call per turn, one sample per question.

A turn that gets no answer makes its question a sample with a cause: it is in no ledger, so asking again asks just that
turn, and what was answered before it is replayed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evolray.engine.work import Work
from evolray.method.teacher import Call, Purpose, Teacher, TeacherError
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import Folder
from evolray.sampling.conversation import Conversation
from evolray.sampling.questions import Question, Sample, read_questions, write_samples
from evolray.teachers.endpoint.answers import storable

SAMPLE: Purpose = "sample"


@dataclass(frozen=True)
class Asking(Work[Question, Sample]):
    def read(self, folder: Folder, shard: int) -> Sequence[Question]:
        return read_questions(folder, shard)

    async def run(self, item: Question, teacher: Teacher, ended: Callable[[Sample], None]) -> None:
        ended(await ask(item, teacher))

    def tally(self, accounts: Accounts, outcome: Sample) -> None:
        tally(accounts, outcome)

    def write(
        self, folder: Folder, shard: int, items: Sequence[Question], outcomes: Sequence[Sample], usage: dict[str, Usage]
    ) -> Accounts:
        accounts = Accounts(usage=usage)
        accounts.incoming[0] = len(items)
        for sample in outcomes:
            tally(accounts, sample)
        accounts.check()
        write_samples(folder, shard, outcomes)
        return accounts


async def ask(question: Question, teacher: Teacher) -> Sample:
    conversation = Conversation(question)
    while True:
        if sample := conversation.take(await _ask_turn(conversation, teacher)):
            return sample


async def _ask_turn(conversation: Conversation, teacher: Teacher) -> Sample:
    question = conversation.question
    # Its turn stands where evolution has the generation, so that every call of a run has a name of its own.
    call = Call(
        SAMPLE, question.id, conversation.turn - 1, (*question.joined, *question.after(conversation.answers)),
        question.sample, question.prompt, question.max_tokens, question.stop, question.temperature,
    )  # fmt: skip
    prompt = question.prompt or ""
    try:
        answer = await teacher.complete(call)
    except TeacherError as error:
        return Sample(
            question.id, question.sample, prompt=prompt, cause=error.cause, message=storable(error.message)
        )  # fmt: skip
    text = before(question.stop, answer.text)
    return Sample(
        question.id, question.sample, text, prompt, answer.finish_reason if text == answer.text else "stop",
        answer.prompt_tokens, answer.completion_tokens, answer.model,
    )  # fmt: skip


def before(stop: Sequence[str], text: str) -> str:
    """The text before the first of `stop`. Not every server cuts there, and some leave the stop string in."""
    return text[: min((at for at in (text.find(one) for one in stop if one) if at >= 0), default=len(text))]


def tally(accounts: Accounts, sample: Sample) -> None:
    """Accounts have generations and operators; samples have neither."""
    accounts.outcomes[0, SAMPLE, "failed" if sample.cause else "kept", sample.cause] += 1


def accounts_of(samples: Sequence[Sample]) -> Accounts:
    """Of a shard that was finished before."""
    accounts = Accounts()
    for sample in samples:
        tally(accounts, sample)
        if calls := len(sample.earlier) + (not sample.cause):
            accounts.spend(SAMPLE, Usage(calls, sample.prompt_tokens, sample.completion_tokens))
    return accounts
