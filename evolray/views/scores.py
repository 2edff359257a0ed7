"""How scores are shown in a terminal: a table of all benchmarks and their groups, and below it what each score is made
of and how far to trust it. scores.json has everything that is left out here."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evolray.views.wording import ESCAPED

Entry = Mapping[str, Any]

MOST_GROUPS = 12
"""Of a column. Of more (WizardEval's 29 skills, MMLU's 57 subtasks) the best and the worst are shown."""
EXTREMES = 5
WARNING = "yellow"
RATED = ("two_scores", "single")
"""The protocols whose judge gives points from 1 to 10; others have it choose."""
HINT = "All groups, rules, limits and versions: scores.json; all results beside each other: evolray board"


def scores_view(run: str, scores: Mapping[str, Entry]) -> RenderableType:
    """Scores with their intervals, by group where there are groups, and the rules they were made by."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    graded = any("pass@k" in entry for entry in scores.values())
    for name in ("benchmark", *(["passed"] if graded else []), "of", "score", "95 %", ""):
        table.add_column(name, justify="left" if name in ("benchmark", "") else "right")
    for entry in scores.values():
        for label, passed, *cells, style in _rows(entry):
            table.add_row(Text(label), *([passed] if graded else []), *cells, style=style)
    notes = [line for entry in scores.values() for line in _notes(entry)]
    return Group(Text(run, style="bold"), "", table, "", *notes, Text(HINT))


# --- the table: what, passed, of how many, score, interval, of what, style ---


def _rows(entry: Entry) -> Iterator[tuple[str, ...]]:
    yield from _own_rows(entry)
    if "base" in entry:
        base = entry["base"]
        counts = f"{base['passed']:,}", f"{base['total']:,}"
        yield "  base tests alone", *counts, *_score(base["pass@k"]["1"]), "pass@1", "dim"
    columns = sorted(entry.get("groups", {}).items(), key=lambda one: len(one[1]))
    for column, groups in columns:
        yield from _group_rows(column, groups, entry)


def _own_rows(entry: Entry) -> Iterator[tuple[str, ...]]:
    if "pass@k" not in entry:
        yield entry["title"], "", _number(entry.get("total")), *_score(entry, _digits(entry)), _measure(entry), ""
    for k, at in entry.get("pass@k", {}).items():
        counts = (f"{entry['passed']:,}", f"{entry['total']:,}") if k == "1" else ("", "")
        yield entry["title"], *counts, *_score(at), f"pass@{k}", ""


def _group_rows(column: str, groups: Mapping[str, Entry], entry: Entry) -> Iterator[tuple[str, ...]]:
    def row(group: str) -> tuple[str, ...]:
        one = groups[group]
        at = one if "score" in one else one["pass@k"]["1"]  # older runs have the latter alone
        counts = _number(one.get("passed")), _number(one.get("total"))
        return f"  {column}: {group.translate(ESCAPED)}", *counts, *_score(at, _digits(entry)), "", "dim"

    if len(groups) <= MOST_GROUPS:
        yield from map(row, groups)
        return
    ranked = sorted(groups, key=lambda name: (groups[name].get("score") is None, -(groups[name].get("score") or 0.0)))
    yield from map(row, ranked[:EXTREMES])
    between = f"  … {len(groups) - 2 * EXTREMES} of {len(groups)} {column}s in between"
    yield between, "", "", "", "", "", "dim"
    yield from map(row, ranked[-EXTREMES:])


def _score(at: Entry, digits: int = 1) -> tuple[str, str]:
    """The score, and its interval with as many `digits`."""
    score, low, high = (at.get(name) for name in ("score", "low", "high"))
    interval = "" if low is None or high is None else f"{low:.{digits}f}-{high:.{digits}f}"
    return "none" if score is None else f"{score:.2f}", interval


def _digits(entry: Entry) -> int:
    return 1 if entry.get("unit", "%") == "%" else 2


def _measure(entry: Entry) -> str:
    unit, metric = entry.get("unit", "%"), entry.get("metric", "")
    return f"{unit}, {metric}" if unit == "of 10" else f"{unit} {metric}".strip()


