import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from evolray.pool.accounts import Accounts
from evolray.refine.leaks.execution import EXECUTION
from evolray.refine.leaks.finder import NGRAM, SIMILAR
from evolray.report import figures as module
from evolray.report.drawing import leaks, style
from evolray.report.drawing.spending import cost_of
from evolray.report.drawing.style import compact, joined
from evolray.report.figures import EvolveNumbers, RefineNumbers, figures, read_evolved, read_refined, to_png, to_svg
from evolray.report.numbers.refined import SEVERAL
from tests.report import evolve_run, refine_run
from tests.report.refine_run import record

OF_EVOLVE = ("flow", "acceptance", "lengths", "reasons", "spending")
OF_REFINE = ("refine_flow", "mix", "difficulty", "features", "skills", "similarity", "leaks")
MOST_BYTES = 150_000
HOSTILE = (
    "<script>alert(1)</script>",
    "a\u202eb\x1b[31m",
    "x" * 100_000,
    "two\nlines",
    "$\\frac{a}$",
    "日本語",
    "\udc00",
    "",
)


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> str:
    return evolve_run.plain_run(str(tmp_path_factory.mktemp("evolved")), 60, 2).url


@pytest.fixture(scope="module")
def refined(tmp_path_factory: pytest.TempPathFactory) -> str:
    return refine_run.large_run(str(tmp_path_factory.mktemp("refined")), 400).url


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")))  # type: ignore[attr-defined]


def numbers(generations: int = 3, operators: tuple[str, ...] = ("deepen",), reason: str = "refusal") -> EvolveNumbers:
    accounts = Accounts(Counter(dict.fromkeys(range(generations + 1), 10 * len(operators))))
    accounts.outcomes[0, "seed", "kept", ""] = 10 * len(operators)
    for generation in range(1, generations + 1):
        for operator in operators:
            accounts.outcomes[generation, operator, "kept", ""] = 7
            accounts.outcomes[generation, operator, "eliminated", reason] = 2
            accounts.outcomes[generation, operator, "failed", "timeout"] = 1
    return EvolveNumbers("run", accounts, {g: Counter({5 + g: 10}) for g in range(generations + 1)}, {1: [100, 50]})


def test_each_stage_has_its_figures_in_order(evolved: str, refined: str) -> None:
    assert tuple(figures(evolved)) == OF_EVOLVE
    assert tuple(figures(refined)) == OF_REFINE


def test_figures_have_words_and_numbers(evolved: str, refined: str) -> None:
    for entry in [*figures(evolved).values(), *figures(refined).values()]:
        assert entry.title in texts(entry.figure)
        assert re.search(r"\d", entry.alt), "who cannot see the figure gets its numbers"
        assert entry.caption.endswith(".")
        assert entry.alt.endswith(".")


def test_svg_is_small_and_needs_no_styles(evolved: str, refined: str) -> None:
    for run in (evolved, refined):
        for name, entry in figures(run).items():
            svg = to_svg(entry.figure, name, entry.alt)
            assert len(svg.encode()) < MOST_BYTES, name
            assert "style" not in svg, "a page may forbid styles"
            root = ElementTree.fromstring(svg)
            assert root.attrib["aria-label"] == entry.alt
            ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
            assert all(one.startswith(f"{name}-") for one in ids)
            links = set(re.findall(r'(?:url\(#|xlink:href="#)([^")]+)', svg))
            assert links <= ids, "every letter and clip is there under its new name"


def test_the_same_run_gives_the_same_files(evolved: str) -> None:
    first, second = module.flow(evolved), module.flow(evolved)
    assert to_svg(first, "flow") == to_svg(second, "flow")
    assert to_png(first) == to_png(second)


def test_png_is_twice_as_fine_as_the_screen(evolved: str) -> None:
    assert int.from_bytes(to_png(module.acceptance(evolved))[16:20], "big") == 1400


