"""What the end-to-end tests of evolution share: seeds, and the command as a user runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

THINGS = ("lamp", "river", "garden", "engine", "poem", "bridge", "market", "island", "violin", "harbour")


@pytest.fixture
def seed_rows() -> Callable[[int], list[dict[str, str]]]:
    """So many seeds that differ from each other; every third has no response of its own."""

    def rows(number: int) -> list[dict[str, str]]:
        return [
            {
                "instruction": f"Explain what makes {THINGS[n % len(THINGS)]} number {n} useful to visitors.",
                "output": f"Number {n} is useful because it is there." if n % 3 else "",
            }
            for n in range(number)
        ]

    return rows


@pytest.fixture
def seed_file(tmp_path: Path) -> Callable[[list[dict[str, str]]], str]:
    """Writes rows to a new JSONL file and returns its path."""
    written = 0

    def write(rows: list[dict[str, str]]) -> str:
        nonlocal written
        written += 1
        path = tmp_path / f"seeds-{written}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def evolve_command() -> Callable[..., subprocess.Popen[str]]:
    """Starts `evolray evolve ...` in a process of its own, with a Ray of its own."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "evolray.cli", "evolve", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start
