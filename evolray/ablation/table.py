"""The students side by side, for the terminal: a column each, so that many groups have room below each other."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from evolray.ablation.scores import ALL, Score
from evolray.ablation.students import COMPLETE, Student
from evolray.ablation.teacher import Teacher

NOTHING = "–"


def table(students: Sequence[Student], teacher: Teacher, standing: str) -> Table:
    shown = Table(
        box=None, padding=(0, 2, 0, 0), header_style="bold", caption=_caption(students, teacher, standing),
        caption_justify="left", caption_style="",
    )  # fmt: skip
    shown.add_column("student", overflow="fold")
    for student in students:
        shown.add_column(Text(student.title), justify="right")
    if any(student.state != COMPLETE for student in students):
        shown.add_row("state", *(Text(student.state) for student in students))
    for name in ("examples", "tokens", "steps"):
        shown.add_row(f"{name} trained on" if name == "tokens" else name, *(_count(one, name) for one in students))
    for key in score_keys(students):
        scores = [student.score(*key) for student in students]
        best = max((one.score for one in scores if one), default=None)
        shown.add_row(Text(row_name(students, key)), *(_cell(one, best) for one in scores))
    return shown


def score_keys(students: Sequence[Student]) -> list[tuple[str, str]]:
    """Benchmark and group of every row: the groups in their order, and then all of them."""
    found: dict[str, dict[str, None]] = {}
    for student in students:
        for score in student.last.scores if student.last else ():
            found.setdefault(score.benchmark, {})[score.group] = None
    return [
        (benchmark, group)
        for benchmark, groups in found.items()
        for group in [*(one for one in groups if one != ALL), *([ALL] if ALL in groups else [])]
    ]


def row_name(students: Sequence[Student], key: tuple[str, str]) -> str:
    """GSM8K, 2 steps; and "GSM8K, all" below its groups."""
    score = next(found for student in students if (found := student.score(*key)))
    has_groups = any(one != ALL for benchmark, one in score_keys(students) if benchmark == key[0])
    return f"{score.title}, {score.group or 'all'}" if has_groups else score.title


def how_many(students: Sequence[Student], key: tuple[str, str]) -> int | None:
    """Problems of a row, where all students were asked as many."""
    totals = {found.total for student in students if (found := student.score(*key))}
    return totals.pop() if len(totals) == 1 else None


def _cell(score: Score | None, best: float | None) -> Text:
    if score is None:
        return Text(NOTHING)
    text = Text(score.text, style="bold" if score.score == best else "")
    return text.append(f"  {score.interval}", style="dim") if score.interval else text


def _count(student: Student, name: str) -> str:
    value: int | None = getattr(student, name)
    return NOTHING if value is None else f"{value:,}"


def _caption(students: Sequence[Student], teacher: Teacher, standing: str) -> Text:
    lines = []
    if any(student.last for student in students):
        lines.append("Held-out scores of each student's last checkpoint, with 95 % intervals.")
    if teacher.is_simulated:
        lines.append(
            "The simulated teacher taught: arithmetic by rule. Scores show which difficulty was covered, not reasoning."
        )
    elif teacher.name:
        lines.append(f"The teacher was {teacher.name}: {teacher.calls:,} calls, cost {teacher.cost:,.2f}.")
    return Text("\n".join([*lines, standing]))
