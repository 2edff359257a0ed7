"""The settings of `evolray evaluate` and `evolray grade`."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from evolray.config.judge import LmEvalConfig, VerdictsConfig
from evolray.config.sampling import SamplerConfig


@dataclass
class ExecutionConfig:
    """How a model's programs are run. null: what the benchmark's rules say."""

    seconds: float | None = None
    """Per program (HumanEval, MBPP) or per call (the plus sets)."""
    memory_mb: int = 4096
    """Of all processes of a program together."""
    processes: int = 16
    """Of one program, itself included."""
    parallel: int | None = None
    """Programs at once. null: one per core of the cluster, as it grows."""
    unsafe: bool = False
    """Run programs without bubblewrap, with time and memory limits alone: they can read and change this machine."""


@dataclass
class GradingConfig:
    """How samples become scores: what `evaluate` and `grade` share."""

    extraction: str = "general"
    """How code is taken from a sample: published (the papers' scripts, byte for byte), general, none."""
    grading: str = "strict"
    """Of mathematical answers: strict, or as_published (the originals' rules with their leniencies)."""
    k: list[int] = field(default_factory=lambda: [1])
    """Of pass@k; a k above the number of samples is left out."""
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)
    judge: SamplerConfig = field(default_factory=SamplerConfig)
    """Of chat benchmarks: an endpoint or a checkpoint, as the model itself, with a budget over all benchmarks of the
    run. sampling: null is the protocol's."""
    verdicts: VerdictsConfig = field(default_factory=VerdictsConfig)
    dry_run: bool = False
    """Print what will be asked, and what it will cost at most, and stop."""


@dataclass
class EvaluateConfig(SamplerConfig, GradingConfig):
    """`evolray evaluate`: a checkpoint or an endpoint in, scores out, with every sample kept."""

    run: str = MISSING
    """The run directory: a path that every node sees, or a URL such as s3://bucket/run."""
    benchmarks: list[str] = MISSING
    """humaneval, humaneval_plus, mbpp, mbpp_plus, gsm8k, math; judged: wizard_eval, vicuna_bench, mt_bench,
    alpaca_eval; by lm-eval: mmlu, arc_challenge, truthfulqa, hellaswag, lm_eval:TASK."""
    problems: dict[str, str] = field(default_factory=dict)
    """The file of a benchmark: {gsm8k: gsm8k_test.jsonl}; JSON, JSONL, Parquet (.gz too, or s3://...), or
    hf:NAME[:SPLIT]. For lm-eval a folder of task files, or nothing for the tasks that it comes with."""
    baselines: dict[str, str] = field(default_factory=dict)
    """What a judge compares the model with: {wizard_eval: FILE}, a file of answers or a run of evolray evaluate."""
    references: dict[str, str] = field(default_factory=dict)
    """Right answers that the judge is shown: {mt_bench: reference_answer_gpt-4.jsonl}."""
    labels: dict[str, str] = field(default_factory=dict)
    """Verdicts by people or by another judge, {wizard_eval: FILE}, to measure how far the judge agrees with them."""
    lm_eval: LmEvalConfig = field(default_factory=LmEvalConfig)
    limit: int | None = None
    """Take only the first so many problems of each benchmark."""
    prompt: str = "auto"
    """The form of the prompt: published, instruct, plain, ...; auto: instruct for models with a chat template, else
    plain."""


@dataclass
class GradeConfig(GradingConfig):
    """`evolray grade BENCHMARK`: ready samples in, scores out."""

    run: str = MISSING
    """The run directory: a path that every node sees, or a URL such as s3://bucket/run."""
    samples: str = MISSING
    """JSONL (.gz too), a line per sample: task_id (or idx) and completion, solution or all_code."""
    problems: str = MISSING
    """The benchmark's file, also in a bucket (s3://...), or hf:NAME[:SPLIT]."""
    extraction: str = "auto"
    """published, general, none; auto: general for all_code, none for a completion or a solution."""
    baseline: str | None = None
    """Of a judged comparison: the other answers, a file or a run of evolray evaluate."""
    reference: str | None = None
    """Right answers that the judge is shown."""
    labels: str | None = None
    """Verdicts by people or by another judge, to measure how far the judge agrees with them."""
    reviews: str | None = None
    """Ready verdicts in place of a judge: FastChat's reviews, AlpacaEval's annotations, a table of ratings."""
    model_is: str = "first"
    """Whose side of `reviews` is the model's where they tell the two answers apart by place alone: first or second."""
