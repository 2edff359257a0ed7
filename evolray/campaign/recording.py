"""A finished round as the manifest lists it, from what its stages left on disk.

The pool counts what it cost since it began, so a round's share is what it has more than the rounds before it: taken
when the round is finished, before the pool grows again.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evolray.campaign.generations import Fared
from evolray.campaign.generations import read as read_generations
from evolray.campaign.operators import Round
from evolray.campaign.scores import read_entries, score_of
from evolray.campaign.steps import DEV, MIX, POOL, STUDENT, place
from evolray.checkpoints import Checkpoints
from evolray.pool.layout import Folder
from evolray.pool.manifest import MANIFEST, Manifest, read_manifest

MEASURED = ("title", "metric", "unit", "score", "low", "high")


def record(folder: Folder, number: int, before: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The entry of a round; None when it is not finished. `before`: those of the rounds before it."""
    entries = read_entries(folder, place(number, DEV))
    if entries is None:
        return None
    score = score_of(entries)
    pool = read_manifest(folder.below(POOL)) or Manifest("", "interrupted")
    stages = {part: _manifest(folder, place(number, part)) for part in (MIX, STUDENT, DEV)}
    grown = _grown(number, pool, before)
    return {
        "round": number,
        "score": score.value,
        "low": score.low,
        "high": score.high,
        "benchmarks": [{"name": name, **{key: one.get(key) for key in MEASURED}} for name, one in entries.items()],
        "generation": next((dict(one) for one in pool.accounts if one["generation"] == number), {}),
        "operators": _operators(folder, number),
        "mix": _mix(stages[MIX]),
        "training": _training(stages[STUDENT]),
        **_student(folder, number),
        **_spent(grown, stages),
        "seconds": {
            "evolve": round(grown["seconds"], 1),
            **{name: stages[part].get("seconds", 0.0) for name, part in (
                ("refine", MIX), ("train", STUDENT), ("evaluate", DEV),
            )},
        },
    }  # fmt: skip


def history(folder: Folder, rounds: Sequence[Mapping[str, Any]]) -> list[Round]:
    """What the operators' weights are learned from."""
    return [
        Round(
            one["round"], one["score"],
            {name: counts["asked"] for name, counts in one["operators"].items()},
            {name: counts["kept"] for name, counts in one["operators"].items()},
        )
        for one in rounds
    ]  # fmt: skip


def _grown(number: int, pool: Manifest, before: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What the pool cost more than before. Round 0 adds nothing: its seeds come with the first generation."""
    total = {
        "calls": pool.calls, "prompt": pool.tokens.get("prompt", 0), "completion": pool.tokens.get("completion", 0),
        "cost": pool.cost, "seconds": pool.seconds,
    }  # fmt: skip
    if number == 0 or pool.generations > number:  # the latter when the manifest was lost: a later round has it
        return dict.fromkeys(total, 0)
    return {key: value - sum(one["pool"][key] for one in before) for key, value in total.items()}


def _spent(grown: Mapping[str, float], stages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`pool`: the pool's part of it alone, which the next rounds' is counted from."""
    mix, dev = stages[MIX], stages[DEV]
    judging = dev.get("judging", {}).values()
    judged = sum(one.get("answered", 0) for one in judging)
    tokens = {
        kind: int(grown[kind]) + sum(one.get("tokens", {}).get(kind, 0) for one in (mix, dev))
        for kind in ("prompt", "completion")
    }
    cost = grown["cost"] + mix.get("cost", 0.0) + dev.get("cost", 0.0) + sum(one.get("cost", 0.0) for one in judging)
    return {
        "calls": int(grown["calls"]) + mix.get("calls", 0) + judged,
        "tokens": tokens,
        "cost": round(cost, 6),
        "pool": {key: round(value, 6) for key, value in grown.items()},
    }


def _operators(folder: Folder, number: int) -> dict[str, dict[str, int]]:
    fared = read_generations(folder.below(POOL)).get(number, Fared())
    return {name: {"asked": fared.asked[name], "kept": fared.kept[name]} for name in sorted(fared.asked)}


def _mix(manifest: Mapping[str, Any]) -> dict[str, Any]:
    mix = manifest.get("mix", {})
    return {"records": mix.get("records", 0), "tokens": mix.get("tokens", 0), "dropped": manifest.get("dropped", {})}


def _training(manifest: Mapping[str, Any]) -> dict[str, Any]:
    examples, figures = manifest.get("examples", {}), manifest.get("figures", {})
    return {
        "examples": examples.get("train", 0),
        "tokens": examples.get("tokens", 0),
        "trained_tokens": examples.get("trained_tokens", 0),
        "steps": manifest.get("steps", 0),
        "loss": figures.get("loss"),
        "held_out_loss": figures.get("held_out_loss"),
    }


def _student(folder: Folder, number: int) -> dict[str, Any]:
    """Where it is, and the step that was evaluated; its checkpoints may have been cleared away since."""
    url = folder.below(place(number, STUDENT)).url
    best = Checkpoints(url).best() if folder.is_local else None
    return {"student": url, "step": best.step if best else None}


def _manifest(folder: Folder, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(folder.read(f"{name}/{MANIFEST}")))
    except (FileNotFoundError, ValueError, TypeError):  # cleared away, or edited: the score is what counts
        return {}
