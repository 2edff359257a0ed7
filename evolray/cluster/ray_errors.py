"""What an error of Ray's is about, in one line."""


def last_line(error: BaseException) -> str:
    """What Ray's errors end in after the traceback of a worker."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:500]


def root_cause(error: BaseException) -> BaseException:
    """What went wrong in the end, below what Ray wraps around it."""
    while (inner := getattr(error, "cause", None) or error.__cause__) is not None:
        error = inner
    return error
