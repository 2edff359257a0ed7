"""A run as a process of its own: command.py RUN.

Two refinements side by side and a training that needs both, whose jobs run the stand-in. With `stages` behind it, the
stages themselves: a pool of three records, and a refinement of what is not there.
"""

import sys
from functools import partial
from pathlib import Path

from evolray import cli
from evolray.config import EvolveConfig, JobConfig, JobsConfig, RefineConfig, from_mapping
from evolray.errors import EvolrayError
from evolray.pipeline.on_ray import stage, step_server
from evolray.pipeline.running import Pipeline
from evolray.pipeline.step import Step
from evolray.pool.layout import LocalFolder
from tests.pipeline import places

STAND_IN = Path(__file__).with_name("stand_in.py")


def stand_ins(run: Path) -> list[Step]:
    return [
        places.step(run, "refine-a"),
        places.step(run, "refine-b", job=JobConfig(cpus=0.25)),
        places.step(run, "train", "refine-a", "refine-b"),
    ]


def stages(run: Path) -> list[Step]:
    evolve = {
        "run": str(run / "pool"), "seeds.path": str(run / "seeds.jsonl"), "teacher.kind": "simulated", "generations": 1,
    }  # fmt: skip
    refine = {"run": str(run / "mix"), "data": str(run / "no")}
    return [
        Step("evolve", "evolve", from_mapping(EvolveConfig, evolve)),
        Step("refine", "refine", from_mapping(RefineConfig, refine), needs=("evolve",)),
    ]


def main(run: Path, steps: list[Step], are_real: bool) -> None:
    command = stage if are_real else lambda place, name: [str(STAND_IN), place, name]
    jobs = JobsConfig(retries=1, metadata={"team": "red", "step": "is not for the user"})
    server = partial(step_server, command=command)
    with Pipeline(LocalFolder(str(run)), run.name, jobs, open_server=server) as pipeline:
        pipeline.run(steps)


if __name__ == "__main__":
    cli._log_to_stderr()
    place, are_real = Path(sys.argv[1]), sys.argv[2:] == ["stages"]
    try:
        main(place, stages(place) if are_real else stand_ins(place), are_real)
    except EvolrayError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
