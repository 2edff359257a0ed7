"""What stands around lm-eval in its process: a count of answers that changes none, and of prompts that were cut."""

from typing import Any

import numpy as np

from evolray.evaluate.knowledge.inside import _listen, _plain, _truncated
from evolray.evaluate.knowledge.job import Stage


class Cache:
    def __init__(self, kept: Any = None) -> None:
        self.dbdict, self.told = kept, list[Any]()

    def add_partial(self, kind: str, request: Any, answer: Any) -> None:
        self.told.append((kind, request, answer))


class Database:
    commits = 0

    def commit(self) -> None:
        self.commits += 1


class Model:
    """Answers as lm-eval's models do, and tells its cache. A token is a character."""

    max_length = 10

    def __init__(self) -> None:
        self.cache_hook: Any = Cache()

    def set_cache_hook(self, cache: Any) -> None:
        self.cache_hook = cache

    def loglikelihood(self, requests: list[str], disable_tqdm: bool = False) -> list[int]:
        for one in requests:
            self.cache_hook.add_partial("loglikelihood", one, len(one))
        return [len(one) for one in requests]

    loglikelihood_rolling = generate_until = loglikelihood

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[str], list[str]]:
        return list(context), list(continuation)


def test_answers_are_counted_and_handed_on() -> None:
    model, stage, kept = Model(), Stage(), Cache(Database())
    _listen(model, stage)
    assert model.loglikelihood(["a", "bb"]) == [1, 2]
    assert stage.line == "2 of 2 requests answered"
    model.set_cache_hook(kept)  # as lm-eval does for an endpoint
    assert model.generate_until(["ccc"], disable_tqdm=True) == [3]
    assert kept.told == [("loglikelihood", "ccc", 3)]
    assert stage.line == "3 of 3 requests answered"
    stage.before_end()
    assert kept.dbdict.commits == 1


def test_prompts_that_were_cut_are_counted() -> None:
    fits, long, longer = ("x" * 8, "yy"), ("x" * 9, "yy"), ("x" * 9, "yyy")
    written = ("x" * 99, {"until": []})
    samples = {"task": [{"arguments": [fits, long, longer]}, {"arguments": [written]}]}
    assert _truncated(Model(), by_endpoint=True, samples=samples) == 2
    assert _truncated(Model(), by_endpoint=False, samples=samples) == 1  # the last token of all is no input


def test_results_are_plain() -> None:
    config = {"process_docs": test_prompts_that_were_cut_are_counted, "n": np.int64(3), "tags": {"b", "a"}}
    assert _plain({"config": config, "x": np.float64(0.1)}) == {
        "config": {"process_docs": "test_prompts_that_were_cut_are_counted", "n": 3, "tags": ["a", "b"]}, "x": 0.1
    }  # fmt: skip
