"""The command line: what each command prints, its exit code, and that a key or password is in nothing it leaves.

Where a run has to be worked off, a worker in this process takes the place of Ray: everything else is the real thing.
"""

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import evolray
from evolray.cli import main
from evolray.engine import worker as worker_module
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Orders, Report, Stop, why_unfinished
from evolray.engine.work import Work
from evolray.engine.worker import Worker
from evolray.errors import BudgetError, EndpointError, EvolrayError, Interrupted, UserError
from evolray.evolve import stage
from evolray.method.teacher import Call, TeacherError
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder, open_folder
from evolray.pool.pool import Pool
from evolray.teachers.scripted import Answer
from evolray.teachers.simulated import SimulatedTeacher
from evolray.teachers.simulated.server import fetch, running
from evolray.teachers.simulated.settings import ServerSettings

pytestmark = pytest.mark.usefixtures("as_a_process_of_its_own")

Printed = Callable[[], tuple[str, str]]
KEY = "sk-open-sesame-0123456789"
ROOTS, GENERATIONS = 12, 2


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """What was printed since it was asked last: stdout and stderr."""
    return lambda: tuple(capsys.readouterr())


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The engine in this process. `before` is called first and may stop the run."""

    def run_shards(
        work: Work[Any, Any], coordinator: Coordinator, folder: Folder, shards: list[int], engine: Any, show: Any
    ) -> tuple[dict[int, Accounts], Stop | None]:
        stand_in.before(coordinator)

        async def exchange(report: Report) -> Orders:
            return coordinator.exchange(report, time.monotonic())

        worker = Worker("here", work, folder, exchange)
        with ThreadPoolExecutor(work.shards_in_flight(engine)) as threads:
            results = list(threads.map(worker.run_shard, shards))
        worker.close()
        show(coordinator.snapshot())
        finished = {result.shard: result.accounts for result in results if result.accounts}
        return finished, why_unfinished(shards, finished, coordinator.stopped)

    stand_in = SimpleNamespace(run_shards=run_shards, before=lambda coordinator: None)
    monkeypatch.setitem(sys.modules, "evolray.engine.on_ray", stand_in)  # type: ignore[arg-type]
    monkeypatch.setattr(sys.modules["evolray.engine"], "on_ray", stand_in, raising=False)
    monkeypatch.setattr("evolray.cluster.on_ray.cluster", nullcontext)
    monkeypatch.setattr(worker_module, "EXCHANGE_SECONDS", 0.005)
    return stand_in


@pytest.fixture
def seeds(tmp_path: Path) -> str:
    rows = [{"instruction": f"Explain number {n} to a child.", "output": "It is one."} for n in range(ROOTS)]
    path = tmp_path / "seeds.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[3], {"instruction": ""}]))
    return str(path)


@pytest.fixture
def command(tmp_path: Path, seeds: str) -> list[str]:
    """A run of the offline teacher, small enough for every test."""
    return [
        "evolve", f"run={tmp_path}/run", f"seeds.path={seeds}", f"generations={GENERATIONS}", "engine.shard_size=5",
        "teacher.kind=simulated", "teacher.flaws=0.2",
    ]  # fmt: skip


@pytest.fixture
def at_an_endpoint(command: list[str]) -> Callable[[str], list[str]]:
    return lambda base_url: [
        *command,
        "teacher.kind=endpoint",
        "teacher.model=simulated",
        f"teacher.base_url={base_url}",
    ]


@pytest.fixture(scope="module")
def locked_server() -> Iterator[str]:
    """A simulated endpoint that wants a key."""
    with running(ServerSettings(api_key=KEY)) as base_url:
        yield base_url


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def run_of(tmp_path: Path) -> Path:
    return tmp_path / "run"


def manifest(tmp_path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((run_of(tmp_path) / "manifest.json").read_text())
    return loaded


def everything_in(path: Path) -> bytes:
    """All bytes below a folder, with the texts of Parquet files, which compress them."""
    parts = []
    for file in path.rglob("*"):
        if file.is_file():
            parts += [str(file).encode(), file.read_bytes()]
            if file.suffix == ".parquet":
                table = pq.read_table(file)
                parts += [str(table.to_pylist()).encode("utf-8", "replace"), str(table.schema).encode()]
    return b"\n".join(parts)


# --- evolve -----------------------------------------------------------------------------------------------------------


def test_evolve_makes_a_pool_and_prints_its_accounts(
    here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed
) -> None:
    assert main(command) == 0
    said = manifest(tmp_path)
    assert (said["status"], said["shards"], said["failed"]) == ("complete", {"finished": 3, "all": 3}, 1)
    assert said["seeds"] == {"path": str(tmp_path / "seeds.jsonl"), "entries": ROOTS + 2, "roots": ROOTS}
    assert [row["in"] for row in said["accounts"]] == [ROOTS + 2, *[ROOTS] * GENERATIONS]
    assert said["accounts"][0]["eliminated"] == {"duplicate_seed": 1}
    assert said["accounts"][0]["failed"] == {"bad_seed": 1}
    for row in said["accounts"]:
        assert row["in"] == row["kept"] + sum(row["eliminated"].values()) + sum(row["failed"].values())
    assert sum(said["calls_by_purpose"].values()) == said["calls"] > 3 * ROOTS
    out, err = printed()
    assert f"{run_of(tmp_path)}: complete" in out
    assert f"{said['calls']} calls" in out and "duplicate_seed" in out and "not for training" in out
    assert f"evolving {ROOTS} roots, {GENERATIONS} generations" in err
    pool = Pool(str(run_of(tmp_path)))
    assert pool.digest() == said["digest"]
    assert len(list(pool.records())) == said["kept"]


def test_the_same_command_again_does_nothing_and_says_so(
    here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed
) -> None:
    main(command)
    before = {path: path.read_bytes() for path in run_of(tmp_path).rglob("*.parquet")}
    printed()

    def nobody(coordinator: Coordinator) -> None:
        raise AssertionError("nothing is left to be done")

    here.before = nobody
    assert main(command) == 0
    out, err = printed()
    assert "nothing to do, every shard is finished" in err
    assert "complete" in out
    assert {path: path.read_bytes() for path in run_of(tmp_path).rglob("*.parquet")} == before


def test_more_generations_go_on_with_a_finished_pool(here: SimpleNamespace, tmp_path: Path, command: list[str]) -> None:
    main(command)
    before = manifest(tmp_path)
    assert main([*command, "generations=3"]) == 0
    after = manifest(tmp_path)
    assert [row["in"] for row in after["accounts"]] == [ROOTS + 2, ROOTS, ROOTS, ROOTS]
    assert after["accounts"][:3] == before["accounts"]
    assert before["calls"] < after["calls"] <= before["calls"] + 3 * ROOTS


def test_more_seeds_are_all_that_is_asked_about(
    here: SimpleNamespace, tmp_path: Path, command: list[str], seeds: str
) -> None:
    main(command)
    before = {path: path.read_bytes() for path in (run_of(tmp_path) / "pool").iterdir()}
    with Path(seeds).open("a") as file:
        file.write(json.dumps({"instruction": "Explain yourself.", "output": "No."}) + "\n")
    assert main(command) == 0
    assert manifest(tmp_path)["shards"] == {"finished": 4, "all": 4}
    assert manifest(tmp_path)["seeds"]["roots"] == ROOTS + 1
    assert all(path.read_bytes() == data for path, data in before.items())


def test_dry_run_prints_calls_and_cost_and_neither_writes_nor_asks(
    tmp_path: Path, at_an_endpoint: Callable[[str], list[str]], closed_port: int, printed: Printed
) -> None:
    command = at_an_endpoint(f"http://127.0.0.1:{closed_port}/v1")
    assert main([*command, "dry_run=true", "teacher.price_per_million_completion_tokens=1000"]) == 0
    out, err = printed()
    calls = ROOTS * GENERATIONS * 3
    assert f"{ROOTS} roots x {GENERATIONS} generations: at most about {calls} calls, cost about" in out
    assert err == ""
    assert not run_of(tmp_path).exists()


def test_a_dry_run_from_python_asks_nobody_either(here: SimpleNamespace, tmp_path: Path, seeds: str) -> None:
    asked: list[Call] = []

    def script(call: Call) -> Answer:
        asked.append(call)
        return SimulatedTeacher().answer(call.messages)

    try:
        evolray.evolve(run=str(run_of(tmp_path)), seeds__path=seeds, script=script, dry_run=True)
    except UserError:
        pass  # to refuse it is as good
    assert asked == []


# --- exit codes -------------------------------------------------------------------------------------------------------


def test_every_error_has_its_exit_code(monkeypatch: pytest.MonkeyPatch, command: list[str], printed: Printed) -> None:
    for error, code in ((EvolrayError, 1), (UserError, 2), (EndpointError, 3), (BudgetError, 4), (Interrupted, 130)):

        def fail(config: object, error: type[EvolrayError] = error) -> None:
            raise error(f"a message for {error.__name__}")

        monkeypatch.setattr(stage, "evolve", fail)
        assert main(command) == code
        out, err = printed()
        assert out == ""
        assert err.splitlines()[0] == f"evolray: a message for {error.__name__}"
        assert len(err.splitlines()) == (2 if error is Interrupted else 1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["generatoins=3"], "did you mean generations?"),
        (["teacher.modle=m"], "did you mean teacher.model?"),
        (["nowhere.yaml"], "nowhere.yaml: no such config file"),
        (["generations=many"], "generations"),
        (["generations=0"], "generations=0: expected 1 or more"),
        (["domain=poetry"], "domain=poetry: expected open, code, math"),
        (["seeds.path=nowhere.jsonl"], "nowhere.jsonl"),
        (["seeds.turn=middle"], "seeds.turn"),
        (["run="], "run is empty"),
        (["run=nosuch://bucket/run"], "cannot open this URL"),
        (["teacher.kind=endpoint"], "teacher.model is missing"),
        (["teacher.kind=endpoint", "teacher.model=m"], "set the environment variable OPENAI_API_KEY"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_mistake_of_the_user_is_2_and_one_line(
    here: SimpleNamespace, command: list[str], printed: Printed, more: list[str], said: str
) -> None:
    assert main([*command, *more]) == 2
    out, err = printed()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("evolray: ") and said in err


def test_a_missing_run_is_named(seeds: str, printed: Printed) -> None:
    assert main(["evolve", f"seeds.path={seeds}", "teacher.kind=simulated"]) == 2
    assert "run is missing; give it as run=VALUE" in printed()[1]


def test_a_mistake_in_the_first_command_does_not_bind_the_second(
    here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed
) -> None:
    """No seed was read, so nothing was made that other settings could contradict."""
    assert main([*command, "seeds.path=nowhere.jsonl"]) == 2
    assert main([*command, "seed=7", "domain=math"]) == 0, printed()[1]


def test_another_setting_for_the_same_run_is_refused_by_name(
    here: SimpleNamespace, command: list[str], printed: Printed
) -> None:
    main(command)
    printed()
    for setting, named in (("seed=3", "seed=0"), ("domain=math", "domain=open"), ("generations=1", "generations=2")):
        assert main([*command, setting]) == 2
        err = printed()[1]
        assert f"was made with {named} and would now go on with {setting}" in err


def test_a_run_that_another_process_works_on_is_left_alone(
    here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed
) -> None:
    from evolray.pool.layout import hold

    with hold(open_folder(str(run_of(tmp_path)))):
        assert main(command) == 2
    assert "another run is working on it" in printed()[1]
    assert main(command) == 0


@pytest.mark.parametrize("argv", [[], ["evolv"], ["show"], ["status", "a", "b"]])
def test_a_command_that_is_none_shows_the_usage(argv: list[str], printed: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage: evolray" in printed()[1]


def test_the_version_is_printed(printed: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert printed()[0] == f"evolray {evolray.__version__}\n"


def test_simulate_endpoint_has_flags_of_its_own(printed: Printed) -> None:
    assert main(["simulate-endpoint", "--latency", "-1"]) == 2
    assert "--latency -1.0: expected a number of 0 or more" in printed()[1]


def test_an_endpoint_that_is_gone_is_3_and_one_line_at_once(
    tmp_path: Path, at_an_endpoint: Callable[[str], list[str]], closed_port: int, printed: Printed
) -> None:
    assert main(at_an_endpoint(f"http://127.0.0.1:{closed_port}/v1")) == 3
    out, err = printed()
    assert out == ""
    assert err == f"evolray: http://127.0.0.1:{closed_port}/v1 cannot be reached: the connection is refused\n"
    assert not run_of(tmp_path).exists()


def test_a_refused_key_is_3_and_not_shown(
    tmp_path: Path,
    at_an_endpoint: Callable[[str], list[str]],
    locked_server: str,
    monkeypatch: pytest.MonkeyPatch,
    printed: Printed,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-wrong-key-0123456789")
    assert main(at_an_endpoint(locked_server)) == 3
    out, err = printed()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "refuses the key in OPENAI_API_KEY (HTTP 401)" in err
    assert "wrong-key" not in err
    assert not run_of(tmp_path).exists()


def test_an_unknown_model_is_3_and_names_those_that_are_served(
    tmp_path: Path,
    at_an_endpoint: Callable[[str], list[str]],
    locked_server: str,
    monkeypatch: pytest.MonkeyPatch,
    printed: Printed,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert main([*at_an_endpoint(locked_server), "teacher.model=gpt-unknown"]) == 3
    out, err = printed()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "does not serve 'gpt-unknown'" in err and "such as simulated" in err
    assert not run_of(tmp_path).exists()


def test_a_judge_elsewhere_is_looked_for_as_well(
    tmp_path: Path,
    at_an_endpoint: Callable[[str], list[str]],
    locked_server: str,
    closed_port: int,
    monkeypatch: pytest.MonkeyPatch,
    printed: Printed,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    judge = f"http://127.0.0.1:{closed_port}/v1"
    assert main([*at_an_endpoint(locked_server), f"judge.base_url={judge}"]) == 3
    assert f"{judge} cannot be reached" in printed()[1]


def test_a_spent_budget_is_4_and_a_larger_one_goes_on_without_asking_twice(
    here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed
) -> None:
    assert main([*command, "budget.calls=20"]) == 4
    out, err = printed()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("evolray: the budget is spent: 20 of 20 calls; raise it to go on (")
    assert "the same command goes on from here" in last
    assert (manifest(tmp_path)["status"], manifest(tmp_path)["message"]) == ("out_of_budget", last[len("evolray: ") :])

    assert main([*command, "budget.calls=20"]) == 4
    ledger = b"".join(path.read_bytes() for path in run_of(tmp_path).glob("ledger/*/*"))
    assert ledger.count(b"\n") == 20  # the second run found the budget spent
    whole = [argument.replace("/run", "/whole") if argument.startswith("run=") else argument for argument in command]
    assert main(whole) == 0
    calls = json.loads((tmp_path / "whole" / "manifest.json").read_text())["calls"]
    assert main([*command, f"budget.calls={calls}"]) == 0  # those 20 are part of them
    assert manifest(tmp_path)["calls"] == calls
    assert Pool(str(run_of(tmp_path))).digest() == Pool(str(tmp_path / "whole")).digest()


def test_ctrl_c_is_130_with_the_command_to_go_on(
    here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed
) -> None:
    here.before = lambda coordinator: coordinator.stop(Stop("interrupted", "interrupted"))
    assert main([*command, "run=" + str(tmp_path / "a run")]) == 130
    err = printed()[1].splitlines()
    assert err[-2].startswith("evolray: interrupted (0 of 3 shards are finished")
    assert err[-1].startswith("To go on: evolray evolve ") and f"'run={tmp_path / 'a run'}'" in err[-1]
    assert json.loads((tmp_path / "a run" / "manifest.json").read_text())["status"] == "interrupted"
    here.before = lambda coordinator: None
    assert main([*command, "run=" + str(tmp_path / "a run")]) == 0


def test_ctrl_c_before_the_engine_runs_is_130_too(here: SimpleNamespace, command: list[str], printed: Printed) -> None:
    def interrupt(coordinator: Coordinator) -> None:
        raise KeyboardInterrupt

    here.before = interrupt
    assert main(command) == 130
    err = printed()[1]
    assert "evolray: interrupted" in err and "Traceback" not in err


def test_an_engine_that_breaks_is_1_and_noted(
    here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed
) -> None:
    def lose_a_node(coordinator: Coordinator) -> None:
        raise EvolrayError("Ray gave up: the node died")

    here.before = lose_a_node
    assert main(command) == 1
    assert printed()[1].splitlines()[-1] == "evolray: Ray gave up: the node died"
    assert (manifest(tmp_path)["status"], manifest(tmp_path)["message"]) == ("stopped", "Ray gave up: the node died")


# --- retrying ---------------------------------------------------------------------------------------------------------


def test_retry_failed_brings_failed_to_none_and_asks_only_that(
    here: SimpleNamespace, tmp_path: Path, seeds: str
) -> None:
    asked = Counter[tuple[str, str]]()
    teacher = SimulatedTeacher(flaws=0.0)

    def script(call: Call) -> Answer:
        asked[call.record_id, call.purpose] += 1
        if broken and call.purpose == "respond" and int(call.root_id, 16) % 4 == 0:
            return TeacherError(call.record_id, "server_error", "HTTP 500")
        return teacher.answer(call.messages)

    settings: dict[str, Any] = {"seeds__path": seeds, "generations": 2, "engine__shard_size": 2, "script": script}
    broken = True
    first = evolray.evolve(run=str(tmp_path / "run"), **settings)
    causes = [row["failed"] for row in first.manifest.accounts]
    assert first.manifest.status == "complete"
    assert causes[1]["server_error"] == causes[2]["earlier_generation"] > 0
    broken = False
    again = evolray.evolve(run=str(tmp_path / "run"), **settings)
    assert again.manifest.failed == first.manifest.failed  # not without being told
    asked.clear()
    retried = evolray.evolve(run=str(tmp_path / "run"), retry_failed=True, **settings)
    assert [row["failed"] for row in retried.manifest.accounts] == [{"bad_seed": 1}, {}, {}]
    assert len(asked) == causes[1]["server_error"] * (1 + 3)  # the response that failed, and the next generation
    assert set(asked.values()) == {1}
    assert retried.digest() == evolray.evolve(run=str(tmp_path / "whole"), **settings).digest()


# --- looking at a run -------------------------------------------------------------------------------------------------


@pytest.fixture
def finished(here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed) -> str:
    main(command)
    printed()
    return str(run_of(tmp_path))


def test_status_prints_the_accounts(finished: str, tmp_path: Path, printed: Printed) -> None:
    assert main(["status", finished]) == 0
    out, err = printed()
    said = manifest(tmp_path)
    assert err == ""
    assert f"{finished}: complete, 3 of 3 shards finished" in out
    assert all(operator["operator"] in out for operator in said["operators"])
    assert all(reason in out for row in said["accounts"] for reason in row["eliminated"])
    assert f"{said['kept']} kept" in out and f"{said['calls']} calls" in out


def test_show_prints_a_lineage_by_default_one_to_look_at(finished: str, printed: Printed) -> None:
    pool = Pool(finished)
    assert main(["show", finished]) == 0
    assert f"lineage {pool.longest_lineage()}" in printed()[0]
    record = next(record for record in pool.records() if record.generation)
    assert main(["show", finished, "--root", record.id]) == 0
    out = printed()[0]
    assert f"lineage {record.root_id}" in out
    assert all(f"g{generation}  " in out for generation in range(GENERATIONS + 1))
    assert f"g{record.generation}  {record.operator}" in out
    assert record.instruction.splitlines()[0][:60] in out


def test_export_writes_what_was_kept(finished: str, tmp_path: Path, printed: Printed) -> None:
    target = tmp_path / "alpaca.json"
    assert main(["export", finished, str(target)]) == 0
    rows = json.loads(target.read_text())
    assert [row["instruction"] for row in rows] == [record.instruction for record in Pool(finished).records()]
    assert printed()[0] == f"{target}: {len(rows)} records\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["status", "{nowhere}"], "no evolray run here"),
        (["show", "{nowhere}"], "no evolray run here"),
        (["export", "{nowhere}", "a.json"], "no evolray run here"),
        (["show", "{run}", "--root", "ffffffffffffffff"], "has no finished root 'ffffffffffffffff'"),
        (["export", "{run}", "a.csv"], "cannot export to '.csv'"),
        (["status", ""], "run is empty"),
    ],
)
def test_what_is_not_there_is_2_and_one_line(
    finished: str, tmp_path: Path, printed: Printed, argv: list[str], said: str
) -> None:
    places = {"run": finished, "nowhere": str(tmp_path / "nowhere")}
    assert main([argument.format(**places) for argument in argv]) == 2
    out, err = printed()
    assert (out, len(err.splitlines())) == ("", 1)
    assert said in err
    assert not (tmp_path / "nowhere").exists()


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_key_is_nowhere_in_the_run_directory_and_in_nothing_printed(
    here: SimpleNamespace,
    tmp_path: Path,
    at_an_endpoint: Callable[[str], list[str]],
    locked_server: str,
    monkeypatch: pytest.MonkeyPatch,
    printed: Printed,
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    fetch(locked_server, "reset")
    command = [*at_an_endpoint(locked_server), "teacher.api_key_env=SOME_KEY", "engine.log_seconds=0.1"]
    assert main(command) == 0
    run = str(run_of(tmp_path))
    assert main(["status", run]) == main(["show", run]) == main(["export", run, str(tmp_path / "a.jsonl")]) == 0
    out, err = printed()
    assert manifest(tmp_path)["calls"] == fetch(locked_server, "stats")["requests"] > ROOTS
    secret = KEY.encode()
    assert secret not in everything_in(tmp_path)
    assert KEY not in out + err
    assert b"SOME_KEY" in (run_of(tmp_path) / "run.yaml").read_bytes()  # its name is what one needs to go on


def test_passwords_in_addresses_are_not_written_down(
    here: SimpleNamespace, tmp_path: Path, command: list[str], printed: Printed
) -> None:
    address = "http://someone:open-sesame@localhost:1/v1"
    settings = [
        f"teacher.base_url={address}",
        f"judge.base_url={address}",
        f"responder.base_url={address}?key=open-sesame",
    ]
    assert main([*command, *settings]) == 0
    assert b"open-sesame" not in everything_in(tmp_path)
    assert "open-sesame" not in "".join(printed())
    assert main([*command, *settings]) == 0


def test_an_address_is_named_without_its_password(
    at_an_endpoint: Callable[[str], list[str]], closed_port: int, printed: Printed
) -> None:
    for address in ("someone:open-sesame@{}/v1", "{}/v1?key=open-sesame", "someone:open-sesame@{}:port/v1"):
        host = f"127.0.0.1:{closed_port}"
        assert main(at_an_endpoint(f"http://{address.format(host)}")) in (2, 3)
        err = printed()[1]
        assert len(err.splitlines()) == 1 and host in err
        assert "open-sesame" not in err


def test_the_command_to_go_on_does_not_repeat_a_password(
    monkeypatch: pytest.MonkeyPatch, command: list[str], printed: Printed
) -> None:
    def interrupted(config: object) -> None:
        raise Interrupted("interrupted")

    monkeypatch.setattr(stage, "evolve", interrupted)
    assert main([*command, "run=s3://KEYID:open-sesame@bucket/run?region=eu-central-1"]) == 130
    err = printed()[1]
    assert "To go on: evolray evolve" in err and "bucket/run" in err
    assert "open-sesame" not in err


def test_all_settings_are_printed_with_their_defaults(printed: Printed) -> None:
    assert main(["evolve", "--settings"]) == 0
    lines = printed()[0].splitlines()
    assert {"run: ???", "domain: open", "generations: 4", "  path: ???", "  top_p: 0.9", "  shard_size: 256"} <= {
        *lines
    }


def test_train_prints_its_settings(printed: Printed) -> None:
    assert main(["train", "--settings"]) == 0
    settings = yaml.safe_load(printed()[0])
    assert settings["global_batch"] == 64 and settings["workers"]["number"] == 1


@pytest.mark.parametrize(
    ("argument", "named"),
    [("learnin_rate=1", "learning_rate"), ("workers.numbr=2", "number"), ("epochs=many", "epochs")],
)
def test_train_names_a_setting_that_is_wrong(argument: str, named: str, tmp_path: Path, printed: Printed) -> None:
    assert main(["train", "model=scratch", "data=a.json", f"run={tmp_path}/run", argument]) == 2
    out, err = printed()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("evolray: ") and named in err
