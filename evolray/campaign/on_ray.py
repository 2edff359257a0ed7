"""How a campaign stands, as Ray metrics: its steps by state, its rounds and their scores.

By a process beside the campaign's, which reads the run directory every few seconds: whoever is connected to a cluster
ends with it, and a campaign goes on while its cluster's head restarts. The process ends with the campaign, however that
ends, since its standard input does. There is none where no cluster is to be reached from here, as on a laptop that
submits to one by HTTP, or when the campaign brings a Ray of its own.
"""

import contextlib
import logging
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping

import ray
from ray.util.metrics import Gauge

from evolray.campaign import manifest as manifests
from evolray.cluster import metrics
from evolray.cluster.jobs.on_ray import cluster_address
from evolray.errors import EvolrayError
from evolray.pipeline.records import STATES, read_steps
from evolray.pool.layout import Folder, open_folder

LOOK_SECONDS = 5.0
LAST_SECONDS = 11.0  # Ray exports what was measured every ten

# In the background of a shell that ends at once, so that nobody has to wait for it at the end of a campaign.
IN_BACKGROUND = 'exec 3<&0; "$@" <&3 3<&- & exit 0'


@contextlib.contextmanager
def observed(run: str) -> Iterator[None]:
    """While the block runs, Ray exports how the campaign of this run directory stands.

    `run` may hold credentials: it goes to the other process by its standard input. Nobody's campaign shall end for want
    of a graph: where that process does not come up, there is none.
    """
    with contextlib.ExitStack() as stack:
        if cluster_address() is not None:
            with contextlib.suppress(OSError):
                _start(run, stack)
        yield


def _start(run: str, stack: contextlib.ExitStack) -> None:
    process = subprocess.Popen(
        ["sh", "-c", IN_BACKGROUND, "sh", sys.executable, "-m", "evolray.campaign.on_ray"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,  # Ctrl-C is for the campaign
    )  # fmt: skip
    assert process.stdin is not None
    stack.callback(process.stdin.close)
    process.wait()
    process.stdin.write(f"{run}\n")
    process.stdin.flush()


def main() -> None:
    run = sys.stdin.readline().strip()
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    folder = open_folder(run)
    ray.init(address=cluster_address(), logging_level=logging.ERROR, log_to_driver=False)
    gauges = Gauges(folder.url)
    is_over = False
    while not is_over:
        is_over = ended.wait(LOOK_SECONDS)
        with contextlib.suppress(EvolrayError, OSError):  # a storage that does not answer now may do so later
            gauges.set(folder)
    threading.Event().wait(LAST_SECONDS)


class Gauges:
    """`url` is the run directory's, without credentials."""

    def __init__(self, url: str) -> None:
        self._run = {"run": url}
        self._steps, self._round = Gauge(*metrics.STEPS.arguments), Gauge(*metrics.CAMPAIGN_ROUND.arguments)
        self._score = Gauge(*metrics.CAMPAIGN_SCORE.arguments)

    def set(self, folder: Folder) -> None:
        """As the run directory says."""
        for state, number in steps_by_state(folder).items():
            self._steps.set(number, {**self._run, "state": state})
        for number, score in scores(folder).items():
            self._round.set(number, self._run)
            self._score.set(score, {**self._run, "round": str(number)})


def steps_by_state(folder: Folder) -> dict[str, int]:
    """How many of the run's steps are in each state, those that no step is in included."""
    found = Counter(record.state for record in read_steps(folder).values())
    return {state: found[state] for state in STATES}


def scores(folder: Folder) -> Mapping[int, float]:
    """By round, in their order; of those that have one."""
    manifest = manifests.read(folder)
    rounds = manifest.rounds if manifest else []
    return {one["round"]: one["score"] for one in sorted(rounds, key=lambda one: int(one["round"]))}


if __name__ == "__main__":
    main()
