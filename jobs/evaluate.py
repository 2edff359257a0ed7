"""Evaluate a checkpoint or an endpoint as a Ray job: the arguments are those of `evolray evaluate`.

    ray job submit --working-dir . -- python jobs/evaluate.py conf/evaluate/math.yaml model=/runs/7b run=/runs/scores

`problems.gsm8k` and `problems.math` come on top. The job works in a copy of the folder it is submitted from, so `run`,
`model` and `problems` are absolute paths, on storage that every node sees, or URLs. Arguments arrive as they are typed:
quote them once, for your own shell. Programs run under bubblewrap, which every node needs (apt-get install bubblewrap).
Where the cluster checks tokens, as Ray does by default, submit with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
