"""What the commands print about a run: its accounts as a table, one lineage as a tree."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from evolray.blind import stage as blinds
from evolray.display import duration
from evolray.evaluate import manifest as evaluations
from evolray.evaluate.chat.verdicts import Verdict
from evolray.evaluate.manifest import EvaluateManifest
from evolray.pool.layout import open_folder
from evolray.pool.manifest import MANIFEST, Manifest
from evolray.pool.pool import Pool
from evolray.refine import manifest as refinings
from evolray.refine.manifest import RefineManifest
from evolray.score_views import ESCAPED, scores_view
from evolray.sweep import results as sweeps
from evolray.train import manifest as trainings
from evolray.train.manifest import TrainManifest

__all__ = [
    "evaluate_view", "lineage_view", "refine_view", "run_view", "samples_view", "scores_view", "status_view",
    "train_view",
]  # fmt: skip

STALE_SECONDS = 30.0  # a running run writes its manifest every few seconds
STYLES = {"kept": "green", "eliminated": "yellow", "failed": "red"}
OUTCOMES = {"passed": "green", "win": "green", "tie": "", "scored": "", "no_verdict": "yellow"}
"""Of a sample; all others are red."""


def status_view(run: str) -> RenderableType:
    """How a run of whatever stage stands. Raises UserError when there is none."""
    folder = open_folder(run)
    if training := trainings.read(folder):
        return train_view(training)
    if refining := refinings.read(folder):
        return refine_view(refining)
    if evaluation := evaluations.read(folder):
        return evaluate_view(evaluation)
    if folder.exists(MANIFEST) and json.loads(folder.read(MANIFEST)).get("stage") == sweeps.STAGE:
        return sweeps.read(run).table()
    if lines := blinds.standing(folder):
        return Text("\n".join(lines))
    return run_view(Pool(run).manifest)


def refine_view(one: RefineManifest) -> RenderableType:
    """A refining: from what came in to the mix, each drop with its reason."""
    parts: list[RenderableType] = [Text(f"{one.run}: {_standing(one.status, one.updated_at)}", style="bold")]
    if one.message:
        parts.append(Text(one.message))
    parts += ["", _refined(one)]
    if leaks := [f"{row['name']} {row['leaks']:,}" for row in one.benchmarks]:
        parts += ["", Text(f"leaks by benchmark (one record may hold several): {', '.join(leaks)}")]
    if one.judged:
        calls = f"{one.calls:,} calls, {sum(one.tokens.values()):,} tokens, cost {one.cost:,.2f}"
        said = [f"{one.judged['records']:,} records judged"]
        said += [f"{one.judged['unread']:,} verdicts could not be read"] if one.judged["unread"] else []
        said += [f"{one.judged['failed']:,} calls failed (the same command asks again)"] if one.judged["failed"] else []
        parts.append(Text(f"{', '.join(said)}; {calls}"))
    took = ", ".join(f"{step['name']} {duration(step['seconds'])}" for step in one.steps if step["seconds"] >= 1)
    parts.append(Text(f"{duration(one.seconds)} in all" + (f" ({took})" if took else ""), style="dim"))
    return Group(*parts)


def _refined(one: RefineManifest) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    named = ", ".join(f"{row['name']} {row['records']:,}" for row in one.sources)
    rejected = f"; {one.rejected:,} entries are no records (rejected/)" if one.rejected else ""
    table.add_row("records", f"{one.records:,}", Text(f"{named}{rejected}"))
    for reason, number in one.dropped.items():
        table.add_row(Text(f"  {reason}"), f"-{number:,}", "", style=STYLES["eliminated"])
    if one.mix:
        tokens = f"about {one.mix['tokens']:,} tokens"
        table.add_row("mix", f"{one.mix['records']:,}", tokens, style=STYLES["kept"])
    return table


def evaluate_view(one: EvaluateManifest) -> RenderableType:
    """An evaluation: how far it is and, once it is complete, its scores."""
    parts: list[RenderableType] = [Text(f"{one.run}: {_standing(one.status, one.updated_at)}", style="bold")]
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
        shown.append(Group(head, Text(_shorten(row["message"], 1000)), *_sampled(row), *map(_said, judged), ""))
    return Group(*shown, Text(f"{more:,} more (--limit {limit + more})") if more else Text("" if shown else "none"))


def _sampled(row: dict[str, Any]) -> list[Text]:
    """What was graded; of a conversation all answers, turn by turn."""
    earlier = row.get("earlier") or []
    if not earlier:
        return [Text(_shorten(row["extracted"] or row["text"], 3000), style="dim")]
    parts = []
    for turn, text in enumerate([*earlier, row["text"]], start=1):
        parts += [Text(f"turn {turn}"), Text(_shorten(text, 3000), style="dim")]
    return parts


def _said(verdict: Verdict) -> Text:
    """A judge's own words, behind what it was asked about."""
    which = [f"turn {verdict.turn}"] if verdict.turn > 1 else []
    which += [verdict.order.replace("_", " ")] if verdict.order != "alone" else []
    which += [f"repeat {verdict.repeat + 1}"] if verdict.repeat else []
    words = _shorten(verdict.text or verdict.message, 1000)
    return Text.assemble((f"judge ({', '.join(which)}): " if which else "judge: ", "bold"), words)


