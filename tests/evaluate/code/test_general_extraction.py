import ast
import gzip
import json
from pathlib import Path

import pytest

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.code.general_extraction import general

DATA = Path(__file__).parents[3] / "../shared/data"
PROMPT = (
    "from typing import List\nimport math\n\n\ndef half(x):\n    return x / 2\n\n\n"
    'def f(x: int) -> int:\n    """Doc."""\n'
)
ASKED = Problem("HumanEval/0", {"prompt": PROMPT, "entry_point": "f"})
MBPP = Problem("11", {"text": "Write f.", "test_list": ["assert set(f(1)) == set([1])"]})
F = "def f(x):\n    return x + 1"
G = "def g(x):\n    return x"


@pytest.mark.parametrize(
    "fence", ["```python", "```py", "```Python", "```", "~~~", "~~~ python", "````python3", "```{python}"]
)
def test_any_fence_is_a_fence(fence: str) -> None:
    closing = fence.rstrip("pythonP3 {}")
    assert general(f"Here it is:\n\n{fence}\n{F}\n{closing}\n\nIt adds 1.", ASKED) == F


@pytest.mark.parametrize(
    "text",
    [
        F,
        f"\n\n{F}\n",
        f"Sure! ```python\n{F}\n```",
        f"```python\n{F}```",
        f"```python\n{F}",
        f"```python\n{F}\n\n```python\n{G}\n```",
        f"```bash\npip install x\n```\n```python\n{F}\n```\n```\n3\n```",
        f"```text\n{F}\n```",
        f"1. Like this:\n   ```python\n   {F.replace(chr(10), chr(10) + '   ')}\n   ```",
        f"Here is the function:\n\n{F}\n\nIt adds 1 to x.",
        f"From the list we see that x is an int.\n{F}\nThis works because:\n- it adds",
        f"{F}\n\nprint(f(3))\nassert f(1) == 2",
        f'{F}\n\nif __name__ == "__main__":\n    f(input())',
        f"{F}\n\nresult = f(10 ** 9)\nfor i in range(3):\n    f(i)",
        f"{F}\n\nimport doctest\ndoctest.testmod(".replace("import doctest\n", ""),
        f"{F}\n\ndef test_f():\n    assert f(1) ==",
        f"```python\n{F}\n```\n```python\nprint(f(3))\n```",
        f"```python\ndef f(x):\n    return x +\n```\nfixed:\n```python\n{F}\n```\n```python\ndef f(x):\n    ...\n```",
        f"```python\ndef f(x):\n    return x - 1\n```\nThat is wrong. Rather:\n```python\n{F}\n```",
        f"<think>Maybe\n```python\n{G}\n```\n</think>\n{F}",
        f"{F}<|im_end|>\ngarbage",
        f"{F}\r\n".replace("\n", "\r\n"),
        f"Below is an instruction that describes a task.\n### Response:```python\n{F}\n```",
    ],
)
def test_the_function_is_taken_and_nothing_else(text: str) -> None:
    assert general(text, ASKED) == F


@pytest.mark.parametrize(
    "body",
    [
        "    return x + 1",
        "    return x + 1\n\n\nprint(f(3))",
        "    return x + 1\n\nThis returns the successor.",
        "return x + 1",
        "y = x\nreturn y + 1",
        "```python\n    return x + 1\n```",
        "```python\nreturn x + 1\n```",
        "    return x + 1\n\ndef g(:\n",
    ],
)
def test_a_completion_goes_behind_the_prompt(body: str) -> None:
    program = general(body, ASKED)
    assert program.startswith(PROMPT)
    scope: dict[str, object] = {}
    exec(program, scope)  # a program of this test's own
    assert scope["f"](1) == 2  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    ["", "   \n", "I cannot do that.", "Sorry", "```\nsome output\n```", "def f(x) is a function.",
     "f(x) = x + 1 holds.", "def f(x):\n    pass", 'def f(x):\n    """Only words."""'],
)  # fmt: skip
def test_no_code_is_nothing(text: str) -> None:
    assert general(text, ASKED) == ""


def test_a_function_with_an_error_in_it_is_not_shortened_until_it_parses() -> None:
    assert general("def f(x):\n    return x + 1\n    and so on", ASKED) == ""
    assert general("    return x + 1\n    and so on", ASKED) == ""


