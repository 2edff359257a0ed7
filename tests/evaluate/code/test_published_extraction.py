import gzip
import json
from pathlib import Path

import pytest

from evolray.evaluate.benchmark import Problem
from evolray.evaluate.code.published_extraction import humaneval, mbpp, mbpp_plus

DATA = Path(__file__).parents[3] / "../shared/data"
ANY = Problem("HumanEval/0", {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sure:\r\n```python\r\ndef f():\r\n\treturn 1\r\n```\r\nDone.", "def f():\n    return 1"),
        ("```py\ndef f(): pass\n```", "```py\ndef f(): pass\n```"),  # no ```python: kept as it is
        ("```python\na = '```'\n```", "a = '"),
        ("```python\na\n```\ntext\n```python\nb\n```", "a"),
        ("```python\ndef f(): pass", "\ndef f(): pass"),  # unclosed: the line break stays
        ('def f(): pass\nif __name__ == "__main__":\n    f()', "def f(): pass"),
        ("def f(): pass\nif __name__ == '__main__':\n    f()", "def f(): pass\nif __name__ == '__main__':\n    f()"),
        ('x\nif (__name__ == "__main__"):\n', 'x\nif (__name__ == "__main__"):\n'),  # the script stops with an error
        ("def f(): pass\n# Example usage:\nf()", "def f(): pass"),
        ("def f(): pass\n# Test examples\nassert f()", "def f(): pass\n# Test examples\nassert f()"),
        ("\n  text", "\n  text"),
        ("", ""),
    ],
)
def test_humaneval(text: str, expected: str) -> None:
    assert humaneval(text, ANY) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\na = '```'\n```", "a = '```'"),
        ("```python\ra\r\n```", "a"),
        ("```python\nif a:\r\n    b\n```", "if a:\r\n    b"),  # carriage returns stay
        ("a\n# Test examples\nassert f()", "a"),
        ("a\nassert f()", "a\nassert f()"),
    ],
)
def test_mbpp(text: str, expected: str) -> None:
    assert mbpp(text, ANY) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\ndef f(): pass\nassert f()\n```", "def f(): pass"),
        ("def check():\n    my_assertion = 1", "def check():\n    my_"),  # the first "assert", wherever it is
        ("a\r\n# Test examples", "a\n# Test examples"),
    ],
)
def test_mbpp_plus(text: str, expected: str) -> None:
    assert mbpp_plus(text, ANY) == expected


def test_what_follows_the_marker_is_the_answer() -> None:
    header = "Below is an instruction that describes a task. ..."
    assert humaneval(f"{header}\n### Response:a\n### Response:b", ANY) == "a\n"
    assert humaneval("a\n### Response:b", ANY) == "b"
    assert mbpp(f"{header}\n### Response:a\n### Response:b", ANY) == "b"


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_every_released_completion_is_met_byte_for_byte() -> None:
    with gzip.open(DATA / "generations/wizardcoder15b_humaneval_greedy_59.8.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    differing = [row["task_id"] for row in rows if humaneval(row["all_code"], ANY) != row["completion"]]
    assert (len(rows), differing) == (164, [])
