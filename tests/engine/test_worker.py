"""A worker with any work: what it hands over, replays, reports and stops at. With lineages, see tests/evolve."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evolray.config import BudgetConfig, EngineConfig
from evolray.engine import worker as worker_module
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Snapshot, Stop
from evolray.engine.spending import spent
from evolray.engine.work import Work
from evolray.engine.worker import first_of
from evolray.errors import EndpointError
from evolray.method.teacher import Call, Completion, Teacher, TeacherError
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.layout import Folder, open_folder
from tests.engine.in_process import run_shards
from tests.engine.small import answers, words, write_words

WORDS = (("lamp", "river", "garden"), ("poem", "bridge"))


@pytest.fixture(autouse=True)
def quick_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "EXCHANGE_SECONDS", 0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = open_folder(str(tmp_path / "run"))
    for shard, some in enumerate(WORDS):
        write_words(folder, shard, some)
    return folder


@dataclass
class Ran:
    finished: dict[int, Accounts]
    stop: Stop | None
    last: Snapshot


def run(folder: Folder, work: Work[Any, Any], budget: BudgetConfig | None = None) -> Ran:
    shown: list[Snapshot] = []
    coordinator = Coordinator(work, budget or BudgetConfig(), Accounts(), spent(folder, [], [0, 1]))
    finished, stop = run_shards(work, coordinator, folder, [0, 1], EngineConfig(), shown.append)
    return Ran(finished, stop, shown[-1])


def louder(call: Call) -> Completion:
    return Completion(call.messages[0].content + "!", "stop", 10, 1, "m")


def test_outcomes_are_written_in_the_order_of_the_items_whatever_the_order_of_answers(folder: Folder) -> None:
    async def late(call: Call) -> Completion:
        for _ in range(7 - len(call.root_id)):
            await asyncio.sleep(0)
        return louder(call)

    ran = run(folder, words(late))  # type: ignore[arg-type]
    assert ran.stop is None
    assert [answers(folder, shard) for shard in (0, 1)] == [
        ["lamp!", "lamp!!", "river!", "river!!", "garden!", "garden!!"], ["poem!", "poem!!", "bridge!", "bridge!!"]
    ]  # fmt: skip
    assert {shard: accounts.total("kept") for shard, accounts in ran.finished.items()} == {0: 6, 1: 4}
    assert ran.finished[1].usage == {"respond": Usage(2, 20, 2), "judge": Usage(2, 20, 2)}


def test_progress_counts_outcomes_and_pays_only_for_what_was_asked(folder: Folder) -> None:
    first = run(folder, words(louder), BudgetConfig(calls=7))
    assert first.stop is not None and first.stop.kind == "out_of_budget"
    assert first.last.calls == 7
    asked = Counter[tuple[str, int]]()

    def noting(call: Call) -> Completion:
        asked[call.root_id, call.generation] += 1
        return louder(call)

    again = run(folder, words(noting))
    assert sum(asked.values()) == 10 - 7
    assert again.last.calls == 10
    assert again.last.accounts.total("kept") == 10
    assert sum(usage.calls for accounts in again.finished.values() for usage in accounts.usage.values()) == 10


def test_failed_calls_are_in_no_ledger_and_asked_again(folder: Folder) -> None:
    asked: list[str] = []

    def flaky(call: Call) -> Completion | Exception:
        asked.append(call.root_id)
        return TeacherError(call.record_id, "timeout", "") if call.root_id == "river" else louder(call)

    ran = run(folder, words(flaky))
    assert answers(folder, 0) == ["lamp!", "lamp!!", "failed: timeout", "garden!", "garden!!"]
    assert (ran.finished[0].total("kept"), ran.finished[0].total("failed")) == (4, 1)
    asked.clear()
    run(folder, words(flaky))
    assert asked == ["river"]


def test_an_endpoint_that_ends_the_run_leaves_what_was_answered(folder: Folder) -> None:
    def refuse(call: Call) -> Completion | Exception:
        return EndpointError("the key is refused") if call.root_id == "poem" else louder(call)

    ran = run(folder, words(refuse))
    assert ran.stop == Stop("endpoint", "the key is refused")
    assert 1 not in ran.finished


def test_work_that_breaks_is_named(folder: Folder) -> None:
    class Broken(type(words(louder))):  # type: ignore[misc]
        async def run(self, item: str, teacher: Teacher, ended: Callable[[str], None]) -> None:
            raise KeyError("colour")

    work = words(louder)
    ran = run(folder, Broken(work.roles, work.groups))
    assert ran.stop is not None and ran.stop.kind == "error"
    assert "KeyError: 'colour' (a bug, in evolray or in a script)" in ran.stop.message


def test_work_says_which_answers_of_earlier_attempts_it_takes(folder: Folder) -> None:
    class Forgetful(type(words(louder))):  # type: ignore[misc]
        def known(self, folder: Folder, shard: int) -> dict[str, Any]:
            return {key: entry for key, entry in super().known(folder, shard).items() if entry.purpose == "respond"}

    run(folder, words(louder))
    asked: list[str] = []

    def noting(call: Call) -> Completion:
        asked.append(call.purpose)
        return louder(call)

    work = words(noting)
    run(folder, Forgetful(work.roles, work.groups))
    assert asked == ["judge"] * 5


def test_items_that_are_none_make_an_empty_shard(folder: Folder) -> None:
    write_words(folder, 0, [])
    assert run(folder, words(louder)).finished[0].outcomes == Counter()
    assert answers(folder, 0) == []


def test_of_several_errors_one_of_evolrays_own_comes_first() -> None:
    ours, other = EndpointError("gone"), ValueError("x")
    groups: Sequence[BaseExceptionGroup[BaseException]] = (
        BaseExceptionGroup("", [other, BaseExceptionGroup("", [KeyError("y"), ours])]),
        BaseExceptionGroup("", [BaseExceptionGroup("", [other]), KeyError("y")]),
    )
    assert [first_of(group) for group in groups] == [ours, other]
