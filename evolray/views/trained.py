"""A run of train: examples, checkpoints, speed."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evolray.display import duration
from evolray.train.manifest import TrainManifest
from evolray.views.wording import standing


def train_view(one: TrainManifest) -> RenderableType:
    """A training: its examples, its checkpoints, how fast it was."""
    parts: list[RenderableType] = [Text(f"{one.run}: {standing(one.status, one.updated_at)}", style="bold")]
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
