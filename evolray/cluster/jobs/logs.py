"""What jobs say in their logs, for people who look at many at once: without what Ray adds."""

import re

# Ray writes into a job's log, in colours, whatever the job is about: `(raylet) WARNING: ...`; and when it starts one.
RAYS_OWN = re.compile(
    r"\((raylet|autoscaler|pid=|\w+ pid=)|\d{4}-\d\d-\d\d [\d:,]+\s+INFO job_manager\.py|Running entrypoint for job "
)
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CLOCK = re.compile(r"\d\d:\d\d:\d\d ")


def own_lines(log: str) -> list[str]:
    """The lines that are the job's own, without colours and without those that are empty."""
    lines = (COLOURS.sub("", line).rstrip() for line in re.split(r"[\r\n]", log))
    return [line for line in lines if line.strip() and not RAYS_OWN.match(line)]


def last_line(log: str) -> str:
    """The last of them, without the time that it begins with; "" where there is none."""
    lines = own_lines(log)
    said = lines[-1].strip() if lines else ""
    return CLOCK.sub("", said, count=1) if CLOCK.match(said) else said
