"""What the demo adds to an ablation's config, and what it refuses before a cluster starts."""

import json
import logging
import urllib.request
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from evolray.config import AblationConfig, EvolveConfig, RefineConfig, SweepConfig, TrainConfig, from_mapping
from evolray.demo import stage
from evolray.demo.teaching import Teaching
from evolray.errors import UserError
from evolray.teachers.simulated import arithmetic
from evolray.teachers.simulated.problems import draw

ROOT = Path(__file__).parents[2]
SMALL = ("generations=[0,2]", "records=100", "evolve.seeds.limit=60")


class Recorder:
    """Stands in for the ablation: remembers what it was called with, and whether the teacher was there by then."""

    def __init__(self) -> None:
        self.configs: list[AblationConfig] = []
        self.commands: list[str] = []
        self.models: list[str] = []

    def __call__(self, config: AblationConfig, *, command: str) -> Any:
        self.configs.append(config)
        self.commands.append(command)
        url = config.evolve["teacher.base_url"]
        if url.startswith("http://127.0.0.1"):
            with urllib.request.urlopen(f"{url}/models", timeout=30) as response:
                self.models.append(json.load(response)["data"][0]["id"])
        return self


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEACHER_BASE_URL", "TEACHER_MODEL", "TEACHER_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that no teacher matters to; starting one takes a second."""
    settings = {"kind": "endpoint", "base_url": "http://stand-in/v1", "model": "simulated"}
    monkeypatch.setattr(stage, "simulated", lambda folder: nullcontext(Teaching(settings, is_simulated=True)))


@pytest.fixture
def ablation() -> Recorder:
    return Recorder()


@pytest.fixture
def run(tmp_path: Path) -> str:
    return f"run={tmp_path / 'run'}"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    monkeypatch.setattr(logging.getLogger("evolray"), "propagate", True)
    caplog.set_level(logging.INFO, logger="evolray")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "evolray"]


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_ablation_gets_problems_and_a_teacher_that_answers(tmp_path: Path, run: str, ablation: Recorder) -> None:
    result: object = stage.demo([*SMALL, run], ablation=ablation)
    assert result is ablation
    (config,) = ablation.configs
    folder = tmp_path / "run"
    assert ablation.models == ["simulated"]
    assert config.generations == [0, 2] and config.records == 100
    evolve = from_mapping(EvolveConfig, {"run": "a", **config.evolve})
    assert (evolve.seeds.path, evolve.seeds.limit, evolve.domain) == (str(folder / "seeds.jsonl"), 60, "math")
    assert (evolve.teacher.kind, evolve.teacher.model) == ("endpoint", "simulated")
    refine = from_mapping(RefineConfig, {"run": "a", "data": "b", **config.refine})
    sweep = from_mapping(SweepConfig, {"run": "a", **config.sweep})
    assert refine.contamination.benchmarks == sweep.problems == {"gsm8k": str(folder / "held_out.jsonl")}
    assert not refine.near_duplicates.enabled
    assert ablation.commands == [f"evolray demo 'generations=[0,2]' records=100 evolve.seeds.limit=60 {run}"]


@pytest.mark.usefixtures("no_server")
def test_the_problems_are_distinct_and_held_out_by_level(tmp_path: Path, run: str, ablation: Recorder) -> None:
    stage.demo([*SMALL, run], ablation=ablation)
    seeds, held_out = rows(tmp_path / "run/seeds.jsonl"), rows(tmp_path / "run/held_out.jsonl")
    assert len(seeds) == 102  # some to spare
    assert [row["level"] for row in held_out] == [
        level for level in ("1 step", "2 steps", "3 steps", "4 steps") for _ in range(100)
    ]
    texts = [row["instruction"] for row in seeds] + [row["question"] for row in held_out]
    assert len(set(texts)) == 502
    for row in seeds:
        problem = arithmetic.parse(row["instruction"])
        assert problem is not None and row["response"] == arithmetic.solve(problem)
    assert [row["question"] for row in held_out] == [arithmetic.render(one) for one in draw(1, 100).held_out]


def test_a_rerun_changes_nothing(tmp_path: Path, run: str, ablation: Recorder) -> None:
    stage.demo([*SMALL, run], ablation=ablation)
    path = tmp_path / "run/seeds.jsonl"
    written = path.stat().st_mtime_ns
    stage.demo([*SMALL, run], ablation=ablation)
    first, again = ablation.configs
    assert first == again  # the address of the teacher, too
    assert path.stat().st_mtime_ns == written


@pytest.mark.usefixtures("no_server")
def test_without_a_file_the_demos_own_comes_first(
    run: str, ablation: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # from anywhere
    stage.demo([run, "records=90"], ablation=ablation)
    (config,) = ablation.configs
    assert (config.generations, config.records) == ([0, 3], 90)
    own = tmp_path / "own.yaml"
    own.write_text("generations: [1]\nrecords: 50\n")
    stage.demo([str(own), run], ablation=ablation)
    assert (ablation.configs[1].generations, ablation.configs[1].train) == ([1], {})


@pytest.mark.usefixtures("no_server")
def test_the_files_of_the_repository(run: str, ablation: Recorder) -> None:
    files = [str(ROOT / "conf/demo" / name) for name in ("ablation.yaml", "full.yaml")]
    for given in (files[:1], files):
        stage.demo([*given, run], ablation=ablation)
    short, full = ablation.configs
    assert (short.generations, full.generations) == ([0, 3], [0, 1, 2, 3])
    assert (short.records, short.tokens, short.train) == (full.records, full.tokens, full.train)
    for config in (short, full):
        train = from_mapping(TrainConfig, {"run": "a", "data": "b", **config.train})
        assert (train.model, train.scratch.numbers, train.max_tokens) == ("scratch", True, None)
        assert config.records is not None
        least = min(one for one in config.generations if one)
        assert config.evolve["seeds"]["limit"] * 0.86 > config.records / (least + 1)  # what elimination leaves suffices


def test_an_endpoint_of_the_environment_teaches_instead(
    tmp_path: Path, run: str, ablation: Recorder, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setenv("TEACHER_BASE_URL", "https://user:secret@host/v1?key=secret")
    monkeypatch.setenv("TEACHER_MODEL", "big")
    stage.demo([*SMALL, run], ablation=ablation)
    assert ablation.configs[0].evolve["teacher.model"] == "big"
    assert ablation.configs[0].evolve["teacher.api_key_env"] == "TEACHER_API_KEY"
    assert not (tmp_path / "run/teacher.json").exists()
    (line,) = lines()
    assert line.startswith("the teacher is big at https://***@host/v1, as TEACHER_BASE_URL and TEACHER_MODEL say: ")
    assert line.endswith("some 360 calls at most, but for repeated ones")  # 60 seeds x 2 generations x 3
    assert "secret" not in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evolve.seeds.path=mine.jsonl",), "evolve.seeds.path: the demo sets this itself. For seeds or a teacher"),
        (("evolve.teacher.model=big",), "evolve.teacher.model: the demo sets this itself."),
        (("records=null", "evolve.seeds.limit=null"), "records is missing: how many examples each student"),
        (
            ("run=s3://user:secret@bucket/run",),
            "run=s3://***@bucket/run: the demo is for this machine; expected a path.",
        ),
        (("generation=[0]",), "generation: unknown key on the command line; did you mean generations?"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(
    run: str, ablation: Recorder, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError) as error:
        stage.demo([run, *arguments], ablation=ablation)
    assert str(error.value).startswith(message)
    assert not ablation.configs


def test_where_there_is_no_clone_the_missing_file_is_named(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ablation: Recorder
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "__file__", str(tmp_path / "a/b/evolray/demo/stage.py"))
    with pytest.raises(
        UserError, match=r"conf/demo/ablation\.yaml: there is no such file here\. Run the demo in a clone"
    ):
        stage.demo([run], ablation=ablation)
