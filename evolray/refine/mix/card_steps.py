"""What the data card says about the steps: each with its settings and what it left, and the check of benchmarks."""

from collections.abc import Iterable

from evolray.config import RefineConfig
from evolray.refine.intake.sources import shown_path
from evolray.refine.manifest import RefineManifest
from evolray.refine.mix.markdown import inline, table
from evolray.refine.reasons import REASONS

NO_CHECK = (
    "**Not checked against any benchmark.** Scores of a model trained on this mix may be scores of its memory; name "
    "benchmark files in `contamination.benchmarks` and refine again."
)


def steps(config: RefineConfig, manifest: RefineManifest) -> str:
    """A table in the order in which the steps decide."""
    left = manifest.records
    rows: list[list[str | int]] = [["take in", f"{manifest.rejected:,} entries were no records", 0, left]]
    for name, settings, reasons in _steps(config):
        dropped = sum(manifest.dropped.get(reason, 0) for reason in reasons)
        left -= dropped
        rows.append([name, inline(settings), dropped, left])
    return table(["step", "settings", "dropped", "left"], rows)


def _steps(config: RefineConfig) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    """Name, settings for people, and the reasons that the step gives."""
    near, leaks, judging = config.near_duplicates, config.contamination, config.judging
    yield "exact duplicates", f"same {_compared(near.of)} after normalisation", ("exact_duplicate",)
    if near.enabled:
        settings = (
            f"MinHash of {_compared(near.of)}, {near.shingle} words per shingle, {near.permutations} permutations, "
            f"similarity from {near.threshold:g}, {'within' if near.within_lineage else 'not within'} a lineage, "
            f"seed {near.seed}"
        )
        yield "near-duplicates", settings, ("near_duplicate",)
    if leaks.benchmarks:
        settings = f"{leaks.ngram}-grams, overlap from {leaks.overlap:g}, similarity from {leaks.similarity:g}"
        yield "benchmark leaks", settings + (", programs run" if leaks.execution else ""), ("leak",)
    if judging.difficulty or judging.skills:
        asked = " and ".join(
            name for name, wanted in (("difficulty", judging.difficulty), ("skills", judging.skills)) if wanted
        )
        judge = config.judge.model or config.judge.kind
        sample = "" if judging.sample is None else f", of a sample of {judging.sample:,}"
        yield "judge", f"{asked} by {judge}{sample}", ()
    yield "filters", _filters(config), REASONS[REASONS.index("generation") : REASONS.index("over_budget")]
    yield "budget", _budget(config), ("over_budget",)


def _filters(config: RefineConfig) -> str:
    select = config.select
    wanted = {
        "generations": ", ".join(map(str, select.generations)),
        "operators": ", ".join(select.operators),
        "domains": ", ".join(select.domains),
        "difficulty": _band(select.min_difficulty, select.max_difficulty),
        "words": _band(select.min_words, select.max_words),
    }
    said = [f"{name} {value}" for name, value in wanted.items() if value]
    return "; ".join(said + ["a response"] * select.require_response) or "none"


def _budget(config: RefineConfig) -> str:
    select = config.select
    amounts = [f"{select.records:,} records"] if select.records is not None else []
    amounts += [f"{select.tokens:,} tokens"] if select.tokens is not None else []
    shares = [f"equal shares by {select.balance}"] if select.balance else []
    model = f" by {select.embedding_model}" if select.order == "embedding" else ""
    return ", ".join([" and ".join(amounts) or "no limit", *shares, f"order {select.order}{model}, seed {select.seed}"])


def _band(least: int | None, most: int | None) -> str:
    if least is None and most is None:
        return ""
    return f"from {least:,}" if most is None else f"to {most:,}" if least is None else f"{least:,} to {most:,}"


def _compared(of: str) -> str:
    return "instruction and response" if of == "both" else of


def contamination(config: RefineConfig, manifest: RefineManifest) -> str:
    """What was looked for and found; a clean result is said to be what it is."""
    if not config.contamination.benchmarks:
        return NO_CHECK
    by_name = {one["name"]: one for one in manifest.benchmarks}
    rows: list[list[str | int]] = []
    for name, path in config.contamination.benchmarks.items():
        found = by_name.get(name, {})
        rows.append([inline(name), inline(shown_path(path)), found.get("items", 0), found.get("leaks", 0)])
    settings = config.contamination
    how = [
        f"{settings.ngram} words or code tokens in a row, covering at least {settings.overlap:g} of a question",
        "long parts of a reference solution",
        f"similarity of instruction and question of at least {settings.similarity:g}",
    ]
    if settings.execution:
        how.append("programs that pass a benchmark problem's tests")
    return (
        f"Every record was compared with the items below, by: {'; '.join(how)}. "
        f"Records dropped for it: {manifest.dropped.get('leak', 0):,}; each is in `dropped/` with the item and the "
        "passage found.\n\n"
        + table(["benchmark", "file", "items", "leaks found"], rows)
        + "\n\nWhat was found is gone; that nothing is left cannot be shown this way. A translated or freely reworded "
        "item can pass, and benchmarks that are not listed were not looked for."
    )
