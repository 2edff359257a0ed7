"""Evolution by a worker without a cluster: outcomes, resume, stops, budgets and retries, to the single call."""

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evolray.config import EvolveConfig, from_mapping
from evolray.engine import worker as worker_module
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Orders, Report, ShardResult, Stop
from evolray.engine.worker import Worker
from evolray.errors import EndpointError, EvolrayError
from evolray.evolve.plan import make_plan
from evolray.evolve.work import Plan
from evolray.method.evolution import evolve_lineage
from evolray.method.teacher import Call, Completion, TeacherError
from evolray.pool.accounts import Accounts, Usage
from evolray.pool.intake import take_in
from evolray.pool.layout import LocalFolder, shards_in
from evolray.pool.ledger import AppendedLedger, Entry, read_ledger
from evolray.pool.shards import read_accounts, read_records, read_rows, read_seed_shard
from evolray.records import Eliminated, Outcome, Record
from evolray.teachers.scripted import Answer
from evolray.teachers.simulated import SimulatedTeacher

Name = tuple[str, str, int]
Answerer = Callable[[Call], Answer | Awaitable[Answer]]
SIMULATED = SimulatedTeacher(flaws=0.2)
GENERATIONS = 3
REFUSED_KEY = EndpointError("http://localhost:1/v1 refuses the key in OPENAI_API_KEY (HTTP 401)")


def name(call: Call) -> Name:
    return call.record_id, call.purpose, call.attempt


def simulated(call: Call) -> Completion:
    return SIMULATED.answer(call.messages)


@dataclass
class Asked:
    """A script that notes which calls were asked and which of them were answered."""

    answer: Answerer = simulated
    asked: Counter[Name] = field(default_factory=Counter)
    answered: Counter[Name] = field(default_factory=Counter)

    async def __call__(self, call: Call) -> Answer:
        self.asked[name(call)] += 1
        result = self.answer(call)
        answer = result if isinstance(result, str | Completion | Exception) else await result
        if not isinstance(answer, Exception):
            self.answered[name(call)] += 1
        return answer


@dataclass
class Bench:
    """A run directory, and one worker after the other to work on it."""

    folder: LocalFolder
    seeds: str
    settings: dict[str, Any] = field(default_factory=dict)
    coordinator: Coordinator = field(init=False)
    on_stop: Callable[[], None] = lambda: None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def config(self, **settings: Any) -> EvolveConfig:
        values = {
            "run": self.folder.url,
            "seeds.path": self.seeds,
            "generations": GENERATIONS,
            "engine.shard_size": 6,
            "teacher.kind": "scripted",
            **self.settings,
            **{key.replace("__", "."): value for key, value in settings.items()},
        }
        return from_mapping(EvolveConfig, values)

    def run(self, script: Any, **settings: Any) -> dict[int, Accounts | None]:
        """Let a worker do every shard that the run directory lacks, all of them open at once."""
        config = self.config(**settings)
        plan = make_plan(config, script=script)
        intake = take_in(self.folder, config.seeds, config.engine.shard_size)
        done = [] if plan.retry_failed else shards_in(self.folder, "pool")
        self.coordinator = Coordinator(plan, config.budget, Accounts(), self.spent())

        async def exchange(report: Report) -> Orders:
            orders = self.coordinator.exchange(report, time.monotonic())
            if orders.stop:
                self.tasks.append(asyncio.create_task(self.later()))
            return orders

        todo = [shard for shard in sorted(intake.shards) if shard not in done]
        return {result.shard: result.accounts for result in work(plan, self.folder, exchange, todo)}

    async def later(self) -> None:
        """A while after the worker has heard of the stop."""
        for _ in range(50):
            await asyncio.sleep(0)
        self.on_stop()

    def spent(self) -> dict[str, Usage]:
        accounts = Accounts()
        for entry in self.ledger().values():
            accounts.spend(entry.purpose, Usage(1, entry.prompt_tokens, entry.completion_tokens))
        return accounts.usage

    def ledger(self) -> dict[str, Entry]:
        return {
            key: entry
            for shard in shards_in(self.folder, "seeds")
            for key, entry in read_ledger(self.folder, shard).items()
        }

    def files(self) -> dict[str, bytes]:
        """What the shards left, but for the ledger."""
        kinds = ("pool", "eliminated", "failed")
        return {
            f"{kind}/{file}": self.folder.read(f"{kind}/{file}") for kind in kinds for file in self.folder.names(kind)
        }

    def failed(self) -> int:
        return sum(read_accounts(self.folder, shard)[0].total("failed") for shard in shards_in(self.folder, "pool"))