def train_view(one: TrainManifest) -> RenderableType:
    """A training: its examples, its checkpoints, how fast it was."""
    parts: list[RenderableType] = [Text(f"{one.run}: {_standing(one.status, one.updated_at)}", style="bold")]
    if one.message:
        parts.append(Text(one.message))
    parts.append(Text(f"step {one.step:,} of {one.steps:,}; {one.model} trained on {one.data}"))
    if one.examples:
        rejected = sum(one.examples["rejected"].values())
        parts.append(
            Text(
                f"{one.examples['entries']:,} entries: {one.examples['train']:,} to train on, "
                f"{one.examples['held_out']:,} held out, {rejected:,} rejected (rejected/)"
            )
        )
    if one.checkpoints:
        parts += ["", _checkpoints(one.checkpoints), ""]
    if one.figures:
        figures = one.figures
        use = f"{figures['mfu']:.1%} MFU" if "mfu" in figures else f"{figures['flops_per_second'] / 1e9:,.1f} GFLOP/s"
        parts.append(
            Text(
                f"{figures['tokens']:,} tokens; {figures['tokens_per_second']:,.0f} tokens/s, {use}, "
                f"{figures['padding']:.1%} padding; {duration(one.seconds)} in all"
            )
        )
    return Group(*parts)


def _checkpoints(rows: list[dict[str, Any]]) -> Table:
    judged = [row["held_out_loss"] for row in rows if row["held_out_loss"] is not None]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("checkpoint", "loss", "held-out loss", ""):
        table.add_column(name, justify="left" if name in ("checkpoint", "") else "right")
    for row in rows:
        losses = [f"{row[key]:.4f}" if row[key] is not None else "" for key in ("loss", "held_out_loss")]
        best = "best" if judged and row["held_out_loss"] == min(judged) else ""
        table.add_row(f"step-{row['step']:08d}", *losses, best)
    return table


def run_view(manifest: Manifest) -> RenderableType:
    """A run's accounts, by generation and by operator, and what they cost."""
    parts: list[RenderableType] = [Text(f"{manifest.run}: {_status(manifest)}", style="bold")]
    if manifest.message:
        parts.append(Text(manifest.message))
    parts += ["", _generations(manifest.accounts), "", _operators(manifest.operators), ""]
    parts += [Text(line) for line in _totals(manifest)]
    if manifest.teacher == "simulated":
        parts.append(Text("The teacher was the simulated one: good for trying things out, not for training a student."))
    return Group(*parts)


def lineage_view(rows: list[dict[str, Any]]) -> RenderableType:
    """A root's outcomes as a tree: each under the record that it was evolved from."""
    root = rows[0]
    tree = Tree(Text(f"lineage {root['root_id']}", style="bold"))
    branches = {None: tree}
    for row in rows:
        parent = branches.get(row["parent_id"], tree)
        branch = parent.add(_node(row))
        branches[row["id"]] = branch
    return tree


