"""How a run looks while it runs: a live view in a terminal, a line now and then in a log."""

import time
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evolray.display import Display, duration
from evolray.engine.messages import Snapshot
from evolray.pool.accounts import Accounts

WINDOW, RECENT = 120, 20  # snapshots; there are about two a second


class Progress(Display):
    """Follows snapshots of one run. `roots` x (`generations` + 1) outcomes are expected in all."""

    def __init__(self, title: str, roots: int, generations: int, log_seconds: float, console: Console | None) -> None:
        super().__init__(log_seconds, console)
        self._title, self._expected = title, roots * (generations + 1)
        self._roots, self._generations = roots, generations
        self._window: list[tuple[float, int, int]] = []

    def show(self, now: Snapshot) -> None:
        self._window = [*self._window, (time.monotonic(), now.calls, self._done(now))][-WINDOW:]
        self.display(lambda: self._view(now), lambda: self._line(now))

    def _done(self, now: Snapshot) -> int:
        return sum(now.accounts.outcomes.values())

    def _line(self, now: Snapshot) -> str:
        kept, eliminated, failed = (now.accounts.total(fate) for fate in ("kept", "eliminated", "failed"))
        return (
            f"{self._done(now):,} of {self._expected:,} outcomes: {kept:,} kept, {eliminated:,} eliminated, "
            f"{failed:,} failed; {now.calls:,} calls, {self._rate():.0f}/s, {now.in_flight} of {now.limit} in flight, "
            f"{now.prompt_tokens + now.completion_tokens:,} tokens, cost {now.cost:,.2f}, {self._left(now)}"
        )

    def _view(self, now: Snapshot) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("generation", "kept", "eliminated", "failed", ""):
            table.add_column(name, justify="right" if name else "left", header_style="dim")
        rows = {row["generation"]: row for row in self._by_generation(now)}
        for generation in range(self._generations + 1):
            row = rows.get(generation, {"kept": 0, "eliminated": {}, "failed": {}})
            ended = row["kept"] + sum(row["eliminated"].values()) + sum(row["failed"].values())
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in _most(row["eliminated"] | row["failed"]))
            table.add_row(
                str(generation), f"{row['kept']:,}", f"{sum(row['eliminated'].values()):,}",
                f"{sum(row['failed'].values()):,}", Text(reasons if ended else "", style="dim", overflow="ellipsis"),
            )  # fmt: skip
        calls = Text(
            f"{now.calls:,} calls  {self._rate():.0f}/s  {now.in_flight} of {now.limit} in flight  "
            f"{now.refused:,} refused"
        )
        money = Text(
            f"{now.prompt_tokens:,} + {now.completion_tokens:,} tokens  cost {now.cost:,.2f}  "
            f"{now.shards_open} shards open  {self._left(now)}"
        )
        bar = Padding(ProgressBar(total=max(self._expected, 1), completed=self._done(now)), (0, 0, 1, 0))
        return Group(Text(self._title, style="bold"), bar, table, calls, money)

    def _by_generation(self, now: Snapshot) -> list[dict[str, Any]]:
        known = Accounts(outcomes=now.accounts.outcomes)
        for generation in range(self._generations + 1):
            known.incoming[generation] = self._roots
        return known.by_generation()

    def _rate(self) -> float:
        """Calls per second over the last few snapshots."""
        (start, before, _), (end, after, _) = self._window[-RECENT:][0], self._window[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def _left(self, now: Snapshot) -> str:
        """From the pace of about the last minute: what was done before, or replayed at once, says nothing."""
        (start, _, before), (end, _, done) = self._window[0], self._window[-1]
        if done <= before or end - start < 2:
            return "time left unknown"
        return f"{duration((end - start) / (done - before) * (self._expected - done))} left"


def _most(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda item: -item[1])[:4]
