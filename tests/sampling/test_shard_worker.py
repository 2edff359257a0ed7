"""A shard is answered whole or not at all; what is there stays, what failed is asked again."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from evolray.errors import EvolrayError
from evolray.pool.layout import Folder, open_folder, shards_in
from evolray.sampling import shard_worker
from evolray.sampling.board import Tally
from evolray.sampling.questions import SAMPLED, Question, Sample, read_samples, write_questions, write_samples
from evolray.sampling.shard_worker import ShardWorker, ToldToStop

QUESTIONS = [Question(f"q{at}", 0, prompt=f"text {at}") for at in range(4)]


class Answerer:
    """Answers last questions first, three tokens each; the question of the id `failing` fails."""

    def __init__(self, failing: str = "") -> None:
        self.asked: list[str] = []
        self._failing = failing

    def __call__(self, questions: Sequence[Question], tick: Callable[[int], None]) -> Iterator[Sample]:
        for question in reversed(questions):
            self.asked.append(question.id)
            tick(3)
            cause = "too_long" if question.id == self._failing else ""
            yield Sample(question.id, 0, text="" if cause else "yes", completion_tokens=0 if cause else 3, cause=cause)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = open_folder(str(tmp_path))
    write_questions(folder, 7, QUESTIONS)
    return folder


def work(folder: Folder, answerer: Answerer, tallies: list[Tally] | None = None, until: int = 99) -> None:
    reports = 0

    def report(shard: int, tally: Tally) -> bool:
        nonlocal reports
        reports += 1
        assert shard == 7
        if tallies is not None:
            tallies.append(Tally(**vars(tally)))
        return reports <= until

    ShardWorker(answerer, folder, report)(7)


def test_samples_are_in_the_order_of_the_questions(folder: Folder) -> None:
    work(folder, Answerer())
    assert [one.id for one in read_samples(folder, 7)] == ["q0", "q1", "q2", "q3"]


def test_what_failed_is_asked_again_and_nothing_else(folder: Folder) -> None:
    work(folder, Answerer(failing="q2"))
    assert [one.cause for one in read_samples(folder, 7)] == ["", "", "too_long", ""]
    second = Answerer()
    work(folder, second)
    assert second.asked == ["q2"]
    assert [one.cause for one in read_samples(folder, 7)] == [""] * 4


def test_reports_hold_what_is_done_and_what_is_being_written(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_worker, "REPORT_SECONDS", 0.0)
    tallies: list[Tally] = []
    work(folder, Answerer(failing="q3"), tallies)
    assert tallies == [
        Tally(),
        Tally(writing=3),
        Tally(failed=1, writing=6),
        Tally(sampled=1, failed=1, completion_tokens=3, writing=6),
        Tally(sampled=2, failed=1, completion_tokens=6, writing=6),
        Tally(sampled=3, failed=1, completion_tokens=9),
    ]


def test_kept_samples_are_reported_at_once(folder: Folder) -> None:
    write_samples(folder, 7, [Sample(one.id, 0, completion_tokens=9) for one in QUESTIONS])
    tallies: list[Tally] = []
    work(folder, Answerer(), tallies)
    assert tallies[0] == Tally(sampled=4, completion_tokens=36)


@pytest.mark.parametrize("until", [0, 1, 3])
def test_a_worker_that_is_told_to_stop_writes_nothing(
    folder: Folder, until: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_worker, "REPORT_SECONDS", 0.0)
    with pytest.raises(ToldToStop):
        work(folder, Answerer(), until=until)
    assert shards_in(folder, SAMPLED) == []


def test_a_node_that_does_not_see_the_run(tmp_path: Path) -> None:
    with pytest.raises(EvolrayError, match=r"questions/00007\.parquet: a node of the cluster does not see this file"):
        work(open_folder(str(tmp_path)), Answerer())
