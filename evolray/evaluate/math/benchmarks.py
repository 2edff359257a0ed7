"""GSM8K and MATH: problems, forms of the prompt, extraction and grading put together."""

from evolray.config import ExecutionConfig
from evolray.evaluate.benchmark import Benchmark, Form, Grader, Problem
from evolray.evaluate.math import extraction
from evolray.evaluate.math.gsm8k_grader import Gsm8kGrader
from evolray.evaluate.math.math_grader import MathGrader
from evolray.evaluate.math.problems import read_gsm8k, read_math
from evolray.evaluate.math.prompts import forms_of, rendered


def _gsm8k_grader(mode: str, limits: ExecutionConfig) -> Grader:
    return Gsm8kGrader(mode)


def _math_grader(mode: str, limits: ExecutionConfig) -> Grader:
    return MathGrader(mode)


def _render_gsm8k(form: Form, problem: Problem) -> str:
    return rendered(form, problem.row["question"])


def _render_math(form: Form, problem: Problem) -> str:
    return rendered(form, problem.row["instruction"])


GSM8K = Benchmark(
    name="gsm8k",
    title="GSM8K",
    read=read_gsm8k,
    forms=forms_of("gsm8k"),
    render=_render_gsm8k,
    extractions={
        "published": extraction.published_text,
        "general": extraction.general_number,
        "none": extraction.whole_sample,
    },
    grader=_gsm8k_grader,
    max_tokens=1024,
    groups=("level",),  # no column of the release: of problems made with one
)
MATH = Benchmark(
    name="math",
    title="MATH",
    read=read_math,
    forms=forms_of("math"),
    render=_render_math,
    extractions={
        "published": extraction.published_formula,
        "general": extraction.general_formula,
        "none": extraction.whole_sample,
    },
    grader=_math_grader,
    max_tokens=2048,
    groups=("type", "level"),
)
MATH_BENCHMARKS: dict[str, Benchmark] = {one.name: one for one in (GSM8K, MATH)}
