"""The tables of a campaign's page: a row per round, per operator, per step. Cells are text already."""

from collections.abc import Mapping, Sequence
from typing import Any

from evolray.campaign.drawing.scores import name_of
from evolray.campaign.drawing.weights import by_generation
from evolray.campaign.manifest import CampaignManifest
from evolray.display import duration
from evolray.pipeline.records import StepRecord
from evolray.report.page.blocks import Table, money, percent, whole, words
from evolray.report.texts import one_line

NONE = "–"
MOST_CHARS = 300
LATER = "generation"  # what refine calls records of generations that a round leaves to later ones
STAGES = ("evolve", "refine", "train", "evaluate")

Rounds = Sequence[Mapping[str, Any]]


def scores(manifest: CampaignManifest) -> list[Table]:
    """The score of each round, and of each benchmark where there are several."""
    rounds = manifest.rounds
    titles = list(dict.fromkeys(title(entry) for one in rounds for entry in one.get("benchmarks", [])))
    titles = titles if len(titles) > 1 else []
    cells = []
    for one in rounds:
        entries = {title(entry): entry for entry in one.get("benchmarks", [])}
        singles = [_score(entries.get(title, {})) for title in titles]
        cells.append(
            [name_of(one), f"{one['score']:.1f}", interval(one) or NONE, *singles, _verdict(one, manifest.best)]
        )
    columns = ["round", "score, %", "95 % interval", *titles, ""]
    caption = "The score is the mean over the benchmarks, out of 100; points of 10 count times 10."
    return [Table(caption, columns, cells, texts=["round", ""])] if cells else []


def interval(one: Mapping[str, Any], before: str = "") -> str:
    """ "" where there is none; else after `before`."""
    low, high = one.get("low"), one.get("high")
    return "" if low is None or high is None else f"{before}{low:.1f} – {high:.1f}"


def generations(rounds: Rounds) -> list[Table]:
    """What each round's generation gave; the seeds alone have none."""
    cells = []
    for one in rounds:
        if found := one.get("generation"):
            fates = [sum(found.get(fate, {}).values()) for fate in ("eliminated", "failed")]
            kept = found.get("kept", 0)
            numbers = (found.get("in", 0), kept, *fates)
            cells.append([name_of(one), *map(whole, numbers), percent(kept, kept + fates[0]), _most(found)])
    columns = ["round", "in", "kept", "eliminated", "failed", "kept %", "most often eliminated as"]
    caption = "The generation that each round added."
    return [Table(caption, columns, cells, texts=[columns[0], columns[-1]])] if cells else []


def operators(manifest: CampaignManifest) -> list[Table]:
    """Kept of asked, by operator and round; with the learned weights, where there are any."""
    rounds = [one for one in manifest.rounds if one.get("operators")]
    weights = by_generation(manifest)
    names = sorted({name for one in rounds for name in one["operators"]})
    cells = []
    for name in names:
        row = [words(name)]
        for one in rounds:
            counts = one["operators"].get(name, {})
            weight = weights.get(one["round"], {}).get(name)
            kept = f"{counts['kept']:,} of {counts['asked']:,}" if counts.get("asked") else NONE
            row.append(kept if weight is None else f"{kept}, weight {weight:.2f}")
        cells.append(row)
    columns = ["operator", *map(name_of, rounds)]
    caption = "Kept of what each operator made, by round; failed calls are not counted."
    return [Table(caption, columns, cells, texts=["operator"], is_folded=bool(weights))] if cells else []


def trainings(rounds: Rounds) -> list[Table]:
    """The mix of each round, and the student that was trained on it."""
    cells = []
    for one in rounds:
        mix, training = one.get("mix", {}), one.get("training", {})
        dropped = sum(number for reason, number in mix.get("dropped", {}).items() if reason != LATER)
        losses = [training.get(name) for name in ("loss", "held_out_loss")]
        cells.append([
            name_of(one), _whole(mix.get("records")), whole(dropped), _whole(training.get("examples")),
            _whole(training.get("trained_tokens")), _whole(training.get("steps")),
            *(NONE if loss is None else f"{loss:.3f}" for loss in losses),
        ])  # fmt: skip
    columns = ["round", "mix", "dropped", "examples", "trained tokens", "steps", "loss", "held-out loss"]
    caption = "Records of each mix, and the training on it. Trained tokens are those of responses, in one pass."
    return [Table(caption, columns, cells, texts=["round"])] if cells else []


def cost(manifest: CampaignManifest) -> list[Table]:
    """What each round added, and all of them; the seconds of the figure."""
    rounds = manifest.rounds
    every = {"calls": manifest.calls, "tokens": manifest.tokens, "cost": manifest.cost}
    spent = [[name_of(one), *_spent(one)] for one in rounds] + [["all", *_spent(every)]]
    columns = ["round", "calls", "prompt tokens", "completion tokens", "cost"]
    caption = "What each round added: calls of teacher and judges, tokens (the evaluated student's, too), cost."
    seconds = {stage: sum(one.get("seconds", {}).get(stage, 0.0) for one in rounds) for stage in STAGES}
    took = [[name_of(one), *_times(one.get("seconds", {}))] for one in rounds] + [["all", *_times(seconds)]]
    return [
        Table(caption, columns, spent, texts=["round"], last_is_total=True),
        Table("Time by round and stage.", ["round", *STAGES, "all"], took, texts=["round"], last_is_total=True,
              is_folded=True),
    ] if rounds else []  # fmt: skip


def steps(found: Mapping[str, StepRecord]) -> list[Table]:
    """In the order in which they began."""
    cells = [
        [name, one.state, whole(len(one.attempts)), duration(one.seconds) if one.attempts else NONE,
         one_line(one.message, MOST_CHARS)]
        for name, one in found.items()
    ]  # fmt: skip
    columns = ["step", "state", "jobs", "time", "message"]
    caption = "Steps with their jobs; each has a folder in steps/ with its config and the logs of jobs that failed."
    return [Table(caption, columns, cells, ids=["step"], texts=["state"], long=["message"])] if cells else []


def title(entry: Mapping[str, Any]) -> str:
    return one_line(str(entry.get("title") or entry.get("name") or ""), 40)


def _score(entry: Mapping[str, Any]) -> str:
    score = entry.get("score")
    return NONE if score is None else f"{score:.1f}" if entry.get("unit", "%") == "%" else f"{score:.2f}"


def _verdict(one: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    return "best" if one["round"] == best.get("round") else "fell" if one.get("fell") else ""


def _most(generation: Mapping[str, Any]) -> str:
    reasons = generation.get("eliminated", {})
    most = sorted(reasons, key=lambda reason: (-reasons[reason], reason))[:2]
    return ", ".join(f"{words(reason)} {reasons[reason]:,}" for reason in most) or NONE


def _spent(one: Mapping[str, Any]) -> list[str]:
    tokens = one.get("tokens", {})
    return [whole(one.get("calls", 0)), whole(tokens.get("prompt", 0)), whole(tokens.get("completion", 0)),
            money(one.get("cost", 0.0))]  # fmt: skip


def _times(seconds: Mapping[str, float]) -> list[str]:
    return [*(duration(seconds.get(stage, 0.0)) for stage in STAGES), duration(sum(seconds.values()))]


def _whole(number: int | None) -> str:
    return NONE if number is None else whole(number)
