"""What the commands print about a run: its accounts as a table, one lineage as a tree."""

import time
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from evolray.pool.manifest import Manifest

STALE_SECONDS = 30.0  # a running run writes its manifest every few seconds
STYLES = {"kept": "green", "eliminated": "yellow", "failed": "red"}


def run_view(manifest: Manifest) -> RenderableType:
    """A run's accounts, by generation and by operator, and what they cost."""
    parts: list[RenderableType] = [Text(f"{manifest.run}: {_status(manifest)}", style="bold")]
    if manifest.message:
        parts.append(Text(manifest.message))
    parts.append(Text(""))
    parts.append(_table("generation", manifest.accounts))
    parts.append(Text(""))
    parts.append(_table("operator", manifest.operators))
    parts.append(Text(""))
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
    return Group(head, *(Text(_shorten(text), style=style) for text, style in said if text))


def _table(key: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in (key, "in", "kept", "eliminated", "failed"):
        table.add_column(name, justify="left" if name == key else "right")
    table.add_column("why", overflow="fold")
    for row in rows:
        eliminated, failed = sum(row["eliminated"].values()), sum(row["failed"].values())
        why = sorted((row["eliminated"] | row["failed"]).items(), key=lambda item: (-item[1], item[0]))
        table.add_row(
            str(row[key]), f"{row['in']:,}", f"{row['kept']:,}", f"{eliminated:,}", f"{failed:,}",
            Text(", ".join(f"{reason} {number:,}" for reason, number in why), style="dim"),
        )  # fmt: skip
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
    shards = f"{manifest.shards.get('finished', 0):,} of {manifest.shards.get('all', 0):,} shards finished"
    if manifest.status != "running":
        return f"{manifest.status.replace('_', ' ')}, {shards}"
    age = time.time() - manifest.updated_at
    if age > STALE_SECONDS:
        return f"not heard of for {age:,.0f} s (killed? the same command goes on), {shards}"
    live = manifest.live
    now = f"{live['outcomes']:,} outcomes, {live['calls']:,} calls, {live['in_flight']} in flight" if live else "starting"
    return f"running, {shards}; {now}"


def _shorten(text: str, characters: int = 600) -> str:
    return text if len(text) <= characters else f"{text[:characters]} … ({len(text):,} characters)"
