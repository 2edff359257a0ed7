"""An answer as a message shows it: on one line, and short."""

MOST_CHARACTERS = 200


def shown(text: str) -> str:
    line = " ".join(text[: 4 * MOST_CHARACTERS].split())
    return line if len(line) <= MOST_CHARACTERS and len(text) <= 4 * MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}…"
