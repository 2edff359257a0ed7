"""What stands on a campaign's page: rounds and scores, what was kept, what it cost, and where its steps stand.

Pure data, every text made visible; the template draws it and escapes it.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evolray.campaign.drawing.scores import name_of
from evolray.campaign.manifest import CampaignManifest
from evolray.campaign.page import tables
from evolray.display import duration
from evolray.pipeline.records import StepRecord
from evolray.report.drawing.style import joined
from evolray.report.page.blocks import Number, Picture, Section, money, whole
from evolray.report.texts import one_line, visible

RUNNING, SIMULATED = "running", "simulated"
REFRESH_SECONDS = 30  # in which the page of a running campaign is read again
MOST_CHARS = 300
STATUS = {"complete": "complete", "running": "still running", "out_of_budget": "out of budget"}


@dataclass(frozen=True)
class Content:
    """`links`: a name and where it leads, from the run directory. `commands`: what shows more of the run."""

    title: str
    run: str
    facts: tuple[str, ...]
    notices: tuple[str, ...]
    numbers: tuple[Number, ...]
    sections: tuple[Section, ...]
    links: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    settings: str
    is_running: bool
    refresh_seconds: int = REFRESH_SECONDS


def make_content(
    url: str, manifest: CampaignManifest, steps: Mapping[str, StepRecord], pictures: Sequence[Picture],
    pages: Sequence[str], settings: str,
) -> Content:  # fmt: skip
    """`pages`: those of the pool and the mixes that are there, from the run directory."""
    by_name = {picture.name: picture for picture in pictures}
    rounds = manifest.rounds
    sections = (
        Section("rounds", "Rounds and scores", "Rounds", _about_rounds(manifest),
                _some(by_name, "scores"), tables.scores(manifest)),
        Section("mixes", "What each round was trained on", "Mixes", pictures=_some(by_name, "weights"), tables=[
            *tables.generations(rounds), *tables.operators(manifest), *tables.trainings(rounds),
        ]),
        Section("cost", "What it cost", "Cost", pictures=_some(by_name, "times"), tables=tables.cost(manifest)),
        Section("steps", "Steps", "Steps", "Each is a Ray job, tried again when it fails.", tables=tables.steps(steps)),
    )  # fmt: skip
    return Content(
        title=_visible(url.rstrip("/").rpartition("/")[2]), run=_visible(url), facts=_facts(manifest),
        notices=_notices(manifest, steps), numbers=_numbers(manifest), sections=sections,
        links=tuple((_visible(page.removesuffix("/report.html")), page) for page in pages),
        commands=_commands(url, manifest),
        settings=settings, is_running=manifest.status == RUNNING,
    )  # fmt: skip


def _facts(manifest: CampaignManifest) -> tuple[str, ...]:
    number = sum(1 for one in manifest.rounds if one["round"])
    after = " after a student of the seeds alone" if number < len(manifest.rounds) else ""
    titles = dict.fromkeys(tables.title(entry) for one in manifest.rounds for entry in one.get("benchmarks", []))
    facts = [
        f"{number} round{'' if number == 1 else 's'}{after}",
        *([f"teacher {manifest.teacher}"] if manifest.teacher else []),
        *([f"student from {manifest.model}"] if manifest.model else []),
        *([f"scored on {joined(list(titles))}"] if titles else []),
        STATUS.get(manifest.status, manifest.status),
        f"{datetime.fromtimestamp(manifest.updated_at, UTC):%Y-%m-%d %H:%M} UTC",
    ]
    return tuple(map(_visible, facts))


def _notices(manifest: CampaignManifest, steps: Mapping[str, StepRecord]) -> tuple[str, ...]:
    notices = []
    if manifest.status == RUNNING:
        at = [name_of({"round": number}) for number in manifest.working_on]
        now = [f"{name} for {duration(one.seconds)}" for name, one in steps.items() if one.state == RUNNING]
        notices.append(
            f"This campaign is running{f', at {joined(at)}' if at else ''}{f': {joined(now)}' if now else ''}."
        )
    elif manifest.status != "complete":
        status = STATUS.get(manifest.status, manifest.status)
        notices.append(f"This campaign is {status}{_why(manifest.message)}. The same command goes on.")
    for name, one in steps.items():
        if one.state == "failed":
            notices.append(f"{name} failed{_why(one.message)}. The logs of its jobs are in steps/{name}/job.log.")
    if manifest.teacher == SIMULATED:
        notices.append("The teacher was the simulated one: good for trying things out, not for training a student.")
    return tuple(one_line(notice, MOST_CHARS) for notice in notices)


def _why(message: str) -> str:
    return f": {message.rstrip('.')}" if message else ""


def _numbers(manifest: CampaignManifest) -> tuple[Number, ...]:
    rounds, best = manifest.rounds, manifest.best
    tokens = [manifest.tokens.get(kind, 0) for kind in ("prompt", "completion")]
    numbers = []
    if best:
        numbers.append(Number("best score", f"{best['score']:.1f} %", f"{name_of(best)}{tables.interval(best, ', ')}"))
        kept = next((one for one in rounds if one["round"] == best["round"]), {})
        step = "" if best.get("step") is None else f"step {best['step']:,} of "
        numbers.append(Number("student to keep", name_of(best), _visible(f"{step}{best.get('student') or ''}")))
        numbers.append(Number("its mix", whole(kept.get("mix", {}).get("records") or 0), "records"))
    numbers.append(Number("calls", whole(manifest.calls), "teacher and judges"))
    numbers.append(Number("tokens", whole(sum(tokens)), f"{whole(tokens[0])} in, {whole(tokens[1])} out"))
    if manifest.cost:
        numbers.append(Number("cost", money(manifest.cost), "at the config's prices"))
    return (*numbers, Number("time", duration(manifest.seconds), "of all invocations"))


def _about_rounds(manifest: CampaignManifest) -> str:
    """In the words of the stop rule."""
    ended = manifest.status == "complete" and manifest.message
    why = f" It ended because {manifest.message.rstrip('.')}." if ended else ""
    return _visible(f"Each round adds a generation, trains the same model anew and scores it on development sets.{why}")


def _commands(url: str, manifest: CampaignManifest) -> tuple[str, ...]:
    """What shows more of the pool, and of the best round."""
    places = [("report run=", "pool"), ("show ", "pool")]
    if manifest.best:
        best = f"rounds/{manifest.best['round']}"
        places += [("report run=", f"{best}/mix"), ("status ", f"{best}/student"), ("status ", f"{best}/dev")]
    return tuple(_visible(f"evolray {command}{shlex.quote(f'{url}/{place}')}") for command, place in places)


def _some(pictures: Mapping[str, Picture], *names: str) -> list[Picture]:
    return [pictures[name] for name in names if name in pictures]


def _visible(text: Any) -> str:
    return visible(str(text))
