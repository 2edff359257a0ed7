"""Evolution on a local Ray: the same pool whatever the cluster looks like and whatever happened on the way."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import evolray
from evolray.method.domains import DOMAINS
from evolray.method.operators import Operator, read_prompt
from evolray.method.teacher import Call
from evolray.pool.shards import ELIMINATED, POOL
from evolray.records import Turn
from evolray.teachers.simulated import SimulatedTeacher

Rows = list[dict[str, str]]
ONLY_DEEPEN = {one.name: float(one.name == "deepen") for one in DOMAINS["open"].operators}


def run(folder: Path, seeds: str, **settings: object) -> evolray.Pool:
    settings = {"generations": 2, "engine__shard_size": 16, "teacher__kind": "simulated", **settings}
    return evolray.evolve(run=str(folder), seeds__path=seeds, **settings)


def files(folder: Path) -> dict[str, bytes]:
    return {
        f"{kind}/{path.name}": path.read_bytes()
        for kind in ("pool", "eliminated", "failed")
        for path in sorted((folder / kind).iterdir())
    }


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A file in which `answer` below notes whom each call was for; actors are other processes."""
    return tmp_path / "asked.txt"


def noting(path: Path) -> Callable[[Call], str]:
    """The simulated teacher as a script that writes down what it was asked."""

    def answer(call: Call) -> str:
        with path.open("a") as file:
            file.write(f"{call.record_id} {call.purpose}\n")
        return SimulatedTeacher(flaws=0.0).answer(call.messages).text

    return answer


def test_one_and_four_actors_give_byte_equal_pools(local_ray, tmp_path, seed_rows, seed_file) -> None:
    seeds = seed_file(seed_rows(80))
    one = run(tmp_path / "one", seeds)
    four = run(tmp_path / "four", seeds, engine__actors=4, engine__shards_in_flight=2)
    assert len(one.shards) == 5
    assert files(tmp_path / "one") == files(tmp_path / "four")
    assert one.manifest.digest == four.manifest.digest == four.digest()
    assert one.manifest.status == "complete"


def test_a_shuffled_seed_file_gives_the_same_pool(local_ray, tmp_path, seed_rows, seed_file) -> None:
    rows: Rows = seed_rows(40)
    rows.append({**rows[1], "output": "A second response to the same instruction."})
    shuffled = random.Random(1).sample(rows, len(rows))
    straight, mixed = run(tmp_path / "a", seed_file(rows)), run(tmp_path / "b", seed_file(shuffled))
    by_id = [sorted(pool.records(), key=lambda record: record.id) for pool in (straight, mixed)]
    assert by_id[0] == by_id[1]
    assert straight.manifest.digest == mixed.manifest.digest
    assert straight.manifest.accounts[0]["eliminated"]["duplicate_seed"] == 1
    assert straight.manifest.accounts[0]["in"] == 41


def test_appended_seeds_are_all_that_is_asked_about(local_ray, tmp_path, seed_rows, seed_file, asked) -> None:
    rows: Rows = seed_rows(30)
    run(tmp_path / "run", seed_file(rows[:20]), script=noting(asked))
    first = asked.read_text().splitlines()
    asked.unlink()
    pool = run(tmp_path / "run", seed_file(rows), script=noting(asked))
    second = asked.read_text().splitlines()
    roots = [{line.partition(".")[0] for line in lines} for lines in (first, second)]
    assert (len(roots[0]), len(roots[1])) == (20, 10)
    assert roots[0].isdisjoint(roots[1])
    fresh = run(tmp_path / "fresh", seed_file(rows), script=noting(asked))
    assert pool.digest() == fresh.digest()


def test_a_finished_run_asks_nothing_again(local_ray, tmp_path, seed_rows, seed_file, asked) -> None:
    seeds = seed_file(seed_rows(10))
    run(tmp_path / "run", seeds, script=noting(asked))
    asked.unlink()
    assert run(tmp_path / "run", seeds, script=noting(asked)).manifest.status == "complete"
    assert not asked.exists()


def test_one_more_generation_goes_on_from_the_last(local_ray, tmp_path, seed_rows, seed_file, asked) -> None:
    seeds = seed_file(seed_rows(20))
    run(tmp_path / "run", seeds, generations=1, script=noting(asked))
    asked.unlink()
    pool = run(tmp_path / "run", seeds, generations=2, script=noting(asked))
    assert {line.split()[0].partition(".")[2] for line in asked.read_text().splitlines()} == {"g2"}
    assert pool.digest() == run(tmp_path / "fresh", seeds, generations=2, script=noting(asked)).digest()


def test_a_grown_pool_has_the_weights_of_its_new_generations(local_ray, tmp_path, seed_rows, seed_file, asked) -> None:
    seeds, later = seed_file(seed_rows(20)), {"operators_by_generation": {2: ONLY_DEEPEN}}
    run(tmp_path / "run", seeds, generations=1, script=noting(asked))
    asked.unlink()
    pool = run(tmp_path / "run", seeds, generations=2, script=noting(asked), **later)
    assert {line.split()[0].partition(".")[2] for line in asked.read_text().splitlines()} == {"g2"}
    assert {one.operator for one in pool.records() if one.generation == 2} == {"deepen"}
    assert len({one.operator for one in pool.records() if one.generation == 1}) > 1
    assert pool.digest() == run(tmp_path / "fresh", seeds, generations=2, script=noting(asked), **later).digest()
    with pytest.raises(evolray.UserError, match=r"was made with operators_by_generation\.2="):
        run(tmp_path / "run", seeds, generations=3, script=noting(asked))


