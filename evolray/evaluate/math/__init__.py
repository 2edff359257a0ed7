"""GSM8K and MATH: numbers and formulas instead of programs."""

from evolray.evaluate.math.benchmarks import MATH_BENCHMARKS

__all__ = ["MATH_BENCHMARKS"]
