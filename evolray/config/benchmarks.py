"""Which benchmarks come with their problems, so that a sweep can tell without loading any."""

import re

FROM_LM_EVAL = "lm_eval:"
"""Before the name of any other task of lm-eval."""
NEEDS_NO_PROBLEMS = ("mmlu", "arc_challenge", "truthfulqa", "hellaswag")
"""lm-eval brings their problems, and those of its other tasks; a folder of task files may take their place."""


def needs_problems(benchmark: str) -> bool:
    """However the name is spelt: ARC-Challenge is arc_challenge."""
    return not benchmark.startswith(FROM_LM_EVAL) and plain(benchmark) not in map(plain, NEEDS_NO_PROBLEMS)


def plain(benchmark: str) -> str:
    """A name without what may be spelt in several ways. Tasks of lm-eval have one spelling."""
    if benchmark.startswith(FROM_LM_EVAL):
        return benchmark
    return re.sub(r"[^a-z0-9]", "", benchmark.lower().replace("+", "plus"))
