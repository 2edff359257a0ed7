"""What an evaluation will ask and cost, before anybody is asked. Four characters count as a token.

Prompts are rendered as they will be. What is not known yet is assumed: an answer of the model is as long as the
baseline's, or ANSWER_TOKENS, and a judge's as long as VERDICT_TOKENS, or the protocol's limit where that is less.
"""

from collections.abc import Iterator, Mapping, Sequence

from evolray.config import EndpointConfig, EvaluateConfig
from evolray.config.evaluate import GradingConfig
from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.judging import questions_of
from evolray.evaluate.chat.selection import SelectedChat
from evolray.evaluate.selection import Selection, questions

CHARS_PER_TOKEN = 4
ANSWER_TOKENS, VERDICT_TOKENS = 300, 250

Answers = Mapping[str, Sequence[str]]


def of_model(selection: Selection, config: EvaluateConfig, model: str) -> list[str]:
    """A line per benchmark that the model is asked about by evolray itself."""
    lines = []
    for one in selection.sampled:
        asked = list(questions(one, config))
        turns = sum(1 + len(question.follow_ups) for question in asked)
        prompts = sum(_characters(turn.content for turn in question.messages) for question in asked)
        prompts += sum(len(question.prompt or "") + _characters(question.follow_ups) for question in asked)
        most = sum(question.max_tokens * (1 + len(question.follow_ups)) for question in asked)
        lines.append(
            f"{one.name}: {turns:,} answers of {model}, about {prompts // CHARS_PER_TOKEN:,} prompt tokens, at most "
            f"{most:,} completion tokens{_cost(config.endpoint, prompts // CHARS_PER_TOKEN, most)}"
        )
    return lines + [f"{one.name}: by lm-eval, which does not say before it has begun" for one in selection.knowledge]


def of_judge(selection: Selection, config: GradingConfig, answers: Answers | None = None) -> list[str]:
    """A line per benchmark that a judge is asked about. `answers`: the model's, by problem, where they are there."""
    lines = []
    for one in selection.chat:
        if one.judge is None:
            continue
        cases = [one.case(problem, tuple(_answer(one, problem, answers))) for problem in one.problems.all]
        asked = list(questions_of(one, cases))
        prompts = sum(_characters(turn.content for turn in question.messages) for question in asked)
        tokens = prompts // CHARS_PER_TOKEN
        written = len(asked) * min(VERDICT_TOKENS, asked[0].max_tokens)
        lines.append(
            f"{one.name}: {len(asked):,} verdicts of {one.judge.name}, about {tokens:,} prompt and {written:,} "
            f"completion tokens{_cost(config.judge.endpoint, tokens, written)}; more where a verdict cannot be read"
        )
    return lines


def _answer(one: SelectedChat, problem: Problem, answers: Answers | None) -> Iterator[str]:
    """A text per turn. A problem that is not among the answers is not asked about, but few are not."""
    known = answers.get(problem.id) if answers else None
    if known:
        yield from known
        return
    standing_in = one.baseline_of(problem)
    for at, _ in enumerate(one.benchmark.turns(problem)):
        yield standing_in[at] if at < len(standing_in) else "x" * (ANSWER_TOKENS * CHARS_PER_TOKEN)


def _characters(texts: Iterator[str] | Sequence[str]) -> int:
    return sum(map(len, texts))


def _cost(endpoint: EndpointConfig, prompt_tokens: int, completion_tokens: int) -> str:
    cost = prompt_tokens * endpoint.price_per_million_prompt_tokens
    cost += completion_tokens * endpoint.price_per_million_completion_tokens
    return f", cost about {cost / 1e6:,.2f}" if cost else ""
