"""What a campaign exports of itself is read from its run directory. What Ray makes of it: tests/test_grafana.py."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from evolray.campaign import on_ray
from evolray.campaign.manifest import CampaignManifest, write
from evolray.pipeline.records import Records, StepRecord
from evolray.pool.layout import Folder, open_folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path))


def test_steps_are_counted_by_state_and_no_state_is_left_out(folder: Folder) -> None:
    assert on_ray.steps_by_state(folder) == {"complete": 0, "running": 0, "waiting": 0, "failed": 0}
    for name, state in (("round-1/evolve", "complete"), ("round-1/refine", "complete"), ("round-1/train", "running")):
        Records(folder).write(StepRecord(name, name.partition("/")[2], state))
    assert on_ray.steps_by_state(folder) == {"complete": 2, "running": 1, "waiting": 0, "failed": 0}


def test_scores_come_in_the_order_of_the_rounds(folder: Folder) -> None:
    assert dict(on_ray.scores(folder)) == {}
    rounds = [{"round": 2, "score": 40.0}, {"round": 0, "score": 30.0}]
    write(folder, CampaignManifest(folder.url, "running", rounds=rounds))
    assert list(on_ray.scores(folder).items()) == [(0, 30.0), (2, 40.0)]


def test_without_a_cluster_nobody_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "cluster_address", lambda: None)
    started: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **_: started.append(words))
    with on_ray.observed("runs/a"):
        assert started == []


def test_a_campaign_goes_on_where_nobody_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(on_ray, "cluster_address", lambda: "127.0.0.1:1")
    monkeypatch.setattr(subprocess, "Popen", refuse)
    done = []
    with on_ray.observed("runs/a"):
        done.append("round 1")
    assert done == ["round 1"]