def _number(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


# --- below the table ---


def _notes(entry: Entry) -> Iterator[RenderableType]:
    if "protocol" in entry:
        yield from _about_judged(entry)
    elif "pass@k" in entry:
        yield from _about_graded(entry)
    else:
        yield from _about_knowledge(entry)


def _about_graded(entry: Entry) -> Iterator[RenderableType]:
    outcomes = ", ".join(f"{name} {number:,}" for name, number in entry["outcomes"].items())
    rules, prompt = entry["rules"], f"prompt {entry['prompt']}, " if entry["prompt"] else ""
    yield _dim(f"{entry['title']}: {outcomes}")
    yield _note(f"{entry['release']}; {prompt}extraction {rules['extraction']}, grader {rules['grader']}")


def _about_knowledge(entry: Entry) -> Iterator[RenderableType]:
    shots = entry.get("shots")
    examples = "as many examples as its task says" if shots is None else f"{shots} shots"
    yield _dim(f"{entry['title']}: {examples}, task {entry.get('task', '')} of lm-eval")
    if entry.get("release"):
        yield _note(entry["release"])
    if cut := (entry.get("rules") or {}).get("truncated"):
        yield _note(f"{cut:,} requests were longer than the model takes, and lost their beginning", WARNING)


def _about_judged(entry: Entry) -> Iterator[RenderableType]:
    baseline = f", baseline {entry['baseline']}" if entry.get("baseline") else ""
    yield _dim(f"{entry['title']}: judge {entry.get('judge', '')}{baseline}, protocol {entry['protocol']}")
    if entry.get("release"):
        yield _note(entry["release"])
    if "wins" in entry:
        yield _note(_comparisons(entry))
    yield from map(_note, _length_controlled(entry.get("length_controlled") or {}))
    if left_out := _left_out(entry):
        yield _note(", ".join(left_out), WARNING)
    reliability, is_rated = entry.get("reliability") or {}, entry["protocol"] in RATED
    for said in (
        _position(reliability.get("position") or {}, is_rated),
        _self_consistency(reliability.get("self_consistency") or {}, is_rated),
        _labels(reliability.get("labels") or {}),
    ):
        if said:
            yield _note(said)


def _comparisons(entry: Entry) -> str:
    counts = [
        f"{entry[name]:,} {one if entry[name] == 1 else name}"
        for name, one in (("wins", "win"), ("ties", "tie"), ("losses", "loss"))
    ]
    rate = entry.get("win_rate") or {}
    said = ", ".join(counts)
    if rate.get("score") is not None and entry.get("metric") != "win rate":
        said += f"; win rate {_with_interval(rate)}"
    if entry.get("standard_error") is not None:
        said += f"; standard error {entry['standard_error']:.2f}"
    if entry.get("model_sum") is not None:
        said += f"; sums of scores {entry['model_sum']:,.1f} : {entry.get('baseline_sum') or 0:,.1f}"
    return said


def _length_controlled(found: Entry) -> Iterator[str]:
    if not found:
        return
    if found.get("score") is None:
        yield f"no length-controlled win rate: {found.get('reason', 'there is too little to fit')}"
        return
    error = f", standard error {found['standard_error']:.2f}" if found.get("standard_error") is not None else ""
    follows = f", after {found['follows']}" if found.get("follows") else ""
    yield f"length-controlled win rate {_with_interval(found)}{error}{follows}"


def _left_out(entry: Entry) -> list[str]:
    """What a score may be wrong by; nothing where all is well."""
    counts = {
        "unanswered (counted as the worst)": entry.get("unanswered", 0),
        "without a verdict": entry.get("no_verdict", 0),
        "never judged": entry.get("unjudged", 0),
        "calls of the judge failed": (entry.get("verdicts") or {}).get("failed", 0),
    }
    return [f"{number:,} {what}" for what, number in counts.items() if number]


def _position(found: Entry, is_rated: bool) -> str:
    """In points where the judge gives them, else by how often the first answer wins."""
    agreement = (found.get("agreement") or {}).get("score")
    if agreement is None:
        return ""
    said = f"both orders agree on {agreement:.0f} % of {found.get('pairs', 0):,}"
    bias = (found.get("bias") or {}).get("score")
    first = (found.get("first_wins") or {}).get("score")
    if is_rated and bias is not None:
        if abs(bias) < 0.05:
            return f"{said}; neither place is favoured"
        return f"{said}; {'first' if bias > 0 else 'second'} shown favoured by {abs(bias):.1f} points"
    return said if first is None else f"{said}; first shown wins {first:.0f} % (50 without a bias)"


def _self_consistency(found: Entry, is_rated: bool) -> str:
    same = (found.get("same") or {}).get("score")
    if same is None:
        return ""
    spread = f"; scores scatter by {found['score_sd']:.2f} points" if is_rated and found.get("score_sd") else ""
    return f"asked again, the judge says the same in {same:.0f} % of {found.get('pairs', 0):,} pairs{spread}"


def _labels(found: Entry) -> str:
    if not found:
        return ""
    of = f"{found.get('items', 0):,} labels ({found.get('source', '')})"
    parts = []
    if found.get("agree") is not None:
        parts.append(f"agrees with {found['agree']:.0f} %")
    for name in ("kappa", "spearman"):
        if found.get(name) is not None:
            parts.append(f"{name} {found[name]:.2f}")
    if found.get("difference") is not None:
        parts.append(f"rates {abs(found['difference']):.2f} {'higher' if found['difference'] >= 0 else 'lower'}")
    return f"against {of}: {', '.join(parts) or 'nothing in common'}"


def _with_interval(at: Entry) -> str:
    score, interval = _score(at)
    return f"{score} %{f' ({interval})' if interval else ''}"


def _dim(text: str) -> Text:
    return Text(text.translate(ESCAPED), style="dim")


def _note(text: str, style: str = "dim") -> RenderableType:
    """Indented in all its lines."""
    return Padding(Text(text.translate(ESCAPED), style=style), (0, 0, 0, 2), expand=False)
