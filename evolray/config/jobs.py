"""How the steps of a run that is made of several stages become Ray jobs."""

from dataclasses import dataclass, field


@dataclass
class JobConfig:
    """What Ray sets aside for the entry point of a stage's job; what the stage starts asks for its own."""

    cpus: float = 0.0
    """0: nothing, and the entry point runs on the head node; more lets it run on any node that has them free."""
    gpus: float = 0.0
    """The same for GPUs."""
    resources: dict[str, float] = field(default_factory=dict)
    """Custom resources, by which a group of nodes can be chosen."""


@dataclass
class JobsConfig:
    """How the steps of a run become Ray jobs."""

    address: str | None = None
    """Of the job server, for example http://127.0.0.1:8265. null: RAY_API_SERVER_ADDRESS, else that of the cluster."""
    at_once: int = 2
    """Jobs at once, where steps do not wait for each other."""
    retries: int = 2
    """How often a job that failed is submitted again."""
    stages: dict[str, JobConfig] = field(default_factory=dict)
    """By stage: {train: {cpus: 1}, evolve: {resources: {cpu_group: 1}}}."""
    working_dir: str | None = None
    """What the jobs get as their working directory. null: nothing is packed; all nodes see evolray and the paths."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Shown with each job in Ray's dashboard."""
    retry_failed: bool = False
    """Submit steps again that failed more than `retries` times. Those that ended with exit code 2, 3 or 4 are
    submitted again anyway: whoever starts the run again will have removed the cause."""
    log_seconds: float = 30.0
    """How often a log that is no terminal gets a line of progress."""
