"""One invocation of `refine`: one step after another, each done as far as it is not, and the manifest about all."""

import hashlib
import logging
import time
from collections.abc import Iterable
from itertools import count

import numpy as np
import numpy.typing as npt
from rich.console import Console

from evolray.engine.messages import Snapshot
from evolray.errors import EvolrayError, Interrupted, UserError
from evolray.pool.export import export_into
from evolray.pool.layout import Folder
from evolray.pool.pool import Pool
from evolray.pool.shards import POOL
from evolray.refine import manifest as manifests
from evolray.refine.accounting import count_judged, count_leaks, count_mix, count_sources
from evolray.refine.duplicates.clusters import write_clusters
from evolray.refine.duplicates.search import Duplicates, find_duplicates
from evolray.refine.duplicates.signatures import HASHES, MakeSignatures
from evolray.refine.features import MeasureFeatures
from evolray.refine.index import Index, read_index
from evolray.refine.intake.reading import ReadSource
from evolray.refine.judging.asking import ask
from evolray.refine.judging.drawing import draw_sample
from evolray.refine.manifest import RefineManifest
from evolray.refine.mix.card import CardFacts, write_card
from evolray.refine.mix.hashes import HashShards, file_sha256, joined
from evolray.refine.mix.writing import write_mix
from evolray.refine.plan import EMBEDDING, Plan
from evolray.refine.progress import Progress
from evolray.refine.reasons import code
from evolray.refine.selection import diversity
from evolray.refine.selection.candidates import Candidates, read_candidates
from evolray.refine.selection.embedding import EMBEDDINGS, EmbedRecords
from evolray.refine.selection.filters import filters
from evolray.refine.selection.selecting import select
from evolray.refine.steps.doing import Steps
from evolray.refine.steps.state import open_step, step_key
from evolray.refine.steps.step import ShardStep
from evolray.refine.tables import (
    BANDS,
    DROPPED,
    FEATURES,
    JUDGED,
    LEAKS,
    LEAKS_BY_EXECUTION,
    RECORDS,
    REJECTED,
    SIGNATURES,
)

logger = logging.getLogger("evolray")

MANIFEST_SECONDS = 5.0
FILTERS = tuple(code(reason) for reason in ("unjudged", "too_easy", "too_hard"))

Mask = npt.NDArray[np.bool_]
Reasons = npt.NDArray[np.uint8]


