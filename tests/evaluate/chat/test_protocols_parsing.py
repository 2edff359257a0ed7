"""How judges' answers are read: what counts as a verdict, and beside each what only looks like one."""

import json
from pathlib import Path

import pytest

from evolray.evaluate.chat.benchmark import Judgement
from evolray.evaluate.chat.protocols.pairwise import parse_choice
from evolray.evaluate.chat.protocols.ranking import parse_ranking
from evolray.evaluate.chat.protocols.single import parse_rating
from evolray.evaluate.chat.protocols.two_scores import parse_two_scores

REVIEWS = Path(__file__).parents[3] / "../shared/data/vicuna_bench"

TWO_SCORES = (
    ("9 8.5", (9, 8.5)),
    ("8 8\nBoth are good.", (8, 8)),
    ("\n\n  10\t1  \nThe first is better.", (10, 1)),
    ("9, 8", (9, 8)),
    ("9,8", (9, 8)),
    ("9; 8", (9, 8)),
    ("9/10 8/10", (9, 8)),
    ("9 / 10, 8 / 10", (9, 8)),
    ("**9** 8", (9, 8)),
    ("`9 8`.", (9, 8)),
    ("(9, 8)", (9, 8)),
    ("[9, 8]", (9, 8)),
    ("Assistant 1: 9, Assistant 2: 8", (9, 8)),
    ("**Assistant 1**: 9/10 Assistant 2: 7.5\nReasons.", (9, 7.5)),
    ("9 8\nOf 7 points, Assistant 2 makes 5.", (9, 8)),
    ("9 8\nAccuracy:\nAssistant 1: 3\nAssistant 2: 4", (9, 8)),  # the first line decides
    ("I solve it: x = 3.\n\nScores:\nAssistant 1: 10\nAssistant 2: 4\nThe first is right.", (10, 4)),
    ("I solve it.\n**Assistant 1: 7** (one slip (the last step))\n\n**Assistant 2: 10** (all right)", (7, 10)),
    ("I solve it: x = 3.\nThe output tuple is (10, 4).", (10, 4)),
    ("I solve it: x = 3.\n(10, 4)", (10, 4)),
    ("I solve it.\nAssistant 1: 10\nAssistant 2: 4\n\n(10, 4)", (10, 4)),
    ("", None),
    ("\n \n", None),
    ("9", None),
    ("9/10", None),
    ("9/8", None),
    ("9 8 7", None),
    ("9,5 8", None),
    ("8-9 7", None),
    ("8 - 9", None),
    ("8 to 9", None),
    ("98", None),
    ("nine eight", None),
    ("Both are good.", None),
    ("Scores: 9 8", None),
    ("9 and 8", None),
    ("9 8 (close)", None),
    ("0 8", None),
    ("8 0.5", None),
    ("11 8", None),
    ("-9 8", None),
    ("9 10.5", None),
    ("9/100 8/100", None),
    ("(9, 8", None),
    ("9 8]", None),
    ("٩ ٨", None),
    ("nan 8", None),
    ("1e1 8", None),
    ("Assistant 1: 9", None),
    ("Assistant 2: 9, Assistant 1: 8", None),
    ("Reasons first.\n9 8", None),
    ("I solve it.\nThe point is (2, 4).", None),
    ("I solve it.\n(10, 4)\nThe first is better.", None),
    ("I solve it.\n(10, 4, 3)", None),
    ("I solve it.\n(10, 0)", None),
    ("I solve it.\nAssistant 1: 10\nThe second:\nAssistant 2: 4", None),
    ("I solve it.\nAssistant 1: 10 points\nAssistant 2: 4 points", None),
    ("I solve it.\nAssistant 1: 10\nAssistant 2: 4\nNow style.\nAssistant 1: 9\nAssistant 2: 8", None),
    ("I solve it.\nAssistant 1: 10\nAssistant 2: 4\n(4, 10)", None),
)  # fmt: skip

RATINGS = (
    ("Rating: [[7]]", 7),
    ("[[7.5]]", 7.5),
    ("[[10]]", 10),
    ("[[1]]", 1),
    ("[[ 7 ]]", 7),
    ("[[7/10]]", 7),
    ("**[[7]]** as I said: [[7.0]]", 7),
    ("Rating: [7]", 7),
    ("Good [[7]], although it takes numbers[2] and [3].", 7),
    ("It reads x[0] and f()[1]. Rating: [6]", 6),
    ("", None),
    ("7", None),
    ("Rating: 7", None),
    ("[[7]] or [[8]]", None),
    ("[7] or [8]", None),
    ("[[0]]", None),
    ("[[11]]", None),
    ("[[10.5]]", None),
    ("[[-7]]", None),
    ("[[7]", None),
    ("[7]]", None),
    ("[[7, 8]]", None),
    ("[[7-8]]", None),
    ("[[seven]]", None),
    ("[[rating]]", None),
    ("[[٧]]", None),
    ("The index is numbers[7].", None),
    ("[7", None),
)  # fmt: skip

