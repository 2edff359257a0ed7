"""The memory of all processes of a program together, from the /proc of the sandbox: it holds no others."""

import os

COUNTED = ("RssAnon:", "RssShmem:", "VmPTE:", "VmSwap:")


def used_mb() -> float:
    """Pages that processes share after a fork count for each of them."""
    zygotes = ("1", os.readlink("/proc/self"))
    return sum(_kilobytes(name) for name in os.listdir("/proc") if name.isdigit() and name not in zygotes) / 1024


def _kilobytes(process: str) -> int:
    try:
        with open(f"/proc/{process}/status", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return 0  # it ended
    return sum(int(line.split()[1]) for line in lines if line.startswith(COUNTED))
