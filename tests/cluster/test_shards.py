"""How a pool of actors shares shards out, and how it is given up."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evolray.cluster.shards import on_ray
from evolray.cluster.shards.on_ray import over_shards
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("local_ray")


class Latecomers:
    """All but the first of these start when the first has `share` shards; and no shard ends before they did."""

    def __init__(self, folder: Path, share: int) -> None:
        self._folder = folder
        try:
            (folder / "first").touch(exist_ok=False)
            self._name = "first"
        except FileExistsError:
            wait_until(lambda: len([*folder.glob("first-*")]) == share)
            self._name = "second"
            (folder / "second").touch()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        (self._folder / f"{self._name}-{batch['shard'][0]}").touch()
        wait_until((self._folder / "second").exists)
        return {"shard": batch["shard"], "by": np.array([self._name])}


def test_an_actor_that_is_there_first_leaves_the_others_their_share(tmp_path: Path) -> None:
    rows = over_shards(Latecomers, (tmp_path, 5), range(10), actors=2, shards_per_actor=8, num_cpus=0).take_all()
    assert sorted(row["shard"] for row in rows) == [*range(10)]
    assert Counter(row["by"] for row in rows) == {"first": 5, "second": 5}


class Dying:
    """The first two die while they start, as with a node that goes."""

    def __init__(self, folder: Path) -> None:
        starts = len([*folder.iterdir()])
        (folder / str(starts)).touch()
        if starts < 2:
            raise SystemExit(1)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return batch


def test_actors_that_die_while_they_start_are_replaced(tmp_path: Path) -> None:
    rows = over_shards(Dying, (tmp_path,), range(3), actors=1, num_cpus=0).take_all()
    assert sorted(row["shard"] for row in rows) == [0, 1, 2]
    assert len([*tmp_path.iterdir()]) == 3


class Unneeded:
    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        raise AssertionError("there is no room for this one")


def test_what_finds_no_room_says_so_and_can_be_given_up(monkeypatch, caplog) -> None:
    monkeypatch.setattr(on_ray, "PATIENCE_SECONDS", 0.2)

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == on_ray.__name__]

    def has_workers() -> bool:
        if said():
            raise KeyboardInterrupt
        return False

    consumer = on_ray.Consumer(over_shards(Unneeded, (), range(3), actors=2, num_cpus=5), lambda row: None)
    with pytest.raises(KeyboardInterrupt):
        consumer.start_working(has_workers, {"CPU": 5})
    consumer.end(seconds=0)
    assert consumer.ended.is_set()
    assert consumer.error is None
    assert said() == [
        "no worker has started yet: each asks for 5 CPUs (the cluster has 4, 4 of them free); "
        "the run begins when there is room"
    ]
