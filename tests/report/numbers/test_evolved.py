from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from evolray.errors import UserError
from evolray.report.numbers.evolved import mean, num_words, quantiles, read_evolved, stage_of
from evolray.report.numbers.refined import read_refined
from tests.report import evolve_run, refine_run
from tests.report.evolve_run import eliminated, failed, kept
from tests.report.refine_run import record


@pytest.fixture
def evolved(tmp_path: Path) -> str:
    first = [
        kept("a", 0, "one"), kept("a", 1, "one two three"), eliminated("a", 2, "x", "refusal"),
        kept("b", 0, "one two"), eliminated("b", 1, "x"), kept("b", 2, "one two", parent=0),
    ]  # fmt: skip
    second = [kept("c", 0, "one two"), failed("c", 1, "no answer"), eliminated("c", 2, "x", "refusal")]
    return evolve_run.write_run(str(tmp_path / "run"), [first, second], 2).url


# --- evolve ---


def test_accounts_of_all_shards_add_up(evolved: str) -> None:
    run = read_evolved(evolved)
    assert run.generations == [0, 1, 2]
    assert [run.count("kept", generation) for generation in run.generations] == [3, 1, 1]
    assert (run.count("eliminated"), run.count("failed"), run.count("eliminated", 2, "mutate", "refusal")) == (3, 1, 2)
    assert run.made() == {"mutate": 3, "deepen": 3}
    assert list(run.eliminated().items()) == [("refusal", 2), ("no_information_gain", 1)]
    assert run.accounts.usage["evolve"].calls == 20


def test_lengths_are_of_kept_instructions(evolved: str) -> None:
    assert read_evolved(evolved).words == {0: {1: 1, 2: 2}, 1: {3: 1}, 2: {2: 1}}


def test_tokens_are_of_kept_and_eliminated(evolved: str) -> None:
    assert read_evolved(evolved).tokens == {0: [30, 15], 1: [10, 5], 2: [10, 5]}


def test_roots_are_followed_through_the_generations(evolved: str) -> None:
    assert read_evolved(evolved).steps == {
        (0, "kept", "kept"): 1, (0, "kept", "no_information_gain"): 1, (0, "kept", "failed"): 1,
        (1, "kept", "refusal"): 1, (1, "no_information_gain", "kept"): 1, (1, "failed", "refusal"): 1,
    }  # fmt: skip


def test_numbers_are_not_read_twice(evolved: str) -> None:
    run = read_evolved(evolved)
    assert read_evolved(run) is run


def test_the_teacher_of_a_demo_is_known(evolved: str) -> None:
    assert read_evolved(evolved).is_simulated


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 0), ("  \n ", 0), ("one", 1), (" one\ttwo\n\nthree ", 3), ("non\u00a0breaking\u3000space", 3), ("日本語", 1)],
)
def test_words(text: str, number: int) -> None:
    assert num_words(pa.chunked_array([[text]])).to_pylist() == [number] == [len(text.split())]


def test_quantiles_of_counts_are_those_of_the_values() -> None:
    counts = Counter({1: 5, 2: 3, 10: 2})  # 1 1 1 1 1 2 2 2 10 10
    assert quantiles(counts, (0.05, 0.5, 0.51, 0.8, 0.95)) == [1, 1, 2, 2, 10]
    assert mean(counts) == 3.1


# --- refine ---


def test_what_came_in_and_what_stayed(tmp_path: Path) -> None:
    shards = [
        [record(1, 0, reason="", source="a"), record(1, 1, reason="leak", source="a", operator="deepen")],
        [record(2, 1, reason="", source="b", operator="mutate"), record(3, 0, reason="near_duplicate", source="b")],
    ]
    run = read_refined(refine_run.write_run(str(tmp_path / "run"), shards).url)
    assert (run.records, run.mix, run.threshold) == (4, 2, 0.7)
    assert run.before["operator"] == {"seed": 2, "deepen": 1, "mutate": 1}
    assert (run.after["source"], run.after["generation"]) == ({"a": 1, "b": 1}, {0: 1, 1: 1})
    assert run.drops == {("a", "leak"): 1, ("b", "near_duplicate"): 1}


def test_judged_rows_find_their_records_in_every_shard(tmp_path: Path) -> None:
    """Rows count through all shards, and exact duplicates were not asked about."""
    shards = [
        [record(1, 0, reason="exact_duplicate"), record(1, 1, reason="", difficulty=7, skills=["Math"])],
        [
            record(2, 0, reason="", difficulty=2, skills=["Math", "Music"]),
            record(3, 2, reason="too_easy", difficulty=1),
        ],
        [record(4, 2, reason="unjudged")],
    ]
    run = read_refined(refine_run.write_run(str(tmp_path / "run"), shards).url)
    assert run.difficulty == {0: {2: 1}, 1: {7: 1}, 2: {1: 1}}
    assert run.difficulty_of_mix == {0: {2: 1}, 1: {7: 1}}
    assert run.difficulty_by_operator["seed"] == {2: 1}
    assert run.skills == {"judged": {"Math": 2, "Music": 1}, "mix": {"Math": 2, "Music": 1}}


