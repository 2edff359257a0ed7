"""Campaigns from beginning to end, with a job server whose jobs leave made-up results."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolray.campaign import estimate, stage
from evolray.campaign.results import Campaign, read
from evolray.cluster.jobs.job import Job
from evolray.config import CampaignConfig
from evolray.errors import BudgetError, EvolrayError, UserError
from evolray.pipeline import running
from tests.campaign.scripted import Server, config

STAGES = ("evolve", "refine", "train", "evaluate")


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The settings about which stages would have been asked, which takes seconds. No page is written either."""
    found: list[Any] = []
    monkeypatch.setattr(estimate, "check", found.append)
    monkeypatch.setattr(running, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(stage, "write_page", lambda folder: folder.url)
    return found


def run(config: CampaignConfig, server: Server) -> Campaign:
    return stage.campaign(config, open_server=server.open)


def steps(number: int) -> list[str]:
    return [f"round-{number}/{name}" for name in STAGES]


def manifest(tmp_path: Path) -> dict[str, Any]:
    return dict(json.loads((tmp_path / "campaign" / "manifest.json").read_text()))


def test_it_stops_when_the_score_falls_and_keeps_the_best(tmp_path: Path) -> None:
    server = Server([10, 30, 50, 40])
    done = run(config(tmp_path), server)
    assert {**done.best} == {
        "round": 2, "score": 50.0, "low": 45.0, "high": 55.0, "step": 7,
        "student": str(tmp_path / "campaign/rounds/2/student"),
    }  # fmt: skip
    assert [(one["round"], one["score"], one["fell"]) for one in done.rounds] == [
        (0, 10.0, False), (1, 30.0, False), (2, 50.0, False), (3, 40.0, True),
    ]  # fmt: skip
    assert done.manifest.status == "complete"
    assert done.manifest.message == "round 3 scored 40.0 %, below the 50.0 % of round 2"
    assert done.student is not None
    assert done.student.at(7).step == 7
    assert (tmp_path / "campaign/rounds/3/student/checkpoints").is_dir()  # the rejected one stays on disk


def test_the_baseline_goes_beside_the_first_round_and_then_one_round_at_a_time(tmp_path: Path) -> None:
    server = Server([10, 30, 20])
    run(config(tmp_path, **{"jobs.at_once": 2}), server)
    assert server.submitted[0] == "round-1/evolve"
    assert sorted(server.submitted[1:7]) == sorted([*steps(0)[1:], *steps(1)[1:]])
    assert server.submitted[7:] == steps(2)
    assert server.opened == 1


def test_without_a_baseline(tmp_path: Path) -> None:
    server = Server([99, 30, 20])
    done = run(config(tmp_path, baseline=False), server)
    assert server.submitted == [*steps(1), *steps(2)]
    assert done.best["round"] == 1


def test_steps_hand_over_on_disk(tmp_path: Path) -> None:
    server = Server([10, 30, 20])
    run(config(tmp_path), server)
    made, at = {step.name: step.config for step in server.steps}, tmp_path / "campaign"
    assert {name: one.run for name, one in made.items() if name.endswith("evolve")} == {
        "round-1/evolve": f"{at}/pool", "round-2/evolve": f"{at}/pool",
    }  # fmt: skip
    assert [made[f"round-{number}/evolve"].generations for number in (1, 2)] == [1, 2]
    assert [made[f"round-{number}/refine"].select.generations for number in range(3)] == [[0], [0, 1], [0, 1, 2]]
    assert {made[f"round-{number}/refine"].data for number in range(3)} == {f"{at}/pool"}
    assert [made[f"round-{number}/train"].data for number in range(3)] == [f"{at}/rounds/{n}/mix" for n in range(3)]
    assert [made[f"round-{n}/evaluate"].model for n in range(3)] == [f"{at}/rounds/{n}/student" for n in range(3)]
    assert made["round-2/evaluate"].run == f"{at}/rounds/2/dev"


def test_each_round_says_what_it_added_and_what_it_cost(tmp_path: Path) -> None:
    done = run(config(tmp_path), Server([10, 30, 20]))
    first, second = done.rounds[1], done.rounds[2]
    assert (first["calls"], second["calls"]) == (14, 14)  # 12 of the pool, 2 of the mix's judge
    assert (first["cost"], second["cost"]) == (2.0, 2.0)
    assert second["tokens"] == {"prompt": 320, "completion": 102}
    assert second["generation"] == {
        "generation": 2, "in": 4, "kept": 3, "eliminated": {"refusal": 1}, "failed": {},
    }  # fmt: skip
    assert second["operators"] == {"add_constraints": {"asked": 3, "kept": 3}, "deepen": {"asked": 1, "kept": 0}}
    assert second["mix"] == {"records": 10, "tokens": 100, "dropped": {"near_duplicate": 2}}
    assert second["training"] == {
        "examples": 10, "tokens": 100, "trained_tokens": 60, "steps": 7, "loss": 1.0, "held_out_loss": None,
    }  # fmt: skip
    assert second["seconds"] == {"evolve": 20.0, "refine": 30.0, "train": 30.0, "evaluate": 30.0}
    assert (done.rounds[0]["calls"], done.rounds[0]["seconds"]["evolve"]) == (2, 0.0)
    assert (done.manifest.calls, done.manifest.cost) == (30, 4.5)
    assert (done.manifest.teacher, done.manifest.model) == ("simulated", "scratch")


def test_a_finished_campaign_does_nothing(tmp_path: Path, checked: list[Any]) -> None:
    settings = config(tmp_path)
    run(settings, Server([10, 30, 20]))
    before, again = manifest(tmp_path), Server([10, 30, 20])
    done = run(settings, again)
    assert (again.opened, manifest(tmp_path), done.best["round"], len(checked)) == (0, before, 1, 1)


def test_rounds_may_be_raised_later(tmp_path: Path) -> None:
    done = run(config(tmp_path, rounds=1), Server([10, 30]))
    assert done.manifest.message == "all 1 rounds are done"
    server = Server([10, 30, 50, 60])
    done = run(config(tmp_path, rounds=3), server)
    assert server.submitted == [*steps(2), *steps(3)]
    assert (done.best["round"], done.manifest.message) == (3, "all 3 rounds are done")


def test_patience_may_be_raised_later(tmp_path: Path) -> None:
    assert run(config(tmp_path), Server([10, 30, 20])).best["round"] == 1
    done = run(config(tmp_path, patience=2, rounds=3), Server([10, 30, 20, 60]))
    assert (done.best["round"], [one["fell"] for one in done.rounds]) == (3, [False, False, True, False])


@pytest.mark.parametrize("name", ["round-1/evolve", "round-0/train", "round-2/refine"])
@pytest.mark.parametrize("jobs_are_known", [True, False])
def test_the_driver_dies_in_a_step_and_goes_on(tmp_path: Path, name: str, jobs_are_known: bool) -> None:
    """As a kill does it: nothing is written when it dies. Its jobs run on, unless their server has gone, too."""
    settings, server = config(tmp_path), Server([10, 30, 20])
    submit = server.submit

    def die(job: str, step: Any) -> None:
        submit(job, step)
        if step.name == name:
            raise KeyError("killed")

    server.submit = die  # type: ignore[method-assign]
    with pytest.raises(KeyError):
        run(settings, server)
    server.submit = submit  # type: ignore[method-assign]
    if not jobs_are_known:
        server.forget()
    done = run(settings, server)
    assert (done.best["round"], [one["score"] for one in done.rounds]) == (1, [10, 30, 20])
    assert (done.manifest.calls, done.manifest.cost) == (2 * 14 + 2, 4.5)
    every_step = [*steps(0)[1:], *steps(1), *steps(2)]
    assert {*server.submitted} == {*every_step}
    repeated = Counter(server.submitted) - Counter(every_step)
    if jobs_are_known:
        assert not repeated
    else:  # it, and what ran beside it
        assert name in repeated
        assert set(repeated.values()) == {1}
        assert len(repeated) <= 2


def test_a_round_is_listed_as_it_was_when_it_ended(tmp_path: Path) -> None:
    """The pool counts on: the second invocation sees it with a generation more."""
    run(config(tmp_path, rounds=1), Server([10, 30]))
    before = manifest(tmp_path)["rounds"][1]
    done = run(config(tmp_path, rounds=2), Server([10, 30, 50]))
    assert done.rounds[1] == before


def test_a_lost_manifest_is_made_again(tmp_path: Path) -> None:
    run(config(tmp_path), Server([10, 30, 20]))
    before = manifest(tmp_path)
    (tmp_path / "campaign/manifest.json").unlink()
    again = Server([])
    run(config(tmp_path), again)
    after = manifest(tmp_path)
    assert again.opened == 0
    assert after["best"] == before["best"]
    assert [one["score"] for one in after["rounds"]] == [10, 30, 20]
    assert (after["calls"], after["cost"]) == (before["calls"], before["cost"])


def test_what_would_change_finished_rounds_is_refused(tmp_path: Path) -> None:
    run(config(tmp_path, rounds=1), Server([10, 30]))
    said = "was made with train.epochs=3 and would now go on with train.epochs=4"
    with pytest.raises(UserError, match=re.escape(said)):
        run(config(tmp_path, **{"rounds": 2, "train.epochs": 4}), Server([10, 30, 50]))


def test_until_a_round_is_finished_mistakes_can_be_put_right(tmp_path: Path, checked: list[Any]) -> None:
    refused = Job(has_ended=True, exit_code=2, message="its job ended with exit code 2")
    with pytest.raises(UserError, match="round-1/train failed"):
        run(config(tmp_path, baseline=False, rounds=1), Server([0, 30], {"round-1/train": [refused]}))
    server = Server([0, 30])
    done = run(config(tmp_path, baseline=False, rounds=1, **{"train.max_length": 512}), server)
    assert (done.best["round"], server.submitted) == (1, ["round-1/train", "round-1/evaluate"])
    assert [one.train.max_length for one in checked] == [2048, 512]  # the stages are asked again


def test_what_changes_nothing_in_finished_rounds_leaves_their_steps_alone(tmp_path: Path) -> None:
    run(config(tmp_path, rounds=1), Server([10, 30]))
    server, faster = Server([10, 30, 50]), {"evolve.teacher.max_in_flight": 8, "train.workers.number": 2}
    assert run(config(tmp_path, rounds=2, **faster), server).best["round"] == 2
    assert server.submitted == steps(2)


def test_a_step_that_fails_stops_the_campaign_and_says_why(tmp_path: Path) -> None:
    failing = Job(has_ended=True, exit_code=1, message="its job ended with exit code 1")
    server = Server([10, 30], {"round-1/train": [failing] * 3})
    with pytest.raises(EvolrayError, match="step round-1/train failed: its job ended with exit code 1"):
        run(config(tmp_path), server)
    assert manifest(tmp_path)["status"] == "stopped"
    assert "round-1/train failed" in manifest(tmp_path)["message"]
    done = run(config(tmp_path, **{"jobs.retry_failed": True, "rounds": 1}), Server([10, 30]))
    assert (done.best["round"], done.manifest.status) == (1, "complete")


def test_a_spent_budget_goes_on_with_a_larger_one(tmp_path: Path) -> None:
    spent = Job(has_ended=True, exit_code=4, message="its job ended with exit code 4")
    server = Server([10, 30, 50], {"round-2/evolve": [spent]})
    with pytest.raises(BudgetError):
        run(config(tmp_path, rounds=2, **{"evolve.budget.calls": 12}), server)
    assert manifest(tmp_path)["status"] == "out_of_budget"
    assert [one["round"] for one in manifest(tmp_path)["rounds"]] == [0, 1]
    done = run(config(tmp_path, rounds=2, **{"evolve.budget.calls": 24}), Server([10, 30, 50]))
    assert done.best["round"] == 2


def test_operators_are_weighed_by_what_earlier_rounds_have_shown_and_keep_their_weights(tmp_path: Path) -> None:
    server = Server([10, 30, 50, 60])
    done = run(config(tmp_path, rounds=3, **{"operators.learn": True}), server)
    evolving = [step.config for step in server.steps if step.stage == "evolve"]
    evolved = {one.generations: one.operators_by_generation for one in evolving}
    assert evolved[1] == {}  # nothing is known of operators yet
    assert evolved[2].keys() == {2}
    assert evolved[2][2]["add_constraints"] > 1 > evolved[2][2]["deepen"] >= 0.25
    assert evolved[3].keys() == {2, 3}
    assert evolved[3][2] == evolved[2][2]
    assert done.manifest.weights == {str(number): evolved[3][number] for number in (2, 3)}
    assert sum(evolved[2][2].values()) == pytest.approx(2.0)  # 1 is an even choice


def test_weights_that_were_used_are_not_computed_again(tmp_path: Path) -> None:
    learning = {"operators.learn": True}
    spent = Job(has_ended=True, exit_code=4, message="its job ended with exit code 4")
    with pytest.raises(BudgetError):
        run(config(tmp_path, rounds=2, **learning), Server([10, 30, 50], {"round-2/evolve": [spent]}))
    used = manifest(tmp_path)["weights"]
    leave_pool_with_another_past(tmp_path)
    server = Server([10, 30, 50])
    run(config(tmp_path, rounds=2, **learning), server)
    assert server.steps[0].config.operators_by_generation == {2: used["2"]}


def leave_pool_with_another_past(tmp_path: Path) -> None:
    """As if failed calls of generation 1 had been asked again."""
    found = manifest(tmp_path)
    found["rounds"][1]["operators"] = {"deepen": {"asked": 40, "kept": 40}}
    (tmp_path / "campaign/manifest.json").write_text(json.dumps(found))


def test_run_yaml_has_the_config_without_credentials(tmp_path: Path) -> None:
    settings = {"evolve.teacher.base_url": "https://me:secret@example.com/v1", "evolve.teacher.kind": "endpoint"}
    run(config(tmp_path, rounds=1, **settings, **{"evolve.teacher.model": "m"}), Server([10, 30]))
    text = (tmp_path / "campaign/run.yaml").read_text()
    assert "secret" not in text
    assert yaml.safe_load(text)["config"]["evolve"]["teacher"]["base_url"] == "https://***@example.com/v1"
    assert yaml.safe_load(text)["identity"]["evolve.teacher.model"] == "m"
    assert "secret" not in (tmp_path / "campaign/manifest.json").read_text()


def test_the_run_of_another_stage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "campaign").mkdir()
    (tmp_path / "campaign/run.yaml").write_text("identity: {stage: train}\n")
    with pytest.raises(UserError, match="holds the run of another stage"):
        run(config(tmp_path), Server([]))


def test_the_result_as_table_and_rows(tmp_path: Path) -> None:
    run(config(tmp_path), Server([10, 30, 20]))
    done = read(str(tmp_path / "campaign"))
    rows = done.to_dicts()
    assert [(row["round"], row["score"], row["gsm8k"], row["kept"], row["records"]) for row in rows] == [
        (0, 10.0, 10.0, 4, 4), (1, 30.0, 30.0, 3, 7), (2, 20.0, 20.0, 3, 10),
    ]  # fmt: skip
    table = done.table()
    assert table.row_count == 3
    assert [str(cell) for cell in table.columns[-1].cells] == ["the seeds alone", "best", "fell"]
    assert [str(cell) for cell in table.columns[2].cells] == ["5.0 – 15.0", "25.0 – 35.0", "15.0 – 25.0"]
    assert str(table.caption).splitlines() == [
        "complete: round 2 scored 20.0 %, below the 30.0 % of round 1",
        f"the student to keep: {tmp_path}/campaign/rounds/1/student, step 7",
    ]


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no campaign"):
        read(str(tmp_path))
