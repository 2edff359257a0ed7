"""The command line: evolray COMMAND [conf.yaml ...] [key=value ...].

Exit codes: 0 done, 1 something of the machine's or a bug, 2 a mistake of the user's, 3 the endpoint refuses or is gone,
4 out of budget, 130 Ctrl-C.
"""

import argparse
import logging
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from evolray import __version__
from evolray.errors import EvolrayError, Interrupted

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

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


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code. Errors of evolray's become one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["simulate-endpoint"]:  # has flags of its own
        from evolray.teachers.simulated.server import main as simulate

        return simulate(arguments[1:])
    options = _parser().parse_args(arguments)
    _log_to_stderr()
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except Interrupted as error:
        from evolray.pool.seed_formats import without_credentials

        again = shlex.join(["evolray", *(without_credentials(argument) for argument in arguments)])
        return _tell(error, f"{error}\nTo go on: {again}")
    except KeyboardInterrupt:  # before there was anything to interrupt
        return _tell(Interrupted(), "interrupted")
    except EvolrayError as error:
        return _tell(error, str(error))
    except BrokenPipeError:  # `evolray show ... | head`
        sys.stderr.close()
        return 0
    return 0


def _tell(error: EvolrayError, message: str) -> int:
    print(f"evolray: {message}", file=sys.stderr)
    return error.exit_code


def _stage(options: argparse.Namespace) -> None:
    """A stage's command: its settings, or its config to the function that runs it."""
    from evolray import config

    schema = getattr(config, options.schema)
    if options.settings:
        print(config.to_yaml(schema), end="")
    else:
        options.stage(config.load(schema, options.arguments), options)


def _show_view(view: "RenderableType") -> None:
    from rich.console import Console

    Console(markup=False, highlight=False).print(view)


def _evolve(config: "EvolveConfig", _: argparse.Namespace) -> None:
    from evolray.evolve import stage
    from evolray.views.evolved import run_view

    if config.dry_run:
        print("\n".join(stage.dry_run(config).lines()))
    else:
        _show_view(run_view(stage.evolve(config).manifest))


def _refine(config: "RefineConfig", _: argparse.Namespace) -> None:
    from evolray.refine import stage
    from evolray.views.status import status_view

    if config.dry_run:
        print("\n".join(stage.dry_run(config)))
        return
    stage.refine(config)
    _show_view(status_view(config.run))


def _report(config: "ReportConfig", _: argparse.Namespace) -> None:
    from evolray import pages

    print(pages.write_page(config))


def _train(config: "TrainConfig", _: argparse.Namespace) -> None:
    from evolray.train import stage
    from evolray.views.status import status_view

    stage.train(config)
    _show_view(status_view(config.run))


def _evaluate(config: "EvaluateConfig", _: argparse.Namespace) -> None:
    from evolray.evaluate import stage
    from evolray.views.scores import scores_view

    if config.dry_run:
        print("\n".join(stage.dry_run_evaluate(config)))
        return
    results = stage.evaluate(config)
    _show_view(scores_view(results.folder.url, results.scores))


def _grade(config: "GradeConfig", options: argparse.Namespace) -> None:
    from evolray.evaluate import stage
    from evolray.views.scores import scores_view

    if config.dry_run:
        print("\n".join(stage.dry_run_grade(options.benchmark, config)))
        return
    results = stage.grade(options.benchmark, config)
    _show_view(scores_view(results.folder.url, results.scores))


def _generate(config: "GenerateConfig", _: argparse.Namespace) -> None:
    from evolray.sampling import generate

    print(generate.generate(config))


def _sweep(config: "SweepConfig", _: argparse.Namespace) -> None:
    from evolray.sweep import results, stage

    try:
        _show_view(stage.sweep(config).table())
    except EvolrayError as error:
        if error.exit_code == EvolrayError.exit_code:  # cells have failed; the others have scores
            _show_view(results.read(config.run).table())
        raise


def _campaign(config: "CampaignConfig", _: argparse.Namespace) -> None:
    from evolray.campaign import stage

    if config.dry_run:
        print("\n".join(stage.dry_run(config)))
    else:
        _show_view(stage.campaign(config).table())


def _ablation(config: "AblationConfig", _: argparse.Namespace) -> None:
    from evolray.ablation import stage

    _show_view(stage.ablation(config).table())


def _demo(options: argparse.Namespace) -> None:
    from evolray.demo import stage

    _show_view(stage.demo(options.arguments).table())


def _board(config: "BoardConfig", _: argparse.Namespace) -> None:
    from evolray.board import stage

    print(stage.board(config))


def _blind(config: "BlindConfig", _: argparse.Namespace) -> None:
    from evolray.blind import stage

    print(stage.blind(config))


def _samples(options: argparse.Namespace) -> None:
    from evolray.evaluate.results import Results
    from evolray.views.evaluated import samples_view

    results = Results(options.run)
    rows = results.samples(failed=options.failed)
    _show_view(samples_view(rows, options.problem, options.limit, results.verdicts()))
    for place in results.knowledge:
        print(f"of lm-eval: {place}")


def _status(options: argparse.Namespace) -> None:
    if options.run.startswith(("http://", "https://")):
        from evolray.views.jobs import jobs_view

        _show_view(jobs_view(options.run))
        return
    from evolray.views.status import status_view

    _show_view(status_view(options.run))


def _diff(options: argparse.Namespace) -> None:
    from evolray import diff

    print(diff.make(options.raw, options.tuned, options.diff))


