"""The parent's side of the helper process that compares formulas.

It starts with the first question, stays warm (importing sympy takes a second), and is replaced after a question that
it did not survive, so that a hostile pair costs itself a verdict and nobody else. Processor time is limited per
question by the process itself (`helper_main`); the parent keeps a wide limit of wall time beside it, which a loaded
machine does not reach.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from evolray.errors import EvolrayError
from evolray.evaluate.benchmark import Outcome

CPU_SECONDS = 5.0
WALL_SECONDS = 60.0
START_SECONDS = 120.0
MEMORY_MB = 2048
LONGEST_FORMULA = 10_000
"""Characters. Longer ones are not parsed: they are no answers, and the parsers recurse."""
QUESTIONS_PER_PROCESS = 2_000
"""The parsers' own caches grow with what they have seen."""


class Undecided(Exception):
    """The helper could not say whether two formulas are equal."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


class Helper:
    def __init__(
        self, *, cpu_seconds: float = CPU_SECONDS, wall_seconds: float = WALL_SECONDS, memory_mb: int = MEMORY_MB
    ) -> None:
        self._cpu_seconds, self._wall_seconds, self._memory_mb = cpu_seconds, wall_seconds, memory_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._received = b""
        self._asked = 0
        self.starts = 0

    @property
    def limits(self) -> dict[str, Any]:
        return {"cpu_seconds": self._cpu_seconds, "memory_mb": self._memory_mb, "longest_formula": LONGEST_FORMULA}

    def published_equal(self, prediction: str, reference: str) -> bool:
        """By the published grader's symbolic test. Raises Undecided."""
        return self._ask("published", prediction, reference)

    def verified_equal(self, prediction: str, reference: str) -> bool:
        """By math-verify. Raises Undecided."""
        return self._ask("verified", prediction, reference)

    def close(self) -> None:
        if self._process is None:
            return
        process, self._process, self._received, self._asked = self._process, None, b"", 0
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, test: str, prediction: str, reference: str) -> bool:
        if max(len(prediction), len(reference)) > LONGEST_FORMULA:
            return False
        if self._asked >= QUESTIONS_PER_PROCESS or (self._process is not None and self._process.poll() is not None):
            self.close()  # worn out, or something ended it between two questions
        process = self._process or self._start()
        self._asked += 1
        question = {"test": test, "prediction": prediction, "reference": reference}
        answer = self._exchange(process, json.dumps(question).encode() + b"\n")
        if "equal" in answer:
            return bool(answer["equal"])
        if answer["outcome"] == "memory":
            self.close()  # what was being built when memory ended is in an unknown state
        raise Undecided(answer["outcome"], answer["message"])

    def _exchange(self, process: subprocess.Popen[bytes], question: bytes) -> dict[str, Any]:
        assert process.stdin is not None
        try:
            process.stdin.write(question)
            process.stdin.flush()
            answer = self._line(process, self._wall_seconds)
        except BrokenPipeError:
            answer = None
        except TimeoutError:
            self.close()
            raise Undecided("timeout", f"the comparison took more than {self._wall_seconds:g} s") from None
        if answer is not None:
            return answer
        returned = process.wait()
        self.close()
        if returned == -signal.SIGXCPU:
            raise Undecided("timeout", f"the comparison took more than {self._cpu_seconds:g} s of processor time")
        raise Undecided("error", f"the comparison ended its process ({_ending(returned)})")

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "evolray.evaluate.math.helper_main"]
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "0"}
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [*command, str(self._cpu_seconds), str(self._memory_mb)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment,
                cwd="/", start_new_session=True,
            )  # fmt: skip
            self._process, self.starts = process, self.starts + 1
            try:
                ready = self._line(process, START_SECONDS)
            except TimeoutError:
                ready = None
            if ready is None:
                self.close()
                errors.seek(0)
                last = errors.read().decode(errors="replace").strip()[-500:]
                raise EvolrayError(
                    f"The helper process that compares formulas did not start: {last or 'no message'}. It needs sympy "
                    "and math-verify: pip install -e . -c constraints.txt installs them."
                )
        return process

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any] | None:
        """The next line, or None when the process ended. Raises TimeoutError."""
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        poll = select.poll()  # select() does not take the high numbers of a process with many files
        poll.register(process.stdout, select.POLLIN)
        while b"\n" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise TimeoutError
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                return None
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _ending(returned: int) -> str:
    return f"signal {-returned}" if returned < 0 else f"exit code {returned}"
