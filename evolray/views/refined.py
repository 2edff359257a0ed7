"""A run of refine: from what came in to the mix."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evolray.display import duration
from evolray.refine.manifest import RefineManifest
from evolray.views.wording import STYLES, standing


def refine_view(one: RefineManifest) -> RenderableType:
    """A refining: from what came in to the mix, each drop with its reason."""
    parts: list[RenderableType] = [Text(f"{one.run}: {standing(one.status, one.updated_at)}", style="bold")]
    if one.message:
        parts.append(Text(one.message))
    parts += ["", _refined(one)]
    if leaks := [f"{row['name']} {row['leaks']:,}" for row in one.benchmarks]:
        parts += ["", Text(f"leaks by benchmark (one record may hold several): {', '.join(leaks)}")]
    if one.judged:
        calls = f"{one.calls:,} calls, {sum(one.tokens.values()):,} tokens, cost {one.cost:,.2f}"
        said = [f"{one.judged['records']:,} records judged"]
        said += [f"{one.judged['unread']:,} verdicts could not be read"] if one.judged["unread"] else []
        said += [f"{one.judged['failed']:,} calls failed (the same command asks again)"] if one.judged["failed"] else []
        parts.append(Text(f"{', '.join(said)}; {calls}"))
    took = ", ".join(f"{step['name']} {duration(step['seconds'])}" for step in one.steps if step["seconds"] >= 1)
    parts.append(Text(f"{duration(one.seconds)} in all" + (f" ({took})" if took else ""), style="dim"))
    return Group(*parts)


def _refined(one: RefineManifest) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    named = ", ".join(f"{row['name']} {row['records']:,}" for row in one.sources)
    rejected = f"; {one.rejected:,} entries are no records (rejected/)" if one.rejected else ""
    table.add_row("records", f"{one.records:,}", Text(f"{named}{rejected}"))
    for reason, number in one.dropped.items():
        table.add_row(Text(f"  {reason}"), f"-{number:,}", "", style=STYLES["eliminated"])
    if one.mix:
        tokens = f"about {one.mix['tokens']:,} tokens"
        table.add_row("mix", f"{one.mix['records']:,}", tokens, style=STYLES["kept"])
    return table
