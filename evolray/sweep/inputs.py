"""The files that cells read beside their checkpoint, by setting and benchmark; what is missing is found before the
first job.

problems        those of every benchmark but lm-eval's, which brings its own
baselines       of judged benchmarks: what the model is compared with, a file of answers or a run of evolray evaluate
references      right answers that the judge is shown
labels          verdicts by people, to measure the judge by

All paths are absolute, as jobs work in another directory; URLs and hf:NAME stay as they are.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from evolray.config import SweepConfig
from evolray.config.benchmarks import needs_problems
from evolray.errors import UserError

PROBLEMS = "problems"
OF_JUDGED = ("baselines", "references", "labels")
INPUTS = (PROBLEMS, *OF_JUDGED)

Inputs = Mapping[str, Mapping[str, str]]
"""setting -> benchmark -> an absolute path, or another place."""


def find_inputs(config: SweepConfig) -> Inputs:
    """Raises UserError for a benchmark without problems, a file that is not there, and one that no benchmark reads."""
    found = {PROBLEMS: _find_problems(config.benchmarks, config.problems)}
    for setting in OF_JUDGED:
        given: Mapping[str, str] = getattr(config, setting)
        for name in given:
            if name not in config.benchmarks:
                near = difflib.get_close_matches(name, config.benchmarks, 1)
                hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(config.benchmarks)}."
                raise UserError(f"{setting}.{name}: {name} is not among the benchmarks of this sweep; {hint}")
        found[setting] = {name: _absolute(setting, name, place) for name, place in given.items()}
    return found


def inputs_of(benchmark: str, inputs: Inputs) -> dict[str, dict[str, str]]:
    """What one cell gets of them."""
    return {setting: {name: one for name, one in of.items() if name == benchmark} for setting, of in inputs.items()}


def absolute_model(entry: str) -> str:
    """A checkpoint that a setting names, as jobs find it: a folder, RUN or RUN:STEP; names on the Hub stay."""
    run, colon, step = entry.rpartition(":")
    folder, behind = (run, f":{step}") if colon and step.isdigit() else (entry, "")
    path = Path(folder).expanduser()
    return str(path.absolute()) + behind if "://" not in entry and path.exists() else entry


def _find_problems(benchmarks: Sequence[str], problems: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in benchmarks:
        if name in problems:
            found[name] = _absolute(PROBLEMS, name, problems[name])
        elif near := difflib.get_close_matches(name, [one for one in problems if one not in benchmarks], 1):
            raise UserError(f"{name}: no problems are given for this benchmark; did you mean {near[0]}?")
        elif needs_problems(name):
            raise UserError(f"{name}: no problems are given for this benchmark; give them as problems.{name}=FILE.")
    return found


def _absolute(setting: str, name: str, given: str) -> str:
    if "://" in given or given.startswith("hf:"):
        return given
    path = Path(given).expanduser().absolute()
    if not path.exists():
        what = "no such file" if setting == PROBLEMS else "no such file or run"
        raise UserError(f"{setting}.{name}={given}: {what}.")
    return str(path)