def work(
    plan: Plan, folder: LocalFolder, exchange: Callable[[Report], Awaitable[Orders]], shards: list[int]
) -> list[ShardResult]:
    worker = Worker("worker", plan, folder, exchange)
    try:
        with ThreadPoolExecutor(max(1, len(shards))) as threads:
            return list(threads.map(worker.run_shard, shards))
    finally:
        worker.close()


@pytest.fixture(autouse=True)
def quick_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "EXCHANGE_SECONDS", 0.005)


@dataclass(frozen=True)
class Whole:
    """A run that nothing disturbed: its directory, its calls, and what its shards left."""

    folder: LocalFolder
    seeds: str
    calls: Counter[Name]
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    path = tmp_path_factory.mktemp("whole")
    rows = [
        {"instruction": f"Explain what makes lamp number {n} useful.", "output": "It shines." if n % 3 else ""}
        for n in range(20)
    ]
    (path / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench, asked = Bench(LocalFolder(str(path / "run")), str(path / "seeds.jsonl")), Asked()
    assert all(bench.run(asked).values())
    assert set(asked.asked.values()) == {1}
    return Whole(bench.folder, bench.seeds, asked.asked, bench.files())


@pytest.fixture
def bench(tmp_path: Path, whole: Whole) -> Bench:
    """A new run directory for the same 20 seeds, in four shards."""
    return Bench(LocalFolder(str(tmp_path / "run")), whole.seeds)


@pytest.fixture
def finished(tmp_path: Path, whole: Whole) -> Bench:
    """A copy of the whole run, to be damaged."""
    shutil.copytree(whole.folder.path, tmp_path / "run")
    return Bench(LocalFolder(str(tmp_path / "run")), whole.seeds)


# --- what a shard becomes ---------------------------------------------------------------------------------------------


def test_a_shard_becomes_what_its_lineages_become(bench: Bench) -> None:
    finished = bench.run(None, teacher__kind="simulated", teacher__flaws=0.2)
    assert sorted(finished) == [0, 1, 2, 3]
    plan = make_plan(bench.config(), script=simulated)
    for shard, accounts in finished.items():
        outcomes: list[Outcome] = []
        for seed in read_seed_shard(bench.folder, shard):
            outcomes += asyncio.run(evolve_lineage(seed, plan.method, SIMULATED))
        kept = [one for one in outcomes if isinstance(one, Record)]
        eliminated = [one for one in outcomes if isinstance(one, Eliminated)]
        assert sorted(read_records(bench.folder, shard), key=lambda one: one.id) == sorted(kept, key=lambda one: one.id)
        rows = read_rows(bench.folder, f"eliminated/{shard:05d}.parquet")
        assert sorted((row["id"], row["reason"]) for row in rows) == sorted((one.id, one.reason) for one in eliminated)
        assert len(kept) + len(eliminated) == len(outcomes)
        assert accounts is not None
        assert (accounts.total("kept"), accounts.total("eliminated")) == (len(kept), len(eliminated))
        assert accounts.to_json() == read_accounts(bench.folder, shard)[0].to_json()


def test_the_accounts_name_every_call_and_its_tokens(bench: Bench) -> None:
    asked = Asked()
    finished = bench.run(asked)
    used, seen = Counter[str](), Counter[str]()
    for accounts in finished.values():
        assert accounts is not None
        accounts.check()
        used.update({purpose: usage.calls for purpose, usage in accounts.usage.items()})
    for _, purpose, _ in asked.asked:
        seen[purpose] += 1
    assert used == seen
    assert used["evolve"] == 20 * GENERATIONS
    snapshot = bench.coordinator.snapshot()
    assert snapshot.calls == asked.asked.total()
    assert snapshot.prompt_tokens == sum(entry.prompt_tokens for entry in bench.ledger().values())
    assert (snapshot.in_flight, snapshot.shards_open, bench.coordinator.stopped) == (0, 0, None)
    assert snapshot.accounts.outcomes.total() == 20 * (GENERATIONS + 1)


def test_every_answer_is_in_the_ledger_before_the_next_question_of_its_lineage(bench: Bench) -> None:
    missing: list[Name] = []
    answered: dict[str, set[Name]] = {}

    def look(call: Call) -> Completion:
        known = {(entry.record_id, entry.purpose) for entry in bench.ledger().values()}
        before = answered.setdefault(call.root_id, set())
        missing.extend(one for one in before if one[:2] not in known)
        before.add(name(call))
        return simulated(call)

    bench.run(look, generations=1)
    assert sum(map(len, answered.values())) > 40
    assert missing == []


def test_the_order_of_answers_does_not_matter(bench: Bench, whole: Whole) -> None:
    async def late(call: Call) -> Completion:
        for _ in range(int(call.root_id, 16) % 7):
            await asyncio.sleep(0)
        return simulated(call)

    bench.run(late, teacher__max_in_flight=3)
    assert bench.files() == whole.files


def test_the_limit_of_calls_in_flight_holds(bench: Bench) -> None:
    now, most = 0, 0

    async def watched(call: Call) -> Completion:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return simulated(call)

    bench.run(watched, teacher__max_in_flight=5, generations=1)
    assert most == 5


# --- going on ---------------------------------------------------------------------------------------------------------


def test_a_shard_whose_files_are_lost_is_made_again_without_a_call(finished: Bench, whole: Whole) -> None:
    for kind in ("pool", "eliminated", "failed"):
        shutil.rmtree(finished.folder.path / kind)
    again = Asked()
    finished.run(again)
    assert again.asked.total() == 0
    assert finished.coordinator.snapshot().calls == whole.calls.total()  # what was paid before, and nothing more
    assert finished.files() == whole.files


@pytest.mark.parametrize("lost", [1, 5])
def test_only_what_the_ledger_lacks_is_asked_again(finished: Bench, whole: Whole, lost: int) -> None:
    """Some lines of every ledger file are gone, and half of the last one, as after a crash."""
    known = set(finished.ledger())
    for file in finished.folder.path.glob("ledger/*/*.jsonl"):
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(line for n, line in enumerate(lines) if n % (lost + 1))[:-20])
    shutil.rmtree(finished.folder.path / "pool")
    left = len(finished.ledger())
    assert 0 < left < len(known)
    again = Asked()
    finished.run(again)
    assert again.asked.total() == len(known) - left
    assert set(again.asked.values()) == {1}
    assert set(finished.ledger()) == known
    assert finished.files() == whole.files