def _node(row: dict[str, Any]) -> RenderableType:
    variant = f" ({row['variant']})" if row.get("variant") else ""
    fate = {"eliminated": f"eliminated: {row.get('reason')}", "failed": f"failed: {row.get('cause')}"}
    head = Text.assemble(
        (f"{row['id'].partition('.')[2]}  {row['operator']}{variant}  ", "bold"),
        (fate.get(row["fate"], "kept"), STYLES[row["fate"]]),
    )
    if row["fate"] == "failed":
        return Group(head, Text(row["message"]))
    said = [(row["instruction"], ""), (row["response"], "dim")]
    return Group(head, *(Text(_shorten(text), style=style) for text, style in said if text))


def _generations(rows: list[dict[str, Any]]) -> Table:
    """Fates and reasons downwards, generations across."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("generation")
    for row in rows:
        table.add_column(str(row["generation"]), justify="right")
    table.add_column("all", justify="right")
    table.add_row("in", *_across([row["in"] for row in rows]))
    table.add_row("kept", *_across([row["kept"] for row in rows]), style=STYLES["kept"])
    for fate in ("eliminated", "failed"):
        table.add_row(fate, *_across([sum(row[fate].values()) for row in rows]), style=STYLES[fate])
        for reason in sorted({reason for row in rows for reason in row[fate]}):
            table.add_row(Text(f"  {reason}"), *_across([row[fate].get(reason, 0) for row in rows]), style="dim")
    return table


def _across(numbers: list[int]) -> list[str]:
    return [f"{number:,}" for number in (*numbers, sum(numbers))]


def _operators(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("operator")
    for name in ("in", "kept", "eliminated", "failed", "kept %"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = [row["in"], row["kept"], sum(row["eliminated"].values()), sum(row["failed"].values())]
        share = f"{100 * row['kept'] / row['in']:.1f}" if row["in"] else ""
        table.add_row(Text(row["operator"]), *(f"{number:,}" for number in numbers), share)
    return table


def _totals(manifest: Manifest) -> list[str]:
    calls, tokens = manifest.calls, manifest.tokens
    evolved = manifest.kept - next((row["kept"] for row in manifest.accounts if row["generation"] == 0), 0)
    per_record = f", {calls / evolved:.2f} calls per evolved record" if evolved else ""
    return [
        f"{manifest.kept:,} kept, {manifest.eliminated:,} eliminated, {manifest.failed:,} failed "
        f"of {manifest.seeds.get('entries', 0):,} entries in {manifest.seeds.get('path', '')}",
        f"{calls:,} calls{per_record}; {tokens.get('prompt', 0):,} prompt + {tokens.get('completion', 0):,} "
        f"completion tokens; cost {manifest.cost:,.2f}; {manifest.seconds:,.1f} s",
    ]


def _status(manifest: Manifest) -> str:
    finished = manifest.shards.get("finished", 0) + manifest.live.get("shards_finished", 0)
    shards = f"{finished:,} of {manifest.shards.get('all', 0):,} shards finished"
    standing = _standing(manifest.status, manifest.updated_at)
    if standing != "running":
        return f"{standing}, {shards}"
    live = manifest.live
    now = (
        f"{live['outcomes']:,} outcomes, {live['calls']:,} calls, {live['in_flight']} in flight" if live else "starting"
    )
    return f"running, {shards}; {now}"


def _standing(status: str, updated_at: float) -> str:
    age = time.time() - updated_at
    if status == "running" and age > STALE_SECONDS:
        return f"not heard of for {age:,.0f} s (killed? the same command goes on)"
    return status.replace("_", " ")


def _shorten(text: str, characters: int = 600) -> str:
    """As a terminal may show it: a model's text can hold what moves its cursor or changes its title."""
    shown = text[:characters].translate(ESCAPED)
    return shown if len(text) <= characters else f"{shown} … ({len(text):,} characters)"
