"""The last line of a job's log: what the job said, not what Ray says in it."""

import pytest

from evolray.cluster.jobs.logs import last_line


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        ("\n \n", ""),
        ("18:30:59 step 150 of 2,368  loss 0.3\n\n", "step 150 of 2,368  loss 0.3"),
        ("step 1\n\x1b[33m(raylet)\x1b[0m WARNING: 8 PYTHON worker processes have been started\n", "step 1"),
        ("step 1\n(autoscaler +5s) Tip: use `ray status`\n(Worker pid=7) loaded\n", "step 1"),
        ("(raylet) alone\n", ""),
        ("\x1b[32mgreen\x1b[0m words\n", "green words"),
        ("(a remark) of the job's own\n", "(a remark) of the job's own"),
        ("18:30:59\n", "18:30:59"),
        ("2026-11-28 19:22:00,042\tINFO job_manager.py:581 -- Runtime env is setting up.\n", ""),
        ("Running entrypoint for job a-1: exec env python\n", ""),
    ],
)
def test_the_last_line_of_the_job_itself(log: str, said: str) -> None:
    assert last_line(log) == said
