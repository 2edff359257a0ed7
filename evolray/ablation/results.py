"""What an ablation leaves, read again: its students with all they scored, as a table, as figures, as dicts."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from evolray.ablation import manifest as manifests
from evolray.ablation.manifest import AblationManifest
from evolray.ablation.students import Student, read_students
from evolray.ablation.table import table
from evolray.ablation.teacher import Teacher, read_teacher
from evolray.errors import UserError
from evolray.pool.layout import Folder, open_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"


@dataclass(frozen=True)
class Ablation:
    """An ablation's run directory, and its students by their number of generations."""

    run: str
    status: str
    message: str
    students: tuple[Student, ...]
    teacher: Teacher

    @property
    def page(self) -> str:
        """The path of the page, which is there once the ablation is complete."""
        return f"{self.run.rstrip('/')}/{PAGE}"

    def table(self) -> Table:
        """A column per student: what it was trained on, and what its last checkpoint scored."""
        return table(self.students, self.teacher, _standing(self))

    def figure(self) -> "Figure":
        """Held-out scores by group, of each student's last checkpoint. A notebook shows it."""
        from evolray.ablation.figures import scores_by_group  # matplotlib takes a second to import

        return scores_by_group(self)

    def curves(self) -> "Figure":
        """Held-out scores over the tokens trained on, of all checkpoints."""
        from evolray.ablation.figures import scores_by_tokens

        return scores_by_tokens(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict per student, checkpoint, benchmark and group, for example for pandas.DataFrame."""
        return [
            {
                "student": student.title, "generations": student.generations, "examples": student.examples,
                "step": checkpoint.step, "tokens": checkpoint.tokens, "is_last": checkpoint is student.last,
                **{("benchmark_title" if key == "title" else key): value for key, value in asdict(score).items()},
            }
            for student in self.students
            for checkpoint in student.checkpoints
            for score in checkpoint.scores
        ]  # fmt: skip


def read(run: str) -> Ablation:
    """An ablation as it stands on disk. Raises UserError when there is none."""
    folder = open_folder(run)
    manifest = manifests.read(folder)
    if manifest is None:
        raise UserError(f"{folder.url}: there is no ablation; expected the run directory of evolray ablation.")
    return make(folder, manifest)


def make(folder: Folder, manifest: AblationManifest) -> Ablation:
    students = read_students(folder, manifest.generations)
    return Ablation(folder.url, manifest.status, manifest.message, students, read_teacher(folder))


def _standing(done: Ablation) -> str:
    """What the table says below: where the page is, or how far the ablation has come."""
    if done.status == "complete":
        return f"The page: {done.page}"
    first = done.message.partition("\n")[0].removeprefix(f"{done.status}: ")
    return f"The ablation is {done.status}{f': {first}' if first else ''}"
