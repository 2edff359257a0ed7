"""Lines with scores, preferences or outcomes, made into verdicts.

    FastChat's reviews   two scores in the judge's own words, of the first and of the second answer
    AlpacaEval's         preference: 2 the model, 1 the baseline, 0 or 1.5 neither, between 1 and 2 a degree; or null
    a table              outcome, or the score of one answer, or model_score and baseline_score; evolray's own as well

Each function raises BadReview for a line that cannot be used. What a judge said and nobody can read is "no_verdict".
"""

from evolray.evaluate.chat.protocols.two_scores import HIGHEST, LOWEST, parse_two_scores
from evolray.evaluate.chat.reading.finding import shown
from evolray.evaluate.chat.reading.review_fields import (
    CHOSEN,
    ORDERS,
    BadReview,
    Make,
    Row,
    compared,
    is_missing,
    number_of,
)
from evolray.evaluate.chat.verdicts import FAILED, NO_VERDICT, Verdict
from evolray.evaluate.graded import storable

COMPARED = ("win", "tie", "loss")
OUTCOMES = {
    "win": "win", "tie": "tie", "draw": "tie", "loss": "loss", "lose": "loss",
    "scored": "scored", NO_VERDICT: NO_VERDICT, FAILED: FAILED,
}  # fmt: skip
_NOT_READ = -1
"""FastChat's score where it could not read the judge's."""


# --- two scores ---


def is_review(row: Row) -> bool:
    return "answer1_id" in row or "review_id" in row or isinstance(row.get("score"), list)


def review(row: Row, make: Make, model_is_first: bool) -> Verdict:
    """The judge's words count; where they hold no scores, those that the file's authors noted."""
    text, noted = row.get("text"), _noted(row.get("score"))
    read = parse_two_scores(text) if isinstance(text, str) else None
    order = "model_first" if model_is_first else "baseline_first"
    if read is not None and read.second is not None:
        scores = (read.first, read.second)
        message = "" if noted in (None, scores) else f"the file's own scores are {noted}"
    elif noted:
        scores, message = noted, "the scores are the file's; its text holds none"
    elif isinstance(text, str):
        return make(NO_VERDICT, order=order)
    else:
        raise BadReview("neither text nor score")
    model, baseline = scores if model_is_first else scores[::-1]
    outcome = compared(model, baseline)
    return make(outcome, order=order, model_score=model, baseline_score=baseline, message=message)


def _noted(score: object) -> tuple[float, float] | None:
    """None where there is none."""
    if is_missing(score):
        return None
    numbers = [number_of(one) for one in score] if isinstance(score, list) else []
    if numbers == [_NOT_READ, _NOT_READ]:
        return None
    scores = [one for one in numbers if one is not None and LOWEST <= one <= HIGHEST]
    if len(scores) != 2 or len(numbers) != 2:
        given = f"[{', '.join(map(shown, score[:4]))}]" if isinstance(score, list) else shown(score)
        raise BadReview(f"score {given}; expected two numbers from {LOWEST} to {HIGHEST}")
    return scores[0], scores[1]


# --- a preference ---


def preference(row: Row, make: Make) -> Verdict:
    """Which answer stood first was drawn at random, and is not in the file."""
    given = row["preference"]
    if is_missing(given):
        return make(NO_VERDICT, order="unknown")
    number = number_of(given)
    if number is None or not (number == 0 or 1 <= number <= 2):
        raise BadReview(f"preference {shown(given)}; expected 1 to 2, 0 or nothing")
    model = 0.5 if number == 0 else number - 1
    return make(compared(model, 1 - model), order="unknown", model_score=model, baseline_score=1 - model)


# --- a table ---


def of_table(row: Row, make: Make) -> Verdict:
    """A comparison when there is an outcome or a baseline's score; else a rating of one answer."""
    outcome = _outcome(row)
    model, baseline = _score(row, "model_score"), _score(row, "baseline_score")
    rating = _score(row, "score") if model is None else model
    if outcome in (NO_VERDICT, FAILED):
        return make(outcome, order=_order(row, "unknown"), message=_message(row))
    if rating == _NOT_READ and baseline in (None, _NOT_READ):
        return make(NO_VERDICT, order=_order(row, "alone" if baseline is None else "unknown"))
    _check_range(LOWEST if baseline is None and outcome not in COMPARED else 0, rating, baseline)
    if outcome not in COMPARED and baseline is None:
        if rating is None:
            raise BadReview("none of outcome, score and model_score")
        return make("scored", model_score=rating, message=_message(row))
    return _comparison(row, make, outcome, rating, baseline)


def _comparison(row: Row, make: Make, outcome: str | None, model: float | None, baseline: float | None) -> Verdict:
    if model is None and baseline is None and outcome in CHOSEN:
        model, baseline = CHOSEN[outcome]
    if model is None or baseline is None:
        raise BadReview("only one of model_score and baseline_score; expected both, or an outcome alone")
    if outcome not in (None, compared(model, baseline)):
        raise BadReview(f"outcome {outcome}, but the scores {model:g} and {baseline:g}")
    order = _order(row, "unknown").replace("alone", "unknown")  # nothing was compared with nothing
    scores = {"model_score": model, "baseline_score": baseline}
    return make(compared(model, baseline), order=order, message=_message(row), **scores)


def _outcome(row: Row) -> str | None:
    given = row.get("outcome")
    if is_missing(given):
        return None
    outcome = OUTCOMES.get(given.strip().casefold()) if isinstance(given, str) else None
    if outcome is None:
        raise BadReview(f"outcome {shown(given)}; expected win, tie or loss")
    return outcome


def _score(row: Row, key: str) -> float | None:
    if is_missing(row.get(key)):
        return None
    number = number_of(row[key])
    if number is None:
        raise BadReview(f"{key} {shown(row[key])}; expected a number")
    return number


def _check_range(lowest: int, *scores: float | None) -> None:
    if wrong := [one for one in scores if one is not None and not lowest <= one <= HIGHEST]:
        raise BadReview(f"score {wrong[0]:g}; expected {lowest} to {HIGHEST}")


def _order(row: Row, otherwise: str) -> str:
    given = row.get("order")
    if is_missing(given):
        return otherwise
    if given not in ORDERS:
        raise BadReview(f"order {shown(given)}; expected one of {', '.join(ORDERS)}")
    return str(given)


def _message(row: Row) -> str:
    message = row.get("message")
    return storable(message) if isinstance(message, str) else ""
