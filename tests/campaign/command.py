"""`evolray` in a process of its own that dies, as kill -9 does it, at the moment that DIES_AT names.

DIES_AT=round-2/train:complete is the moment at which the step is known to be complete, and nothing else has happened.
"""

import os
import signal
import sys

from evolray import cli
from evolray.pipeline.records import Records, StepRecord

write = Records.write


def write_and_die(records: Records, record: StepRecord) -> None:
    write(records, record)
    if f"{record.name}:{record.state}" == os.environ.get("DIES_AT"):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    Records.write = write_and_die  # type: ignore[method-assign]
    sys.exit(cli.main(sys.argv[1:]))
