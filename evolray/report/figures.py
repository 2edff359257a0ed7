"""The figures of a run of evolve or refine, for the report and for notebooks.

    from evolray.report.figures import acceptance, figures, to_svg

    acceptance("runs/code")                    # one matplotlib Figure; a notebook shows it
    for name, entry in figures("runs/code").items():
        Path(f"{name}.svg").write_text(to_svg(entry.figure, name, entry.alt))

Each function takes a run directory, or the numbers that `read_evolved` or `read_refined` read there, so that several
figures read it once. Nothing is written, and pyplot is left alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from evolray.report.drawing import acceptance as fig_acceptance
from evolray.report.drawing import difficulty as fig_difficulty
from evolray.report.drawing import flow as fig_flow
from evolray.report.drawing import leaks as fig_leaks
from evolray.report.drawing import mix as fig_mix
from evolray.report.drawing import reasons as fig_reasons
from evolray.report.drawing import refine_flow as fig_refine_flow
from evolray.report.drawing import similarity as fig_similarity
from evolray.report.drawing import spending as fig_spending
from evolray.report.drawing import spread as fig_spread
from evolray.report.drawing.spread import Panel
from evolray.report.drawing.style import mark, to_png, to_svg
from evolray.report.numbers.evolved import REFINE, EvolveNumbers, read_evolved, stage_of
from evolray.report.numbers.refined import RefineNumbers, read_refined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "EvolveNumbers", "FigureEntry", "RefineNumbers", "acceptance", "difficulty", "features", "figures", "flow",
    "leaks", "lengths", "mix", "read_evolved", "read_refined", "reasons", "refine_flow", "similarity", "skills",
    "spending", "to_png", "to_svg",
]  # fmt: skip

Numbers = TypeVar("Numbers", EvolveNumbers, RefineNumbers)
LENGTHS = "Length of instructions by generation"
FEATURES = "Length, constraints and steps by generation"


@dataclass(frozen=True)
class FigureEntry:
    """A figure with its words. `alt` says what it shows to those who do not see it, numbers included."""

    title: str
    caption: str
    alt: str
    figure: "Figure"


def figures(run: str | EvolveNumbers | RefineNumbers) -> dict[str, FigureEntry]:
    """Those that the run has data for, by name, in the order in which a page shows them.

    Raises UserError when `run` is no run of evolve or refine, or one of its files cannot be read.
    """
    if isinstance(run, str):
        run = read_refined(run) if stage_of(run) == REFINE else read_evolved(run)
    return _of_refine(run) if isinstance(run, RefineNumbers) else _of_evolve(run)


# --- of an evolve run ---


def flow(run: str | EvolveNumbers) -> "Figure":
    """What became of the roots in each generation, and of what each operator made."""
    return _by_teacher(fig_flow.draw, read_evolved(run))


def acceptance(run: str | EvolveNumbers) -> "Figure":
    """Kept as a share of kept and eliminated, by operator and generation."""
    return _by_teacher(fig_acceptance.draw, read_evolved(run))


def lengths(run: str | EvolveNumbers) -> "Figure":
    """Words of the kept instructions, by generation."""
    return _by_teacher(lambda numbers: fig_spread.draw(LENGTHS, _length_panels(numbers)), read_evolved(run))


def reasons(run: str | EvolveNumbers) -> "Figure":
    """Why instructions were eliminated, and after which operator."""
    return _by_teacher(fig_reasons.draw, read_evolved(run))


def spending(run: str | EvolveNumbers) -> "Figure":
    """Tokens and cost per kept record, by generation and by purpose."""
    return _by_teacher(fig_spending.draw, read_evolved(run))


# --- of a refine run ---


def refine_flow(run: str | RefineNumbers) -> "Figure":
    """From what came in to the mix: what each step dropped, and why."""
    return fig_refine_flow.draw(read_refined(run))


def difficulty(run: str | RefineNumbers) -> "Figure":
    """The judge's scores by generation and by operator: the paper's figure."""
    return _by_judge(fig_difficulty.draw, read_refined(run))


def features(run: str | RefineNumbers) -> "Figure":
    """Words and constraints of the instructions and steps of the responses, by generation."""
    return fig_spread.draw(FEATURES, _feature_panels(read_refined(run)))


def similarity(run: str | RefineNumbers) -> "Figure":
    """How similar near-duplicates are, and how large their clusters."""
    return fig_similarity.draw(read_refined(run))


def leaks(run: str | RefineNumbers) -> "Figure":
    """Records that hold benchmark items, by benchmark and by how they were found."""
    return fig_leaks.draw(read_refined(run))


def mix(run: str | RefineNumbers) -> "Figure":
    """The mix beside what came in: generations, operators, sources, domains."""
    return fig_mix.draw(read_refined(run))


def skills(run: str | RefineNumbers) -> "Figure":
    """The skills that the judge named, for what was judged and for the mix."""
    return _by_judge(fig_mix.draw_skills, read_refined(run))


# --- all of a run ---


def _of_evolve(run: EvolveNumbers) -> dict[str, FigureEntry]:
    evolved = any(run.generations)
    panels = _length_panels(run)
    found = {
        "flow": (run.generations, fig_flow.TITLE, fig_flow.CAPTION, fig_flow.alt, flow),
        "acceptance": (evolved, fig_acceptance.TITLE, fig_acceptance.CAPTION, fig_acceptance.alt, acceptance),
        "lengths": (run.words, LENGTHS, fig_spread.CAPTION, lambda _: fig_spread.alt(panels), lengths),
        "reasons": (
            run.eliminated(), fig_reasons.TITLE, fig_reasons.CAPTION, fig_reasons.alt, reasons,
        ),
        "spending": (
            any(map(sum, run.tokens.values())), fig_spending.TITLE, fig_spending.CAPTION, fig_spending.alt, spending,
        ),
    }  # fmt: skip
    return _entries(run, found)


def _of_refine(run: RefineNumbers) -> dict[str, FigureEntry]:
    panels = _feature_panels(run)
    duplicates = run.exact + run.similarity.total()
    found = {
        "refine_flow": (
            run.records, fig_refine_flow.TITLE, fig_refine_flow.CAPTION, fig_refine_flow.alt, refine_flow,
        ),
        "mix": (run.mix, fig_mix.TITLE, fig_mix.CAPTION, fig_mix.alt, mix),
        "difficulty": (
            run.difficulty, fig_difficulty.TITLE, fig_difficulty.CAPTION, fig_difficulty.alt, difficulty,
        ),
        "features": (run.measured, FEATURES, fig_spread.CAPTION, lambda _: fig_spread.alt(panels), features),
        "skills": (
            any(run.skills.values()), fig_mix.SKILLS_TITLE, fig_mix.SKILLS_CAPTION, fig_mix.skills_alt, skills,
        ),
        "similarity": (
            duplicates, fig_similarity.TITLE, fig_similarity.CAPTION, fig_similarity.alt, similarity,
        ),
        "leaks": (fig_leaks.totals(run), fig_leaks.TITLE, fig_leaks.CAPTION, fig_leaks.alt, leaks),
    }  # fmt: skip
    return _entries(run, found)


def _entries(
    run: Numbers,
    found: Mapping[str, tuple[object, str, str, Callable[[Numbers], str], Callable[[Numbers], "Figure"]]],
) -> dict[str, FigureEntry]:
    """Of those whose first value is true: there is something to draw."""
    return {
        name: FigureEntry(title, caption, alt(run), draw(run))
        for name, (is_there, title, caption, alt, draw) in found.items()
        if is_there
    }


def _by_teacher(draw: Callable[[EvolveNumbers], "Figure"], run: EvolveNumbers) -> "Figure":
    """Whatever the simulated teacher had a hand in says so."""
    return mark(draw(run), "simulated teacher") if run.is_simulated else draw(run)


def _by_judge(draw: Callable[[RefineNumbers], "Figure"], run: RefineNumbers) -> "Figure":
    return mark(draw(run), "simulated judge") if run.is_simulated else draw(run)


def _length_panels(run: EvolveNumbers) -> list[Panel]:
    return [Panel("length", "words", run.words)]


def _feature_panels(run: RefineNumbers) -> list[Panel]:
    units = {"words": "words", "constraints": "requirements", "steps": "steps of the response"}
    return [Panel(name, unit, run.measured[name]) for name, unit in units.items() if name in run.measured]