def test_code_without_the_function_is_left_to_the_grader() -> None:
    assert general(f"```python\n{G}\n```", ASKED) == G
    method = "class Solution:\n    def f(self, x):\n        return x + 1"
    assert general(f"```python\n{method}\n\n{G}\n```", ASKED) == f"{method}\n\n{G}"


def test_a_class_with_a_method_of_the_name_stays_beside_the_function() -> None:
    text = f"class A:\n    def f(self):\n        return 0\n\n{F}"
    assert general(text, ASKED) == text


def test_what_the_program_needs_of_the_prompt_is_added_once() -> None:
    program = general("def f(x: List[int]):\n    return half(math.pi)", ASKED)
    tree = ast.parse(program)
    assert sorted(ast.unparse(one).split("\n")[0] for one in tree.body) == [
        "def f(x: List[int]):", "def half(x):", "from typing import List", "import math",
    ]  # fmt: skip
    own = "import math\n\ndef f(x):\n    return math.pi"
    assert general(own, ASKED) == own


def test_helpers_in_other_blocks_are_found_with_what_they_need() -> None:
    blocks = ["import re\nSTEP = 1", "def g(x):\n    return x + STEP", "def f(x):\n    return g(x)", f"{G}2"]
    text = "\n".join(f"```python\n{block}\n```" for block in blocks)
    assert general(text, ASKED) == "STEP = 1\ndef g(x):\n    return x + STEP\ndef f(x):\n    return g(x)"


def test_constants_after_the_function_and_state_before_it_stay() -> None:
    before = "import sys\nsys.setrecursionlimit(10000)\nmemo = {}\nmemo[1] = 1"
    text = f"{before}\n\ndef f(x):\n    return memo[x] % MOD\n\nMOD = 7"
    assert general(text, ASKED) == text


def test_future_imports_stay_first() -> None:
    program = general("from __future__ import annotations\ndef f(x: List):\n    return x", ASKED)
    assert program.split("\n")[:2] == ["from __future__ import annotations", "from typing import List"]
    compile(program, "program", "exec")


def test_a_function_made_by_assignment_counts() -> None:
    assert general("f = lambda x: x + 1\nprint(f(2))", ASKED) == "f = lambda x: x + 1"


def test_mbpp_tells_the_function_by_its_assertions() -> None:
    assert general(f"```python\n{F}\n```\n```python\n{G}\n```", MBPP) == F
    assert general("    return x", MBPP) == ""


@pytest.mark.parametrize(
    "text",
    [
        "```\n" * 100_000,
        "`" * 200_000,
        "```" + "`" * 100_000 + " x",
        "``` x " * 30_000,
        "~~~`" * 50_000,
        "x" * 200_000,
        "(" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "-" * 100_000 + "1",
        "f" + ".a" * 90_000,
        "def f(x):\n" + "\n".join(" " * n + "if x:" for n in range(1, 600)),
        "def f(x):\n" * 15_000,
        "from a import \n" * 13_000,
        "a = 1\n) b\n" * 20_000,
        "import os\n" * 18_000,
        "f = 1\n" * 30_000,
        '"""' * 60_000,
        "\\" * 200_000,
        "\x00\ndef f(x):\n    return 1",
        "\ud800\ndef f(x):\n    return 1",
        "def f(x):\n    return " + "9" * 100_000,
        "x = 1 if 1 else " * 10_000,
        "\n" * 200_000,
    ],
    ids=range(23),
)
def test_hostile_text_ends_in_bounded_time(text: str) -> None:
    assert isinstance(general(text, ASKED), str)
    assert isinstance(general(text, MBPP), str)


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_of_the_released_samples_only_the_one_cut_off_within_the_function_is_lost() -> None:
    with gzip.open(DATA / "humaneval/HumanEval.jsonl.gz", "rt") as lines:
        problems = {row["task_id"]: Problem(row["task_id"], row) for row in map(json.loads, lines)}
    with gzip.open(DATA / "generations/wizardcoder15b_humaneval_greedy_59.8.jsonl.gz", "rt") as lines:
        programs = {
            row["task_id"]: general(row["all_code"], problems[row["task_id"]]) for row in map(json.loads, lines)
        }
    assert programs.pop("HumanEval/110") == ""
    without = [id for id, program in programs.items() if f"def {problems[id].row['entry_point']}" not in program]
    assert without == []
