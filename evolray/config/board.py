"""The settings of `evolray board`."""

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class BoardConfig:
    """`evolray board`: all results below some folders, in one page and one table."""

    results: list[str] = MISSING
    """Folders in which runs of evaluate, grade and sweep lie, at any depth, or such runs themselves."""
    output: str = "board"
    """Path or URL of a folder for board.html, board.csv and figures/."""
    benchmarks: list[str] = field(default_factory=list)
    """Only these. Empty: all that were found."""
    names: dict[str, str] = field(default_factory=dict)
    """What the board calls a model: {name in the results: name on the board}."""
    title: str = "Leaderboard"
    """What stands above the page."""
