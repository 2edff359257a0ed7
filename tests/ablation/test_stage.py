"""The whole of an ablation, with a job server whose jobs leave at once what the stages would."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from evolray.ablation import results, stage
from evolray.cluster.jobs.job import Job
from evolray.config import AblationConfig
from evolray.errors import BudgetError, EvolrayError, Interrupted, UserError
from evolray.pipeline import running
from evolray.pipeline.records import read_steps
from evolray.pipeline.step import Step
from evolray.pool.layout import open_folder
from tests.ablation import stand_in
from tests.ablation.stand_in import Server

SIZES = {0: 40, 1: 60, 2: 80, 3: 100}
FAILED = Job(has_ended=True, exit_code=1, message="its job ended with exit code 1")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "POLL_SECONDS", 0.0)


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages take a second to draw, and tests of their own look at them."""

    def write_page(folder: Any) -> str:
        folder.write("report.html", b"a page")
        return f"{folder.url}/report.html"

    monkeypatch.setattr(stage, "write_page", write_page)
    yield


@pytest.fixture
def config(tmp_path: Path) -> AblationConfig:
    return stand_in.config(tmp_path)


def ablate(config: AblationConfig, server: Server) -> results.Ablation:
    return stage.ablation(config, open_server=server.open)


def manifest(config: AblationConfig) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((Path(config.run) / "manifest.json").read_text())
    return loaded


def contents(run: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}


def test_students_are_equal_in_examples_and_judged_by_their_last_checkpoint(config: AblationConfig) -> None:
    server = Server(SIZES)
    done = ablate(config, server)
    assert server.submitted == ["evolve", "refine-0", "refine-3", "cut-3", "train-0", "train-3", "sweep"]
    assert server.opened == 1
    assert [(one.title, one.state, one.examples, one.tokens, one.steps) for one in done.students] == [
        ("seeds only", "complete", 40, 1000, 100), ("3 generations", "complete", 40, 1000, 100),
    ]  # fmt: skip
    seeds, evolved = done.students
    assert [(one.step, one.tokens) for one in evolved.checkpoints] == [(50, 500), (100, 1000)]
    assert evolved.last is evolved.checkpoints[1]
    assert [(one.group, one.score, one.low, one.passed, one.total) for one in evolved.last.scores] == [
        ("", 93.33, 83.33, 56, 60), ("1 step", 95.0, 85.0, 19, 20), ("2 steps", 95.0, 85.0, 19, 20),
        ("10 steps", 90.0, 80.0, 18, 20),
    ]  # fmt: skip
    assert seeds.score("gsm8k", "2 steps").text == "5.0 %"  # type: ignore[union-attr]
    assert (done.teacher.name, done.teacher.is_simulated, done.teacher.calls, done.teacher.cost) == (
        "simulated", True, 345, 1.5,
    )  # fmt: skip
    said = manifest(config)
    assert (said["stage"], said["status"], said["records"], said["sizes"]) == (
        "ablation", "complete", 40, {"0": 40, "3": 100},
    )  # fmt: skip
    assert said["command"] == f"evolray ablation {config.run}/ablation.yaml"
    assert (Path(config.run) / "report.html").exists()


def test_the_table_has_the_numbers(config: AblationConfig, no_page: None) -> None:
    done = ablate(config, Server(SIZES))
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(done.table())
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert lines[:8] == [
        "student seeds only 3 generations", "examples 40 40", "tokens trained on 1,000 1,000", "steps 100 100",
        "GSM8K, 1 step 100.0 % 90.0–100.0 95.0 % 85.0–100.0", "GSM8K, 2 steps 5.0 % 0.0–15.0 95.0 % 85.0–100.0",
        "GSM8K, 10 steps 0.0 % 0.0–10.0 90.0 % 80.0–100.0", "GSM8K, all 35.0 % 25.0–45.0 93.3 % 83.3–100.0",
    ]  # fmt: skip
    assert "The simulated teacher taught" in " ".join(lines)
    rows = done.to_dicts()
    assert len(rows) == 2 * 2 * 4
    assert rows[-1] == {
        "student": "3 generations", "generations": 3, "examples": 40, "step": 100, "tokens": 1000, "is_last": True,
        "benchmark": "gsm8k", "benchmark_title": "GSM8K", "group": "10 steps", "score": 90.0, "low": 80.0,
        "high": 100.0, "passed": 18, "total": 20, "metric": "pass@1", "unit": "%",
    }  # fmt: skip
    assert results.read(config.run).to_dicts() == rows


