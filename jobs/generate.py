"""Answer a file of instructions as a Ray job: the arguments are those of `evolray generate`.

    ray job submit --working-dir . -- python jobs/generate.py conf/generate/wizardlm.yaml model=/runs/7b run=/runs/a

`data` and `output` come on top. The job works in a copy of the folder it is submitted from, so all paths are absolute,
on storage that every node sees, or URLs. Arguments arrive as they are typed: quote them once, for your own shell. Where
the cluster checks tokens, as Ray does by default, submit with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["generate", *sys.argv[1:]]))
