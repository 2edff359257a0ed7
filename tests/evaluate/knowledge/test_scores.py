"""Benchmarks by name, models by what they are, and scores.json from results as lm-eval gives them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evolray.config import EndpointConfig
from evolray.config.judge import LmEvalConfig
from evolray.errors import UserError
from evolray.evaluate.knowledge.benchmarks import KNOWLEDGE_BENCHMARKS, KnowledgeBenchmark, find_knowledge
from evolray.evaluate.knowledge.entry import make_entry
from evolray.evaluate.knowledge.job import Job, Outcome, Stage
from evolray.evaluate.knowledge.rows import as_parquet, rows_of
from evolray.evaluate.knowledge.run import DATABASE, _Answers, prepare
from evolray.evaluate.knowledge.source import EndpointSource, endpoint_source
from evolray.pool.layout import LocalFolder
from tests.evaluate.knowledge import tasks

SOURCE = EndpointSource("http://localhost/v1", "tiny", "TEST_KEY", "tiny-tokenizer")
VERSIONS = {"lm-eval": "0.4.13"}


def sample(target: Any, likelihoods: list[float], choices: list[str], **metrics: float) -> dict[str, Any]:
    return {
        "doc_id": 0, "target": target, "filter": "none", "arguments": [("Q:", f" {one}") for one in choices],
        "filtered_resps": [(one, False) for one in likelihoods], **metrics,
    }  # fmt: skip


def results(**scores: Any) -> dict[str, Any]:
    return {
        "results": {"arc_challenge": scores}, "configs": {"arc_challenge": {}}, "versions": {"arc_challenge": 1.0},
        "n-shot": {"arc_challenge": 25}, "n-samples": {"arc_challenge": {"original": 9, "effective": 2}},
        "samples": {
            "arc_challenge": [
                sample(1, [-2.0, -3.0], ["a", "bbbb"], acc=0.0, acc_norm=1.0),
                sample(1, [-1.0, -9.0], ["a", "b"], acc=0.0, acc_norm=0.0),
            ]
        },
    }  # fmt: skip


def entry(found: dict[str, Any], benchmark: str = "arc_challenge", metric: str = "acc_norm") -> dict[str, Any]:
    job = Job(KNOWLEDGE_BENCHMARKS[benchmark], SOURCE, 25, 8, None, None, key="sk-secret")
    return make_entry(job, Outcome(found, rows_of(found, metric), metric, 2047, 0), VERSIONS)


@pytest.mark.parametrize(
    ("name", "task", "shots", "metric"),
    [
        ("mmlu", "mmlu", 5, "acc"), ("arc_challenge", "arc_challenge", 25, "acc_norm"),
        ("truthfulqa", "truthfulqa_mc2", 0, "acc"), ("hellaswag", "hellaswag", 10, "acc_norm"),
        ("lm_eval:winogrande", "winogrande", None, ""),
    ],
)  # fmt: skip
def test_benchmarks_by_name(name: str, task: str, shots: int | None, metric: str) -> None:
    found = find_knowledge(name)
    assert found and (found.name, found.task, found.shots, found.metric) == (name, task, shots, metric)


@pytest.mark.parametrize("name", ["winogrande", "lm_eval:", "lm_eval:../x", "lm_eval:a/b", "humaneval"])
def test_other_names_are_no_benchmark(name: str) -> None:
    assert find_knowledge(name) is None


def test_an_entry() -> None:
    found = entry(results(**{"acc,none": 0.0, "acc_norm,none": 0.5, "acc_norm_stderr,none": 0.5}))
    assert (found["metric"], found["unit"], found["score"]) == ("normalised accuracy", "%", 50.0)
    assert (found["low"], found["high"]) == (0.0, 100.0)  # 0.5 ± 0.98, cut off
    assert (found["total"], found["problems"], found["samples"], found["missing"], found["failed"]) == (2, 2, 2, 0, 0)
    assert (found["shots"], found["task"], found["outcomes"]) == (25, "arc_challenge", {"passed": 1, "wrong": 1})
    assert found["rules"] == {
        "grader": "lm-eval", "version": "0.4.13", "metric": "acc_norm", "shots": 25, "task_version": 1.0,
        "max_length": 2047, "truncated": 0,
    }  # fmt: skip
    assert "groups" not in found
    assert "sk-secret" not in json.dumps(found)


def test_an_interval_needs_an_error() -> None:
    found = entry(results(**{"acc_norm,none": 0.25, "acc_norm_stderr,none": "N/A"}))
    assert (found["score"], found["low"], found["high"]) == (25.0, None, None)


def test_rows_say_what_decided() -> None:
    rows = rows_of(results(**{"acc_norm,none": 0.5}), "acc_norm").to_pylist()
    assert [(row["gold"], row["prediction"], row["correct"]) for row in rows] == [("1", 1, True), ("1", 0, False)]
    assert rows[0]["prompt"] == "Q:" and rows[0]["choices"] == [" a", " bbbb"]
    by_accuracy = rows_of(results(**{"acc,none": 0.0}), "acc").to_pylist()
    assert [row["prediction"] for row in by_accuracy] == [0, 0]  # -2 beats -3 when the length does not count


def test_rows_of_prompts_that_differ_and_of_written_answers() -> None:
    found = results(**{"acc,none": 0.0})
    choices = {"arguments": [("Ann", " ran"), ("Bob", " ran")], "filtered_resps": [(-1.0, True), (-2.0, False)]}
    written = {"arguments": [("Say \ud800", {"until": []})], "filtered_resps": ["it"], "acc": 0.4}
    one = found["samples"]["arc_challenge"][0]
    found["samples"]["arc_challenge"] = [one | choices, one | written, one | {"filter": "another"}]
    table = rows_of(found, "acc")
    first, second = table.to_pylist()
    assert (first["prompt"], first["choices"]) == ("", ["Ann ran", "Bob ran"])
    assert (second["prompt"], second["response"], second["correct"], second["score"]) == ("Say \ufffd", "it", None, 0.4)
    assert as_parquet(table)[:4] == b"PAR1"


def test_an_endpoint_is_what_it_serves_not_where() -> None:
    elsewhere = replace(SOURCE, base_url="http://elsewhere/v1", max_in_flight=1)
    assert elsewhere.identity == SOURCE.identity != replace(SOURCE, tokenizer="another").identity


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "simulated", "model": "m"}, "need the log-probabilities of the prompt"),
        ({"model": "m"}, "endpoint.base_url and endpoint.model are needed"),
    ],
)
def test_endpoints_that_cannot_be_asked(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        endpoint_source(EndpointConfig(**settings), LmEvalConfig())


def test_an_endpoint_from_the_config() -> None:
    config = EndpointConfig(base_url="http://localhost:8000/v1/", model="m", max_in_flight="auto")
    found = endpoint_source(config, LmEvalConfig(tokenizer="t"))
    assert (found.base_url, found.tokenizer, found.max_in_flight) == ("http://localhost:8000/v1", "t", 64)
    assert endpoint_source(config, LmEvalConfig()).tokenizer == "m"


def test_a_tokenizers_folder_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words").mkdir()
    config = EndpointConfig(base_url="http://localhost:8000/v1", model="m")
    assert endpoint_source(config, LmEvalConfig(tokenizer="words")).tokenizer == str(tmp_path / "words")


def test_what_is_finished_is_known_by_what_decides_it(tmp_path: Path) -> None:
    files, folder = str(tasks.write_all(tmp_path / "tasks")), LocalFolder(str(tmp_path / "run"))
    benchmark = KNOWLEDGE_BENCHMARKS["mmlu"]
    prepared = prepare(benchmark, SOURCE, LmEvalConfig(), files, None)
    assert prepared.finished(folder) is None
    kept = {"identity": prepared.identity, "entry": {"score": 25.0}}
    folder.write("knowledge/mmlu/results.json", json.dumps(kept).encode())
    assert prepared.finished(folder) == {"score": 25.0}
    for other in (
        prepare(benchmark, SOURCE, LmEvalConfig(shots=0), files, None),
        prepare(benchmark, SOURCE, LmEvalConfig(), files, 5),
        prepare(benchmark, SOURCE, LmEvalConfig(), None, None),
        prepare(benchmark, replace(SOURCE, model="other"), LmEvalConfig(), files, None),
    ):
        assert other.finished(folder) is None
    assert prepare(benchmark, SOURCE, LmEvalConfig(batch_size=1), files, None).finished(folder)
    folder.write("knowledge/mmlu/results.json", b"{")
    with pytest.raises(UserError, match="was it edited or cut off"):
        prepared.finished(folder)


def test_settings_that_cannot_work() -> None:
    for settings in (LmEvalConfig(batch_size=0), LmEvalConfig(shots=-1)):
        with pytest.raises(UserError, match="expected a batch size of 1 or more"):
            prepare(KNOWLEDGE_BENCHMARKS["mmlu"], SOURCE, settings, None, None)


def test_how_far_it_is() -> None:
    stage = Stage()
    assert stage.line == "starting"
    stage.say("loading the model")
    assert stage.line == "loading the model"
    stage.expect(1200)
    stage.add()
    assert stage.line == "1 of 1,200 requests answered"


def test_a_key_is_in_no_text_of_a_job() -> None:
    job = Job(KnowledgeBenchmark("x", "x", "x", "", None, ""), SOURCE, None, 8, None, None, key="sk-secret")
    assert "sk-secret" not in repr(job)


class Store(LocalFolder):
    """An object store, as far as it matters here: nothing in it can be appended to."""

    is_local = False


def test_answers_of_a_run_in_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    job, store = Job(KNOWLEDGE_BENCHMARKS["mmlu"], SOURCE, None, 8, None, None), Store(str(tmp_path / "store"))
    with pytest.raises(KeyboardInterrupt), _Answers(store, job) as cache:
        assert cache and Path(cache).parent.parent == tmp_path
        kept = Path(f"{cache}{DATABASE}")
        kept.write_bytes(b"answers")
        raise KeyboardInterrupt
    kept.unlink()  # as on another machine
    with _Answers(store, job):
        assert kept.read_bytes() == b"answers"
        kept.write_bytes(b"more answers")
    with _Answers(store, job), _Answers(store, replace(job, source=replace(SOURCE, model="other"))) as other:
        assert kept.read_bytes() == b"more answers"
        assert not Path(f"{other}{DATABASE}").exists()