def test_a_finished_ablation_is_left_as_it_is(config: AblationConfig) -> None:
    ablate(config, Server(SIZES))
    before, server = contents(config.run), Server(SIZES)
    done = ablate(config, server)
    assert (server.opened, server.submitted) == (0, [])
    assert contents(config.run) == before
    assert done.status == "complete"


def test_the_students_get_as_many_examples_as_is_said_and_as_many_tokens(config: AblationConfig, no_page: None) -> None:
    server = Server(SIZES)
    done = ablate(replace(config, records=30, tokens=5000), server)
    assert server.submitted == ["evolve", "refine-0", "refine-3", "train-0", "train-3", "sweep"]
    assert [(one.examples, one.tokens) for one in done.students] == [(30, 5000), (30, 5000)]


def test_a_mix_with_fewer_examples_stops_it_before_a_student_is_trained(config: AblationConfig, no_page: None) -> None:
    server = Server({0: 40, 3: 25})
    with pytest.raises(UserError) as raised:
        ablate(replace(config, records=30), server)
    assert str(raised.value) == (
        "records=30: not every mix has so many examples (seeds only 40, 3 generations 25). Give records at most 25, or "
        "more seeds."
    )
    assert server.submitted == ["evolve", "refine-0", "refine-3"]
    assert manifest(config)["status"] == "stopped"
    done = ablate(replace(config, records=25), server)  # nothing is trained yet, so that may change
    assert [one.examples for one in done.students] == [25, 25]


def test_a_generation_may_be_added(config: AblationConfig, no_page: None) -> None:
    ablate(config, Server(SIZES))
    server = Server(SIZES)
    done = ablate(replace(config, generations=[3, 1, 0]), server)
    assert server.submitted == ["refine-1", "cut-1", "train-1", "sweep"]
    assert [(one.generations, one.examples) for one in done.students] == [(0, 40), (1, 40), (3, 40)]


def test_an_added_mix_that_is_smaller_than_the_students_have_is_refused(config: AblationConfig, no_page: None) -> None:
    ablate(config, Server(SIZES))
    with pytest.raises(UserError, match=r"the students that are trained have 40 examples each, and not every mix has"):
        ablate(replace(config, generations=[0, 1, 3]), Server({**SIZES, 1: 39}))


def test_what_the_mixes_are_made_by_may_not_change_under_the_students(config: AblationConfig, no_page: None) -> None:
    ablate(config, Server(SIZES))
    before = contents(config.run)
    for changed, key in (
        (replace(config, refine={"select": {"seed": 1}}), "refine.select.seed=0"),
        (replace(config, records=20), "records=None"),
        (replace(config, tokens=500), "tokens=None"),
    ):
        with pytest.raises(UserError, match=f"was made with {key}"):
            ablate(changed, Server(SIZES))
    assert contents(config.run) == before
    server = Server(SIZES)
    ablate(replace(config, refine={"workers": 3}), server)  # how fast it goes is another matter
    assert server.submitted == ["refine-0", "refine-3", "cut-3"]


def test_a_failed_step_stops_it_and_the_same_command_goes_on(config: AblationConfig, no_page: None) -> None:
    patient = replace(config, jobs=replace(config.jobs, retries=0))
    server = Server(SIZES, ends={"train-3": FAILED})
    with pytest.raises(EvolrayError, match="step train-3 failed: its job ended with exit code 1"):
        ablate(patient, server)
    assert manifest(config)["status"] == "stopped"
    standing = results.read(config.run)
    assert [one.state for one in standing.students] == ["trained", "refined"]
    again = Server(SIZES)
    ablate(replace(patient, jobs=replace(patient.jobs, retry_failed=True)), again)
    assert again.submitted == ["train-3", "sweep"]
    assert manifest(config)["status"] == "complete"


@pytest.mark.parametrize("code", [2, 4])
def test_the_exit_code_of_a_step_is_kept(config: AblationConfig, no_page: None, code: int) -> None:
    kind = {2: UserError, 4: BudgetError}[code]
    with pytest.raises(kind):
        ablate(config, Server(SIZES, ends={"evolve": Job(has_ended=True, exit_code=code, message="no")}))
    assert manifest(config)["status"] == {2: "stopped", 4: "out_of_budget"}[code]


