"""Evolve seeds as a Ray job: the arguments are those of `evolray evolve`.

    ray job submit --working-dir . -- python jobs/evolve.py conf/demo/open.yaml run=/tmp/evolray/demo-open

The job works in a copy of the folder it is submitted from, so `run` is an absolute path, on storage that every node
sees, or a URL such as s3://bucket/run. Arguments arrive as they are typed: quote them once, for your own shell. The
keys of endpoints are environment variables of the cluster, not arguments, which the dashboard shows. Where the cluster
checks tokens, as Ray does by default, submit with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["evolve", *sys.argv[1:]]))
