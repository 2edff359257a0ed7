"""The settings of `evolray sweep`."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class SweepConfig:
    """`evolray sweep`: checkpoints x benchmarks x settings, each cell a Ray job; one table and picture at the end."""

    run: str = MISSING
    """The run directory: a path that every node sees."""
    checkpoints: list[str] = field(default_factory=list)
    """Each a run of `evolray train` (all its checkpoints), RUN:STEP, a Hugging Face folder or a name on the Hub."""
    benchmarks: list[str] = MISSING
    """As for `evolray evaluate`."""
    problems: dict[str, str] = field(default_factory=dict)
    """The file of a benchmark, {gsm8k: gsm8k_test.jsonl}; its path is one that every node sees."""
    baselines: dict[str, str] = field(default_factory=dict)
    """Of judged benchmarks, as for `evolray evaluate`; and so are references and labels."""
    references: dict[str, str] = field(default_factory=dict)
    """Right answers that the judge is shown."""
    labels: dict[str, str] = field(default_factory=dict)
    """Verdicts by people or by another judge."""
    evaluate: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray evaluate` that all cells share, nested or dotted."""
    grid: dict[str, Any] = field(default_factory=dict)
    """Settings of `evolray evaluate` that vary, nested or dotted, each with a list of values:
    {sampling.temperature: [0, 0.2]} doubles the cells."""
    jobs: int = 2
    """Jobs at once."""
    cpus_per_job: float = 0.0
    """What Ray sets aside for the entry point of a job; its workers ask for their own, and what the entry points hold
    is missing for them. 0: nothing, and all entry points run on the head node; more spreads them over the nodes."""
    gpus_per_job: float = 0.0
    """The same for GPUs."""
    resources_per_job: dict[str, float] = field(default_factory=dict)
    """Custom resources, by which a group of nodes can be chosen."""
    retries: int = 2
    """How often a job that failed is submitted again."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Shown with each job in Ray's dashboard."""
    watch: bool = False
    """Take up new checkpoints while the trainings among `checkpoints` run."""
    watch_seconds: float = 30.0
    """How often it looks for new checkpoints."""
    address: str | None = None
    """Of the job server, for example http://127.0.0.1:8265. null: RAY_API_SERVER_ADDRESS, else that of the cluster."""
    working_dir: str | None = None
    """What the jobs get as their working directory. null: nothing is packed; all nodes see evolray and the paths."""
    retry_failed: bool = False
    """Submit cells again that failed in an earlier invocation."""
    log_seconds: float = 30.0
    """How often a log that is no terminal gets a line of progress."""
