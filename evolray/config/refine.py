"""The settings of `evolray refine`."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from evolray.config.endpoint import BudgetConfig, EngineConfig
from evolray.config.evaluate import ExecutionConfig
from evolray.config.evolve import ModelConfig


@dataclass
class NearDuplicatesConfig:
    """By MinHash: of records that resemble each other, one stays."""

    enabled: bool = True
    """false: exact duplicates are dropped alone."""
    of: str = "instruction"
    """What is compared: instruction, response or both."""
    threshold: float = 0.7
    """Estimated Jaccard similarity of the shingles, from which on two records are near-duplicates."""
    shingle: int = 2
    """Words per shingle."""
    permutations: int = 128
    """Of MinHash; the estimate's standard error is at most 0.5 / sqrt(permutations)."""
    within_lineage: bool = False
    """Compare the generations of one root, too. They resemble each other by design, and evolution compared them."""
    seed: int = 1
    """Of the hash functions."""


@dataclass
class ContaminationConfig:
    """Records that hold what a benchmark asks are leaks, and leave."""

    benchmarks: dict[str, str] = field(default_factory=dict)
    """name: file. humaneval, mbpp, gsm8k, math, mt_bench, alpaca_eval, wizardlm; another name takes any file."""
    ngram: int = 8
    """Words (or code tokens) that must follow each other to count as overlap."""
    overlap: float = 0.5
    """The share of a benchmark's question that lies in such n-grams of a record, from which on it is a leak."""
    similarity: float = 0.5
    """Weighted Jaccard similarity of instruction and question, in words and word pairs, from which on it is a leak."""
    execution: bool = False
    """Run the programs in responses against the tests of code benchmarks: one that passes is a leak."""
    candidates: int = 3
    """execution: how many problems, the likeliest, each program is run against."""
    sandbox: ExecutionConfig = field(default_factory=ExecutionConfig)


@dataclass
class JudgingConfig:
    """What a judge is asked about each record."""

    difficulty: bool = False
    """Ask the judge for WizardLM's difficulty of 1 to 10."""
    skills: bool = False
    """Ask the judge for the skills an instruction calls for."""
    tags: list[str] = field(default_factory=list)
    """The skills to choose from; empty: the 29 of WizardLM's test set."""
    sample: int | None = None
    """Judge a sample of so many records alone, drawn by select.seed. null: all that are still in."""


@dataclass
class SelectConfig:
    """Which of the records that are left make up the mix."""

    generations: list[int] = field(default_factory=list)
    """Empty: all."""
    operators: list[str] = field(default_factory=list)
    """Empty: all. A seed's operator is seed."""
    domains: list[str] = field(default_factory=list)
    """Empty: all."""
    min_difficulty: int | None = None
    """Of 1 to 10, as the judge said (judging.difficulty); it rules out what has not been judged."""
    max_difficulty: int | None = None
    """The same, from above."""
    min_words: int | None = None
    """Of the instruction."""
    max_words: int | None = None
    """Of the instruction."""
    require_response: bool = True
    """false: records without a response stay in, too."""
    records: int | None = None
    """The most records of the mix. null: no limit."""
    tokens: int | None = None
    """The most tokens of the mix, four characters counting as one."""
    balance: str | None = None
    """Equal shares of the budget by generation, operator, domain, source, difficulty or skill."""
    order: str = "random"
    """Which records fill the budget: random, hardest, diverse (MinHash) or embedding (farthest first)."""
    embedding_model: str = "sentence-transformers/all-MiniLM-L6-v2"
    """order=embedding: a folder or a name on the Hub, for sentence-transformers."""
    seed: int = 0
    """Of every random choice."""


@dataclass
class RefineConfig:
    """`evolray refine`: pools in, a training mix out, every drop with a reason."""

    run: str = MISSING
    """The run directory: a path that every node sees, or a URL such as s3://bucket/run."""
    data: Any = MISSING
    """An evolve run or a file of instructions; a list of them; or name: {path, weight, columns} for a weighted mix."""
    limit: int | None = None
    """Take only the first so many records of each source."""
    near_duplicates: NearDuplicatesConfig = field(default_factory=NearDuplicatesConfig)
    contamination: ContaminationConfig = field(default_factory=ContaminationConfig)
    judging: JudgingConfig = field(default_factory=JudgingConfig)
    judge: ModelConfig = field(default_factory=lambda: ModelConfig(temperature=0.0, max_tokens=64))
    select: SelectConfig = field(default_factory=SelectConfig)
    formats: list[str] = field(default_factory=list)
    """Beside the Parquet shards, the mix as alpaca, jsonl, sharegpt or messages, in training/."""
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    shard_size: int = 5_000
    """Records per shard: what is read, written, skipped and retried as a whole."""
    workers: int | None = None
    """Shards worked on at once. null: one per core of the cluster, as it grows."""
    memory_mb: int = 1024
    """What each worker may use for comparing records; less means more passes over the hashes."""
    dry_run: bool = False
    """Print how many records there are and what the judge would cost at most, and stop."""
