"""A run of evaluate or grade: how far it is, and its samples with their verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from evolray.display import duration
from evolray.evaluate import manifest as evaluations
from evolray.evaluate.chat.verdicts import Verdict
from evolray.evaluate.manifest import EvaluateManifest
from evolray.pool.layout import open_folder
from evolray.views.scores import scores_view
from evolray.views.wording import shorten, standing

OUTCOMES = {"passed": "green", "win": "green", "tie": "", "scored": "", "no_verdict": "yellow"}
"""Of a sample; all others are red."""


def evaluate_view(one: EvaluateManifest) -> RenderableType:
    """An evaluation: how far it is and, once it is complete, its scores."""
    parts: list[RenderableType] = [Text(f"{one.run}: {standing(one.status, one.updated_at)}", style="bold")]
    if one.message:
        parts.append(Text(one.message))
    parts.append(
        Text(
            f"{one.model} on {', '.join(one.benchmarks)}: {one.questions:,} questions, {one.sampled:,} sampled, "
            f"{one.failed:,} failed, {one.graded:,} graded; {duration(one.seconds)} in all"
        )
    )
    for name, judged in one.judging.items():
        failed = f", {judged.failed:,} failed" if judged.failed else ""
        cost = f", cost {judged.cost:,.2f}" if judged.cost else ""
        said = f"{judged.answered:,} of {judged.asked:,} questions answered{failed}, {judged.tokens:,} tokens{cost}"
        parts.append(Text(f"judge of {name}: {said}"))
    if one.status == "complete":
        parts += ["", scores_view(one.run, evaluations.read_scores(open_folder(one.run)))]
    return Group(*parts)


def samples_view(
    rows: Iterator[dict[str, Any]],
    problem: str | None,
    limit: int,
    verdicts: Mapping[tuple[str, str], Sequence[Verdict]] | None = None,
) -> RenderableType:
    """Samples one below the other: what was graded or judged, the verdict and why.

    `verdicts`: a judge's, by benchmark and problem.
    """
    chosen = (row for row in rows if not problem or row["problem"] == problem or row["problem"].endswith(f"/{problem}"))
    shown: list[RenderableType] = []
    more = 0
    for row in chosen:
        if limit and len(shown) >= limit:
            more += 1
            continue
        head = Text.assemble(
            (f"{row['benchmark']} {row['problem']} #{row['sample']}  ", "bold"),
            (row["outcome"], OUTCOMES.get(row["outcome"], "red")),
            (f"  base: {row['base']}" if row["base"] else ""),
        )
        judged = (verdicts or {}).get((row["benchmark"], row["problem"]), ())
        shown.append(Group(head, Text(shorten(row["message"], 1000)), *_sampled(row), *map(_said, judged), ""))
    return Group(*shown, Text(f"{more:,} more (--limit {limit + more})") if more else Text("" if shown else "none"))


def _sampled(row: dict[str, Any]) -> list[Text]:
    """What was graded; of a conversation all answers, turn by turn."""
    earlier = row.get("earlier") or []
    if not earlier:
        return [Text(shorten(row["extracted"] or row["text"], 3000), style="dim")]
    parts = []
    for turn, text in enumerate([*earlier, row["text"]], start=1):
        parts += [Text(f"turn {turn}"), Text(shorten(text, 3000), style="dim")]
    return parts


def _said(verdict: Verdict) -> Text:
    """A judge's own words, behind what it was asked about."""
    which = [f"turn {verdict.turn}"] if verdict.turn > 1 else []
    which += [verdict.order.replace("_", " ")] if verdict.order != "alone" else []
    which += [f"repeat {verdict.repeat + 1}"] if verdict.repeat else []
    words = shorten(verdict.text or verdict.message, 1000)
    return Text.assemble((f"judge ({', '.join(which)}): " if which else "judge: ", "bold"), words)
