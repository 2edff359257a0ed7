"""Sandboxes of another user: takes calls from its input and gives the results back, as pickles, until it ends.

Started by `conftest.py` as a user without rights. Needs the standard library and evolray/evaluate/execution alone.
"""

import pickle
import sys
from typing import Any

from evolray.evaluate.execution import Limits, Sandbox


def main() -> None:
    sandboxes: dict[Limits, Sandbox] = {}
    while True:
        try:
            limits, method, arguments, keywords = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        answer: Any
        try:
            if limits not in sandboxes:
                sandboxes[limits] = Sandbox(limits)
            answer = getattr(sandboxes[limits], method)(*arguments, **keywords)
        except Exception as error:
            answer = error
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    for sandbox in sandboxes.values():
        sandbox.close()


main()
