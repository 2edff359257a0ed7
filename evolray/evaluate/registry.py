"""The benchmarks by name."""

import re

from evolray.errors import UserError
from evolray.evaluate.benchmark import Benchmark
from evolray.evaluate.code import CODE_BENCHMARKS
from evolray.evaluate.math import MATH_BENCHMARKS

BENCHMARKS: dict[str, Benchmark] = {**CODE_BENCHMARKS, **MATH_BENCHMARKS}


def find_benchmark(name: str) -> Benchmark:
    """By its name, however it is spelt: humaneval_plus, HumanEval+. Raises UserError when there is none."""
    wanted = re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "plus"))
    for known, benchmark in BENCHMARKS.items():
        if wanted == known.replace("_", ""):
            return benchmark
    raise UserError(f"benchmark {name!r} is not known; expected {', '.join(BENCHMARKS)}.")
