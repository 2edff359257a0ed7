"""Why a record is not in the mix: names for people, one byte per record for the steps.

In the order in which they are decided; a record has the first that applies. Code 0 says that it is in the mix.
"""

REASONS = (
    "",
    "exact_duplicate",  # says the same as a record that stays
    "near_duplicate",  # resembles a record that stays
    "leak",  # holds an item of a benchmark
    "generation",  # not one of select.generations; the same for the two below
    "operator",
    "domain",
    "no_response",  # select.require_response, and it has none
    "too_short",  # fewer words than select.min_words
    "too_long",  # more words than select.max_words
    "unjudged",  # a difficulty band or a balance by difficulty or skill is set, and the judge gave none
    "too_easy",  # below select.min_difficulty
    "too_hard",  # above select.max_difficulty
    "over_budget",  # fits, and was not drawn
)

_CODES = {reason: code for code, reason in enumerate(REASONS)}


def code(reason: str) -> int:
    """A KeyError means that the reason is not in the table."""
    return _CODES[reason]
