"""`demo`: the paper in miniature. Word problems are drawn, a teacher is started, and an ablation does the rest.

<run>/seeds.jsonl      problems of one step with their responses
<run>/held_out.jsonl   problems of 1, 2, 3 and 4 steps in the form of GSM8K, with their level
<run>/teacher.json     where the offline teacher listened
<run>/...              what `evolray ablation` writes
"""

import json
import logging
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolray.config import AblationConfig, load
from evolray.demo.teaching import BASE_URL, NAME, Teaching, from_environment, simulated
from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from evolray.pool.seed_formats import without_credentials
from evolray.teachers.simulated.problems import benchmark_rows, draw, seed_rows

if TYPE_CHECKING:
    from evolray.ablation.results import Ablation

logger = logging.getLogger("evolray")

CONF = "conf/demo/ablation.yaml"
SEEDS, HELD_OUT, BENCHMARK = "seeds.jsonl", "held_out.jsonl", "gsm8k"
LEVELS, HELD_OUT_PER_LEVEL = (1, 2, 3, 4), 100
SPARE = 1.02  # seeds beyond those wanted: what refine finds to be exact duplicates or leaks
CALLS_PER_RECORD = 3  # the new instruction, the judge's verdict, the response
OWN = ("evolve.seeds.path", "evolve.teacher.kind", "evolve.teacher.base_url", "evolve.teacher.model")

Run = Callable[..., "Ablation"]


def demo(arguments: Sequence[str], *, ablation: Run | None = None) -> "Ablation":
    """Run the demo, or go on with it: the same command after anything at all.

    `arguments` are those of `evolray ablation`; without a YAML file among them, `conf/demo/ablation.yaml` comes first.
    `ablation` stands in for the stage. Raises UserError and whatever the ablation raises.
    """
    config = _read(arguments)
    if "://" in config.run:
        raise UserError(f"run={without_credentials(config.run)}: the demo is for this machine; expected a path.")
    folder = LocalFolder(config.run)
    _write_problems(config, folder)
    own = from_environment()
    with nullcontext(own) if own else simulated(folder) as teaching:
        settled = _with_problems(_with_teacher(config, teaching), folder)
        _tell(settled, teaching)
        return (ablation or _ablation())(settled, command=shlex.join(["evolray", "demo", *arguments]))


def _ablation() -> Run:
    from evolray.ablation import stage

    return stage.ablation


def _read(arguments: Sequence[str]) -> AblationConfig:
    has_file = any("=" not in one or Path(one).is_file() for one in arguments)
    config = load(AblationConfig, arguments if has_file else [_conf(), *arguments])
    given = {f"evolve.{key}" for key in _flat(config.evolve)}
    if wrong := [key for key in OWN if key in given]:
        raise UserError(f"{wrong[0]}: the demo sets this itself. For seeds or a teacher of your own: evolray ablation.")
    if not _wanted(config):
        raise UserError("records is missing: how many examples each student is to have; give it as records=8000.")
    return config


def _conf() -> str:
    """In the working directory, or in the clone that this package is part of."""
    for place in (Path(CONF), Path(__file__).parents[2] / CONF):
        if place.is_file():
            return str(place)
    raise UserError(f"{CONF}: there is no such file here. Run the demo in a clone of evolray's repository.")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for key, value in values.items():
        yield from _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [f"{prefix}{key}"]


def _roots(config: AblationConfig) -> int:
    """How many seeds evolve; 0 where all do."""
    seeds = config.evolve.get("seeds", {})
    limit = seeds.get("limit") if isinstance(seeds, Mapping) else None
    return int(config.evolve.get("seeds.limit") or limit or 0)


def _wanted(config: AblationConfig) -> int:
    """Seeds that the largest mix or the evolution needs."""
    return max(config.records or 0, _roots(config))


def _write_problems(config: AblationConfig, folder: LocalFolder) -> None:
    """The same content for the same config, so that a rerun changes nothing."""
    stock = draw(int(_wanted(config) * SPARE), HELD_OUT_PER_LEVEL, LEVELS)
    for name, rows in ((SEEDS, seed_rows(stock.seeds)), (HELD_OUT, benchmark_rows(stock.held_out))):
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        if not folder.exists(name) or folder.read(name) != content:
            folder.write(name, content)


def _with_problems(config: AblationConfig, folder: LocalFolder) -> AblationConfig:
    seeds, held_out = str(folder.path / SEEDS), str(folder.path / HELD_OUT)
    return replace(
        config,
        evolve={**config.evolve, "seeds.path": seeds},
        refine={**config.refine, f"contamination.benchmarks.{BENCHMARK}": held_out},
        sweep={**config.sweep, f"problems.{BENCHMARK}": held_out},
    )


def _with_teacher(config: AblationConfig, teaching: Teaching) -> AblationConfig:
    settings = {f"teacher.{key}": value for key, value in teaching.settings.items()}
    return replace(config, evolve={**config.evolve, **settings})


def _tell(config: AblationConfig, teaching: Teaching) -> None:
    where = without_credentials(str(teaching.settings["base_url"])).partition("?")[0]
    if teaching.is_simulated:
        logger.info("the teacher is the simulated one, at %s: it knows arithmetic by rule, and nothing else", where)
        return
    calls = (_roots(config) or _wanted(config)) * max(config.generations) * CALLS_PER_RECORD
    named = f"{teaching.settings['model']} at {where}, as {BASE_URL} and {NAME} say"
    logger.info("the teacher is %s: some %s calls at most, but for repeated ones", named, f"{calls:,}")
