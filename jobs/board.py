"""The leaderboard as a Ray job, where results lie on storage that only the cluster sees: as `evolray board`.

    ray job submit --working-dir . -- python jobs/board.py results=[/runs] output=/runs/board

Arguments arrive as they are typed: quote them once, for your own shell. Where the cluster checks tokens, as Ray does by
default, submit with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["board", *sys.argv[1:]]))
