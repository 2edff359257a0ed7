"""The settings of `evolray report`."""

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class ReportConfig:
    """`evolray report`: a run directory in, one HTML page and its figures out."""

    run: str = MISSING
    """A run of evolve, refine, campaign or ablation; the settings below are for pages of the first two."""
    output: str | None = None
    """The page. null: report.html in the run directory, its figures as PNG in report/ beside it."""
    max_mb: float = 8.0
    """The most the page may weigh; beyond it, a seeded sample of the lineages is in it, and it says so."""
    examples: int = 5
    """Of each reason of elimination, and of each kind of drop."""
    seed: int = 0
    """Of the samples: examples, and lineages where not all have room."""