def test_ctrl_c_while_a_mix_is_cut_loses_nothing(config: AblationConfig, no_page: None) -> None:
    """A mix that is being cut no longer says how many examples it had."""

    def interrupt(step: Step) -> None:
        if step.name == "cut-3":
            (Path(step.config.run) / "manifest.json").write_text('{"stage": "refine", "status": "running", "mix": {}}')
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        ablate(config, Server(SIZES, at_submit=interrupt))
    assert manifest(config)["status"] == "interrupted"
    again = Server(SIZES)
    done = ablate(config, again)
    assert again.submitted == ["cut-3", "train-0", "train-3", "sweep"]
    assert [one.examples for one in done.students] == [40, 40]


@pytest.mark.parametrize("last", ["evolve", "refine-0", "refine-3", "cut-3", "train-0", "train-3", "sweep"])
def test_interrupted_at_any_step_it_ends_the_same(config: AblationConfig, no_page: None, last: str) -> None:
    whole = Server(SIZES)
    expected = ablate(replace(config, run=f"{config.run}-whole"), whole).to_dicts()

    def interrupt(step: Step) -> None:
        if step.name == last:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        ablate(config, Server(SIZES, at_submit=interrupt))
    done = [name for name, one in read_steps(open_folder(config.run)).items() if one.state == "complete"]
    again = Server(SIZES)
    assert ablate(config, again).to_dicts() == expected
    assert again.submitted == [step for step in whole.submitted if step not in done]


def test_files_show_no_credentials(tmp_path: Path, no_page: None) -> None:
    config = stand_in.config(tmp_path)
    config.evolve["teacher"]["base_url"] = "http://user:secret@host/v1?key=secret"
    ablate(config, Server(SIZES))
    shown = [path for path, content in contents(config.run).items() if b"secret" in content]
    assert shown == [f"{config.run}/steps/evolve/config.yaml"]  # which its job reads, and only this user
    assert Path(shown[0]).stat().st_mode & 0o777 == 0o600
    said = yaml.safe_load((Path(config.run) / "ablation.yaml").read_text())
    assert said["evolve"]["teacher"]["base_url"] == "http://***@host/v1"


def test_the_run_directory_of_another_stage_is_refused(config: AblationConfig) -> None:
    stand_in.leave_pool(stand_in_evolve(config.run), {})
    with pytest.raises(UserError, match="holds the run of another stage"):
        ablate(config, Server(SIZES))
    with pytest.raises(UserError, match="there is no ablation"):
        results.read(config.run)


def stand_in_evolve(run: str) -> Any:
    from evolray.config import EvolveConfig, from_mapping

    return from_mapping(EvolveConfig, {"run": run, "seeds.path": "none"})


def test_a_url_is_refused(config: AblationConfig) -> None:
    with pytest.raises(UserError, match="an ablation needs a path that every node sees, not a URL"):
        ablate(replace(config, run="s3://bucket/run"), Server(SIZES))


def test_seeds_without_responses_are_found_before_anything_starts(
    tmp_path: Path, config: AblationConfig, no_page: None
) -> None:
    (tmp_path / "seeds.jsonl").write_text('{"instruction": "What is 1 and 1?"}\n')
    server = Server(SIZES)
    with pytest.raises(UserError, match="no seed has a response, and a student of the seeds alone needs some"):
        ablate(config, server)
    assert not Path(config.run).exists() and server.opened == 0
    ablate(replace(config, evolve={**config.evolve, "seeds.respond": "anew"}), server)


def test_too_few_seeds_are_found_before_anything_starts(config: AblationConfig) -> None:
    with pytest.raises(UserError, match=r"records=41: .*seeds.jsonl has 40 seeds with a response"):
        ablate(replace(config, records=41), Server(SIZES))


def test_equal_size() -> None:
    cases: list[tuple[int | None, dict[int, int], int, int]] = [
        (None, {0: 50, 3: 40}, 0, 40), (None, {0: 50, 3: 40}, 30, 30), (40, {0: 50, 3: 40}, 0, 40),
    ]  # fmt: skip
    for wanted, sizes, of_students, expected in cases:
        assert stage.equal_size(wanted, sizes, of_students) == expected
    with pytest.raises(UserError, match="the mix of 3 generations is empty"):
        stage.equal_size(None, {0: 50, 3: 0}, 0)
