"""What a job's log says last, for people who look at many jobs at once."""

import re

# What Ray itself writes into a job's log, whatever the job is about, in colours: `(raylet) WARNING: ...`.
RAYS_OWN = re.compile(r"(\x1b\[[\d;]*m)*\((raylet|autoscaler|pid=|\w+ pid=)")
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CLOCK = re.compile(r"\d\d:\d\d:\d\d ")


def last_line(log: str) -> str:
    """The last line that is the job's own, without the time that it begins with; "" where there is none."""
    for line in reversed(re.split(r"[\r\n]", log)):
        said = COLOURS.sub("", line).strip()
        if said and not RAYS_OWN.match(line):
            return CLOCK.sub("", said, count=1) if CLOCK.match(said) else said
    return ""
