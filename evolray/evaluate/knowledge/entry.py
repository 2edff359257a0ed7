"""From lm-eval's results to what scores.json says of a knowledge benchmark.

Scores are lm-eval's own, in percent, and so are the standard errors that the 95 % intervals are made of: for a group
of tasks that of the tasks' questions taken together.
"""

from collections.abc import Mapping
from typing import Any

from evolray.evaluate.knowledge.benchmarks import METRICS
from evolray.evaluate.knowledge.job import Job, Outcome
from evolray.evaluate.knowledge.rows import key_of

Z95 = 1.96


def make_entry(job: Job, outcome: Outcome, versions: Mapping[str, str]) -> dict[str, Any]:
    results, task = outcome.results, job.benchmark.task
    counts = {name: int(one["effective"]) for name, one in results["n-samples"].items()}
    total = sum(counts.values())
    shots = max(int(results["n-shot"].get(name, 0)) for name in counts)  # what was done; a task may insist on none
    version = results["versions"].get(task)
    entry = {
        "title": job.benchmark.title,
        "release": f"lm-eval's {task}, version {version}",
        "metric": METRICS.get(outcome.metric, outcome.metric),
        **_score(results["results"][task], outcome.metric, total),
        "problems": total,
        "samples": total,
        "missing": 0,
        "failed": 0,
        "outcomes": outcome.outcomes,
        "shots": shots,
        "task": task,
        "groups": _groups(results, task, outcome.metric, counts),
        "model": job.source.name,
        "prompt": f"{shots} examples, no chat template",
        "sampling": None,
        "rules": {
            "grader": "lm-eval",
            "version": versions["lm-eval"],
            "metric": outcome.metric,
            "shots": shots,
            "task_version": version,
            "max_length": outcome.max_length,
            "truncated": outcome.truncated,
        },
        "data": {
            "path": job.files.source if job.files else "lm-eval's own tasks",
            "release": task,
            "sha256": job.files.sha256 if job.files else None,
        },
        "versions": dict(versions),
    }
    return entry if entry["groups"] else {name: value for name, value in entry.items() if name != "groups"}


def _groups(results: Mapping[str, Any], task: str, metric: str, counts: Mapping[str, int]) -> dict[str, Any]:
    """MMLU's subjects and its four fields; nothing for a single task."""
    if len(counts) < 2:
        return {}
    fields = {
        name: _score(scores, metric, int(scores["sample_len"]))
        for name, scores in results.get("groups", {}).items()
        if name != task
    }
    subtasks = {name: _score(results["results"][name], metric, number) for name, number in counts.items()}
    found = {"field": fields, "subtask": subtasks}
    return {
        column: {name.removeprefix(f"{task}_"): group for name, group in sorted(groups.items())}
        for column, groups in found.items()
        if groups
    }


def _score(scores: Mapping[str, Any], metric: str, total: int) -> dict[str, Any]:
    """Metrics that are shares in percent; others, such as a perplexity, as they are."""
    key = key_of(scores, metric)
    value = float(scores[key]) if key else float("nan")
    error = scores.get(key.replace(metric, f"{metric}_stderr", 1)) if key else None
    is_share = metric in METRICS or 0 <= value <= 1
    scale = 100.0 if is_share else 1.0
    low = high = None
    if isinstance(error, int | float):
        low, high = value - Z95 * error, value + Z95 * error
        if is_share:
            low, high = max(low, 0.0), min(high, 1.0)
        low, high = round(scale * low, 2), round(scale * high, 2)
    return {
        "unit": "%" if is_share else "",
        "score": round(scale * value, 2),
        "low": low,
        "high": high,
        "total": total,
    }
