"""Hostile, model-written programs, run and judged: they cannot harm or see the host, nor fake their verdict.

    with Sandbox(Limits(memory_mb=1024)) as sandbox:
        ran = sandbox.check(program, test, entry_point="add", seconds=3.0)      # Ran(outcome="passed", ...)
        outputs = sandbox.outputs(program, "add", [[1, 2]], seconds_per_call=[1.0], total_seconds=5.0)

Kept from a program: the host's files but for the interpreter's, its environment, processes, network, loopback, sockets;
other programs, before, after and beside it; the tests. Kept within limits: time, memory and number of all its processes
together, files, output (which goes nowhere).

Not promised: that a program which exploits the kernel is stopped, that times are equal under load, that programs do not
learn of the machine what a processor tells (its kind, its time). Memory that processes share counts for each of them.
With `unsafe=True` nothing is kept from a program, and its limits are those of single processes; verdicts are the same.
"""

from evolray.evaluate.execution.sandbox import Sandbox
from evolray.evaluate.execution.verdicts import (
    Limits,
    Lost,
    Opaque,
    Output,
    Outputs,
    Raised,
    Ran,
    Returned,
    TimedOut,
)

__all__ = [
    "Limits",
    "Lost",
    "Opaque",
    "Output",
    "Outputs",
    "Raised",
    "Ran",
    "Returned",
    "Sandbox",
    "TimedOut",
]
