"""What a call is called in the ledger, and which roles share a teacher."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from evolray.config import ModelConfig
from evolray.engine.roles import make_roles
from evolray.engine.teachers import RememberingTeacher, Teachers
from evolray.method.teacher import Call, Completion, Purpose
from evolray.pool.ledger import Entry
from evolray.records import Turn
from tests.engine.small import words

CALL = Call("judge", "0123456789abcdef", 2, (Turn("user", "Who?"), Turn("user", "Söme \ud800 text")), 1)


def key(call: Call, **model: Any) -> str:
    """The key under which the answer to the call is written down."""
    settings = ModelConfig(kind="endpoint", model="m", base_url="http://localhost:1/v1", **model)
    roles, _ = make_roles({call.purpose: ("teacher", settings)})
    written: list[Entry] = []

    async def complete(call: Call, priority: int) -> Completion:
        return Completion("x")

    teachers: Any = SimpleNamespace(by_purpose={call.purpose: SimpleNamespace(complete=complete)})
    ledger: Any = SimpleNamespace(append=written.append)
    asyncio.run(RememberingTeacher(roles, teachers, 0, {}, ledger, lambda purpose, usage: None).complete(call))
    return written[0].key


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        ("evolve", "97645f217a27c8e52371cf18e4a4f03e"),
        ("judge", "b4d7f5e78a033bb457c0dfd67582e895"),
        ("respond", "2d33c3ece71d4d396b28b5f45a4ee103"),
    ],
)
def test_calls_are_called_what_they_were_called_in_the_first_ledgers(purpose: Purpose, expected: str) -> None:
    """So that runs of earlier versions go on without asking anything again."""
    messages = (Turn("user", "Who?"), Turn("assistant", "I."), Turn("user", "Söme \ud800 text"))
    call = Call(purpose, "0123456789abcdef", 2, messages, 1)
    model = {"temperature": 0.0} if purpose == "judge" else {}
    assert key(call, extra_body={"seed": 1}, **model) == expected


def test_samples_are_called_what_they_were_called_before_calls_had_a_temperature() -> None:
    call = Call("sample", "HumanEval/0", 0, (Turn("user", "Who?"),), 1, max_tokens=300, stop=("\n###",))
    assert key(call, temperature=0.0) == "2812352b110f3345bf1a424e22e1618e"
    assert key(replace(call, temperature=0.0), temperature=0.0) != key(call, temperature=0.0)


@pytest.mark.parametrize(
    "other",
    [
        {"purpose": "respond"}, {"root_id": "f" * 16}, {"generation": 3}, {"attempt": 0}, {"messages": ()},
        {"messages": (Turn("user", "Who?"),)}, {"prompt": ""}, {"prompt": "Who?"}, {"max_tokens": 7}, {"stop": ("a",)},
        {"temperature": 0.0}, {"temperature": 0.7},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_is_asked_otherwise_is_another_call(other: dict[str, Any]) -> None:
    assert key(replace(CALL, **other)) != key(CALL)


def test_a_limit_a_stop_and_a_temperature_are_told_apart() -> None:
    base = replace(CALL, prompt="def f():", messages=())
    others = [{}, {"max_tokens": 7}, {"max_tokens": 8}, {"stop": ("a",)}, {"stop": ("a", "b")}, {"stop": ("ab",)}]
    others += [{"temperature": 0.0}, {"temperature": 0.7}, {"temperature": 7.0}, {"max_tokens": 7, "temperature": 0.7}]
    assert len({key(replace(base, **other)) for other in others}) == len(others)  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", [{"temperature": 0.3}, {"model": "n"}, {"system": None}, {"extra_body": {"k": 1}}])
def test_another_model_or_setting_is_another_call(setting: dict[str, Any]) -> None:
    settings = {"model": "m", **setting}
    assert key_of(**settings) != key_of(model="m")


def key_of(**model: Any) -> str:
    roles, _ = make_roles({"judge": ("teacher", ModelConfig(base_url="http://localhost:1/v1", **model))})
    return roles["judge"].fingerprint


def test_roles_with_the_same_settings_share_a_teacher() -> None:
    async def build(**judge: Any) -> dict[Any, Any]:
        return Teachers(words(lambda call: "x", **judge)).by_purpose

    same = asyncio.run(build())
    assert same["judge"] is same["respond"]
    other = asyncio.run(build(temperature=0.0))
    assert other["judge"] is not other["respond"]