def test_a_spent_budget_stops_the_run_and_a_larger_one_finishes_it(
    local_ray, tmp_path, seed_rows, seed_file, asked
) -> None:
    seeds = seed_file(seed_rows(40))
    with pytest.raises(evolray.BudgetError, match=r"50 of 50 calls"):
        run(tmp_path / "run", seeds, script=noting(asked), budget__calls=50)
    assert len(asked.read_text().splitlines()) == 50
    assert evolray.Pool(str(tmp_path / "run")).manifest.status == "out_of_budget"
    with pytest.raises(evolray.BudgetError, match=r"50 of 50 calls"):
        run(tmp_path / "run", seeds, script=noting(asked), budget__calls=50)
    assert len(asked.read_text().splitlines()) == 50
    pool = run(tmp_path / "run", seeds, script=noting(asked))
    calls = Counter(asked.read_text().splitlines())
    assert max(calls.values()) == 1
    assert pool.manifest.calls == calls.total()
    assert pool.digest() == run(tmp_path / "whole", seeds, script=noting(asked)).digest()


def test_failed_calls_are_retried_on_request_alone(local_ray, tmp_path, seed_rows, seed_file, asked) -> None:
    seeds = seed_file(seed_rows(20))

    def unsure(call: Call) -> str:
        return "Perhaps" if call.purpose == "judge" and int(call.root_id, 16) % 3 == 0 else noting(asked)(call)

    pool = run(tmp_path / "run", seeds, script=unsure)
    failed = pool.manifest.accounts[1]["failed"]["unparsed_verdict"]
    assert pool.manifest.accounts[2]["failed"] == {"earlier_generation": failed}
    assert pool.manifest.failed == 2 * failed > 0
    asked.unlink()
    run(tmp_path / "run", seeds, script=noting(asked))
    assert not asked.exists()
    retried = run(tmp_path / "run", seeds, script=noting(asked), retry_failed=True)
    assert retried.manifest.failed == 0
    lines = asked.read_text().splitlines()
    assert not any(line.endswith("g1 evolve") for line in lines)  # what was answered before is not asked again
    assert sum(line.endswith("g1 judge") for line in lines) == failed
    assert retried.digest() == run(tmp_path / "fresh", seeds, script=noting(asked)).digest()


def test_a_refused_key_stops_the_run_with_one_line(local_ray, tmp_path, seed_rows, seed_file) -> None:
    def refuse(call: Call) -> str:
        raise evolray.EndpointError("the key was refused")

    with pytest.raises(evolray.EndpointError, match=r"the key was refused .*same command goes on"):
        run(tmp_path / "run", seed_file(seed_rows(40)), script=refuse)
    assert evolray.Pool(str(tmp_path / "run")).manifest.status == "stopped"


def test_a_domain_and_a_script_of_ones_own(local_ray, tmp_path, seed_rows, seed_file) -> None:
    shout = Operator("shout", "Say this louder:\n{context}{instruction}")
    domain = evolray.Domain("loud", (shout,), instruction_rules=(), response_rules=())

    def answer(call: Call) -> str:
        text = call.messages[-1].content
        return {"evolve": text.rpartition("\n")[2] + "!", "judge": "Not Equal", "respond": f"Answer to {text}"}[
            call.purpose
        ]

    pool = run(tmp_path / "run", seed_file(seed_rows(3)), domain=domain, script=answer)
    assert [record.instruction.count("!") for record in pool.records()] == [0, 1, 2] * 3
    assert {record.domain for record in pool.records()} == {"loud"}
    last = next(record for record in pool.records() if record.generation == 2)
    assert last.response == f"Answer to {last.instruction}"


def test_conversations_evolve_in_their_context(local_ray, tmp_path, seed_file) -> None:
    turns = [("human", "Who are you?"), ("gpt", "A guide."), ("human", "Name a tall tower."), ("gpt", "The spire.")]
    rows = [{"conversations": [{"from": who, "value": text} for who, text in turns]}]
    pool = run(tmp_path / "run", seed_file(rows), teacher__flaws=0.0)  # type: ignore[arg-type]
    records = list(pool.records())
    assert [record.generation for record in records] == [0, 1, 2]
    assert records[0].instruction == "Name a tall tower."
    assert {record.context for record in records} == {(Turn("user", "Who are you?"), Turn("assistant", "A guide."))}


def test_what_python_reads_of_a_pool(local_ray, tmp_path, seed_rows, seed_file) -> None:
    pool = run(tmp_path / "run", seed_file(seed_rows(20)))
    kept = pool.manifest.kept
    assert (pool.dataset().count(), len(pool.to_pandas()), sum(1 for _ in pool.records())) == (kept, kept, kept)
    assert len(pool.to_pandas(ELIMINATED)) == pool.manifest.eliminated
    assert f"{kept:,} records of 20 roots" in repr(pool)
    assert evolray.export(pool, tmp_path / "alpaca.json") == kept
    assert set(pool.to_arrow(POOL).column_names) >= {"id", "root_id", "parent_id", "instruction", "response"}
    assert read_prompt("equality")  # the prompts are found where the package lies
