"""`evolray sweep` as a process of its own whose cells run the stand-in: python command.py CONFIG KEY=VALUE..."""

import sys
from pathlib import Path

from evolray import cli
from evolray.config import SweepConfig, load
from evolray.errors import EvolrayError
from evolray.sweep import stage

STAND_IN = Path(__file__).with_name("stand_in.py")

if __name__ == "__main__":
    cli._log_to_stderr()
    try:
        stage.sweep(load(SweepConfig, sys.argv[1:]), command=lambda config: [str(STAND_IN), str(config)])
    except EvolrayError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
