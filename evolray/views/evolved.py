"""A run of evolve: its accounts as a table, one lineage as a tree."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from evolray.pool.manifest import Manifest
from evolray.views.wording import STYLES, shorten, standing


def run_view(manifest: Manifest) -> RenderableType:
    """A run's accounts, by generation and by operator, and what they cost."""
    parts: list[RenderableType] = [Text(f"{manifest.run}: {_status(manifest)}", style="bold")]
    if manifest.message:
        parts.append(Text(manifest.message))
    parts += ["", _generations(manifest.accounts), "", _operators(manifest.operators), ""]
    parts += [Text(line) for line in _totals(manifest)]
    if manifest.teacher == "simulated":
        parts.append(Text("The teacher was the simulated one: good for trying things out, not for training a student."))
    return Group(*parts)


def lineage_view(rows: list[dict[str, Any]]) -> RenderableType:
    """A root's outcomes as a tree: each under the record that it was evolved from."""
    root = rows[0]
    tree = Tree(Text(f"lineage {root['root_id']}", style="bold"))
    branches = {None: tree}
    for row in rows:
        parent = branches.get(row["parent_id"], tree)
        branch = parent.add(_node(row))
        branches[row["id"]] = branch
    return tree


def _node(row: dict[str, Any]) -> RenderableType:
    variant = f" ({row['variant']})" if row.get("variant") else ""
    fate = {"eliminated": f"eliminated: {row.get('reason')}", "failed": f"failed: {row.get('cause')}"}
    head = Text.assemble(
        (f"{row['id'].partition('.')[2]}  {row['operator']}{variant}  ", "bold"),
        (fate.get(row["fate"], "kept"), STYLES[row["fate"]]),
    )
    if row["fate"] == "failed":
        return Group(head, Text(row["message"]))
    said = [(row["instruction"], ""), (row["response"], "dim")]
    return Group(head, *(Text(shorten(text), style=style) for text, style in said if text))


def _generations(rows: list[dict[str, Any]]) -> Table:
    """Fates and reasons downwards, generations across."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("generation")
    for row in rows:
        table.add_column(str(row["generation"]), justify="right")
    table.add_column("all", justify="right")
    table.add_row("in", *_across([row["in"] for row in rows]))
    table.add_row("kept", *_across([row["kept"] for row in rows]), style=STYLES["kept"])
    for fate in ("eliminated", "failed"):
        table.add_row(fate, *_across([sum(row[fate].values()) for row in rows]), style=STYLES[fate])
        for reason in sorted({reason for row in rows for reason in row[fate]}):
            table.add_row(Text(f"  {reason}"), *_across([row[fate].get(reason, 0) for row in rows]), style="dim")
    return table


def _across(numbers: list[int]) -> list[str]:
    return [f"{number:,}" for number in (*numbers, sum(numbers))]


def _operators(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("operator")
    for name in ("in", "kept", "eliminated", "failed", "kept %"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = [row["in"], row["kept"], sum(row["eliminated"].values()), sum(row["failed"].values())]
        share = f"{100 * row['kept'] / row['in']:.1f}" if row["in"] else ""
        table.add_row(Text(row["operator"]), *(f"{number:,}" for number in numbers), share)
    return table


def _totals(manifest: Manifest) -> list[str]:
    calls, tokens = manifest.calls, manifest.tokens
    evolved = manifest.kept - next((row["kept"] for row in manifest.accounts if row["generation"] == 0), 0)
    per_record = f", {calls / evolved:.2f} calls per evolved record" if evolved else ""
    return [
        f"{manifest.kept:,} kept, {manifest.eliminated:,} eliminated, {manifest.failed:,} failed "
        f"of {manifest.seeds.get('entries', 0):,} entries in {manifest.seeds.get('path', '')}",
        f"{calls:,} calls{per_record}; {tokens.get('prompt', 0):,} prompt + {tokens.get('completion', 0):,} "
        f"completion tokens; cost {manifest.cost:,.2f}; {manifest.seconds:,.1f} s",
    ]


def _status(manifest: Manifest) -> str:
    finished = manifest.shards.get("finished", 0) + manifest.live.get("shards_finished", 0)
    shards = f"{finished:,} of {manifest.shards.get('all', 0):,} shards finished"
    how = standing(manifest.status, manifest.updated_at)
    if how != "running":
        return f"{how}, {shards}"
    live = manifest.live
    now = (
        f"{live['outcomes']:,} outcomes, {live['calls']:,} calls, {live['in_flight']} in flight" if live else "starting"
    )
    return f"running, {shards}; {now}"
