"""The chat benchmarks, each put together: problems, turns, groups, and the protocols that judge them."""

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.chat.benchmark import ChatBenchmark, JudgeProtocol
from evolray.evaluate.chat.protocols.pairwise import Pairwise
from evolray.evaluate.chat.protocols.ranking import Ranking
from evolray.evaluate.chat.protocols.single import SingleGrade
from evolray.evaluate.chat.protocols.two_scores import TwoScores
from evolray.evaluate.chat.reading import problems as reading


def _skill(problem: Problem) -> str:
    return str(problem.row["Skill"])


def _difficulty(problem: Problem) -> str:
    return str(problem.row["Difficulty"])


def _split(problem: Problem) -> str:
    return reading.split_of(int(problem.row["Difficulty"]))


def _category(problem: Problem) -> str:
    return str(problem.row.get("category", ""))


def _dataset(problem: Problem) -> str:
    return str(problem.row.get("dataset", ""))


def _skill_rubric(problem: Problem) -> str:
    return reading.rubric_of_skill(_skill(problem))


def _category_rubric(problem: Problem) -> str:
    return reading.rubric_of_skill(_category(problem))


def _greedy(problem: Problem) -> float:
    return 0.0


def _named(*protocols: JudgeProtocol) -> dict[str, JudgeProtocol]:
    return {protocol.name: protocol for protocol in protocols}


WIZARD_EVAL = ChatBenchmark(
    name="wizard_eval",
    title="WizardEval",
    read=reading.read_wizard_eval,
    turns=reading.wizard_turns,
    temperature=_greedy,
    max_tokens=2048,
    protocols=_named(TwoScores(_skill_rubric)),
    groups={"skill": _skill, "difficulty": _difficulty, "split": _split},
)
VICUNA_BENCH = ChatBenchmark(
    name="vicuna_bench",
    title="Vicuna bench",
    read=reading.read_vicuna_bench,
    turns=reading.vicuna_turns,
    temperature=_greedy,
    max_tokens=1024,
    protocols=_named(TwoScores(_category_rubric)),
    groups={"category": _category},
)
MT_BENCH = ChatBenchmark(
    name="mt_bench",
    title="MT-Bench",
    read=reading.read_mt_bench,
    turns=reading.mt_turns,
    temperature=reading.mt_temperature,
    max_tokens=1024,
    protocols=_named(SingleGrade(reading.mt_wants_reference), Pairwise(reading.mt_wants_reference)),
    groups={"category": _category},
    wants_reference=reading.mt_wants_reference,
)
ALPACA_EVAL = ChatBenchmark(
    name="alpaca_eval",
    title="AlpacaEval",
    read=reading.read_alpaca_eval,
    turns=reading.alpaca_turns,
    temperature=_greedy,
    max_tokens=2048,
    protocols=_named(Ranking()),
    groups={"dataset": _dataset},
    own_baseline=reading.alpaca_baseline,
)
CHAT_BENCHMARKS = {one.name: one for one in (WIZARD_EVAL, VICUNA_BENCH, MT_BENCH, ALPACA_EVAL)}
