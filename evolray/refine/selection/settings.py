"""Settings of `select` that contradict each other or could have no effect, found before anything is read."""

from evolray.config.refine import RefineConfig, SelectConfig
from evolray.errors import UserError

BALANCES = ("generation", "operator", "domain", "source", "difficulty", "skill")
ORDERS = ("random", "hardest", "diverse", "embedding")


def check_select(config: RefineConfig, num_sources: int, weighted: bool) -> None:
    """Raises UserError. `weighted`: the sources have weights."""
    _check_values(config.select)
    _check_sense(config.select, num_sources, weighted)
    wanted = {
        "difficulty": needs_difficulty(config.select) or config.select.order == "hardest",
        "skills": config.select.balance == "skill",
    }
    for name, needed in wanted.items():
        if needed and not getattr(config.judging, name):
            raise UserError(f"select asks for {name}, but nothing judges them; set judging.{name}=true.")


def needs_difficulty(config: SelectConfig) -> bool:
    """Of every record: one that has none cannot be in the mix."""
    return config.min_difficulty is not None or config.max_difficulty is not None or config.balance == "difficulty"


def _check_values(select: SelectConfig) -> None:
    for name, value, known in (("balance", select.balance, (None, *BALANCES)), ("order", select.order, ORDERS)):
        if value not in known:
            raise UserError(f"select.{name} is {value!r}; expected {', '.join(filter(None, known))}.")
    for name, smallest in (("records", 1), ("tokens", 1), ("min_words", 0), ("max_words", 1)):
        number = getattr(select, name)
        if number is not None and number < smallest:
            raise UserError(f"select.{name} is {number}; expected a number from {smallest} on, or null for no limit.")
    for name in ("min_difficulty", "max_difficulty"):
        number = getattr(select, name)
        if number is not None and not 1 <= number <= 10:
            raise UserError(f"select.{name} is {number}; expected 1 to 10, or null for no limit.")
    for name in ("words", "difficulty"):
        least, most = getattr(select, f"min_{name}"), getattr(select, f"max_{name}")
        if least is not None and most is not None and least > most:
            raise UserError(f"select.min_{name} is {least} and max_{name} {most}: nothing is left; swap them.")


def _check_sense(select: SelectConfig, num_sources: int, weighted: bool) -> None:
    has_budget = select.records is not None or select.tokens is not None
    if select.balance and not has_budget and not weighted:
        raise UserError(f"select.balance={select.balance} shares out a budget; set select.records or select.tokens.")
    if select.order != "random" and not has_budget and not weighted:
        raise UserError(f"select.order={select.order} says who fills a budget; set select.records or select.tokens.")
    if select.balance == "source" and weighted:
        raise UserError("select.balance=source and weights of sources contradict each other; drop one of them.")
    if select.balance == "source" and num_sources < 2:
        raise UserError("select.balance=source needs several sources in data; there is one.")
