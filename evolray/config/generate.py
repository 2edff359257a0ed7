"""The settings of `evolray generate`."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from evolray.config.sampling import SamplerConfig


@dataclass
class GenerateConfig(SamplerConfig):
    """`evolray generate`: instructions in, answers out."""

    run: str = MISSING
    """The run directory: a path that every node sees, or a URL such as s3://bucket/run."""
    data: str = MISSING
    """JSONL with {idx, Instruction}, or whatever else `evolray train` reads: a pool, JSON, Parquet, hf:NAME[:SPLIT]."""
    output: str = MISSING
    """The file of answers: .jsonl, .json or .parquet."""
    columns: dict[str, str] = field(default_factory=dict)
    """Names of the input for ours where they differ, for example {instruction: question, id: number}."""
    answer_key: str = "response"
    """The output's name for the answer; the papers' scripts write wizardlm or wizardcoder."""
    limit: int | None = None
    """Take only the first so many entries."""