def test_more_generations_ask_only_about_themselves(finished: Bench) -> None:
    shutil.rmtree(finished.folder.path / "pool")  # to the stage, a shard with too few generations is not finished
    more = Asked()
    finished.run(more, generations=GENERATIONS + 1)
    assert {record_id.partition(".g")[2] for record_id, _, _ in more.asked} == {str(GENERATIONS + 1)}
    assert more.asked.total() >= 20


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_answers_that_arrive_while_draining_are_kept(bench: Bench, whole: Whole) -> None:
    """The run is interrupted with calls in flight; they are answered only after the worker has heard of it."""
    held: list[asyncio.Future[None]] = []
    before_stop = 12  # fewer than any shard takes, so that none is finished by then

    async def hold_back(call: Call) -> Completion:
        if script.asked.total() > before_stop:
            held.append(asyncio.get_running_loop().create_future())
            if len(held) == 8:
                bench.coordinator.stop(Stop("interrupted", "interrupted"))
            await held[-1]
        return simulated(call)

    def release() -> None:
        for future in held:
            if not future.done():
                future.set_result(None)

    script = Asked(hold_back)
    bench.on_stop = release
    results = bench.run(script, teacher__max_in_flight=8)
    assert results == dict.fromkeys(range(4), None)
    assert len(held) == 8
    assert script.answered.total() == script.asked.total() == before_stop + 8
    assert {(one.record_id, one.purpose) for one in bench.ledger().values()} == {one[:2] for one in script.answered}
    assert shards_in(bench.folder, "pool") == []

    rest = Asked()
    bench.run(rest)
    assert rest.asked.total() == whole.calls.total() - script.answered.total()
    assert script.answered + rest.asked == whole.calls
    assert bench.files() == whole.files


