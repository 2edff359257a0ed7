"""Verdicts as tests write them down: short, and with what does not matter filled in."""

from collections.abc import Iterable, Mapping, Sequence

from evolray.evaluate.benchmark import Problem, Problems
from evolray.evaluate.chat.benchmark import Judged
from evolray.evaluate.chat.scores.combining import Item
from evolray.evaluate.chat.verdicts import Verdict

ORDERS = ("model_first", "baseline_first")


def scored(problem: str, model: float, baseline: float, order: str = ORDERS[0], repeat: int = 0) -> Verdict:
    """Two scores, and the outcome that they make."""
    outcome = "win" if model > baseline else "loss" if model < baseline else "tie"
    return Verdict(problem, outcome, order=order, repeat=repeat, model_score=model, baseline_score=baseline)


def chosen(problem: str, outcome: str, order: str = ORDERS[0], repeat: int = 0, turn: int = 1) -> Verdict:
    model = {"win": 1.0, "tie": 0.5, "loss": 0.0}.get(outcome)
    baseline = None if model is None else 1.0 - model
    return Verdict(problem, outcome, turn, order, repeat, model, baseline)


def rated(problem: str, turn: int, score: float | None, repeat: int = 0) -> Verdict:
    return Verdict(problem, "no_verdict" if score is None else "scored", turn, repeat=repeat, model_score=score)


def judged(
    verdicts: Sequence[Verdict],
    problems: Mapping[str, Mapping[str, str]] | Iterable[str] | None = None,
    unanswered: Iterable[str] = (),
    lengths: Mapping[str, tuple[int, int]] | None = None,
) -> Judged:
    """`problems`: those of the verdicts, unless given, by id or with their rows."""
    named = dict.fromkeys(one.problem for one in verdicts) if problems is None else problems
    rows = named if isinstance(named, Mapping) else dict.fromkeys(named)
    listed = [Problem(name, row or {}) for name, row in rows.items()]
    return Judged(Problems("by hand", "here", "0" * 64, listed), verdicts, frozenset(unanswered), lengths or {})


def items(outcomes: Sequence[str]) -> list[Item]:
    return [Item(Problem(f"p{number}", {}), 1, outcome, None, None) for number, outcome in enumerate(outcomes)]
