"""How long, for people."""


def duration(seconds: float) -> str:
    """For example 2 h 05 min, 3 min 07 s or 12 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
