"""Train a student as a Ray job: the arguments are those of `evolray train`.

    ray job submit --working-dir . -- python jobs/train.py conf/train/tiny.yaml data=/tmp/evolray/demo-open \
        held_out=0 run=/tmp/evolray/tiny

The job works in a copy of the folder it is submitted from, so `run` is an absolute path, on storage that every node
sees, or a URL such as s3://bucket/run; the same holds for `data` and `model`. Arguments arrive as they are typed: quote
them once, for your own shell. Where the cluster checks tokens, as Ray does by default, submit with RAY_AUTH_MODE=token
and RAY_AUTH_TOKEN set.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
