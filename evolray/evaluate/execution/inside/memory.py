"""The memory of all processes of a program together, from the /proc of the sandbox: it holds no others."""

import os

COUNTED = ("RssAnon:", "RssShmem:", "VmPTE:", "VmSwap:")


def used_mb() -> float:
    """Pages that processes share after a fork count for each of them."""
    return sum(_kilobytes(int(name)) for name in os.listdir("/proc") if name.isdigit() and name != "1") / 1024


def _kilobytes(process: int) -> int:
    try:
        with open(f"/proc/{process}/status", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return 0  # it ended
    return sum(int(line.split()[1]) for line in lines if line.startswith(COUNTED))
