"""Sweep over checkpoints as a Ray job that submits a job per cell: the arguments are those of `evolray sweep`.

    ray job submit --working-dir . -- python jobs/sweep.py conf/sweep/checkpoints.yaml run=/shared/runs/7b-sweep

The job works in a copy of the folder it is submitted from, so `run`, `checkpoints` and `problems` are absolute paths,
on storage that every node sees. Arguments arrive as they are typed: quote them once, for your own shell. Where the
cluster checks tokens, as Ray does by default, submit with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set; the cells are
submitted with what the job finds in its environment.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["sweep", *sys.argv[1:]]))
