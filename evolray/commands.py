"""What each command does: its config in, and what a person sees of the outcome, printed.

Stages are imported by the function that runs one: the command line is there at once.
"""

import argparse
from typing import TYPE_CHECKING

from evolray.errors import EvolrayError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from evolray.config import (
        AblationConfig,
        BlindConfig,
        BoardConfig,
        CampaignConfig,
        EvaluateConfig,
        EvolveConfig,
        GenerateConfig,
        GradeConfig,
        RefineConfig,
        ReportConfig,
        SweepConfig,
        TrainConfig,
    )


def evolve(config: "EvolveConfig", _: argparse.Namespace) -> None:
    from evolray.evolve import stage
    from evolray.views.evolved import run_view

    if config.dry_run:
        print("\n".join(stage.dry_run(config).lines()))
    else:
        _print(run_view(stage.evolve(config).manifest))


def refine(config: "RefineConfig", _: argparse.Namespace) -> None:
    from evolray.refine import stage
    from evolray.views.status import status_view

    if config.dry_run:
        print("\n".join(stage.dry_run(config)))
        return
    stage.refine(config)
    _print(status_view(config.run))


def report(config: "ReportConfig", _: argparse.Namespace) -> None:
    from evolray import pages

    print(pages.write_page(config))


def train(config: "TrainConfig", _: argparse.Namespace) -> None:
    from evolray.train import stage
    from evolray.views.status import status_view

    stage.train(config)
    _print(status_view(config.run))


def evaluate(config: "EvaluateConfig", _: argparse.Namespace) -> None:
    from evolray.evaluate import stage
    from evolray.views.scores import scores_view

    if config.dry_run:
        print("\n".join(stage.dry_run_evaluate(config)))
        return
    results = stage.evaluate(config)
    _print(scores_view(results.folder.url, results.scores))


def grade(config: "GradeConfig", options: argparse.Namespace) -> None:
    from evolray.evaluate import stage
    from evolray.views.scores import scores_view

    if config.dry_run:
        print("\n".join(stage.dry_run_grade(options.benchmark, config)))
        return
    results = stage.grade(options.benchmark, config)
    _print(scores_view(results.folder.url, results.scores))


def generate(config: "GenerateConfig", _: argparse.Namespace) -> None:
    from evolray.sampling import generate

    print(generate.generate(config))


def sweep(config: "SweepConfig", _: argparse.Namespace) -> None:
    from evolray.sweep import results, stage

    try:
        _print(stage.sweep(config).table())
    except EvolrayError as error:
        if error.exit_code == EvolrayError.exit_code:  # cells have failed; the others have scores
            _print(results.read(config.run).table())
        raise


def campaign(config: "CampaignConfig", _: argparse.Namespace) -> None:
    from evolray.campaign import stage

    if config.dry_run:
        print("\n".join(stage.dry_run(config)))
    else:
        _print(stage.campaign(config).table())


def ablation(config: "AblationConfig", _: argparse.Namespace) -> None:
    from evolray.ablation import stage

    _print(stage.ablation(config).table())


def demo(options: argparse.Namespace) -> None:
    from evolray.demo import stage

    _print(stage.demo(options.arguments).table())


def board(config: "BoardConfig", _: argparse.Namespace) -> None:
    from evolray.board import stage

    print(stage.board(config))


def blind(config: "BlindConfig", _: argparse.Namespace) -> None:
    from evolray.blind import stage

    print(stage.blind(config))


def samples(options: argparse.Namespace) -> None:
    from evolray.evaluate.results import Results
    from evolray.views.evaluated import samples_view

    results = Results(options.run)
    rows = results.samples(failed=options.failed)
    _print(samples_view(rows, options.problem, options.limit, results.verdicts()))
    for place in results.knowledge:
        print(f"of lm-eval: {place}")


def status(options: argparse.Namespace) -> None:
    if options.run.startswith(("http://", "https://")):
        from evolray.views.jobs import jobs_view

        _print(jobs_view(options.run))
        return
    from evolray.views.status import status_view

    _print(status_view(options.run))


def make_diff(options: argparse.Namespace) -> None:
    from evolray import diff

    print(diff.make(options.raw, options.tuned, options.diff))


def recover_diff(options: argparse.Namespace) -> None:
    from evolray import diff

    print(diff.recover(options.raw, options.diff, options.tuned))


def show(options: argparse.Namespace) -> None:
    from evolray.pool.pool import Pool
    from evolray.views.evolved import lineage_view

    pool = Pool(options.run)
    _print(lineage_view(pool.lineage(options.root or pool.longest_lineage())))


def export(options: argparse.Namespace) -> None:
    from evolray import checkpoints
    from evolray.pool.export import export
    from evolray.pool.layout import open_folder
    from evolray.train import manifest as trainings

    if trainings.read(open_folder(options.run)):
        checkpoint = checkpoints.Checkpoints(options.run).at(options.step)
        checkpoints.export(checkpoint, options.target)
        print(f"{options.target}: {checkpoint.name}, a plain Hugging Face folder")
        return
    number = export(options.run, options.target, options.format)
    print(f"{options.target}: {number:,} records")


def _print(view: "RenderableType") -> None:
    from rich.console import Console

    Console(markup=False, highlight=False).print(view)