def test_features_by_generation(tmp_path: Path) -> None:
    shards = [[record(1, 0, reason="", words=4, steps=0), record(1, 1, reason="leak", words=9, constraints=3)]]
    run = read_refined(refine_run.write_run(str(tmp_path / "run"), shards).url)
    assert run.measured == {
        "words": {0: {4: 1}, 1: {9: 1}},
        "constraints": {0: {1: 1}, 1: {3: 1}},
        "steps": {0: {0: 1}, 1: {1: 1}},
    }


def test_a_record_counts_once_for_a_benchmark(tmp_path: Path) -> None:
    shards = [[record(1, 0, reason="leak"), record(2, 0, reason="leak")], [record(3, 0, reason="leak")]]
    found = {"row": 0, "benchmark": "mbpp", "item": "7", "kind": "ngram"}
    leaks = [
        found,
        {**found, "where": "question in response"},
        {**found, "item": "8"},
        {**found, "row": 2, "kind": "similarity"},
    ]
    executions = [{**found, "row": 1, "kind": "execution"}, {**found, "row": 2, "kind": "execution"}]
    folder = refine_run.write_run(
        str(tmp_path / "run"), shards, benchmarks=("gsm8k", "mbpp"), leaks=leaks, executions=executions
    )
    run = read_refined(folder.url)
    assert run.leaks == {("mbpp", "ngram"): 1, ("mbpp", "execution"): 1, ("mbpp", "several"): 1}
    assert run.items == {"mbpp": {"7", "8"}}
    assert run.benchmarks == ("gsm8k", "mbpp")


def test_clusters_are_counted_by_size(tmp_path: Path) -> None:
    near = {"kind": "near_duplicate", "similarity": 0.7}
    clusters = [
        {"kept": "a", "dropped": "b", **near}, {"kept": "a", "dropped": "c", **near, "similarity": 0.999},
        {"kept": "a", "kept_source": "other", "dropped": "d", **near, "similarity": 1.0},
        {"kept": "e", "dropped": "f", "kind": "exact_duplicate", "similarity": 1.0},
    ]  # fmt: skip
    run = read_refined(refine_run.write_run(str(tmp_path / "run"), [[]], clusters=clusters).url)
    assert (run.exact, run.similarity, run.sizes) == (1, {70: 1, 99: 2}, {3: 1, 2: 2})


def test_a_run_that_is_not_finished_has_what_is_there(tmp_path: Path) -> None:
    folder = refine_run.write_run(str(tmp_path / "run"), [[record(1, 0, reason="")], [record(2, 0, reason="leak")]])
    for name in (
        "pool/00000.parquet",
        "dropped/00001.parquet",
        "judged/00000.parquet",
        "clusters.parquet",
        "manifest.json",
    ):
        (tmp_path / "run" / name).unlink()
    run = read_refined(folder.url)
    assert (run.records, run.mix, run.drops, run.difficulty) == (2, 0, {}, {})


# --- which stage ---


def test_stages(evolved: str, tmp_path: Path) -> None:
    assert stage_of(evolved) == "evolve"
    assert stage_of(refine_run.write_run(str(tmp_path / "refined"), []).url) == "refine"
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "run.yaml").write_text("config: {}")
    (tmp_path / "trained" / "manifest.json").write_text('{"stage": "train"}')
    with pytest.raises(UserError, match=r"is a run of train; a report is made of a run of evolve or refine"):
        stage_of(str(tmp_path / "trained"))
    with pytest.raises(UserError, match="no evolray run here"):
        stage_of(str(tmp_path))
    with pytest.raises(UserError, match="is a run of evolve; this figure is one of a refine run"):
        read_refined(evolved)
    with pytest.raises(UserError, match="is a run of refine; this figure is one of an evolve run"):
        read_evolved(str(tmp_path / "refined"))


def test_files_that_were_edited(evolved: str) -> None:
    Path(evolved, "manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json cannot be read .* was it edited\?"):
        read_evolved(evolved)
    Path(evolved, "manifest.json").write_text("{}")
    Path(evolved, "run.yaml").write_text("config: [")
    with pytest.raises(UserError, match=r"run\.yaml cannot be read .* was it edited\?"):
        read_evolved(evolved)
