"""A judge's questions and verdicts on disk: both orders, attempts, repeats, and nothing asked twice."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolray.evaluate.chat.benchmark import Case
from evolray.evaluate.chat.judging import Judging, wanted_of
from evolray.evaluate.chat.selection import SelectedChat
from evolray.evaluate.chat.verdicts import Verdict
from evolray.pool.layout import LocalFolder
from evolray.sampling.questions import Question, Sample
from tests.evaluate.chat.judges import FakeJudge, scores_by_length, select, wizard_problems, words

PROBLEMS = wizard_problems(4)
MODEL, BASELINE = (5, 4, 3, 8), (5, 5, 2, 2)


def cases(selected: SelectedChat, answers: tuple[int, ...] = MODEL) -> list[Case]:
    pairs = zip(selected.problems.all, answers, strict=False)
    return [selected.case(problem, (words(points),)) for problem, points in pairs]


Judge = Callable[..., list[Verdict]]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def run(fake: FakeJudge, answers: tuple[int, ...] = MODEL, retry_failed: bool = False, **settings: Any) -> Any:
        baseline = {one.id: (words(points),) for one, points in zip(PROBLEMS.all, BASELINE, strict=True)}
        selected = select(fake, PROBLEMS, baseline, **settings)
        judging = Judging(LocalFolder(str(tmp_path)), selected, shard_size=3)
        judging.judge(cases(selected, answers), retry_failed, lambda now, todo: None)
        assert judging.is_done(cases(selected, answers), retry_failed=False)
        return judging.verdicts()

    return run


def test_both_orders_are_asked_and_scores_go_to_whom_they_belong(judge: Judge) -> None:
    fake = FakeJudge(scores_by_length)
    verdicts = judge(fake)
    assert [(one.problem, one.order, one.outcome) for one in verdicts] == [
        ("1", "model_first", "tie"), ("1", "baseline_first", "tie"),
        ("2", "model_first", "loss"), ("2", "baseline_first", "loss"),
        ("3", "model_first", "win"), ("3", "baseline_first", "win"),
        ("4", "model_first", "win"), ("4", "baseline_first", "win"),
    ]  # fmt: skip
    assert [(one.model_score, one.baseline_score) for one in verdicts[2:4]] == [(4.0, 5.0), (4.0, 5.0)]
    assert verdicts[0].text == "5 5\nBecause."
    assert len(fake.asked) == 8 and {attempt for _, attempt in fake.asked} == {0}


def test_a_bonus_for_the_first_place_goes_to_the_model_once_and_to_the_baseline_once(judge: Judge) -> None:
    verdicts = judge(FakeJudge(lambda question: scores_by_length(question, bonus=1)))
    assert [(one.model_score, one.baseline_score) for one in verdicts[:2]] == [(6.0, 5.0), (5.0, 6.0)]
    assert [one.outcome for one in verdicts[:4]] == ["win", "loss", "tie", "loss"]


def test_one_order_alternates_as_in_the_paper(judge: Judge) -> None:
    verdicts = judge(FakeJudge(scores_by_length), order="alternate")
    assert [one.order for one in verdicts] == ["model_first", "baseline_first"] * 2


def test_a_random_order_is_the_same_for_each_problem_however_many_there_are(judge: Judge) -> None:
    orders = {one.problem: one.order for one in judge(FakeJudge(scores_by_length), order="random", seed=1)}
    assert set(orders.values()) == {"model_first", "baseline_first"}
    fewer = judge(FakeJudge(scores_by_length), MODEL[:2], order="random", seed=1)
    assert {one.problem: one.order for one in fewer} == {name: orders[name] for name in ("1", "2")}


def test_each_turn_is_asked_about_by_itself() -> None:
    baseline = {one.id: ("x",) for one in PROBLEMS.all}
    selected = select(FakeJudge(scores_by_length), PROBLEMS, baseline, order="alternate")
    case = Case(PROBLEMS.all[0], ("a", "b", "c"), ("d", "e", "f"), ("g", "h", "i"))
    assert [one.turn for one in wanted_of(selected, [case])] == [1, 2, 3]


def test_a_rerun_asks_nothing_and_more_repeats_ask_only_what_is_new(judge: Judge) -> None:
    judge(FakeJudge(scores_by_length))
    again, more = FakeJudge(scores_by_length), FakeJudge(scores_by_length)
    judge(again)
    assert again.asked == []
    assert len(judge(more, repeats=3)) == 24
    assert Counter(name.rpartition("/")[2] for name, _ in more.asked) == {"repeat 1": 8, "repeat 2": 8}


def test_what_cannot_be_read_is_asked_again_and_then_given_up(judge: Judge) -> None:
    def mumbles(question: Question) -> str:
        if "Do 1." in question.messages[-1].content:
            return "Both are fine."
        if "Do 2." in question.messages[-1].content and question.sample == 0:
            return "I need a moment."
        return scores_by_length(question)

    fake = FakeJudge(mumbles)
    verdicts = judge(fake, attempts=3)
    assert Counter(attempt for _, attempt in fake.asked) == {0: 8, 1: 4, 2: 2}
    assert Counter(one.outcome for one in verdicts if one.problem == "2") == {"no_verdict": 2}
    assert Counter(one.outcome for one in verdicts if one.problem == "3") == {"win": 2}
    again = FakeJudge(mumbles)
    judge(again, attempts=3)
    assert again.asked == []
    judge(again, attempts=4)
    assert Counter(attempt for _, attempt in again.asked) == {3: 2}


def test_of_an_answer_that_was_cut_off_only_whole_lines_count(judge: Judge) -> None:
    def cut(question: Question) -> Sample:
        text = "9 1" if question.sample == 0 else "9 8\nBecause the fi"
        return Sample(question.id, question.sample, text, finish_reason="length")

    verdicts = judge(FakeJudge(cut), MODEL[:1])
    assert [(one.model_score, one.baseline_score) for one in verdicts] == [(9.0, 8.0), (8.0, 9.0)]


def test_a_failed_call_is_kept_as_such_and_asked_again_on_request(judge: Judge) -> None:
    def ill(question: Question) -> str | Sample:
        if "/model_first/" in question.id and question.id.startswith("1/"):
            return Sample(question.id, question.sample, cause="timeout", message="no answer in 300 s")
        return scores_by_length(question)

    verdicts = judge(FakeJudge(ill))
    assert [one.outcome for one in verdicts[:2]] == ["failed", "tie"]
    assert verdicts[0].message == "timeout: no answer in 300 s"
    well = FakeJudge(scores_by_length)
    assert [one.outcome for one in judge(well)[:2]] == ["failed", "tie"] and well.asked == []
    assert [one.outcome for one in judge(well, retry_failed=True)[:2]] == ["tie", "tie"]
    assert well.asked == [("1/turn 1/model_first/repeat 0", 0)]


def test_an_answer_that_comes_late_is_judged_and_nothing_else(judge: Judge) -> None:
    judge(FakeJudge(scores_by_length), MODEL[:3])
    late = FakeJudge(scores_by_length)
    assert len(judge(late)) == 8
    assert {name.partition("/")[0] for name, _ in late.asked} == {"4"}


def test_another_judge_another_order_and_another_baseline_have_places_of_their_own() -> None:
    baseline = {one.id: ("x",) for one in PROBLEMS.all}
    one = select(FakeJudge(scores_by_length), PROBLEMS, baseline)
    others = [
        select(FakeJudge(scores_by_length, identity={"model": "another"}), PROBLEMS, baseline),
        select(FakeJudge(scores_by_length), PROBLEMS, baseline, order="alternate"),
        select(FakeJudge(scores_by_length), PROBLEMS, baseline, order="random"),
        select(FakeJudge(scores_by_length), PROBLEMS, baseline, order="random", seed=1),
    ]
    keys = [one.key, *(other.key for other in others)]
    assert len(set(keys)) == 5 and all(key.startswith("wizard_eval-") for key in keys)
    assert select(FakeJudge(scores_by_length), PROBLEMS, baseline, repeats=5, attempts=1).key == one.key
