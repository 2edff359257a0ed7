"""What a campaign leaves, as an object: its rounds and the best of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from evolray.campaign.manifest import CampaignManifest, find
from evolray.checkpoints import Checkpoints
from evolray.display import duration
from evolray.pool.layout import Folder, open_folder


@dataclass(frozen=True)
class Campaign:
    """A campaign's run directory as it stands on disk. `rounds` are the manifest's, by number."""

    run: str
    manifest: CampaignManifest
    rounds: tuple[Mapping[str, Any], ...]
    folder: Folder = field(repr=False, compare=False)

    @property
    def best(self) -> Mapping[str, Any]:
        """round, score, low, high, student, step; empty until a round has a score."""
        return self.manifest.best

    @property
    def student(self) -> Checkpoints | None:
        """The checkpoints of the best round's student."""
        return Checkpoints(self.best["student"]) if self.best else None

    def table(self) -> Table:
        """For the terminal: a row per round, why it ended below."""
        return _table(self.manifest)

    def figure(self) -> Any:
        """A matplotlib Figure: the score of each round with its interval, and the best."""
        from evolray.campaign.figures import figure  # matplotlib takes a second to import

        return figure(self.manifest)

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row per round, for example for pandas.DataFrame."""
        return [_row(one) for one in self.rounds]


def read(run: str) -> Campaign:
    """A campaign as it stands on disk. Raises UserError when there is none."""
    folder = open_folder(run)
    manifest = find(folder)
    return Campaign(folder.url, manifest, tuple(manifest.rounds), folder)


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    generation, mix, training = one["generation"], one["mix"], one["training"]
    return {
        "round": one["round"], "score": one["score"], "low": one["low"], "high": one["high"], "fell": one["fell"],
        "kept": generation.get("kept"), "eliminated": sum(generation.get("eliminated", {}).values()),
        "failed": sum(generation.get("failed", {}).values()), "records": mix["records"],
        "examples": training["examples"], "steps": training["steps"], "loss": training["loss"],
        "held_out_loss": training["held_out_loss"], "calls": one["calls"], "cost": one["cost"],
        "seconds": round(sum(one["seconds"].values()), 1), "student": one["student"], "step": one["step"],
        **{entry["name"]: entry["score"] for entry in one["benchmarks"]},
    }  # fmt: skip


def _table(manifest: CampaignManifest) -> Table:
    rounds = manifest.rounds
    benchmarks = [entry["title"] or entry["name"] for entry in rounds[-1]["benchmarks"]] if rounds else []
    several, has_cost = len(benchmarks) > 1, any(one["cost"] for one in rounds)
    caption = _caption(manifest)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", caption=caption, caption_justify="left")
    columns = ["round", "score %", "95 % interval", *(benchmarks if several else []), "new", "mix", "loss", "calls"]
    for name in (*columns, *(["cost"] if has_cost else []), "time", ""):
        table.add_column(name, justify="right" if name else "left", overflow="fold")
    for one in rounds:
        row = _row(one)
        table.add_row(
            str(row["round"]), f"{row['score']:.1f}", _interval(one),
            *([f"{entry['score']:.1f}" for entry in one["benchmarks"]] if several else []),
            _number(row["kept"]), _number(row["records"]),
            "" if row["loss"] is None else f"{row['loss']:.3f}", _number(row["calls"]),
            *([f"{row['cost']:,.2f}"] if has_cost else []), duration(row["seconds"]), _remark(one, manifest.best),
        )  # fmt: skip
    return table


def _interval(one: Mapping[str, Any]) -> str:
    return "" if one["low"] is None or one["high"] is None else f"{one['low']:.1f} – {one['high']:.1f}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _remark(one: Mapping[str, Any], best: Mapping[str, Any]) -> Text:
    if one["round"] == best.get("round"):
        return Text("best", style="green")
    return Text("fell", style="yellow") if one["fell"] else Text("the seeds alone" if one["round"] == 0 else "")


def _caption(manifest: CampaignManifest) -> Text | None:
    if not manifest.best:
        return Text(manifest.message) if manifest.message else None
    step = "" if manifest.best["step"] is None else f", step {manifest.best['step']:,}"
    lines = [f"{manifest.status}: {manifest.message}" if manifest.message else manifest.status]
    lines.append(f"the student to keep: {manifest.best['student']}{step}")
    return Text("\n".join(lines), style="bold")
