"""Why a run stops, as an error that says how far it got."""

import pytest

from evolray.engine.messages import Stop, stop_kind, why_unfinished
from evolray.errors import BudgetError, EndpointError, EvolrayError, Interrupted, UserError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointError("x"), "endpoint"),
        (BudgetError("x"), "out_of_budget"),
        (Interrupted("x"), "interrupted"),
        (EvolrayError("x"), "error"),
        (UserError("x"), "error"),
    ],
)
def test_every_error_is_a_kind_of_stop(error: EvolrayError, kind: str) -> None:
    assert stop_kind(error) == kind


def test_a_stop_becomes_the_error_of_its_kind_and_says_how_to_go_on() -> None:
    error = Stop("out_of_budget", "the budget is spent").as_error("3 of 8 shards are finished")
    assert type(error) is BudgetError
    assert str(error) == (
        "the budget is spent (3 of 8 shards are finished; every answer is in the ledger, and the same command goes on "
        "from here)"
    )


def test_a_stop_that_came_when_all_was_done_is_none() -> None:
    late = Stop("interrupted", "interrupted")
    assert why_unfinished([0, 1], [1, 0], late) is None
    assert why_unfinished([0, 1], [1], late) is late


def test_shards_that_ended_without_a_result_are_named() -> None:
    assert why_unfinished([4, 2, 7], [4], None) == Stop("error", "2 shards ended without a result, shard 2 first.")
