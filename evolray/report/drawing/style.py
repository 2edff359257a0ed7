"""How the figures of a report look, and how they become files.

Figures are made through matplotlib's objects, never through pyplot: nothing is global, nothing opens a window, and
threads do not meet. Colours are those of Okabe and Ito, which colour-blind readers tell apart. A figure is drawn for
700 px (7 inches at 100 dots) and on white, so that it reads on a dark page, too.
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from evolray.report.texts import one_line, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
INK, SOFT, FAINT, GREY = "#1f2328", "#57606a", "#e4e7eb", "#b4bac2"
COLORS = (BLUE, YELLOW, GREEN, PINK, SKY, ORANGE, "#6f5aa8", "#7a6a4f", GREY)
KEPT, FAILED = BLUE, "#3d444d"
WIDTH = 7.0  # inches
DOTS_PER_INCH = 100  # of a screen; files have twice as many
MOST_LETTERS = 60
FONTS = 9.0  # points
LOOK = {
    "font.size": FONTS,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.labelsize": FONTS,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": FONTS + 0.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "legend.frameon": False,
    "legend.fontsize": FONTS - 0.5,
    "svg.hashsalt": "evolray",  # the same figure, the same file
    "svg.fonttype": "path",  # letters as shapes: a page carries no fonts, and labels must fit on every machine
}
_STYLE, _ID = re.compile(r' style="([^"]*)"'), re.compile(r'( id="|url\(#|xlink:href="#)')
_PATH, _LONG = re.compile(r' d="[^"]*"'), re.compile(r"(\d+\.\d\d)\d+")
_HEAD = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style[^>]*>.*?</style>\s*</defs>|<!--.*?-->", re.DOTALL)


@contextmanager
def look() -> Iterator[None]:
    """In which matplotlib draws as a report does, and after which it is as before.

    A letter that the font lacks is drawn as a box; nobody needs a warning about it.
    """
    import matplotlib as mpl

    with mpl.rc_context(LOOK), warnings.catch_warnings():  # type: ignore[arg-type]
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        yield


def new_figure(height: float, title: str) -> "Figure":
    """An empty figure, `height` in inches, with its title at the upper left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    class Shown(Figure):
        """Shows itself as the value of a notebook's cell, also where pyplot was never loaded."""

        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
            return {"image/png": to_png(self)}, {"image/png": {"width": int(WIDTH * DOTS_PER_INCH)}}

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Shown(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.012, ha="left", fontsize=FONTS + 2.5, fontweight="bold")
    return figure


def mark(figure: "Figure", text: str) -> "Figure":
    """A remark in the upper right corner, that goes with the figure wherever it is shown."""
    figure.text(0.988, 0.988, text, ha="right", va="top", fontsize=FONTS - 1.5, color=SOFT)
    return figure


def nothing(title: str, why: str) -> "Figure":
    """What is shown where there is nothing to draw: the reason."""
    with look():
        figure = new_figure(1.3, title)
        figure.text(0.5, 0.38, why, ha="center", va="center", color=SOFT)
        return figure


def plain(ax: "Axes", *, grid: str = "") -> None:
    """No frame and no tick marks; grid lines along "x" or "y", if any."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    if grid:
        ax.grid(axis=grid)  # type: ignore[arg-type]


def brief(name: str) -> str:
    """An operator's or a reason's name for people, on one line and of some length at most."""
    return one_line(name.replace("_", " "), MOST_LETTERS) or "(none)"


def first_of(title: str, shown: int, generations: int) -> str:
    """The title, which says so where not all generations have room."""
    return title if shown >= generations else f"{title}, the first {shown} of {generations} generations"


def shorten(text: str, most: int = 28) -> str:
    """For names that users choose: one line, without invisible characters, and no formula for matplotlib."""
    return one_line(text, most).replace("$", r"\$")


def compact(number: float) -> str:
    """At most four digits: 950, 12.3k, 4.56M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= size:
            value = number / (1e3 if unit == "k" else size)
            return f"{value:.{0 if value >= 100 else 1}f}{unit}"
    return f"{number:,.0f}" if float(number).is_integer() or abs(number) >= 100 else f"{number:.3g}"


def joined(parts: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def to_png(figure: "Figure") -> bytes:
    """Twice as fine as on the screen. The same figure gives the same bytes."""
    file = io.BytesIO()
    with look():
        figure.savefig(file, format="png", dpi=2 * DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def to_svg(figure: "Figure", name: str = "", alt: str = "") -> str:
    """An <svg> element to be put into a page or a file; the same figure gives the same text.

    It has neither style attributes nor a style sheet, so a page may forbid both; its width is that of what is around
    it. `name` goes before its ids, which must differ among the figures of a page; `alt` is what a screen reader says.
    """
    file = io.StringIO()
    with look():
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = _HEAD.sub("", file.getvalue()[file.getvalue().index("<svg") :])
    svg = _STYLE.sub(lambda found: _attributes(found[1]), svg)
    svg = _PATH.sub(lambda found: _LONG.sub(r"\1", found[0]), svg)  # a hundredth of a point is enough
    svg = svg.replace("DejaVuSans-Bold-", "b").replace("DejaVuSans-", "r")  # thousands of references to letters
    svg = _ID.sub(lambda found: f"{found[1]}{name}-", svg) if name else svg
    view = re.search(r'viewBox="[^"]*"', svg)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{view[0] if view else ""} width="100%" role="img" aria-label="{escape(visible(alt))}" '
        'stroke-linejoin="round" stroke-linecap="butt">'
    )
    return head + re.sub(r"\s*\n\s*", "\n", svg[svg.index(">") + 1 :]).strip() + "\n"


def _attributes(style: str) -> str:
    """`fill: red; stroke: none` as attributes of their own, which mean the same."""
    pairs = (part.partition(":") for part in style.split(";") if part.strip())
    return "".join(f' {key.strip()}="{value.strip()}"' for key, _, value in pairs)