CHOICES = (
    ("A is better. [[A]]", (1, 0)),
    ("[[B]]", (0, 1)),
    ("Neither. [[C]]", (0.5, 0.5)),
    ("[[A]], as I said: [[ A ]]", (1, 0)),
    ("", None),
    ("A", None),
    ("[A]", None),
    ("[[a]]", None),
    ("[[D]]", None),
    ("[[AB]]", None),
    ("[[Tie]]", None),
    ("[[A]] or [[B]]", None),
    ("[[A]] if strict, [[C]] if not", None),
    ("[[A]", None),
)  # fmt: skip

FIRST_WINS = '[{"model": "model_1", "rank": 1}, {"model": "model_2", "rank": 2}]'
RANKINGS = (
    (FIRST_WINS, (1, 0)),
    ("[{'model': 'model_2', 'rank': 1}, {'model': 'model_1', 'rank': 2}]", (0, 1)),
    ("[{'model': 'model_1', 'rank': 2}, {'model': 'model_2', 'rank': 1},]", (0, 1)),
    ('[\n  {"rank": "1", "model": "model_1"},\n  {"rank": "2", "model": "model_2"}\n]', (1, 0)),
    (f"```json\n{FIRST_WINS}\n```", (1, 0)),
    (f"Here it is: {FIRST_WINS} - and that is all.", (1, 0)),
    ('[{"model": "model_1", "rank": 1}, {"model": "model_2", "rank": 1}]', (0.5, 0.5)),
    ('[{"model": "model_1", "rank": 2}, {"model": "model_2", "rank": "2"}]', (0.5, 0.5)),
    ("", None),
    ("model_1", None),
    ("[]", None),
    ("[1, 2]", None),
    ("[[1], [2]]", None),
    ("]" + FIRST_WINS[1:], None),
    (FIRST_WINS[:-1], None),
    (FIRST_WINS[:40], None),
    (FIRST_WINS + FIRST_WINS, None),
    ("Of [1] and [2]: " + FIRST_WINS, None),
    (FIRST_WINS.replace("model_2", "model_3"), None),
    (FIRST_WINS.replace("model_2", "model_1"), None),
    (FIRST_WINS.replace("2}", "3}"), None),
    (FIRST_WINS.replace("2}", "0}"), None),
    (FIRST_WINS.replace("2}", "1.5}"), None),
    (FIRST_WINS.replace("1}", "true}"), None),
    (FIRST_WINS.replace("1}", "True}"), None),
    (FIRST_WINS.replace("1}", "null}"), None),
    (FIRST_WINS.replace("1}", "[1]}"), None),
    (FIRST_WINS.replace("1}", '1, "why": "better"}'), None),
    (FIRST_WINS.replace('"rank": 1', '"score": 1'), None),
    (FIRST_WINS.replace("1}", "int(1)}"), None),
    (FIRST_WINS.replace("1}", "__import__('os').getpid()}"), None),
    (FIRST_WINS.replace("model_1", r"model_1\d"), None),
    ('{"model": "model_1", "rank": 1}', None),
    ('[{"model": "model_1", "rank": 1}]', None),
    ("[" * 900 + "]" * 900, None),
    ("[" * 450 + "]" * 450, None),
    ("[" + "-" * 900 + "1]", None),
    ("[{" * 300 + "]", None),
    ("[\0]", None),
)  # fmt: skip


@pytest.mark.parametrize(("text", "scores"), TWO_SCORES)
def test_two_scores(text: str, scores: tuple[float, float] | None) -> None:
    assert parse_two_scores(text) == (None if scores is None else Judgement(*scores))


@pytest.mark.parametrize(("text", "rating"), RATINGS)
def test_ratings(text: str, rating: float | None) -> None:
    assert parse_rating(text) == (None if rating is None else Judgement(rating))


@pytest.mark.parametrize(("text", "scores"), CHOICES)
def test_choices(text: str, scores: tuple[float, float] | None) -> None:
    assert parse_choice(text) == (None if scores is None else Judgement(*scores))


@pytest.mark.parametrize(("text", "scores"), RANKINGS)
def test_rankings(text: str, scores: tuple[float, float] | None) -> None:
    assert parse_ranking(text) == (None if scores is None else Judgement(*scores))


@pytest.mark.skipif(not REVIEWS.exists(), reason="needs the shared data")
def test_real_reviews_read_as_their_authors_read_them() -> None:
    reviews = [
        json.loads(line)
        for path in sorted(REVIEWS.glob("gpt4_review_*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert [parse_two_scores(review["text"]) for review in reviews] == [
        Judgement(*review["score"]) for review in reviews
    ]
    assert len(reviews) == 160
    assert sum(review["text"].startswith("First, I will solve") for review in reviews) == 6  # of mathematics
