"""One lineage, from the seed through all its generations (WizardLM, section 3.1).

In every generation one operator, drawn at random, rewrites the lineage's present instruction. A child that no rule
rejects is kept and becomes what evolves next; when a child is eliminated, its parent goes on unchanged and is tried
again in the next generation. Lineages do not depend on each other, so nothing waits for anything here but for the
teacher, and the same seed gives the same lineage in any order, on any machine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from evolray.method.domains import Domain
from evolray.method.elimination import Evolved, parse_verdict, reject_instruction, reject_response
from evolray.method.operators import Operator, render
from evolray.method.teacher import Call, Completion, Purpose, Teacher, TeacherError
from evolray.records import SEED, Eliminated, Failed, Outcome, Record, Seed, Turn, record_id

VERDICT_ATTEMPTS = 3  # a judge that does not answer with a verdict is asked again this often in all


@dataclass(frozen=True)
class Method:
    """How lineages evolve. `answer_seeds_anew` asks the teacher for the seeds' responses too, as WizardLM did.

    `later` holds the domain with other odds by the generation from which on these count.
    """

    domain: Domain
    generations: int = 4
    seed: int = 0
    answer_seeds_anew: bool = False
    later: Mapping[int, Domain] = field(default_factory=dict)

    def domain_in(self, generation: int) -> Domain:
        """The domain with the odds of this generation."""
        return self.later.get(max((first for first in self.later if first <= generation), default=0), self.domain)


@dataclass
class Attempt:
    """One try at one generation of one lineage, while it is under way."""

    method: Method
    teacher: Teacher
    seed: Seed
    generation: int
    parent_generation: int | None = None
    operator: str = SEED
    variant: str = ""
    prompt_tokens: int = field(default=0, init=False)
    completion_tokens: int = field(default=0, init=False)
    asked: str = field(default="", init=False)

    async def ask(self, purpose: Purpose, prompt: str, context: tuple[Turn, ...] = (), attempt: int = 0) -> Completion:
        messages = (*context, Turn("user", prompt))
        call = Call(purpose, self.seed.root_id, self.generation, messages, attempt)
        completion = await self.teacher.complete(call)
        self.asked = purpose
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        return completion

    async def is_equal(self, first: str, second: str) -> bool:
        """The judge's verdict. Raises TeacherError when no answer is one."""
        prompt = render(self.method.domain.equality_prompt, first=first, second=second)
        text = ""
        for attempt in range(VERDICT_ATTEMPTS):
            text = (await self.ask("judge", prompt, attempt=attempt)).text
            verdict = parse_verdict(text)
            if verdict is not None:
                return verdict
        said = f"{text[:60]!r} is not a verdict; expected exactly 'Equal' or 'Not Equal'"
        raise TeacherError(record_id(self.seed.root_id, self.generation), "unparsed_verdict", said)

    async def respond(self, instruction: str) -> Completion:
        prompt = render(self.method.domain.response_prompt, instruction=instruction)
        return await self.ask("respond", prompt, self.seed.context)

    @property
    def parent_id(self) -> str | None:
        return None if self.parent_generation is None else record_id(self.seed.root_id, self.parent_generation)

    def kept(self, instruction: str, response: str, teacher: str = "", attempts: int = 0) -> Record:
        return Record(
            self.seed.root_id, self.generation, self.parent_id, self.method.domain.name, self.operator, self.variant,
            instruction, response, self.seed.context, teacher, self.prompt_tokens, self.completion_tokens, attempts,
        )  # fmt: skip

    def eliminated(self, reason: str, instruction: str, response: str = "", teacher: str = "") -> Eliminated:
        return Eliminated(
            self.seed.root_id, self.generation, self.parent_id, self.method.domain.name, self.operator, self.variant,
            reason, self.asked, instruction, response, self.seed.context, teacher,
            self.prompt_tokens, self.completion_tokens,
        )  # fmt: skip

    def failed(self, cause: str, message: str) -> Failed:
        return Failed(
            self.seed.root_id, self.generation, self.operator, cause, message, self.parent_id,
            self.seed.source, self.seed.line,
        )  # fmt: skip


async def evolve_lineage(
    seed: Seed, method: Method, teacher: Teacher, ended: Callable[[Outcome], None] = lambda outcome: None
) -> list[Outcome]:
    """What became of the seed and of each generation: `generations + 1` outcomes, in order.

    `ended` is told of each as soon as it is known.

    After a failed call the lineage cannot go on, so its later generations are Failed too ("earlier_generation"):
    once the call is retried, the lineage is the one that would have been without the failure.
    """
    outcomes: list[Outcome] = [await _seed_record(Attempt(method, teacher, seed, generation=0))]
    ended(outcomes[0])
    parent, parent_generation, attempts = seed.text, 0, 1
    for generation in range(1, method.generations + 1):
        random = Random(f"{method.seed}/{seed.root_id}/{generation}")
        operator = method.domain_in(generation).choose(random)
        variant = operator.choose_variant(random)
        attempt = Attempt(method, teacher, seed, generation, parent_generation, operator.name, variant)
        outcome: Outcome
        if isinstance(outcomes[-1], Failed) and generation > 1:
            outcome = attempt.failed("earlier_generation", "not tried: an earlier generation failed")
        else:
            outcome = await _evolve_once(attempt, operator, parent, attempts)
        outcomes.append(outcome)
        ended(outcome)
        attempts += 1
        if isinstance(outcome, Record):
            parent, parent_generation, attempts = outcome.instruction, generation, 1
    return outcomes


async def _seed_record(attempt: Attempt) -> Outcome:
    """Generation 0. Whatever becomes of its response, the instruction evolves."""
    seed = attempt.seed
    if seed.response.strip() and not attempt.method.answer_seeds_anew:
        return attempt.kept(seed.text, seed.response)
    try:
        return await _answer(attempt, seed.text, attempts=0)
    except TeacherError as error:
        return attempt.failed(error.cause, error.message)


async def _evolve_once(attempt: Attempt, operator: Operator, parent: str, attempts: int) -> Outcome:
    """Rewrite, look at the text, ask the judge, ask for the response: cheapest first, nothing after a rejection."""
    domain = attempt.method.domain
    try:
        completion = await attempt.ask("evolve", operator.render(parent, attempt.variant, attempt.seed.context))
        evolved = Evolved(parent, completion)
        if reason := reject_instruction(domain.instruction_rules, evolved):
            return attempt.eliminated(reason, evolved.text, teacher=completion.model)
        if await attempt.is_equal(parent, evolved.text):
            return attempt.eliminated("no_information_gain", evolved.text, teacher=completion.model)
        return await _answer(attempt, evolved.text, attempts)
    except TeacherError as error:
        return attempt.failed(error.cause, error.message)


async def _answer(attempt: Attempt, instruction: str, attempts: int) -> Outcome:
    response = await attempt.respond(instruction)
    if reason := reject_response(attempt.method.domain.response_rules, response):
        return attempt.eliminated(reason, instruction, response.text, response.model)
    return attempt.kept(instruction, response.text.strip(), response.model, attempts)
