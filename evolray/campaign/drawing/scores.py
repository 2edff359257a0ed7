"""The score of each round with its interval: what the campaign goes by, and where it stopped."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evolray.campaign.manifest import CampaignManifest
from evolray.campaign.scores import FACTORS
from evolray.report.drawing.style import (
    BLUE,
    COLORS,
    FONTS,
    INK,
    ORANGE,
    SOFT,
    compact,
    joined,
    look,
    new_figure,
    nothing,
    plain,
    shorten,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Development score by round"
LETTERS = 100  # of a line below the title
MOST_WIDE = 6  # rounds whose labels have room for the size of the mix
MOST_NUMBERS = 12  # rounds whose scores have room beside their dots
MOST_BENCHMARKS = 6
PADDING = 0.14  # of what the scores span, above and below them

Round = Mapping[str, Any]


def draw(manifest: CampaignManifest) -> "Figure":
    """A dot per round, the best with a ring, those that fell hollow; thin lines are single benchmarks."""
    rounds = manifest.rounds
    if not rounds:
        return nothing(TITLE, "No round has a score yet.")
    with look():
        figure = new_figure(4.0 if _benchmarks(rounds) else 3.7, TITLE)
        ax = figure.subplots()
        why = "\n".join(textwrap.wrap(shorten(manifest.message, 3 * LETTERS), LETTERS))
        ax.set_title(why, fontsize=FONTS, fontweight="normal", color=SOFT)
        _draw_benchmarks(ax, rounds)
        _draw_rounds(ax, rounds, manifest.best.get("round"))
        _scale(ax, rounds)
        if _benchmarks(rounds):
            figure.legend(loc="outside lower center", ncols=3)
        return figure


def caption(manifest: CampaignManifest) -> str:
    parts = ["The mean over the development benchmarks, out of 100, with its 95 % interval."]
    if any(one.get("round") == 0 for one in manifest.rounds):
        parts.append("The round before the first is a student of the seeds alone.")
    if manifest.best:
        parts.append("The ring marks the best round, whose student is kept.")
    if any(one.get("fell") for one in manifest.rounds):
        parts.append("Hollow: the score fell.")
    return " ".join(parts)


def alt(manifest: CampaignManifest) -> str:
    each = [f"{name_of(one)} {one['score']:.1f} %" for one in manifest.rounds]
    best = f" Best: round {manifest.best['round']}." if manifest.best else ""
    return f"Scores: {joined(each)}.{best}" if each else "No round has a score yet."


def bounds(one: Round) -> tuple[float, float]:
    """Of the interval; the score itself where there is none."""
    score = one["score"]
    low, high = one.get("low"), one.get("high")
    return (score if low is None else min(low, score)), (score if high is None else max(high, score))


def name_of(one: Round) -> str:
    return "seeds alone" if one["round"] == 0 else f"round {one['round']}"


def _benchmarks(rounds: Sequence[Round]) -> dict[str, dict[int, float]]:
    """Of several benchmarks, each one's scores out of 100 by round; of a single one the score says it all."""
    found: dict[str, dict[int, float]] = {}
    for one in rounds:
        for entry in one.get("benchmarks", []):
            score = entry.get("score")
            if score is not None:
                title = str(entry.get("title") or entry.get("name"))
                found.setdefault(title, {})[one["round"]] = score * FACTORS.get(str(entry.get("unit")), 1.0)
    return dict([*found.items()][:MOST_BENCHMARKS]) if len(found) > 1 else {}


def _draw_benchmarks(ax: "Axes", rounds: Sequence[Round]) -> None:
    colors = [color for color in COLORS if color not in (BLUE, ORANGE)]
    for color, (title, scores) in zip(colors, _benchmarks(rounds).items(), strict=False):
        ax.plot(*zip(*scores.items(), strict=True), color=color, linewidth=1.1, linestyle=(0, (4, 2)),
                marker=".", markersize=5, label=shorten(title))  # fmt: skip


def _draw_rounds(ax: "Axes", rounds: Sequence[Round], best: object) -> None:
    numbers, scores = [one["round"] for one in rounds], [one["score"] for one in rounds]
    ax.plot(numbers, scores, color=BLUE, linewidth=1.8, label="their mean" if _benchmarks(rounds) else None)
    for at, (number, score, one) in enumerate(zip(numbers, scores, rounds, strict=True)):
        color = ORANGE if one.get("fell") else BLUE
        low, high = bounds(one)
        ax.errorbar(number, score, yerr=[[score - low], [high - score]], color=color, elinewidth=1.2, capsize=3,
                    marker="o", markersize=7, markerfacecolor="white" if one.get("fell") else color)  # fmt: skip
        if number == best:
            ax.plot(number, score, marker="o", markersize=15, fillstyle="none", markeredgecolor=color,
                    markeredgewidth=1.5, linestyle="none")  # fmt: skip
        if len(rounds) > MOST_NUMBERS and number not in (best, numbers[-1]):
            continue
        rises = at + 1 < len(scores) and scores[at + 1] > score  # the line leaves room on one side
        ax.annotate(f"{score:.1f}{'  best' if number == best else ''}", (number, score), (10, -15 if rises else 7),
                    textcoords="offset points", fontweight="bold" if number == best else "normal", color=INK,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip


def _scale(ax: "Axes", rounds: Sequence[Round]) -> None:
    numbers = [one["round"] for one in rounds]
    singles = [score for scores in _benchmarks(rounds).values() for score in scores.values()]
    lows, highs = zip(*map(bounds, rounds), strict=True)
    least, most = min(*lows, *singles, 100.0), max(*highs, *singles, 0.0)
    room = max(PADDING * (most - least), 1.0)
    ax.set_ylim(max(least - room, -room / 2), min(most + room, 100 + room / 2))
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= 100 and least - room <= tick <= most + room])
    ax.set_xlim(numbers[0] - 0.4, numbers[-1] + 0.6)
    if len(rounds) <= MOST_WIDE:
        ax.set_xticks(numbers, [_label(one) for one in rounds])
    else:
        ax.set_xticks(numbers, [str(number or "seeds") for number in numbers])
        ax.set_xlabel("round")
    ax.set_ylabel("score, %, 95 % intervals")
    plain(ax, grid="y")
    ax.tick_params(axis="y", labelcolor=SOFT)


def _label(one: Round) -> str:
    records = one.get("mix", {}).get("records")
    return f"{name_of(one)}\n{compact(records)} records" if records else name_of(one)
