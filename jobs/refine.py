"""Refine pools into a training mix as a Ray job: the arguments are those of `evolray refine`.

    ray job submit --working-dir . -- python jobs/refine.py conf/refine/wizardlm.yaml data=/runs/evolved run=/runs/mix

The job works in a copy of the folder it is submitted from, so all paths are absolute, on storage that every node sees,
or URLs. Arguments arrive as they are typed: quote them once, for your own shell. Where the cluster checks tokens, as
Ray does by default, submit with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["refine", *sys.argv[1:]]))
