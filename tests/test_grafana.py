"""The table of metrics, the dashboard and the list made from it, and what a run really exposes."""

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from evolray.cluster.grafana import dashboard, readme
from evolray.cluster.metrics import METRICS, TRAIN, Metric

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "conf" / "grafana"
BY_NAME = {one.exported: one for some in METRICS.values() for one in some}
ONLY_ON_GPUS = {TRAIN["mfu"].exported}
AGAIN = "out of date: python -m evolray.cluster.grafana conf/grafana"

SELECTOR = re.compile(r"(ray_\w+)\{([^}]*)\}")


def queries() -> list[str]:
    panels = json.loads((FOLDER / "evolray.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def queried() -> set[str]:
    return {name for query in queries() for name, _ in SELECTOR.findall(query)}


# --- what is checked in ---


def test_the_files_are_those_that_the_tables_make() -> None:
    assert json.loads((FOLDER / "evolray.json").read_text()) == dashboard(), AGAIN
    assert (FOLDER / "README.md").read_text() == readme(), AGAIN


def test_names_are_told_apart_and_well_formed() -> None:
    assert len(BY_NAME) == sum(len(some) for some in METRICS.values())
    for one in BY_NAME.values():
        assert re.fullmatch(r"evolray_[a-z_]+", one.name) and not one.name.endswith("_total")
        assert one.labels[0] == "run"


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    assert queried() == BY_NAME.keys()


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_a_query_asks_for_labels_that_the_metric_has(query: str) -> None:
    grouped = {name for some in re.findall(r"by \(([^)]*)\)", query) for name in some.split(", ")}
    for name, filters in SELECTOR.findall(query):
        labels = set(BY_NAME[name].labels)
        assert set(re.findall(r"(\w+)(?==~|!=|=)", filters)) <= labels
        assert grouped <= labels
        assert 'run=~"$run"' in filters
    assert query.count("(") == query.count(")")
    assert not re.search(r"ray_\w+(?!\w|\{)", query), "a metric without a filter"
    for name, _ in SELECTOR.findall(query):
        assert ("rate(" in query) <= (BY_NAME[name].kind == "counter")


def test_panels_have_places_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_above, (one, other)


# --- what the code makes ---


def made(path: Path) -> list[tuple[str, str]]:
    """(Counter or Gauge, what it is made from) in a file."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return [
        (call.func.id, ast.unparse(call.args[0]).removeprefix("*").removesuffix(".arguments"))
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in ("Counter", "Gauge", "Histogram") and call.args
    ]


def test_all_metrics_come_from_the_table_and_are_of_its_kind() -> None:
    from evolray.cluster import metrics

    found = [
        one for path in (ROOT / "evolray").rglob("*.py") if "from ray.util.metrics import" in path.read_text()
        for one in made(path) if one[1].startswith("metrics.") or one[0] != "Counter"  # others count in memory
    ]  # fmt: skip
    table: dict[str, Metric] = {
        f"metrics.{name}": one for name, one in vars(metrics).items() if isinstance(one, Metric)
    }
    table["metrics.TRAIN[name]"] = TRAIN["loss"]
    assert {kind.lower() for kind, _ in found} == {"counter", "gauge"}
    assert {name for _, name in found} == table.keys()
    assert all(kind.lower() == table[name].kind for kind, name in found)


def test_every_figure_of_a_training_is_in_the_table() -> None:
    from evolray.train.watching import Figures

    assert {one.name for one in fields(Figures)} == TRAIN.keys()


# --- what a run exposes ---


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("exposed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_ADDRESS")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.exposed", str(place)], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return {**json.loads(done.stdout), "place": str(place)}


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.ray
def test_the_dashboard_asks_for_what_a_run_exposes_and_nothing_else(exposed: dict[str, Any]) -> None:
    """All stages, scraped from Ray's own endpoint: names, types and labels are those of the table."""
    types = exposed["types"]
    assert queried() - ONLY_ON_GPUS == types.keys() - ONLY_ON_GPUS
    assert types == {name: BY_NAME[name].kind for name in types}
    for name, labels in exposed["labels"].items():
        assert set(BY_NAME[name].labels) <= set(labels), name


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.ray
def test_every_value_says_of_which_run_it_is(exposed: dict[str, Any]) -> None:
    stage = {
        "calls_total": "pool", "outcomes_total": "pool", "refused_calls_total": "pool", "refined_shards_total": "mix",
        "train_loss": "student", "samples": "scores", "graded_total": "scores", "campaign_score": "campaign",
    }  # fmt: skip
    runs = exposed["runs"]
    found = {name: runs[f"ray_evolray_{name}"] for name in stage}
    assert found == {name: [f"{exposed['place']}/{folder}"] for name, folder in stage.items()}