def _recover(options: argparse.Namespace) -> None:
    from evolray import diff

    print(diff.recover(options.raw, options.diff, options.tuned))


def _show(options: argparse.Namespace) -> None:
    from evolray.pool.pool import Pool
    from evolray.views.evolved import lineage_view

    pool = Pool(options.run)
    _show_view(lineage_view(pool.lineage(options.root or pool.longest_lineage())))


def _export(options: argparse.Namespace) -> None:
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


# name, its settings, what runs it, what --help says
STAGES: tuple[tuple[str, str, Callable[..., None], str], ...] = (
    ("evolve", "EvolveConfig", _evolve, "evolve seeds into a pool of instructions with responses"),
    ("refine", "RefineConfig", _refine, "refine pools into a training mix: duplicates, leaks, difficulty, selection"),
    ("report", "ReportConfig", _report, "a page about a run, for any browser; figures as PNG"),
    ("train", "TrainConfig", _train, "train a student on a pool, a mix or a file of instructions"),
    ("evaluate", "EvaluateConfig", _evaluate, "score a model on code, math, chat (with a judge) and knowledge"),
    ("sweep", "SweepConfig", _sweep, "evaluate many checkpoints, each cell a Ray job; a table and a figure at the end"),
    ("campaign", "CampaignConfig", _campaign, "evolve, refine, train, evaluate, and again while the score rises"),
    ("ablation", "AblationConfig", _ablation, "a student per number of generations, equal in examples and tokens"),
    ("generate", "GenerateConfig", _generate, "answer a file of instructions by a checkpoint or an endpoint"),
    ("grade", "GradeConfig", _grade, "grade ready samples of a benchmark, or have them judged"),
    ("board", "BoardConfig", _board, "all results below some folders as one leaderboard: a page, figures, a CSV"),
    ("blind", "BlindConfig", _blind, "blinded sheets for people who rate answers, and their ratings read back"),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="evolray", description="Evol-Instruct on a Ray cluster.")
    parser.add_argument("--version", action="version", version=f"evolray {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, schema, run, help in STAGES:
        stage = commands.add_parser(name, help=help)
        if name == "grade":
            stage.add_argument("benchmark", help="humaneval, gsm8k, wizard_eval, mt_bench, ...")
        stage.add_argument("arguments", nargs="*", metavar="conf.yaml | key=value", help="later ones win")
        stage.add_argument("--settings", action="store_true", help="print all settings with their defaults, and stop")
        stage.set_defaults(command=_stage, schema=schema, stage=run)
    demo = commands.add_parser("demo", help="the paper in miniature, on this machine: seeds, students, scores, a page")
    demo.add_argument("arguments", nargs="*", metavar="conf.yaml | key=value", help="as for evolray ablation")
    demo.set_defaults(command=_demo)
    _add_looking(commands)
    _add_handing_on(commands)
    commands.add_parser("simulate-endpoint", help="the offline teacher as an OpenAI-compatible server", add_help=False)
    return parser


def _add_looking(commands: "Commands") -> None:
    """What shows a run and changes nothing."""
    samples = commands.add_parser("samples", help="read the samples of an evaluation")
    samples.add_argument("run", help="the run directory or URL")
    samples.add_argument("--failed", action="store_true", help="those that did not pass, lost or have no verdict")
    samples.add_argument("--problem", help="those of one problem, by its id or the id's end")
    samples.add_argument("--limit", type=int, default=10, help="at most so many (default 10); 0: all")
    samples.set_defaults(command=_samples)

    status = commands.add_parser("status", help="how a run stands: accounts, costs, drops, losses, checkpoints, scores")
    status.add_argument("run", help="the run directory or URL; or a job server (http://...): all its runs of evolray")
    status.set_defaults(command=_status)

    show = commands.add_parser("show", help="one lineage as a tree, with operators, verdicts and texts")
    show.add_argument("run", help="the run directory or URL")
    show.add_argument("--root", help="a root's or record's id, or its beginning; default: the longest lineage")
    show.set_defaults(command=_show)


def _add_handing_on(commands: "Commands") -> None:
    """What makes of a run something for others."""
    export = commands.add_parser(
        "export", help="a pool's or a mix's records as one file, or a training's best checkpoint"
    )
    export.add_argument("run", help="the run directory or URL")
    export.add_argument("target", help="a .json (Alpaca), .jsonl or .parquet file; for a training, a new folder")
    export.add_argument("--format", help="of a pool: alpaca, jsonl, sharegpt, messages, parquet; default: by suffix")
    export.add_argument("--step", type=int, help="of a training: this checkpoint rather than the best")
    export.set_defaults(command=_export)

    diffs = commands.add_parser("diff", help="publish a student as the difference to the model it was trained from")
    kinds = diffs.add_subparsers(title="commands", required=True, metavar="make | recover")
    make = kinds.add_parser("make", help="write the difference between two model folders")
    for name, help in (("raw", "the model trained from"), ("tuned", "the student"), ("diff", "the folder to write")):
        make.add_argument(name, help=help)
    make.set_defaults(command=_diff)
    recover = kinds.add_parser("recover", help="the student again, bit for bit, from the model and the difference")
    for name, help in (("raw", "the model trained from"), ("diff", "the difference"), ("tuned", "the folder to write")):
        recover.add_argument(name, help=help)
    recover.set_defaults(command=_recover)


def _log_to_stderr() -> None:
    logger = logging.getLogger("evolray")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