class Run:
    """`reasons` in what follows: a code per record, by row; 0 for those that are still in."""

    def __init__(self, plan: Plan, folder: Folder) -> None:
        self._started = self._written = time.monotonic()
        self._plan, self._folder, self._config, self._keys = plan, folder, plan.config, plan.keys
        self._before = manifests.read(folder)
        self._manifest = RefineManifest(folder.url, "running", benchmarks=plan.described())

    def is_complete(self) -> bool:
        """Whether the run has ended before, with these settings, and no call to the judge has failed."""
        before = self._before
        return (
            before is not None
            and before.status == "complete"
            and not before.judged.get("failed")
            and bool(open_step(self._folder, "all", self._keys["all"], ()).finished)
        )

    def work(self, console: Console | None) -> None:
        """Do what is to be done. Raises the error that stands for why it stopped."""
        names = ", ".join(source.name for source in self._plan.sources)
        title = f"refining {names} into {self._folder.url}"
        logger.info("%s", title)
        self._progress = Progress(title, self._config.engine.log_seconds, console)
        self._steps = Steps(self._folder, self._progress, self._config.workers, self._show)
        self._write("running")
        try:
            with self._steps, self._progress:
                self._work()
                self._manifest.check()
        except (EvolrayError, KeyboardInterrupt) as error:
            known = error if isinstance(error, EvolrayError) else Interrupted("interrupted; what is finished stays")
            self._write("interrupted" if isinstance(known, Interrupted) else "stopped", str(known))
            raise known from None
        done = open_step(self._folder, "all", self._keys["all"], ())
        done.finish(self._folder, 0, {})
        done.save(self._folder)
        self._write("complete")

    def _work(self) -> None:
        index = self._take_in()
        self._steps.do("features", self._keys["features"], MeasureFeatures(), index.shards, [FEATURES])
        duplicates = self._find_duplicates(index)
        reasons = duplicates.kind.copy()
        self._find_leaks(index, reasons)
        judged = self._judge(index, reasons)
        self._select(index, reasons)
        self._write_mix(index, reasons, duplicates, judged)

    def _take_in(self) -> Index:
        intake = self._plan.intake
        state = self._steps.do(
            "intake", self._keys["intake"], ReadSource(intake), range(len(intake.parts)), [RECORDS, REJECTED, JUDGED]
        )
        total = state.total
        if total["conversations"] and "alpaca" in self._config.formats:
            raise UserError(
                f"formats=alpaca has no room for the turns before an instruction, and {total['conversations']:,} "
                "records have some; choose messages, sharegpt or jsonl."
            )
        count_sources(self._manifest, self._plan.sources, total)
        if not total["records"]:
            raise UserError(
                f"nothing to refine: all {total['rejected']:,} entries are no records; "
                f"{self._folder.url}/rejected says why."
            )
        return read_index(self._folder, tuple(source.name for source in self._plan.sources))

    def _find_duplicates(self, index: Index) -> Duplicates:
        config, turns = self._config.near_duplicates, count()
        step = MakeSignatures(config, self._plan.needs_signatures)
        self._steps.do("signatures", self._keys["signatures"], step, index.shards, [SIGNATURES, BANDS, HASHES])

        def run_units(step: ShardStep, units: Iterable[int]) -> None:
            turn = next(turns)
            self._steps.do(f"duplicates-{turn + 1}", self._keys["duplicates"], step, units, [f"work/pairs-{turn}"])

        found = find_duplicates(self._folder, index, config, self._config.memory_mb, run_units)
        write_clusters(self._folder, index, found, config.of)
        return found

    def _find_leaks(self, index: Index, reasons: Reasons) -> None:
        """Benchmark items in what is still in; the records that hold them get their reason."""
        for name, kind, step in (
            ("leaks", LEAKS, self._plan.leaks),
            ("passing", LEAKS_BY_EXECUTION, self._plan.passing),
        ):
            if step is None:
                self._folder.remove(kind)  # of an earlier run with other settings
                continue
            self._steps.do(name, self._keys[name], step.of(index, reasons == 0), index.shards, [kind])
            reasons[count_leaks(self._manifest, self._folder, kind)] = code("leak")

    def _judge(self, index: Index, reasons: Reasons) -> str:
        """Ask about what is still in and what no filter takes out anyway. A key for all that was answered."""
        if self._plan.judging is None:
            self._folder.remove(JUDGED)
            return ""
        sample, seed = self._config.judging.sample, self._config.select.seed
        work = self._plan.judging.of(index, draw_sample(index, self._passing_filters(index, reasons), sample, seed))
        self._progress.begin("judging", work.records)

        def show(now: Snapshot) -> None:
            done = sum(now.accounts.outcomes.values())
            calls = f"{now.calls:,} calls, {now.in_flight} of {now.limit} in flight, cost {now.cost:,.2f}"
            self._progress.at(done, calls)
            self._keep_up()

        with self._steps.by_hand("judging", step_key(self._keys["passing"], work.identity)):
            accounts = ask(work, self._folder, index.shards, self._config, show, self._steps.need_cluster)
        count_judged(self._manifest, work.records, accounts, work.cost(accounts.usage))
        self._progress.end(f"{work.records:,} records, {accounts.total('failed'):,} without a score")
        return step_key(work.identity, accounts.to_json())

    def _passing_filters(self, index: Index, reasons: Reasons) -> Mask:
        """By row, whether a record is still in and would be after the filters that need no judge."""
        pool = read_candidates(self._folder, index, reasons == 0)
        found = filters(pool, self._config.select)
        passing = np.zeros(len(index), np.bool_)
        passing[pool.rows[(found == 0) | np.isin(found, FILTERS)]] = True
        return passing

    def _select(self, index: Index, reasons: Reasons) -> None:
        config, folder = self._config.select, self._folder
        pool = read_candidates(folder, index, reasons == 0)
        embedding = self._embed(index, pool) if config.order == EMBEDDING else None
        self._progress.begin("selection", len(pool))
        with self._steps.by_hand("selection", self._keys["mix"]):
            reasons[pool.rows] = select(
                pool,
                config,
                self._plan.weights,
                redundancy=lambda rows, ranks: diversity.redundancy(folder, index, rows, ranks, self._config.memory_mb),
                vectors=(lambda rows: embedding.read(folder, rows)) if embedding else None,
                progress=lambda done, wanted: self._progress.at(done, f"of at most {wanted:,} in the mix"),
            )
        chosen = int((reasons == 0).sum())
        self._progress.end(f"{chosen:,} of {len(pool):,}")
        if not chosen:
            logger.warning("nothing is left for the mix: see dropped/, and the settings of select")

    def _embed(self, index: Index, pool: Candidates) -> EmbedRecords:
        wanted = np.zeros(len(index), np.bool_)
        wanted[pool.rows[filters(pool, self._config.select) == 0]] = True
        step = EmbedRecords(self._config.select.embedding_model, wanted, index.shards, index.offsets)
        key = step_key(self._keys["duplicates"], step.model, hashlib.sha256(wanted.tobytes()).hexdigest())
        self._steps.do("embedding", key, step, index.shards, [EMBEDDINGS])
        return step

    def _write_mix(self, index: Index, reasons: Reasons, duplicates: Duplicates, judged: str) -> None:
        key = step_key(self._keys["mix"], judged, hashlib.sha256(reasons.tobytes()).hexdigest())
        step = write_mix(index, reasons, duplicates)
        total = self._steps.do("mix", key, step, index.shards, [POOL, DROPPED]).total
        hashes = self._steps.do("hashes", step_key(key, "hashes"), HashShards(), index.shards).finished
        self._manifest.hashes = {f"{kind}/": joined(hashes, kind) for kind in (RECORDS, POOL)}
        count_mix(self._manifest, total)
        self._write("running")  # from here on it is a pool that can be read
        self._export()
        write_card(self._folder, CardFacts(self._config, self._manifest, dict(total)))

    def _export(self) -> None:
        self._progress.begin("formats", len(self._config.formats))
        self._folder.remove("training")
        for format in self._config.formats:
            name = export_into(self._folder, Pool(self._config.run), format)
            self._manifest.hashes[name] = file_sha256(self._folder, name)
            self._progress.advance()
        self._progress.end(", ".join(self._config.formats) or "none beside Parquet")

    def _show(self) -> None:
        self._progress.show()
        self._keep_up()

    def _keep_up(self) -> None:
        """With the manifest, every few seconds."""
        if time.monotonic() - self._written > MANIFEST_SECONDS:
            self._write("running")

    def _write(self, status: str, message: str = "") -> None:
        manifest, before = self._manifest, self._before
        manifest.status, manifest.message = status, message
        manifest.seconds = round((before.seconds if before else 0) + time.monotonic() - self._started, 1)
        manifest.steps = [state.described() for state in self._steps.states]
        manifest.live = self._progress.now if status == "running" else {}
        manifests.write(self._folder, manifest)
        self._written = time.monotonic()
