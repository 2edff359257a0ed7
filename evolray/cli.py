"""The command line: evolray COMMAND [conf.yaml ...] [key=value ...].

Exit codes: 0 done, 1 something of the machine's or a bug, 2 a mistake of the user's, 3 the endpoint refuses or is gone,
4 out of budget, 130 Ctrl-C.
"""

import argparse
import logging
import shlex
import sys
from collections.abc import Callable

from evolray import __version__
from evolray.errors import EvolrayError, Interrupted


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


def _evolve(options: argparse.Namespace) -> None:
    from rich.console import Console

    from evolray.config import EvolveConfig, load, to_yaml
    from evolray.evolve import stage
    from evolray.views import run_view

    if options.settings:
        print(to_yaml(EvolveConfig), end="")
        return
    config = load(EvolveConfig, options.arguments)
    if config.dry_run:
        print("\n".join(stage.dry_run(config).lines()))
        return
    pool = stage.evolve(config)
    Console(markup=False, highlight=False).print(run_view(pool.manifest))


def _train(options: argparse.Namespace) -> None:
    from rich.console import Console

    from evolray.config import TrainConfig, load, to_yaml

    if options.settings:
        print(to_yaml(TrainConfig), end="")
        return
    from evolray.train import stage
    from evolray.views import status_view

    config = load(TrainConfig, options.arguments)
    stage.train(config)
    Console(markup=False, highlight=False).print(status_view(config.run))


def _status(options: argparse.Namespace) -> None:
    from rich.console import Console

    from evolray.views import status_view

    Console(markup=False, highlight=False).print(status_view(options.run))


def _diff(options: argparse.Namespace) -> None:
    from evolray import diff

    print(diff.make(options.raw, options.tuned, options.diff))


def _recover(options: argparse.Namespace) -> None:
    from evolray import diff

    print(diff.recover(options.raw, options.diff, options.tuned))


def _show(options: argparse.Namespace) -> None:
    from rich.console import Console

    from evolray.pool.pool import Pool
    from evolray.views import lineage_view

    pool = Pool(options.run)
    Console(markup=False, highlight=False).print(lineage_view(pool.lineage(options.root or pool.longest_lineage())))


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
    number = export(options.run, options.target)
    print(f"{options.target}: {number:,} records")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="evolray", description="Evol-Instruct on a Ray cluster.")
    parser.add_argument("--version", action="version", version=f"evolray {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    evolve = commands.add_parser("evolve", help="evolve seeds into a pool of instructions with responses")
    evolve.add_argument("arguments", nargs="*", metavar="conf.yaml | key=value", help="later ones win")
    evolve.add_argument("--settings", action="store_true", help="print all settings with their defaults, and stop")
    evolve.set_defaults(command=_evolve)

    train = commands.add_parser("train", help="train a student on a pool or a file of instructions")
    train.add_argument("arguments", nargs="*", metavar="conf.yaml | key=value", help="later ones win")
    train.add_argument("--settings", action="store_true", help="print all settings with their defaults, and stop")
    train.set_defaults(command=_train)

    status = commands.add_parser("status", help="how a run stands: accounts, costs, losses, checkpoints")
    status.add_argument("run", help="the run directory or URL")
    status.set_defaults(command=_status)

    show = commands.add_parser("show", help="one lineage as a tree, with operators, verdicts and texts")
    show.add_argument("run", help="the run directory or URL")
    show.add_argument("--root", help="a root's or record's id, or its beginning; default: the longest lineage")
    show.set_defaults(command=_show)

    export = commands.add_parser("export", help="a pool's records as one file, or a training's best checkpoint")
    export.add_argument("run", help="the run directory or URL")
    export.add_argument("target", help="a .json (Alpaca), .jsonl or .parquet file; for a training, a new folder")
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

    commands.add_parser("simulate-endpoint", help="the offline teacher as an OpenAI-compatible server", add_help=False)
    return parser


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
