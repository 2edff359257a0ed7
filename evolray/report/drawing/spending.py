"""What a kept record took: tokens by generation, and what the calls were for."""

from typing import TYPE_CHECKING

from evolray.report.drawing.style import BLUE, FONTS, SKY, SOFT, compact, first_of, look, new_figure, nothing, plain
from evolray.report.numbers.evolved import KEPT, EvolveNumbers
from evolray.report.page.blocks import money

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Tokens and cost per kept record"
CAPTION = (
    "Left: tokens of all kept and eliminated instructions of a generation over the kept ones. Right: what all calls "
    "took, by their purpose. Cost is the run's, at the config's prices, shared out by tokens at the teacher's."
)
PURPOSES = ("evolve", "judge", "respond")
MOST_GENERATIONS = 8
COLORS = {"prompt": SKY, "completion": BLUE}


def draw(run: EvolveNumbers) -> "Figure":
    """Left: by generation, with what eliminated instructions took. Right: by what was asked for."""
    generations = [one for one in run.generations if any(run.tokens.get(one, ())) and run.count(KEPT, one)]
    if not generations:
        return nothing(TITLE, "No teacher was called in this run.")
    with look():
        figure = new_figure(3.3, first_of(TITLE, MOST_GENERATIONS, len(generations)))
        left, right = figure.subplots(1, 2, width_ratios=(1.55, 1))
        _draw_generations(left, run, generations[:MOST_GENERATIONS])
        _draw_purposes(right, run)
        figure.legend(*_key(), loc="outside lower center", ncols=2)
        return figure


def alt(run: EvolveNumbers) -> str:
    each = (
        f"generation {generation}: {sum(run.tokens[generation]) / run.count(KEPT, generation):,.0f}"
        for generation in run.generations
        if generation in run.tokens and run.count(KEPT, generation)
    )
    return f"Tokens per kept record, {', '.join(each)}."


def cost_of(run: EvolveNumbers, prompt: float, completion: float) -> float:
    """These tokens' share of the run's cost, each kind of token weighing what the teacher's prices say."""
    by_prompt, by_completion = run.prices if any(run.prices) else (1.0, 1.0)
    all_tokens = [sum(tokens[kind] for tokens in run.tokens.values()) for kind in (0, 1)]
    weight = all_tokens[0] * by_prompt + all_tokens[1] * by_completion
    return run.cost * (prompt * by_prompt + completion * by_completion) / weight if weight else 0.0


def _draw_generations(ax: "Axes", run: EvolveNumbers, generations: list[int]) -> None:
    tallest = 0.0
    for at, generation in enumerate(generations):
        kept = run.count(KEPT, generation)
        prompt, completion = (tokens / kept for tokens in run.tokens[generation])
        ax.bar(at, prompt, color=COLORS["prompt"], width=0.66)
        ax.bar(at, completion, bottom=prompt, color=COLORS["completion"], width=0.66)
        text = compact(round(prompt + completion))
        if run.cost:
            cost = 1000 * cost_of(run, prompt, completion)
            text += f"\n{money(cost) if cost < 100 else compact(round(cost))}"
        ax.annotate(
            text, (at, prompt + completion), xytext=(0, 3), textcoords="offset points", ha="center", va="bottom",
            fontsize=FONTS - (1 if len(generations) < MOST_GENERATIONS else 2), linespacing=1.1,
        )  # fmt: skip
        tallest = max(tallest, prompt + completion)
    ax.set_xticks(range(len(generations)), [str(one) if one else "seeds" for one in generations])
    ax.set_xlabel("generation")
    ax.set_ylabel("tokens per kept record")
    ax.set_ylim(0, tallest * (1.22 if run.cost else 1.12))
    ax.set_title(f"by generation{', and cost of 1,000 records' if run.cost else ''}", fontsize=FONTS)
    plain(ax, grid="y")
    ax.tick_params(axis="y", labelcolor=SOFT)


def _draw_purposes(ax: "Axes", run: EvolveNumbers) -> None:
    usage = run.accounts.usage
    purposes = [one for one in PURPOSES if one in usage] + sorted(set(usage) - set(PURPOSES))
    everything = sum(one.prompt_tokens + one.completion_tokens for one in usage.values()) or 1
    for at, purpose in enumerate(purposes):
        prompt, completion = usage[purpose].prompt_tokens, usage[purpose].completion_tokens
        ax.barh(at, prompt, color=COLORS["prompt"], height=0.6)
        ax.barh(at, completion, left=prompt, color=COLORS["completion"], height=0.6)
        text = f"{compact(prompt + completion)} ({100 * (prompt + completion) / everything:.0f} %)"
        ax.text(0, at - 0.4, f"{text}, {compact(usage[purpose].calls)} calls", fontsize=FONTS - 1, va="bottom")
    ax.set_yticks(range(len(purposes)), purposes)
    ax.set_ylim(len(purposes) - 0.5, -0.75)
    ax.set_xticks([])
    ax.set_title("all tokens, by purpose", fontsize=FONTS)
    plain(ax)


def _key() -> "tuple[list[Artist], list[str]]":
    from matplotlib.patches import Patch

    return [Patch(color=color) for color in COLORS.values()], [f"{kind} tokens" for kind in COLORS]
