"""How far the workers are: reruns count once, the first reason to stop counts, dead workers are counted."""

from evolray.sampling.board import Board, Stop, Tally
from evolray.sampling.questions import Sample
from evolray.sampling.sampler import Sampling

SAMPLES = (
    Sample("a", 0, prompt_tokens=5, completion_tokens=7),
    Sample("b", 0, prompt_tokens=50, cause="too_long"),
    Sample("c", 0, prompt_tokens=6, completion_tokens=8),
)


def test_a_tally() -> None:
    assert Tally.of(SAMPLES) == Tally(sampled=2, failed=1, prompt_tokens=61, completion_tokens=15)


def test_a_shard_that_is_run_again_counts_once() -> None:
    board = Board(2, 3, earlier=Tally(10, 1, 100, 200))
    assert board.report(4, Tally(3, 0, 30, 60))
    assert board.report(5, Tally(1, 0, 10, 20))
    assert board.report(4, Tally(2, 1, 20, 40, writing=5))
    assert board.sampling(0.0) == Sampling(13, 2, 130, 265, detail="2 workers, 0 tokens/s")


def test_the_speed_is_that_of_the_last_seconds_and_loading_does_not_count() -> None:
    board = Board(1, 3)
    assert board.sampling(0.0).detail == "loading the model"
    assert board.sampling(8.0).detail == "loading the model"
    board.report(0, Tally(completion_tokens=100))
    assert board.sampling(9.0).detail == "1 worker, 100 tokens/s"
    board.report(0, Tally(completion_tokens=100, writing=300))
    assert board.sampling(10.0).detail == "1 worker, 200 tokens/s"
    board.report(0, Tally(completion_tokens=20_400))
    assert board.sampling(20.0).detail == "1 worker, 2,000 tokens/s"


def test_the_first_reason_to_stop_counts_and_everyone_hears_of_it() -> None:
    board = Board(1, 3)
    board.stop(Stop("user", "first"))
    board.stop(Stop("interrupted", "second"))
    assert board.stopped == Stop("user", "first")
    assert not board.report(0, Tally())
    assert not board.enter()


def test_workers_that_die_too_often_end_the_run() -> None:
    board = Board(2, 1)
    assert not board.has_workers
    assert [board.enter() for _ in range(3)] == [True] * 3
    assert board.has_workers
    assert not board.enter()
    assert board.stopped is not None
    assert board.stopped.kind == "error"
    assert board.stopped.message.startswith("workers have died 2 times, more often than workers.max_failures=1.")


def test_any_number_of_deaths() -> None:
    board = Board(1, -1)
    assert all(board.enter() for _ in range(50))
