"""What all views say alike: how a run stands, and texts as a terminal may show them."""

import time

STALE_SECONDS = 30.0  # a running run writes its manifest every few seconds
ESCAPED = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}  # all but tab and newline
STYLES = {"kept": "green", "eliminated": "yellow", "failed": "red"}


def standing(status: str, updated_at: float) -> str:
    age = time.time() - updated_at
    if status == "running" and age > STALE_SECONDS:
        return f"not heard of for {age:,.0f} s (killed? the same command goes on)"
    return status.replace("_", " ")


def shorten(text: str, characters: int = 600) -> str:
    """As a terminal may show it: a model's text can hold what moves its cursor or changes its title."""
    shown = text[:characters].translate(ESCAPED)
    return shown if len(text) <= characters else f"{shown} … ({len(text):,} characters)"