def test_a_call_that_is_not_answered_in_time_is_dropped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "DRAIN_SECONDS", 0.0)
    cancelled: list[Name] = []

    async def never(call: Call) -> Completion:
        bench.coordinator.stop(Stop("interrupted", "interrupted"))
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(name(call))
            raise
        raise AssertionError

    assert bench.run(never, teacher__max_in_flight=4) == dict.fromkeys(range(4), None)
    assert len(cancelled) == 4
    assert bench.ledger() == {}


def test_a_refused_key_stops_every_open_shard_after_one_call_each(bench: Bench) -> None:
    script = Asked(lambda call: REFUSED_KEY)
    assert bench.run(script, teacher__max_in_flight=4) == dict.fromkeys(range(4), None)
    assert bench.coordinator.stopped == Stop("endpoint", str(REFUSED_KEY))
    assert script.asked.total() <= 20  # at most what was under way, never a record after the other
    assert bench.ledger() == {}
    assert shards_in(bench.folder, "pool") == []


def test_after_a_fatal_error_the_run_goes_on_with_what_was_answered(bench: Bench, whole: Whole) -> None:
    first = Asked(lambda call: simulated(call) if first.asked.total() < 60 else REFUSED_KEY)
    bench.run(first, teacher__max_in_flight=4)
    assert bench.coordinator.stopped is not None and bench.coordinator.stopped.kind == "endpoint"
    assert first.answered.total() == 59 == len(bench.ledger())
    rest = Asked()
    bench.run(rest)
    assert first.answered + rest.asked == whole.calls
    assert bench.files() == whole.files


def test_a_script_that_breaks_is_named(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def broken(call: Call) -> str:
        raise ValueError("unknown colour 'purpel'")

    assert bench.run(broken) == dict.fromkeys(range(4), None)
    stopped = bench.coordinator.stopped
    assert stopped is not None and stopped.kind == "error"
    assert "ValueError: unknown colour 'purpel'" in stopped.message and "script" in stopped.message


def test_a_ledger_that_cannot_be_written_stops_the_calls(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: AppendedLedger, entry: Entry) -> None:
        raise EvolrayError("ledger/00000: no space left.")

    monkeypatch.setattr(AppendedLedger, "append", full)
    script = Asked()
    assert bench.run(script, teacher__max_in_flight=2) == dict.fromkeys(range(4), None)
    assert bench.coordinator.stopped == Stop("error", "ledger/00000: no space left.")
    assert script.asked.total() <= 20
    assert shards_in(bench.folder, "pool") == []


def test_a_shard_that_cannot_be_written_leaves_its_answers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, whole: Whole
) -> None:
    write = LocalFolder.write

    def full(self: LocalFolder, name: str, data: bytes) -> None:
        if name.startswith("pool/"):
            raise EvolrayError(f"{name}: no space left.")
        write(self, name, data)

    with monkeypatch.context() as patched:
        patched.setattr(LocalFolder, "write", full)
        assert bench.run(simulated)[0] is None
    assert bench.coordinator.stopped is not None and "no space left" in bench.coordinator.stopped.message
    rest = Asked()
    bench.run(rest)
    assert bench.files() == whole.files


def test_a_worker_stops_when_the_coordinator_is_gone(bench: Bench) -> None:
    """The driver was killed: nobody would read the results, so no more calls are made."""
    config = bench.config()
    script = Asked()
    plan = make_plan(config, script=script)
    take_in(bench.folder, config.seeds, config.engine.shard_size)
    coordinator = Coordinator(plan, config.budget, Accounts(), {})

    async def exchange(report: Report) -> Orders:
        if script.asked.total() >= 10:
            raise ConnectionError("the actor died")
        return coordinator.exchange(report, time.monotonic())

    async def hang_after_ten(call: Call) -> Completion:
        if script.asked.total() > 10:
            await asyncio.get_running_loop().create_future()
        return simulated(call)

    script.answer = hang_after_ten
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker_module, "DRAIN_SECONDS", 0.0)
        results = work(plan, bench.folder, exchange, [0, 1, 2, 3])
    assert [result.accounts for result in results] == [None] * 4
    assert script.answered.total() == len(bench.ledger()) == 10


