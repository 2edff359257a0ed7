"""The benchmarks that lm-eval runs: a model is not asked for an answer, but how likely it finds each of the choices.

shots and metric are those of the Open LLM Leaderboard of 2023, whose numbers the WizardLM table reports: the examples
go before the question as plain text, and no chat template is put around them. Any other task of lm-eval is
`lm_eval:TASK`, with the shots that its own file says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

OTHER = "lm_eval:"
TASK = re.compile(r"[A-Za-z0-9][\w.+-]*")
METRICS: Mapping[str, str] = {"acc": "accuracy", "acc_norm": "normalised accuracy"}
"""lm-eval's names, and ours. acc_norm divides each choice's log-likelihood by its number of characters."""


@dataclass(frozen=True)
class KnowledgeBenchmark:
    """`metric`: lm-eval's name of it, "" for acc_norm where the task has it, else acc, else its first.

    `shots`: examples before each question; None: what the task's file says.
    """

    name: str
    title: str
    task: str
    metric: str
    shots: int | None
    source: str

    @property
    def folder(self) -> str:
        """Of its files in the run directory."""
        return f"knowledge/{self.name.replace(':', '_')}"


KNOWLEDGE_BENCHMARKS: Mapping[str, KnowledgeBenchmark] = {
    one.name: one for one in (
        KnowledgeBenchmark("mmlu", "MMLU", "mmlu", "acc", 5, "Hendrycks et al. 2021, arXiv:2009.03300"),
        KnowledgeBenchmark(
            "arc_challenge", "ARC-Challenge", "arc_challenge", "acc_norm", 25, "Clark et al. 2018, arXiv:1803.05457"
        ),
        KnowledgeBenchmark(
            "truthfulqa", "TruthfulQA (MC2)", "truthfulqa_mc2", "acc", 0, "Lin et al. 2022, arXiv:2109.07958"
        ),
        KnowledgeBenchmark(
            "hellaswag", "HellaSwag", "hellaswag", "acc_norm", 10, "Zellers et al. 2019, arXiv:1905.07830"
        ),
    )
}  # fmt: skip


def find_knowledge(name: str) -> KnowledgeBenchmark | None:
    """By its name, or as lm_eval:TASK; None when it is neither."""
    if name in KNOWLEDGE_BENCHMARKS:
        return KNOWLEDGE_BENCHMARKS[name]
    task = name.removeprefix(OTHER)
    if task == name or not TASK.fullmatch(task):
        return None
    return KnowledgeBenchmark(name, task, task, "", None, "lm-eval")