def test_every_figure_can_be_called_in_a_notebook(evolved: str, refined: str) -> None:
    for names, run, read in ((OF_EVOLVE, evolved, read_evolved), (OF_REFINE, refined, read_refined)):
        for name in names:
            assert isinstance(getattr(module, name)(run), Figure)
            assert len(getattr(module, name)(read(run)).axes) > 0


def test_pyplot_is_left_alone_and_matplotlib_as_it_was(evolved: str) -> None:
    program = f"""
import sys, evolray.report.figures as module
loaded = "matplotlib" in sys.modules
from matplotlib import rcParams
names = [name for name in rcParams if not name.startswith("backend")]
before = [rcParams[name] for name in names]
for entry in module.figures({evolved!r}).values():
    module.to_png(entry.figure)
print(loaded, "matplotlib.pyplot" in sys.modules, before == [rcParams[name] for name in names])
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["False", "False", "True"], "")


# --- what they show ---


def test_acceptance_leaves_failures_out() -> None:
    run = numbers()
    assert "78 %" in texts(module.acceptance(run)), "7 of 9; one failed"
    assert "7 of 9" in texts(module.acceptance(run))
    assert figures(run)["acceptance"].alt == "Kept 21 of 27 evolved instructions. By operator: deepen 78 %."


def test_flow_names_what_became_of_the_instructions() -> None:
    shown = texts(module.flow(numbers()))
    assert all(
        part in shown for part in ("generation 3", "refusal  6  (20.0 %)", "failed  3  (10.0 %)", "2 eliminated")
    )


def test_operators_and_reasons_beyond_the_frequent_are_summed_up() -> None:
    run = numbers(operators=tuple(f"operator_{at:02d}" for at in range(14)))
    shown = texts(module.flow(run))
    assert "other operators  150" in shown, "14 of 30 each, of which 9 have a place"
    for at in range(9):
        run.accounts.outcomes[1, "operator_00", "eliminated", f"reason_{at}"] += 1
    assert "other reasons  4" in texts(module.flow(run))


def test_cost_is_shared_out_by_price() -> None:
    run = EvolveNumbers("run", tokens={1: [300, 100], 2: [100, 100]}, prices=(1.0, 2.0), cost=8.0)
    assert cost_of(run, *run.tokens[1]) + cost_of(run, *run.tokens[2]) == pytest.approx(8.0)
    assert cost_of(run, *run.tokens[2]) == pytest.approx(8.0 * 300 / 800)


def test_refine_flow_counts_what_each_step_drops(tmp_path: Path) -> None:
    reasons = ["", "", "exact_duplicate", "leak", "leak", "too_short", "made_up"]
    folder = refine_run.write_run(str(tmp_path), [[record(at, 0, reason=one) for at, one in enumerate(reasons)]])
    shown = texts(module.refine_flow(folder.url))
    assert all(part in shown for part in ("came in: 7", "duplicates", "leak  2", "too short  1", "in the mix  2"))
    assert "made up  1" in shown, "a reason that is new is shown, too"
    assert "budget" not in shown, "a step that dropped nothing has no column"


def test_leaks_show_benchmarks_without_any() -> None:
    run = RefineNumbers(
        "run", leaks=Counter({("mbpp", "ngram"): 2}), items={"mbpp": {"1"}}, benchmarks=("gsm8k", "mbpp")
    )
    shown = texts(module.leaks(run))
    assert all(part in shown for part in ("none found", "2 records, 1 items", "gsm8k"))


def test_difficulty_gives_means_with_intervals() -> None:
    run = RefineNumbers(
        "run", difficulty={0: Counter({3: 50, 5: 50})}, difficulty_by_operator={"seed": Counter({4: 9})}
    )
    assert "mean 4.00 ± 0.20" in texts(module.difficulty(run)), "1.96 * sqrt(100 / 99) / 10"


def test_what_is_simulated_says_so(evolved: str, refined: str) -> None:
    assert "simulated teacher" in texts(module.acceptance(evolved))
    assert "simulated" not in texts(module.acceptance(numbers()))
    run = read_refined(refined)
    run.is_simulated = True
    assert "simulated judge" in texts(module.difficulty(run))
    assert "simulated" not in texts(module.mix(run)), "no judge had a hand in it"


# --- little, much and hostile ---


@pytest.mark.parametrize("name", OF_EVOLVE + OF_REFINE)
def test_a_run_without_any_numbers_says_why(name: str) -> None:
    run = EvolveNumbers("run") if name in OF_EVOLVE else RefineNumbers("run")
    figure = getattr(module, name)(run)
    assert len(figure.axes) == 0
    assert any(len(text.get_text()) > 20 for text in figure.texts)
    assert to_svg(figure).startswith("<svg")


def test_figures_without_data_are_left_out() -> None:
    assert figures(EvolveNumbers("run")) == {}
    assert figures(RefineNumbers("run")) == {}


def test_seeds_alone() -> None:
    assert list(figures(numbers(0))) == ["flow", "lengths", "spending"] or list(figures(numbers(0))) == [
        "flow",
        "lengths",
    ]


def test_many_generations_and_operators_stay_readable() -> None:
    run = numbers(40, tuple(f"operator_{at}" for at in range(40)))
    for name, entry in figures(run).items():
        assert entry.figure.get_size_inches()[1] < 12, name
        assert len(to_svg(entry.figure, name)) < 2 * MOST_BYTES, name


def test_numbers_of_any_size() -> None:
    run = numbers()
    for key in list(run.accounts.outcomes):
        run.accounts.outcomes[key] *= 10**9
    assert all(to_svg(entry.figure) for entry in figures(run).values())


def test_hostile_names_are_drawn_as_text() -> None:
    counts = Counter(dict.fromkeys(HOSTILE, 2))
    evolved = numbers(2, HOSTILE)
    for name in HOSTILE:
        evolved.accounts.outcomes[1, "deepen", "eliminated", name] = 2
    refined = RefineNumbers(
        "run", 18, 2, {"source": counts, "operator": counts}, {"source": Counter({"": 2})}, skills={"judged": counts},
        drops=Counter({(name, name): 2 for name in HOSTILE}), difficulty={1: Counter({4: 2})},
        leaks=Counter({(name, "ngram"): 1 for name in HOSTILE}),
        difficulty_by_operator={name: Counter({4: 2}) for name in HOSTILE},
    )  # fmt: skip
    for entry in [*figures(evolved).values(), *figures(refined).values()]:
        svg = to_svg(entry.figure, "name", entry.alt)
        ElementTree.fromstring(svg)
        assert "<script" not in svg
        assert len(entry.alt) < 2000
        assert not {"\u202e", "\x1b", "\udc00"} & set(texts(entry.figure))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (950, "950"),
        (9999, "9,999"),
        (12_345, "12.3k"),
        (250_000, "250k"),
        (4.56e6, "4.6M"),
        (2e9, "2.0G"),
        (0.123, "0.123"),
    ],
)
def test_numbers_are_short(number: float, text: str) -> None:
    assert compact(number) == text


def test_lists_read_as_sentences() -> None:
    assert [joined([]), joined(["a"]), joined(["a", "b", "c"])] == ["", "a", "a, b and c"]


def test_a_figure_shows_itself_in_a_notebook() -> None:
    figure = style.nothing("Nothing", "no records")
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and metadata == {"image/png": {"width": 700}}


def test_leaks_of_every_kind_are_drawn() -> None:
    """The kinds are those that refine writes, and a benchmark's bar is as long as its records are many."""
    assert {*leaks.KINDS} == {NGRAM, SIMILAR, EXECUTION, SEVERAL}
    found = Counter({("gsm8k", kind): number for number, kind in enumerate(leaks.KINDS, start=1)})
    figure = leaks.draw(RefineNumbers("run", leaks=found))
    drawn = figure.axes[0].patches
    assert [bar.get_width() for bar in drawn] == [1, 2, 3, 4] and drawn[-1].get_x() + drawn[-1].get_width() == 10
