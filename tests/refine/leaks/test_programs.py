"""What a record's texts define that can be called."""

import pytest

from evolray.refine.leaks.programs import ANY, Function, program_in

ADD = "def add(a, b):\n    return a + b"


def functions(text: str) -> list[tuple[str, int, int]]:
    program = program_in(text)
    return [(one.name, one.least, one.most) for one in program.functions] if program else []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ADD, [("add", 2, 2)]),
        (f"Sure!\n```python\n{ADD}\n```\nDone.", [("add", 2, 2)]),
        (f"```\n{ADD}\n```", [("add", 2, 2)]),
        ("def f(a, b=1, *rest, **named):\n    return a", [("f", 1, ANY)]),
        ("def f(a, /, b, *, c=1):\n    return a", [("f", 2, 2)]),
        ("def f(a, *, c):\n    return a", [("f", ANY, ANY)]),
        ("double = lambda x: 2 * x", [("double", 1, 1)]),
        ("class S:\n    def go(self, x):\n        return x\n    def _own(self):\n        return 1", [("S().go", 1, 1)]),
        ("class S:\n    @staticmethod\n    def go(x):\n        return x", [("S().go", 1, 1)]),
        ("class S:\n    def __init__(self, n=3):\n        self.n = n\n    def go(self):\n        return 1",
         [("S().go", 0, 0)]),
        # near misses: nothing that could be called
        ("class S:\n    def __init__(self, n):\n        self.n = n\n    def go(self):\n        return 1", []),
        ("class S(Base):\n    def go(self):\n        return 1", []),
        ('def add(a, b):\n    """Add them."""', []),
        ("def add(a, b):\n    pass", []),
        ("def add(a, b)\n    return a + b", []),
        (f"```java\n{ADD}\n```", []),
        ("async def f(x):\n    return x", []),
        ("We define the default value.", []),
        ("", []),
        ("\x00def f(x):\n    return x", []),
    ],
)  # fmt: skip
def test_functions(text: str, found: list[tuple[str, int, int]]) -> None:
    assert functions(text) == found


def test_what_others_call_comes_last_and_later_before_earlier() -> None:
    text = (
        "def helper(x):\n    return x\n\ndef first(x):\n    return helper(x)\n\ndef second(x):\n    return first(x) + 1"
    )
    assert [name for name, _, _ in functions(text)] == ["second", "first", "helper"]
    assert [name for name, _, _ in functions(text + "\n\ndef third(x):\n    return x")] == [
        "third", "second", "first", "helper",
    ]  # fmt: skip


def test_a_name_defined_twice_counts_once_and_the_last_is_meant() -> None:
    program = program_in("def f(a):\n    return a\n\ndef f(a, b):\n    return b")
    assert program is not None and program.functions == (Function("f", 2, 2),)


def test_usage_is_left_out_and_what_is_needed_stays() -> None:
    text = f"""Here:
```python
import math
HALF = 5
LIMIT = 2 * HALF
numbers = list(map(int, input().split()))
{ADD} + LIMIT
print(add(1, 2))
assert add(1, 2) == 3
if __name__ == "__main__":
    add(1, 2)
```
and a second block:
```python
from __future__ import annotations
def twice(x):
    return math.floor(add(x, x))
```"""
    program = program_in(text)
    assert program is not None
    assert program.source == (
        "from __future__ import annotations\nimport math\nHALF = 5\nLIMIT = 2 * HALF\n"
        f"{ADD} + LIMIT\ndef twice(x):\n    return math.floor(add(x, x))"
    )
    namespace: dict[str, object] = {}
    exec(program.source, namespace)
    assert namespace["twice"](3) == 16  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n" * 10_000,
        "```python\n" * 10_000 + ADD,
        "def f(x):\n    return " + "(" * 50_000,
        "= lambda\n" * 9_000,
    ],
)
def test_hostile_texts_cost_little(text: str) -> None:
    program = program_in(text)
    assert program is None or len(program.source) < 200_000
