"""What `evolray blind` says in the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def summary(run: str, models: Sequence[str], items: int, raters: int) -> Iterator[str]:
    sheets = f"{raters} {'sheet' if raters == 1 else 'sheets'}"
    yield f"{items:,} items, {len(models)} answers each, on {sheets} in {run}/sheets; key.json is not for raters"


def cautions(
    left_out: Mapping[str, int], naming_itself: Mapping[str, Sequence[str]], unusable: Mapping[str, str]
) -> Iterator[str]:
    if left_out:
        yield f"left out, not answered by {_listed(left_out)}"
    for name, told in unusable.items():
        yield f"lines of {name}'s answers that are not used: {told}"
    if naming_itself:
        numbers = {name: len(some) for name, some in naming_itself.items()}
        yield f"warning: not blind where an answer names its own model: {_listed(numbers)}"


def read_back(first: str, results: Mapping[str, Any]) -> Iterator[str]:
    """What the ratings add up to, `first` against each of the others."""
    yield from ("", *_read(results), "", *_compared(first, results), "", *_means(results))


def _read(results: Mapping[str, Any]) -> Iterator[str]:
    raters = results["raters"]
    unrated = {name: number for name, number in results["unrated"].items() if number}
    yield f"{results['ratings']:,} ratings by {len(raters)} {'rater' if len(raters) == 1 else 'raters'}"
    if unrated:
        yield f"not rated: {_listed(unrated)}"
    if results["rejected"]:
        yield f"not used (rejected.csv): {_listed(results['rejected'])}"


def _compared(first: str, results: Mapping[str, Any]) -> Iterator[str]:
    """A table: a row per comparison, over all ratings, by majority, and by split where the benchmark has one."""
    rows = [("", "win", "tie", "loss", "win rate (95 %)")]
    for other, one in results["comparisons"].items():
        rows.append((f"{first} vs {other}, ratings", *_numbers(one["ratings"])))
        rows.append(("  by majority", *_numbers(one["majority"])))
        splits = one["groups"].get("split", {})
        rows += [(f"  {name}, ratings", *_numbers(split["ratings"])) for name, split in splits.items()]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
    for other, one in results["comparisons"].items():
        yield from _agreement(f"{first} vs {other}", one["agreement"])


def _numbers(counts: Mapping[str, Any]) -> tuple[str, str, str, str]:
    rate = counts["win_rate"]
    interval = "" if rate["low"] is None else f" ({rate['low']:.1f} to {rate['high']:.1f})"
    return str(counts["wins"]), str(counts["ties"]), str(counts["losses"]), f"{rate['score']:.1f}{interval}"


def _agreement(name: str, one: Mapping[str, Any]) -> Iterator[str]:
    if not one["items"]:
        return
    kappas = {"Cohen's kappa": one["cohen_kappa"], "Fleiss' kappa": one["fleiss_kappa"]}
    known = "".join(f", {kappa} {value:.2f}" for kappa, value in kappas.items() if value is not None)
    items = f"{one['items']:,} {'item' if one['items'] == 1 else 'items'}"
    yield f"raters agree on {name}: {one['percent']:.1f} %{known} ({items} rated by several)"


def _means(results: Mapping[str, Any]) -> Iterator[str]:
    yield "mean rank: " + ", ".join(f"{name} {value:.2f}" for name, value in results["mean_rank"].items())
    for criterion, models in results["criteria"].items():
        known = {name: one["mean"] for name, one in models.items() if one["mean"] is not None}
        if known:
            yield f"{criterion} (1 to 5): " + ", ".join(f"{name} {mean:.2f}" for name, mean in known.items())


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items())
