"""What stands on an ablation's page. Pure data, every text made visible; the template draws it and escapes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from evolray.ablation import names
from evolray.ablation.drawing.curves import benchmarks_of, points_of
from evolray.ablation.manifest import AblationManifest
from evolray.ablation.page.samples import Sample
from evolray.ablation.results import Ablation
from evolray.ablation.scores import Score
from evolray.ablation.students import Student
from evolray.ablation.table import NOTHING, how_many, row_name, score_keys
from evolray.ablation.teacher import Teacher
from evolray.display import duration
from evolray.report.drawing.style import joined
from evolray.report.page import blocks
from evolray.report.page.blocks import Number, Picture, money, percent, whole
from evolray.report.texts import one_line, visible

SIMULATED = (
    "The teacher was the simulated one, a program that rewrites by rule. Scores say nothing about what a real teacher "
    "would give."
)
ARITHMETIC = (
    "The teacher was the simulated one: what it taught is arithmetic by rule and nothing else. The scores show "
    "coverage of difficulty, since a student of the seeds alone has never seen a problem of a second step; they do not "
    "show better reasoning, and say nothing about what a real teacher would give."
)
MOST_CHARS = 200


@dataclass(frozen=True)
class Link:
    """`place`: relative to the page."""

    text: str
    place: str


@dataclass(frozen=True)
class Content:
    title: str
    facts: tuple[str, ...]
    notices: tuple[str, ...]
    done: str
    numbers: tuple[Number, ...]
    scores: Picture | None
    table: blocks.Table
    curves: Picture | None
    checkpoints: blocks.Table | None
    samples_of: str
    samples: tuple[Sample, ...]
    taught: str
    accounts: blocks.Table | None
    links: tuple[Link, ...]
    commands: tuple[tuple[str, str], ...]
    """Of the whole: what it does, and the command."""
    steps: tuple[tuple[str, str], ...]
    """Of each step."""
    settings: str


def make_content(
    done: Ablation,
    manifest: AblationManifest,
    pictures: Sequence[Picture],
    samples: tuple[str, Sequence[Sample]],
    links: Sequence[Link],
    steps: Sequence[tuple[str, str]],
    settings: str,
) -> Content:
    """`steps`: name and stage of those that ran, in their order."""
    by_name = {picture.name: picture for picture in pictures}
    students = done.students
    return Content(
        title=f"What evolving gives: {joined([one.title for one in students])}",
        facts=_facts(done, manifest), notices=_notices(done), done=_what_was_done(done, manifest),
        numbers=tuple(_numbers(done, manifest)), scores=by_name.get("groups"), table=_table(students),
        curves=by_name.get("curves"), checkpoints=_checkpoints(students), samples_of=visible(samples[0]),
        samples=tuple(map(_visible, samples[1])), taught=_taught(done.teacher), accounts=_accounts(done.teacher),
        links=tuple(links), commands=(("all of it again, or on from where it stands", visible(manifest.command)),),
        steps=tuple(_step_commands(done, steps)), settings=visible(settings),
    )  # fmt: skip


def _facts(done: Ablation, manifest: AblationManifest) -> tuple[str, ...]:
    titles = dict.fromkeys(score.title for one in done.students if one.last for score in one.last.scores)
    teacher = [f"teacher {one_line(done.teacher.name, 60)}"] if done.teacher.name else []
    return (f"{len(done.students)} students", *(visible(one) for one in titles), *teacher, manifest.status)


def _notices(done: Ablation) -> tuple[str, ...]:
    first = one_line(done.message.partition("\n")[0], 400)
    standing = f"This ablation is {done.status}{f': {first}' if first else ''}. The page shows what there is."
    return (
        *([] if done.status == "complete" else [standing]),
        *([ARITHMETIC if done.teacher.domain == "math" else SIMULATED] if done.teacher.is_simulated else []),
    )


def _what_was_done(done: Ablation, manifest: AblationManifest) -> str:
    """One paragraph."""
    students, most = done.students, max(one.generations for one in done.students)
    mixes = f"{whole(manifest.records)} examples each" if manifest.records else "the same number of examples each"
    parts = []
    if most and done.teacher.name:
        parts.append(
            f"{whole(done.teacher.seeds)} seeds were evolved for {names.title(most)}; the teacher was "
            f"{one_line(done.teacher.name, 60)}."
        )
    parts.append(
        f"{len(students)} students, alike in everything but their data, were each trained on a mix of their own "
        f"({joined([one.title for one in students])}): {mixes}"
        f"{_tokens_said(students)}. A mix of several generations was drawn from the seeds and from each "
        "generation up to its own, as evenly as they reach."
    )
    parts.append(
        "Every checkpoint was then evaluated on problems that no student was trained on. The scores are those of each "
        "student's last checkpoint; none was chosen by them."
    )
    return " ".join(parts)


def _tokens_said(students: Sequence[Student]) -> str:
    tokens = [one.tokens for one in students if one.tokens]
    if len(tokens) < len(students):
        return ""
    if max(tokens) == min(tokens):
        return f" and {whole(tokens[0])} tokens of training"
    return f" and {whole(min(tokens))} to {whole(max(tokens))} tokens of training"


def _numbers(done: Ablation, manifest: AblationManifest) -> list[Number]:
    students = done.students
    few, most = students[0], students[-1]
    found = []
    for key in [key for key in score_keys(students) if not key[1]][:2]:
        if score := most.score(*key):
            other = few.score(*key) if few is not most else None
            hint = f"{most.title}; {other.text} for {few.title}" if other else most.title
            found.append(Number(one_line(score.title, 40), score.text, hint))
    teacher = done.teacher
    if teacher.calls:
        found.append(Number("calls to the teacher", whole(teacher.calls), f"{whole(teacher.tokens)} tokens"))
    if teacher.cost:
        found.append(Number("cost", money(teacher.cost), "of the teacher's calls, at the config's prices"))
    found.append(Number("time", duration(manifest.seconds), "of all invocations together"))
    return found


def _table(students: Sequence[Student]) -> blocks.Table:
    rows = [
        (name, *(NOTHING if getattr(one, field) is None else whole(getattr(one, field)) for one in students))
        for name, field in (("examples", "examples"), ("tokens trained on", "tokens"), ("steps", "steps"))
    ]
    for key in score_keys(students):
        count = how_many(students, key)
        name = f"{visible(row_name(students, key))}{f' ({count:,} problems)' if count else ''}"
        rows.append((name, *(_cell(one.score(*key)) for one in students)))
    return blocks.Table(
        "What each student was trained on, and what its last checkpoint scored, with 95 % intervals.",
        ("", *(one.title for one in students)), rows, texts=("",),
    )  # fmt: skip


def _cell(score: Score | None) -> str:
    if score is None:
        return NOTHING
    return f"{score.text} ({score.interval})" if score.interval else score.text


def _checkpoints(students: Sequence[Student]) -> blocks.Table | None:
    rows = [
        (one.title, whole(checkpoint.step), whole(tokens), visible(score.title), score.text, score.interval)
        for benchmark in benchmarks_of(students)
        for one in students
        for checkpoint, (tokens, score) in zip(one.checkpoints, points_of(one, benchmark), strict=False)
    ]
    if not rows:
        return None
    columns = ("student", "step", "tokens", "benchmark", "score", "95 % interval")
    return blocks.Table("Every checkpoint in numbers.", columns, rows, texts=("student", "benchmark"), is_folded=True)


def _visible(sample: Sample) -> Sample:
    answers = tuple(
        type(one)(one.student, one_text(one.text), one.is_good, visible(one.outcome), one_line(one.message, MOST_CHARS))
        for one in sample.answers
    )
    return Sample(visible(sample.problem), one_text(sample.question), sample.why, answers)


def one_text(text: str) -> str:
    """Cut where it is very long."""
    return visible(text[:1500]) + (" …" if len(text) > 1500 else "")


def _taught(teacher: Teacher) -> str:
    if not teacher.name:
        return "Nothing was evolved: the students learned from the seeds' own responses."
    domain = f" in the domain {one_line(teacher.domain, 60)}" if teacher.domain else ""
    return (
        f"The teacher was {one_line(teacher.name, 60)}. {whole(teacher.seeds)} seeds{domain} took "
        f"{whole(teacher.calls)} calls, "
        f"{whole(teacher.tokens)} tokens, {duration(teacher.seconds)}"
        f"{f', cost {money(teacher.cost)}' if teacher.cost else ''}. What it made was kept, or eliminated by a rule or "
        "by the judge; an eliminated instruction's parent is tried again in the next generation."
    )


def _accounts(teacher: Teacher) -> blocks.Table | None:
    if not teacher.accounts:
        return None
    rows = []
    for row in teacher.accounts:
        eliminated, failed = sum(row["eliminated"].values()), sum(row["failed"].values())
        kept = int(row["kept"])
        cells = (whole(number) for number in (row["in"], kept, eliminated, failed))
        rows.append((str(row["generation"]), *cells, percent(kept, kept + eliminated)))
    return blocks.Table(
        "Accounts by generation; the seeds are generation 0.",
        ("generation", "in", "kept", "eliminated", "failed", "kept %"), rows, texts=("generation",),
    )  # fmt: skip


def _step_commands(done: Ablation, steps: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (visible(name), visible(f"evolray {stage} {done.run}/steps/{name}/config.yaml run=NEW"))
        for name, stage in steps
    ]