def test_a_worker_that_was_stopped_opens_no_more_shards(bench: Bench) -> None:
    config = bench.config()
    script = Asked()
    plan = make_plan(config, script=script)
    take_in(bench.folder, config.seeds, config.engine.shard_size)
    coordinator = Coordinator(plan, config.budget, Accounts(), {})
    coordinator.stop(Stop("interrupted", "interrupted"))

    async def exchange(report: Report) -> Orders:
        return coordinator.exchange(report, time.monotonic())

    results = work(plan, bench.folder, exchange, [0, 1, 2, 3])
    assert [result.accounts for result in results] == [None] * 4
    assert script.asked.total() == 0


# --- budgets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", [1, 37, 120])
def test_a_budget_of_calls_is_met_to_the_call_and_the_rest_resumes(bench: Bench, whole: Whole, calls: int) -> None:
    first = Asked()
    results = bench.run(first, budget__calls=calls)
    assert None in results.values()
    assert first.asked.total() == calls
    stopped = bench.coordinator.stopped
    assert stopped is not None and stopped.kind == "out_of_budget"
    assert f"{calls} of {calls} calls" in stopped.message

    again = Asked()
    bench.run(again, budget__calls=calls)  # nothing is left of it
    assert again.asked.total() == 0

    rest = Asked()
    assert all(bench.run(rest, budget__calls=whole.calls.total()).values())  # just enough
    assert bench.coordinator.stopped is None
    assert first.asked + rest.asked == whole.calls
    assert bench.files() == whole.files


def test_calls_that_fail_count_in_the_budget(bench: Bench) -> None:
    script = Asked(lambda call: TeacherError(call.record_id, "timeout", "no answer"))
    bench.run(script, budget__calls=15)
    assert script.asked.total() == 15
    assert bench.coordinator.stopped is not None and bench.coordinator.stopped.kind == "out_of_budget"


def test_a_budget_of_tokens_is_overspent_by_the_last_calls_at_most(bench: Bench) -> None:
    each = Completion("Not Equal", "stop", 60, 40, "m")
    script = Asked(lambda call: each)
    bench.run(script, budget__tokens=3000, teacher__max_in_flight=2)
    assert bench.coordinator.stopped is not None and bench.coordinator.stopped.kind == "out_of_budget"
    assert 3000 <= 100 * script.asked.total() <= 3000 + 2 * 100


def test_a_budget_of_money_follows_the_prices(bench: Bench) -> None:
    each = Completion("Not Equal", "stop", 60, 40, "m")
    script = Asked(lambda call: each)
    prices = {
        "teacher__price_per_million_prompt_tokens": 1000.0,
        "teacher__price_per_million_completion_tokens": 2000.0,
    }
    bench.run(script, budget__money=2.8, teacher__max_in_flight=1, **prices)  # 0.14 a call
    assert 20 <= script.asked.total() <= 21
    assert bench.coordinator.snapshot().cost == pytest.approx(0.14 * script.asked.total())
    assert bench.coordinator.stopped is not None and "of 2.8 money" in bench.coordinator.stopped.message


# --- retrying what failed ---------------------------------------------------------------------------------------------


def fails(call: Call) -> bool:
    """One call in nine or so, of every purpose."""
    return sum(name(call)[0].encode() + call.purpose.encode()) % 9 == 0


@pytest.mark.parametrize("purpose", ["evolve", "judge", "respond", None])
def test_a_retry_asks_what_failed_and_makes_the_pool_that_would_have_been(
    bench: Bench, whole: Whole, purpose: str | None
) -> None:
    def flaky(call: Call) -> Answer:
        if purpose in (None, call.purpose) and fails(call):
            return TeacherError(call.record_id, "timeout", "no answer in 300 s")
        return simulated(call)

    first = Asked(flaky)
    assert all(bench.run(first).values())
    assert bench.failed() > 0
    retry = Asked()
    bench.run(retry, retry_failed=True)
    assert bench.failed() == 0
    assert first.answered + retry.asked == whole.calls
    assert bench.files() == whole.files


