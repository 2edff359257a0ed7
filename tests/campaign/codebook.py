"""A teacher behind HTTP, and students that learn by heart: names and their numbers.

Each root asks for a name's first number; generation 1 and 2 ask for its second and third one, with the right answer, so
that a student of more generations answers more of the development set. Generation 3 is noise: a long row of digits per
name, in which the same few steps of training get lost, and the score falls.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

NAMES = ("amber", "birch", "cedar", "delta", "ember", "flint", "grove", "haven")
PLACES = ("first", "second", "third")
NOISE = 300  # numbers in a row
MODEL = "codebook"


def question(name: str, generation: int) -> str:
    if generation < len(PLACES):
        return f"Which number of {name} is the {PLACES[generation]} one in the book?"
    return f"Recite the whole long row of {name} from the end of the book."


def number(name: str, generation: int) -> int:
    return 10 + 3 * NAMES.index(name) + 27 * generation


def answer(name: str, generation: int) -> str:
    if generation < len(PLACES):
        return f"The answer is: {number(name, generation)}"
    numbers = Random(name).choices(range(10, 91), k=NOISE)
    return f"{' '.join(map(str, numbers))} The answer is: {numbers[0]}"


def write_seeds(path: Path) -> Path:
    rows = [{"instruction": question(name, 0), "response": answer(name, 0)} for name in NAMES]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def write_dev(path: Path) -> Path:
    rows = [
        {"question": question(name, generation), "answer": f"#### {number(name, generation)}"}
        for generation in range(len(PLACES))
        for name in NAMES
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def reply(prompt: str) -> str:
    """What the teacher says: a rewritten instruction, a verdict or a response."""
    asked = [(name, place) for name in NAMES for place in range(len(PLACES) + 1) if question(name, place) in prompt]
    if len(asked) == 2:
        return "Not Equal"
    name, generation = asked[0]
    return answer(name, generation) if "#Solution#" in prompt else question(name, generation + 1)


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
