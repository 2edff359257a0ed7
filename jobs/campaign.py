"""A campaign as a Ray job that submits a job per step: the arguments are those of `evolray campaign`.

    ray job submit --working-dir . -- python jobs/campaign.py conf/campaign/tiny.yaml run=/tmp/evolray/tiny-campaign

The job works in a copy of the folder it is submitted from, on the head node, and so do the steps' jobs unless
`jobs.stages` gives them resources of other nodes: then `run` and the files that the settings name are absolute paths,
on storage that every node sees, or URLs. Arguments arrive as they are typed: quote them once, for your own shell. The
keys of endpoints are environment variables of the cluster, not arguments. Where the cluster checks tokens, as Ray does
by default, submit with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN set; the steps are submitted with what the job finds in
its environment. Killed and submitted again, it goes on where it was, and takes up the jobs that still run.
"""

import sys

from evolray.cli import main

if __name__ == "__main__":
    sys.exit(main(["campaign", *sys.argv[1:]]))