def test_a_retry_that_fails_again_stays_failed_and_can_be_repeated(bench: Bench, whole: Whole) -> None:
    flaky = Asked(lambda call: TeacherError(call.record_id, "timeout", "x") if fails(call) else simulated(call))
    bench.run(flaky)
    before, failed = bench.files(), bench.failed()
    again = Asked(flaky.answer)
    bench.run(again, retry_failed=True)
    assert (bench.failed(), bench.files()) == (failed, before)
    assert again.answered.total() == 0 < again.asked.total()
    bench.run(simulated, retry_failed=True)
    assert bench.files() == whole.files


def test_verdicts_that_are_none_are_asked_for_again(bench: Bench, whole: Whole) -> None:
    unparsed = Asked(lambda call: "Hard to say." if call.purpose == "judge" else simulated(call))
    bench.run(unparsed, generations=1)
    judged = [one for one in unparsed.asked if one[1] == "judge"]
    assert bench.failed() == len(judged) / 3 > 0
    causes = {row["cause"] for shard in range(4) for row in read_rows(bench.folder, f"failed/{shard:05d}.parquet")}
    assert causes == {"unparsed_verdict"}

    again = Asked()
    bench.run(again, generations=1, retry_failed=True)
    assert bench.failed() == 0
    assert {one[:2] for one in again.asked if one[1] == "judge"} == {one[:2] for one in judged}
    assert {one[1] for one in again.asked} == {"judge", "respond"}
    assert again.asked.total() <= len(judged) / 3 * 2  # a verdict each, and a response for those that are kept


def test_a_retry_leaves_verdicts_alone_that_were_settled_at_a_second_attempt(bench: Bench) -> None:
    """An unreadable first answer is no failed call when the second one was a verdict."""

    def stammering(call: Call) -> Answer:
        if call.purpose == "judge" and call.attempt == 0:
            return "Hard to say."
        if call.purpose == "respond" and fails(call):
            return TeacherError(call.record_id, "timeout", "no answer")
        return simulated(call)

    first = Asked(stammering)
    bench.run(first, generations=1)
    failed = bench.failed()
    assert failed > 0
    retry = Asked()
    bench.run(retry, generations=1, retry_failed=True)
    assert bench.failed() == 0
    assert {one[1] for one in retry.asked} == {"respond"}
    assert retry.asked.total() == failed


def test_a_verdict_at_the_second_attempt_is_replayed_with_the_first(bench: Bench) -> None:
    asked = Asked(lambda call: "Hard to say." if call.purpose == "judge" and not call.attempt else simulated(call))
    bench.run(asked)
    before = bench.files()
    assert bench.failed() == 0 and any(attempt for _, _, attempt in asked.asked)
    shutil.rmtree(bench.folder.path / "pool")
    again = Asked()
    bench.run(again)
    assert again.asked.total() == 0
    assert bench.files() == before


def test_what_a_retry_settled_stays_settled(bench: Bench, whole: Whole) -> None:
    """The pool files are lost, or more generations are wanted: the ledger knows the better answer."""
    bench.run(lambda call: "Hard to say." if call.purpose == "judge" else simulated(call))
    bench.run(simulated, retry_failed=True)
    assert bench.files() == whole.files
    shutil.rmtree(bench.folder.path / "pool")
    again = Asked()
    bench.run(again)
    assert again.asked.total() == 0
    assert bench.failed() == 0
    assert bench.files() == whole.files


# --- small parts ------------------------------------------------------------------------------------------------------


def test_failed_lineages_are_counted_as_failed(bench: Bench) -> None:
    finished = bench.run(lambda call: TeacherError(call.record_id, "server_error", "HTTP 500"))
    outcomes = Counter[tuple[int, str]]()
    for accounts in finished.values():
        assert accounts is not None
        for (generation, _, fate, why), number in accounts.outcomes.items():
            if fate == "failed":
                outcomes[generation, why] += number
    assert outcomes[1, "server_error"] == 20
    assert outcomes[2, "earlier_generation"] == outcomes[3, "earlier_generation"] == 20
    rows = read_rows(bench.folder, "failed/00000.parquet")
    assert {row["message"] for row in rows if row["cause"] == "server_error"} == {"HTTP 500"}
