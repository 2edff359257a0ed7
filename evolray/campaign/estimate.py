"""What the stages themselves say of a campaign's settings before it starts: mistakes, and what a round will cost.

Each is asked by its own command with dry_run=true, as its jobs run that command later: evolve about the first
generation; refine with the seeds in place of the pool; evaluate with a made-up model in place of the student. A mistake
in the last step of a round would otherwise show after hours of training. Training has no dry run.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from evolray.campaign.settings import Settings
from evolray.config import to_yaml
from evolray.errors import EvolrayError, UserError
from evolray.pool.layout import LocalFolder

STUDENT = "simulated"  # the kind of endpoint that needs no address
KINDS = (UserError, EvolrayError)
# No judge is asked for its models, and no sandbox is set up: whether this machine has keys and bubblewrap says nothing
# of the machines where the jobs run.
UNASKED = {"refine": ["judging.difficulty=false", "judging.skills=false"]}
MADE_UP = {
    "evolve": ["generations=1"],
    "refine": ["contamination.sandbox.unsafe=true"],
    "evaluate": ["model=null", f"endpoint.kind={STUDENT}", "execution.unsafe=true"],
}


def check(settings: Settings) -> None:
    """Raises UserError for the first stage whose settings cannot work."""
    _ask_all(settings, UNASKED)


def estimate(settings: Settings) -> dict[str, list[str]]:
    """What a round costs at most, by stage, in lines for people. Raises UserError."""
    return _ask_all(settings, {})


def _ask_all(settings: Settings, more: Mapping[str, list[str]]) -> dict[str, list[str]]:
    configs: dict[str, Any] = {
        "evolve": settings.evolve,
        "refine": replace(settings.refine, data=settings.evolve.seeds.path),
        "evaluate": settings.evaluate,
    }
    with ThreadPoolExecutor(len(configs)) as threads:
        asked = {
            stage: threads.submit(_ask, stage, config, [*MADE_UP[stage], *more.get(stage, [])])
            for stage, config in configs.items()
        }
        said = {stage: answer.result() for stage, answer in asked.items()}
    return {**said, "evaluate": [line.replace(f"of {STUDENT}", "of the student") for line in said["evaluate"]]}


def _ask(stage: str, config: Any, settings: list[str]) -> list[str]:
    """In a file that nobody else can read: the address of an endpoint may hold a password."""
    with tempfile.TemporaryDirectory(prefix="evolray-") as aside:
        LocalFolder(aside).write("config.yaml", to_yaml(replace(config, run=str(Path(aside) / "run"))).encode())
        words = ["-m", "evolray.cli", stage, str(Path(aside) / "config.yaml"), "dry_run=true", *settings]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        why = next((line for line in said if line.startswith("evolray: ")), said[-1] if said else "no reason given")
        kind = next((one for one in KINDS if one.exit_code == done.returncode), EvolrayError)
        raise kind(f"{stage}: {why.removeprefix('evolray: ')}")
    return done.stdout.strip().splitlines()
