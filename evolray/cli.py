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

from evolray import __version__, commands
from evolray.errors import EvolrayError, Interrupted

if TYPE_CHECKING:
    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]


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


# name (that of a function of commands.py, which runs it), its settings, what --help says
STAGES: tuple[tuple[str, str, str], ...] = (
    ("evolve", "EvolveConfig", "evolve seeds into a pool of instructions with responses"),
    ("refine", "RefineConfig", "refine pools into a training mix: duplicates, leaks, difficulty, selection"),
    ("report", "ReportConfig", "a page about a run, for any browser; figures as PNG"),
    ("train", "TrainConfig", "train a student on a pool, a mix or a file of instructions"),
    ("evaluate", "EvaluateConfig", "score a model on code, math, chat (with a judge) and knowledge"),
    ("sweep", "SweepConfig", "evaluate many checkpoints, each cell a Ray job; a table and a figure at the end"),
    ("campaign", "CampaignConfig", "evolve, refine, train, evaluate, and again while the score rises"),
    ("ablation", "AblationConfig", "a student per number of generations, equal in examples and tokens"),
    ("generate", "GenerateConfig", "answer a file of instructions by a checkpoint or an endpoint"),
    ("grade", "GradeConfig", "grade ready samples of a benchmark, or have them judged"),
    ("board", "BoardConfig", "all results below some folders as one leaderboard: a page, figures, a CSV"),
    ("blind", "BlindConfig", "blinded sheets for people who rate answers, and their ratings read back"),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="evolray", description="Evol-Instruct on a Ray cluster.")
    parser.add_argument("--version", action="version", version=f"evolray {__version__}")
    parsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, schema, help in STAGES:
        stage = parsers.add_parser(name, help=help)
        if name == "grade":
            stage.add_argument("benchmark", help="humaneval, gsm8k, wizard_eval, mt_bench, ...")
        stage.add_argument("arguments", nargs="*", metavar="conf.yaml | key=value", help="later ones win")
        stage.add_argument("--settings", action="store_true", help="print all settings with their defaults, and stop")
        stage.set_defaults(command=_stage, schema=schema, stage=getattr(commands, name))
    demo = parsers.add_parser("demo", help="the paper in miniature, on this machine: seeds, students, scores, a page")
    demo.add_argument("arguments", nargs="*", metavar="conf.yaml | key=value", help="as for evolray ablation")
    demo.set_defaults(command=commands.demo)
    _add_looking(parsers)
    _add_handing_on(parsers)
    parsers.add_parser("simulate-endpoint", help="the offline teacher as an OpenAI-compatible server", add_help=False)
    return parser


def _add_looking(parsers: "Parsers") -> None:
    """What shows a run and changes nothing."""
    samples = parsers.add_parser("samples", help="read the samples of an evaluation")
    samples.add_argument("run", help="the run directory or URL")
    samples.add_argument("--failed", action="store_true", help="those that did not pass, lost or have no verdict")
    samples.add_argument("--problem", help="those of one problem, by its id or the id's end")
    samples.add_argument("--limit", type=int, default=10, help="at most so many (default 10); 0: all")
    samples.set_defaults(command=commands.samples)

    status = parsers.add_parser("status", help="how a run stands: accounts, costs, drops, losses, checkpoints, scores")
    status.add_argument("run", help="the run directory or URL; or a job server (http://...): all its runs of evolray")
    status.set_defaults(command=commands.status)

    show = parsers.add_parser("show", help="one lineage as a tree, with operators, verdicts and texts")
    show.add_argument("run", help="the run directory or URL")
    show.add_argument("--root", help="a root's or record's id, or its beginning; default: the longest lineage")
    show.set_defaults(command=commands.show)


def _add_handing_on(parsers: "Parsers") -> None:
    """What makes of a run something for others."""
    export = parsers.add_parser(
        "export", help="a pool's or a mix's records as one file, or a training's best checkpoint"
    )
    export.add_argument("run", help="the run directory or URL")
    export.add_argument("target", help="a .json (Alpaca), .jsonl or .parquet file; for a training, a new folder")
    export.add_argument("--format", help="of a pool: alpaca, jsonl, sharegpt, messages, parquet; default: by suffix")
    export.add_argument("--step", type=int, help="of a training: this checkpoint rather than the best")
    export.set_defaults(command=commands.export)

    diffs = parsers.add_parser("diff", help="publish a student as the difference to the model it was trained from")
    kinds = diffs.add_subparsers(title="commands", required=True, metavar="make | recover")
    make = kinds.add_parser("make", help="write the difference between two model folders")
    for name, help in (("raw", "the model trained from"), ("tuned", "the student"), ("diff", "the folder to write")):
        make.add_argument(name, help=help)
    make.set_defaults(command=commands.make_diff)
    recover = kinds.add_parser("recover", help="the student again, bit for bit, from the model and the difference")
    for name, help in (("raw", "the model trained from"), ("diff", "the difference"), ("tuned", "the folder to write")):
        recover.add_argument(name, help=help)
    recover.set_defaults(command=commands.recover_diff)


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
