"""Judging on Ray: the same files for one actor and for several."""

from pathlib import Path

import numpy as np
import pytest

from evolray.config import BudgetConfig, EngineConfig, JudgingConfig, ModelConfig, RefineConfig
from evolray.engine.coordinator import Coordinator
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder, open_folder, shard_name
from evolray.refine.index import Index, read_index
from evolray.refine.judging.work import finished, make_judging
from evolray.refine.tables import JUDGED, RECORDS, RECORDS_SCHEMA, write_rows

SHARDS, ROWS = 4, 12
TEXTS = (
    ("Name a bird.", "A gull."),
    ("Write a Python function, in exactly two steps, that must not use loops.", "def f(a, b):\n    return a + b"),
    ("Translate this poem into French.", ""),
)


def write_records(folder: Folder) -> Index:
    folder.write("run.yaml", b"x")
    for shard in range(SHARDS):
        rows = []
        for n in range(ROWS):
            root = f"{shard * ROWS + n:016x}"
            instruction, response = TEXTS[n % len(TEXTS)]
            rows.append({
                "source": "a", "id": f"{root}.g0", "root_id": root, "generation": 0, "operator": "seed", "context": [],
                "instruction": f"{instruction} ({root})", "response": response,
            })  # fmt: skip
        write_rows(folder, shard_name(RECORDS, shard), rows, RECORDS_SCHEMA)
    return read_index(folder, ("a",))


@pytest.mark.usefixtures("local_ray")
def test_judged_the_same_by_one_actor_and_by_four(tmp_path: Path) -> None:
    from evolray.engine.on_ray import run_shards

    asked = JudgingConfig(difficulty=True, skills=True)
    config = RefineConfig(run="r", data="d", judging=asked, judge=ModelConfig(kind="simulated", flaws=0.3))
    made = make_judging(config)
    assert made is not None
    files = []
    for actors in (1, 4):
        folder = open_folder(str(tmp_path / str(actors)))
        index = write_records(folder)
        judging = made.of(index, np.ones(len(index), np.bool_))
        coordinator = Coordinator(judging, BudgetConfig(), Accounts(), {})
        done, stop = run_shards(
            judging, coordinator, folder, [*judging.wanted], EngineConfig(actors=actors), lambda snapshot: None
        )
        assert stop is None and done == finished(folder, judging) and set(done) == set(range(SHARDS))
        files.append([folder.read(shard_name(JUDGED, shard)) for shard in range(SHARDS)])
    assert files[0] == files[1]
