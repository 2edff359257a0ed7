"""An ablation as a Ray job that submits a job per step: the arguments are those of `evolray ablation`.

    ray job submit --working-dir . -- python jobs/ablation.py conf/ablation/wizardlm.yaml run=/shared/runs/ablation

The job works in a copy of the folder it is submitted from, so `run`, `evolve.seeds.path` and `sweep.problems` are
absolute paths, on storage that every node sees. Arguments arrive as they are typed: quote them once, for your own
shell. Where the cluster checks tokens, as Ray does by default, submit with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set;
the steps are submitted with what the job finds in its environment.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["ablation", *sys.argv[1:]]))
