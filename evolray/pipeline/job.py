"""What a step's job runs: python -m evolray.pipeline.job RUN STEP. Its exit code is that of the stage's command.

It reads the step's config from the run directory, so that nothing of it is part of a command, which the dashboard
shows. Where an earlier job of the step was killed, what it held may take a moment to come free.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from evolray import config
from evolray.errors import EvolrayError, UserError
from evolray.pipeline.records import CONFIG, STEPS, Records
from evolray.pipeline.step import WORKING
from evolray.pool.layout import Folder, LocalFolder, hold, open_folder

WAIT_SECONDS, PAUSE_SECONDS = 60.0, 0.5


def main(arguments: Sequence[str]) -> int:
    from evolray import cli

    run, name = arguments
    try:
        folder = open_folder(run)
        stage = _stage(folder, name)
        with _config(folder, name) as path:
            _wait_for_earlier(stage, path)
            return cli.main([stage, str(path)])
    except EvolrayError as error:
        print(f"evolray: {error}", file=sys.stderr)
        return error.exit_code


def _stage(folder: Folder, name: str) -> str:
    record = Records(folder).read(name)
    if record is None:
        raise UserError(f"{folder.url} has no step {name}. Does every node see this folder?")
    return record.stage


@contextlib.contextmanager
def _config(folder: Folder, name: str) -> Iterator[Path]:
    """The file of the step's config, copied where it is no local one."""
    place = f"{STEPS}/{name}/{CONFIG}"
    if isinstance(folder, LocalFolder):
        yield folder.path / place
        return
    with tempfile.TemporaryDirectory(prefix="evolray-") as aside:  # nobody else can look into it
        (path := Path(aside) / CONFIG).write_bytes(folder.read(place))
        yield path


def _wait_for_earlier(stage: str, path: Path) -> None:
    """Until nobody holds the stage's run directory; the stage itself says so when somebody still does."""
    if stage not in WORKING:
        return
    run = config.load(getattr(config, f"{stage.capitalize()}Config"), [str(path)]).run
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            with hold(open_folder(run)):
                return
        except UserError:
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
