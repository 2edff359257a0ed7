"""The benchmarks by name: graded here (code, math), judged (chat), and those that lm-eval runs (knowledge)."""

import re

from evolray.errors import UserError
from evolray.evaluate.benchmark import Benchmark
from evolray.evaluate.chat.benchmark import ChatBenchmark
from evolray.evaluate.chat.benchmarks import CHAT_BENCHMARKS
from evolray.evaluate.code import CODE_BENCHMARKS
from evolray.evaluate.knowledge.benchmarks import KNOWLEDGE_BENCHMARKS, KnowledgeBenchmark, find_knowledge
from evolray.evaluate.math import MATH_BENCHMARKS

BENCHMARKS: dict[str, Benchmark] = {**CODE_BENCHMARKS, **MATH_BENCHMARKS}
AnyBenchmark = Benchmark | ChatBenchmark | KnowledgeBenchmark
ALL: dict[str, AnyBenchmark] = {**BENCHMARKS, **CHAT_BENCHMARKS, **KNOWLEDGE_BENCHMARKS}


def find_benchmark(name: str) -> AnyBenchmark:
    """By its name, however it is spelt: humaneval_plus, HumanEval+. Raises UserError when there is none."""
    wanted = re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "plus"))
    for known, benchmark in ALL.items():
        if wanted == known.replace("_", ""):
            return benchmark
    if task := find_knowledge(name):
        return task
    raise UserError(f"benchmark {name!r} is not known; expected {', '.join(ALL)}, or lm_eval:TASK.")
