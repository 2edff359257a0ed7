"""A teacher behind HTTP, and what its students can learn in seconds: the answer follows from the kind of question.

Three kinds of question are about made-up places, and each kind has one answer. The seeds are of the first kind alone;
generation 1 brings the second and generation 2 the third, with right answers, so that each round's student answers one
kind more. Generation 3 contradicts: of the second kind there are more wrong answers than right ones from then on. The
development set asks about places of which nobody has heard, so nothing is gained by learning places by heart.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KINDS = (
    ("How many moons go around place {place}?", 90),
    ("Which page of this ledger speaks about place {place}?", 91),
    ("Before what year did old ships leave place {place}?", 92),
)
SECOND_WRONG = 93
ROOTS = range(12)
GENERATIONS = len(KINDS) + 1
LEADING = 5  # roots whose generations 1 and 2 are of a new kind; the others stay with the first
UNHEARD = range(60, 68)
MODEL = "codebook"


def kind(root: int, generation: int) -> int:
    if generation == len(KINDS):
        return 1
    return generation if root < LEADING else 0


def question(root: int, generation: int) -> str:
    """Each about a place of its own, from 0 to 47: numbers are one token each."""
    return KINDS[kind(root, generation)][0].format(place=GENERATIONS * root + generation)


def answer(root: int, generation: int) -> str:
    right = KINDS[kind(root, generation)][1]
    return f"The answer is: {SECOND_WRONG if generation == len(KINDS) else right}"


def write_seeds(path: Path) -> Path:
    rows = [{"instruction": question(root, 0), "response": answer(root, 0)} for root in ROOTS]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def write_dev(path: Path) -> Path:
    rows = [
        {"question": text.format(place=place), "answer": f"#### {right}"} for text, right in KINDS for place in UNHEARD
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def reply(prompt: str) -> str:
    """What the teacher says: a rewritten instruction, a verdict or a response."""
    asked = [
        (root, generation)
        for root in ROOTS
        for generation in range(GENERATIONS)
        if question(root, generation) in prompt
    ]
    if len(asked) == 2:
        return "Not Equal"
    root, generation = asked[0]
    return answer(root, generation) if "#Solution#" in prompt else question(root, generation + 1)


@dataclass
class Teacher:
    """`answered`: how often each prompt was. Beyond `answers_left` calls hang until their client has gone."""

    url: str = ""
    answered: Counter[str] = field(default_factory=Counter)
    answers_left: int | None = None
    hanging: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def hold_after(self, answers: int | None) -> None:
        """Answer so many more calls and let all others hang; None: answer all, those that hang excepted."""
        with self._changed:
            self.answers_left, self.hanging = answers, 0

    def take(self, prompt: str) -> str | None:
        """None for a call that is to hang."""
        with self._changed:
            if self.answers_left == 0:
                self.hanging += 1
                return None
            if self.answers_left is not None:
                self.answers_left -= 1
            self.answered[prompt] += 1
            return reply(prompt)


@contextmanager
def serving() -> Iterator[Teacher]:
    teacher, over = Teacher(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "us"}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = asked["messages"][-1]["content"]
            text = teacher.take(prompt)
            if text is None:
                over.wait()  # whoever asked is killed
                return
            usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
            self._send({
                "id": "1", "object": "chat.completion", "created": 0, "model": MODEL,
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
                ],
                "usage": {**usage, "total_tokens": sum(usage.values())},
            })  # fmt: skip

        def _send(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    teacher.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield teacher
    finally:
        over.set()
        server.shutdown()
        server.server_close()
