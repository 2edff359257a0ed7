"""The figures of a training, worked out by hand, and that they arrive in log, TensorBoard and with the watcher."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from evolray.pool.layout import open_folder
from evolray.train import figures as module
from evolray.train.batches import Batches
from evolray.train.figures import Watch, mean_context
from evolray.train.watching import Figures

LENGTHS = np.array([10, 20, 30, 40, 50])
FLOPS, PEAK = 1000.0, 1e6


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


class Driven:
    """A Watch and what would drive it: a step takes so many seconds."""

    def __init__(
        self, run: Path, clock: Clock, start: tuple[int, int, int] = (0, 0, 0), peak: float | None = PEAK, **plan: Any
    ) -> None:
        settings = {"global_batch": 2, "epochs": 2, "seed": 0, "workers": 1, "accumulation": 1, **plan}
        self.batches = Batches(LENGTHS, **settings)
        self.told: list[Figures] = []
        self.watch = Watch(self.batches, FLOPS, peak, open_folder(str(run)), run, start, self.told.append)
        self._clock, self._step = clock, start[0]
        self.control = SimpleNamespace(should_log=False)
        self.watch.on_train_begin(None, None, None)

    def steps(self, number: int, seconds: float = 2.0, **logs: Any) -> None:
        for _ in range(number):
            self._step += 1
            self._clock.now += seconds
            self.watch.on_step_end(None, SimpleNamespace(global_step=self._step), self.control)
            self.watch.on_log(None, None, None, logs={"loss": 9.0 - self._step, "learning_rate": 0.1, **logs})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def lengths_of(batches: Batches, steps: int) -> list[list[int]]:
    return [LENGTHS[batches.examples(step)].tolist() for step in range(steps)]


def test_tokens_and_examples_are_those_of_the_steps_done(run: Path, clock: Clock) -> None:
    driven = Driven(run, clock)
    driven.steps(4)
    driven.watch.close()
    assert [figures.step for figures in driven.told] == [1, 2, 3, 4]
    assert [figures.examples for figures in driven.told] == [2, 4, 5, 7]  # an epoch of five ends in a step of one
    assert [figures.tokens for figures in driven.told] == np.cumsum(
        [sum(step) for step in lengths_of(driven.batches, 4)]
    ).tolist()
    assert [figures.epoch for figures in driven.told] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3])
    assert {figures.steps for figures in driven.told} == {6}
    assert [figures.loss for figures in driven.told] == [8.0, 7.0, 6.0, 5.0]


def test_the_last_step_is_logged_however_seldom_others_are(run: Path, clock: Clock) -> None:
    driven = Driven(run, clock)
    driven.steps(5)
    assert not driven.control.should_log
    driven.steps(1)
    assert driven.control.should_log
    driven.watch.close()


def test_speed_is_a_mean_over_a_window(run: Path, clock: Clock) -> None:
    driven = Driven(run, clock)
    driven.steps(1, seconds=2.0)
    driven.steps(1, seconds=8.0)
    driven.watch.close()
    first, second = [sum(step) for step in lengths_of(driven.batches, 2)]
    told = driven.told
    assert [one.tokens_per_second for one in told] == pytest.approx([first / 2, (first + second) / 10])
    assert told[1].flops_per_second == pytest.approx((first + second) / 10 * FLOPS)
    assert told[1].mfu == pytest.approx((first + second) / 10 * FLOPS / PEAK)
    left = 2 * 150 - first - second
    assert told[1].seconds_left == pytest.approx(left / ((first + second) / 10))


def test_what_is_long_ago_no_longer_counts(run: Path, clock: Clock) -> None:
    driven = Driven(run, clock, global_batch=5, epochs=50)  # every step is all 150 tokens
    driven.steps(2, seconds=50.0)
    driven.steps(1, seconds=61.0)
    driven.steps(7, seconds=10.0)
    driven.watch.close()
    assert driven.told[0].tokens_per_second == pytest.approx(3.0)
    assert driven.told[-1].tokens_per_second == pytest.approx(15.0)


def test_utilisation_counts_all_workers_and_is_unknown_with_the_peak(run: Path, clock: Clock) -> None:
    told = []
    for plan in ({"workers": 2}, {"peak": None}):
        driven = Driven(run, clock, global_batch=5, **plan)  # type: ignore[arg-type]
        driven.steps(1)
        driven.watch.close()
        told += driven.told
    assert [figures.flops_per_second for figures in told] == [75 * FLOPS] * 2
    assert [figures.mfu for figures in told] == [pytest.approx(75 * FLOPS / (2 * PEAK)), None]


@pytest.mark.parametrize(
    ("packing", "workers", "padding"), [(True, 1, 0.0), (False, 1, 100 / 250), (False, 5, 10 / 160)]
)
def test_padding_is_the_share_of_what_is_computed(
    run: Path, clock: Clock, packing: bool, workers: int, padding: float
) -> None:
    """All five in one pass: 150 tokens in 5 rows of 50. On five workers 10 and 20 share a pass, for it is short."""
    driven = Driven(run, clock, packing=packing, workers=workers, global_batch=5)
    driven.steps(2)
    driven.watch.close()
    assert driven.told[-1].padding == pytest.approx(padding)


def test_a_resumed_training_counts_on(run: Path, clock: Clock) -> None:
    first = Driven(run, clock)
    first.steps(2)
    first.watch.close()
    at = (2, first.told[-1].examples, first.told[-1].tokens)
    second = Driven(run, clock, start=at)
    assert (second.watch.step, second.watch.examples, second.watch.tokens) == at
    second.steps(4)
    second.watch.close()
    assert (second.told[-1].examples, second.told[-1].tokens, second.told[-1].epoch) == (10, 300, 2.0)
    tokens = sum(sum(step) for step in lengths_of(first.batches, 3)[2:])
    assert second.told[0].tokens_per_second == pytest.approx(tokens / 2.0)  # not counting what was there before
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_figures_arrive_in_log_and_tensorboard(run: Path, clock: Clock) -> None:
    driven = Driven(run, clock)
    driven.steps(3, grad_norm=0.5)
    driven.watch.on_evaluate(None, None, None, metrics={"eval_loss": 2.5})
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 4  # at once, not at the end
    driven.watch.close()
    assert lines[0]["loss"] == 8.0 and lines[0]["gradient_norm"] == 0.5 and "held_out_loss" not in lines[0]
    assert lines[3]["held_out_loss"] == 2.5 and "loss" not in lines[3] and lines[3]["step"] == 3
    board = EventAccumulator(str(run / "tensorboard"))
    board.Reload()
    assert [(event.step, event.value) for event in board.Scalars("train/loss")] == [(1, 8.0), (2, 7.0), (3, 6.0)]
    assert [(event.step, event.value) for event in board.Scalars("train/held_out_loss")] == [(3, 2.5)]
    assert {f"train/{name}" for name in ("learning_rate", "gradient_norm", "tokens_per_second", "mfu", "padding")} < {
        *board.Tags()["scalars"]
    }


def test_a_log_without_a_loss_is_none_of_ours(run: Path, clock: Clock) -> None:
    driven = Driven(run, clock)
    driven.watch.on_log(None, None, None, logs={"train_runtime": 3.0})
    driven.watch.on_log(None, None, None, logs=None)
    driven.watch.close()
    assert driven.told == [] and (run / "log.jsonl").read_text() == ""


def test_a_token_attends_to_what_the_squares_say() -> None:
    assert mean_context(np.array([10, 30])) == (100 + 900) / 40
    assert mean_context(np.array([7, 7, 7])) == 7.0
    assert mean_context(np.array([], dtype=np.int64)) == 0.0
