"""`ablation`: from a config to students, their scores and a page. A rerun goes on where the last one ended.

What is there and complete stays: the pool, every mix, every student, every cell of the sweep. More generations may be
added later, more benchmarks, too; what the mixes are made by may not change once a student is trained on one.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict

from rich.console import Console

from evolray.ablation import manifest as manifests
from evolray.ablation import names
from evolray.ablation.manifest import STAGE, AblationManifest
from evolray.ablation.page.writing import write_page
from evolray.ablation.plan import Plan
from evolray.ablation.results import PAGE, Ablation, make
from evolray.config import AblationConfig, from_mapping, to_yaml
from evolray.errors import BudgetError, EvolrayError, Interrupted, UserError
from evolray.pipeline.places import shown
from evolray.pipeline.running import OpenServer, Pipeline
from evolray.pool.layout import LocalFolder, hold, open_folder
from evolray.pool.manifest import MANIFEST, RUN, check_same_run, describe_run
from evolray.pool.seed_formats import without_credentials
from evolray.report.numbers.evolved import read_json

__all__ = ["Ablation", "ablation"]

logger = logging.getLogger("evolray")

CONFIG = "ablation.yaml"  # the whole config, for the same command elsewhere


def ablation(
    config: AblationConfig, *, console: Console | None = None, command: str = "", open_server: OpenServer | None = None
) -> Ablation:
    """Evolve, and train and evaluate a student per number of generations, or go on where an earlier run ended.

    `command`: how it was asked for, which the page repeats. `open_server` stands in for a job server. Raises UserError,
    EndpointError, BudgetError, Interrupted or EvolrayError; after all of them the same call goes on.
    """
    folder = _open(config.run)
    plan = Plan(config, folder)
    if folder.exists(RUN) and f"stage: {STAGE}".encode() not in folder.read(RUN):
        raise UserError(f"run={folder.url}: holds the run of another stage; choose another run=.")
    is_settled = bool(_trained(folder))
    if is_settled:
        check_same_run(folder, {}, plan.identity())
    else:
        plan.check_seeds()
    with hold(folder):
        settings = shown({**asdict(plan.config), "run": folder.url})
        describe_run(folder, settings, {}, plan.identity(), anew=not is_settled)
        folder.write(CONFIG, to_yaml(from_mapping(AblationConfig, settings)).encode())
        return Run(plan, folder, command).work(console, open_server)


class Run:
    """One invocation, up to the page or to what stops it."""

    def __init__(self, plan: Plan, folder: LocalFolder, command: str) -> None:
        self._started = time.monotonic()
        self._plan, self._folder = plan, folder
        before = manifests.read(folder)
        self._before = before or AblationManifest(folder.url, "running")
        self._manifest = AblationManifest(
            folder.url, "running", generations=[*plan.generations], sizes=dict(self._before.sizes),
            records=self._before.records, command=command or f"evolray ablation {folder.url}/{CONFIG}",
        )  # fmt: skip

    def work(self, console: Console | None, open_server: OpenServer | None) -> Ablation:
        title = f"ablation over {self._said()} into {self._folder.url}"
        logger.info("%s", title)
        if self._before.status != "complete":
            self._write("running")
        try:
            jobs = self._plan.config.jobs
            with Pipeline(
                self._folder, self._folder.path.name, jobs, title=title, console=console, open_server=open_server
            ) as pipeline:
                self._run_steps(pipeline)
        except EvolrayError as error:
            self._write(_status(error), str(error))
            raise
        return self._conclude()

    def _run_steps(self, pipeline: Pipeline) -> None:
        plan = self._plan
        pipeline.run([*plan.evolving(), *plan.refining()])
        sizes = self._sizes(pipeline.states())
        records = equal_size(plan.config.records, sizes, self._records_of_students())
        if (self._manifest.sizes, self._manifest.records) != (said := _by_name(sizes), records):
            self._manifest.sizes, self._manifest.records = said, records
            self._write("running")  # before a mix is cut: then it no longer says what it had
        pipeline.run(plan.cutting(sizes, records))
        pipeline.run(plan.training())
        pipeline.run([plan.sweeping()])

    def _sizes(self, states: Mapping[str, str]) -> dict[int, int]:
        """Examples of each mix before it was cut. A mix that is being cut does not say; the manifest does."""
        found = {}
        for one in self._plan.generations:
            mix = read_json(self._folder.below(names.mix_folder(one)), MANIFEST)
            is_cut = names.cut_step(one) in states
            if mix.get("status") != "complete" and is_cut and str(one) in self._manifest.sizes:
                found[one] = self._manifest.sizes[str(one)]
            else:
                left_out = (mix.get("dropped") or {}).get("over_budget", 0)
                found[one] = int((mix.get("mix") or {}).get("records", 0)) + int(left_out)
        return found

    def _records_of_students(self) -> int:
        """How many examples those students have that are there already; 0 before there is one."""
        return self._before.records if _trained(self._folder) else 0

    def _said(self) -> str:
        return ", ".join(names.title(one) for one in self._plan.generations)

    def _conclude(self) -> Ablation:
        done = make(self._folder, self._manifest)
        self._fill(done)
        before = self._before
        same = (before.students, before.generations) == (self._manifest.students, self._manifest.generations)
        if before.status == "complete" and same and self._folder.exists(PAGE):
            logger.info("%s: nothing to do, every step is complete", self._folder.url)
            return make(self._folder, before)
        self._write("complete")
        done = make(self._folder, self._manifest)
        logger.info("%s", write_page(self._folder))
        return done

    def _fill(self, done: Ablation) -> None:
        manifest, teacher = self._manifest, done.teacher
        manifest.students = [
            {
                "generations": one.generations, "title": one.title, "examples": one.examples, "tokens": one.tokens,
                "steps": one.steps, "scores": [asdict(score) for score in one.last.scores] if one.last else [],
            }
            for one in done.students
        ]  # fmt: skip
        manifest.teacher, manifest.is_simulated = teacher.name, teacher.is_simulated
        manifest.calls, manifest.tokens, manifest.cost = teacher.calls, teacher.tokens, teacher.cost

    def _write(self, status: str, message: str = "") -> None:
        manifest = self._manifest
        manifest.status, manifest.message = status, message
        manifest.seconds = round(self._before.seconds + time.monotonic() - self._started, 1)
        self._fill(make(self._folder, manifest))
        manifests.write(self._folder, manifest)


def equal_size(wanted: int | None, sizes: Mapping[int, int], of_students: int) -> int:
    """How many examples each mix gets. `sizes`: what each has, by generations; `of_students`: what those students have
    that are trained already, 0 where there are none. Raises UserError when a mix has too few."""
    least = min(sizes, key=lambda one: (sizes[one], one))
    if not sizes[least]:
        raise UserError(
            f"the mix of {names.title(least)} is empty: everything was dropped, and dropped/ of its folder says why."
        )
    records = wanted or of_students or sizes[least]
    if sizes[least] >= records:
        return records
    has = ", ".join(f"{names.title(one)} {size:,}" for one, size in sizes.items())
    if wanted:
        raise UserError(
            f"records={wanted}: not every mix has so many examples ({has}). Give records at most {sizes[least]:,}, or "
            "more seeds."
        )
    raise UserError(
        f"the students that are trained have {of_students:,} examples each, and not every mix has so many ({has}). "
        "Choose another run=, or leave out the generations that were added."
    )


def _open(run: str) -> LocalFolder:
    if "://" in run and not run.startswith("file://"):
        raise UserError(
            f"run={without_credentials(run)}: an ablation needs a path that every node sees, not a URL, as its sweep "
            "does."
        )
    folder = open_folder(run)
    assert isinstance(folder, LocalFolder)
    return folder


def _trained(folder: LocalFolder) -> list[int]:
    """The students whose training has begun, by generations."""
    found = folder.names(names.STUDENTS)
    numbers = [name.rpartition("-")[2] for name in found if folder.exists(f"{names.STUDENTS}/{name}/{RUN}")]
    return sorted(int(number) for number in numbers if number.isdigit())


def _by_name(sizes: Mapping[int, int]) -> dict[str, int]:
    return {str(one): size for one, size in sizes.items()}


def _status(error: EvolrayError) -> str:
    if isinstance(error, Interrupted):
        return "interrupted"
    return "out_of_budget" if isinstance(error, BudgetError) else "stopped"
