"""How a run of whatever stage stands."""

import json
from importlib import import_module

from rich.console import RenderableType
from rich.text import Text

from evolray.blind import stage as blinds
from evolray.evaluate import manifest as evaluations
from evolray.pool.layout import open_folder
from evolray.pool.manifest import MANIFEST
from evolray.pool.pool import Pool
from evolray.refine import manifest as refinings
from evolray.train import manifest as trainings
from evolray.views.evaluated import evaluate_view
from evolray.views.evolved import run_view
from evolray.views.refined import refine_view
from evolray.views.trained import train_view

WITH_A_TABLE = ("sweep", "campaign", "ablation")
"""The stages whose `results.read(run).table()` says all there is to say."""


def status_view(run: str) -> RenderableType:
    """How a run of whatever stage stands. Raises UserError when there is none."""
    folder = open_folder(run)
    if training := trainings.read(folder):
        return train_view(training)
    if refining := refinings.read(folder):
        return refine_view(refining)
    if evaluation := evaluations.read(folder):
        return evaluate_view(evaluation)
    stage = json.loads(folder.read(MANIFEST)).get("stage") if folder.exists(MANIFEST) else None
    if stage in WITH_A_TABLE:
        table: RenderableType = import_module(f"evolray.{stage}.results").read(run).table()
        return table
    if lines := blinds.standing(folder):
        return Text("\n".join(lines))
    return run_view(Pool(run).manifest)
