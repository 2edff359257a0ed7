"""The settings of judged benchmarks and of those that lm-eval runs: who judges, and by which rules."""

from dataclasses import dataclass


@dataclass
class VerdictsConfig:
    """How a judge is asked and what its verdicts are made into."""

    protocol: str = "auto"
    """two_scores, single, pairwise or ranking; auto: the benchmark's own."""
    order: str = "both"
    """Of a comparison's two answers: both orders are judged; alternate (the papers' WizardEval) or random
    (AlpacaEval): one of the two."""
    repeats: int = 1
    """How often each question is put to the judge, to see whether it agrees with itself; scores are over all."""
    attempts: int = 3
    """How often in all the judge is asked when its answer holds no verdict."""
    seed: int = 0
    """Of order=random."""


@dataclass
class LmEvalConfig:
    """mmlu, arc_challenge, truthfulqa, hellaswag, and lm_eval:TASK for any other task of lm-eval."""

    shots: int | None = None
    """Examples before each question. null: what the papers and the Open LLM Leaderboard use."""
    batch_size: int = 8
    """Of a checkpoint's requests."""
    tokenizer: str | None = None
    """An endpoint's tokenizer, a folder or a name on the Hub. null: the model's name."""
