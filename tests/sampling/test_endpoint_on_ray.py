"""An endpoint sampled on a local Ray: the same samples for any number of actors, and what stops a run."""

from pathlib import Path
from typing import Any

import pytest

from evolray.config import SamplerConfig, from_mapping
from evolray.errors import BudgetError, EvolrayError
from evolray.method.teacher import Call
from evolray.pool.layout import Folder, open_folder, shards_in
from evolray.records import Turn
from evolray.sampling.endpoint import EndpointSampler
from evolray.sampling.questions import SAMPLED, Question, write_questions
from evolray.sampling.sampler import Sampling

pytestmark = pytest.mark.usefixtures("local_ray")

SHARDS = 4


def new_run(path: Path) -> Folder:
    folder = open_folder(str(path))
    folder.write("run.yaml", b"")
    for shard in range(SHARDS):
        questions = [Question(f"{shard}-{n}", 0, (Turn("user", f"Describe harbour {shard}-{n}."),)) for n in range(6)]
        write_questions(folder, shard, questions)
    return folder


def run(folder: Folder, script: Any = None, **settings: Any) -> list[Sampling]:
    base = {"endpoint.kind": "scripted" if script else "simulated", "engine.shard_size": 6}
    values = base | {key.replace("__", "."): value for key, value in settings.items()}
    shown: list[Sampling] = []
    todo = [shard for shard in range(SHARDS) if shard not in shards_in(folder, SAMPLED)]
    EndpointSampler(from_mapping(SamplerConfig, values), script).run(folder, todo, shown.append)
    return shown


def files(folder: Folder) -> dict[str, bytes]:
    return {name: folder.read(f"{SAMPLED}/{name}") for name in folder.names(SAMPLED)}


def test_one_and_two_actors_give_equal_samples(tmp_path: Path) -> None:
    one, two = new_run(tmp_path / "one"), new_run(tmp_path / "two")
    assert run(one)[-1].sampled == run(two, engine__actors=2)[-1].sampled == 24
    assert len(files(one)) == SHARDS
    assert files(one) == files(two)


def test_a_spent_budget_stops_it_and_the_rest_is_asked_once(tmp_path: Path) -> None:
    folder, asked = new_run(tmp_path / "run"), tmp_path / "asked.txt"

    def noting(call: Call) -> str:
        with asked.open("a") as file:  # actors are other processes
            file.write(f"{call.root_id}\n")
        return "It is large."

    with pytest.raises(BudgetError, match=r"10 of 10 calls; .* of 4 shards are sampled"):
        run(folder, noting, budget__calls=10)
    assert len(asked.read_text().split()) == 10
    assert run(folder, noting)[-1].sampled == 24
    assert len(asked.read_text().split()) == len(set(asked.read_text().split())) == 24


def test_a_run_directory_that_is_none_is_named(tmp_path: Path) -> None:
    """Stands for a node that does not see it: there is no run.yaml."""
    folder = new_run(tmp_path / "run")
    (tmp_path / "run" / "run.yaml").unlink()
    with pytest.raises(EvolrayError, match="a node of the cluster does not see this directory"):
        run(folder)
