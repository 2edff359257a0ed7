"""The settings of `evolray blind`."""

from dataclasses import dataclass, field

from omegaconf import MISSING


@dataclass
class BlindConfig:
    """`evolray blind`: shuffled, blinded sheets for people who rate answers; their ratings, read back."""

    run: str = MISSING
    """A folder for the sheets and the key that tells whose answer is whose."""
    benchmark: str = "wizard_eval"
    """wizard_eval, vicuna_bench, mt_bench or alpaca_eval."""
    problems: str = MISSING
    """The benchmark's file, also in a bucket (s3://...), or hf:NAME[:SPLIT]."""
    answers: dict[str, str] = MISSING
    """Two models or more, {name: FILE}: a file of answers, or a run of evolray evaluate. The first is compared with
    each of the others."""
    raters: int = 1
    """People, each with a sheet of its own in its own order."""
    limit: int | None = None
    """Only so many problems, drawn at random, the same ones for everybody."""
    criteria: list[str] = field(default_factory=list)
    """Beside the ranks, what each answer is rated on from 1 to 5: relevance, knowledge, reasoning, ..."""
    seed: int = 0
    """Of the order of problems and answers, and of the problems that `limit` draws."""
    ratings: list[str] = field(default_factory=list)
    """Sheets that came back, CSV or JSON; set it to read them."""
