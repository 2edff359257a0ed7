"""The judge asked through the engine, shard by shard, within its limits and budget."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from evolray.config import RefineConfig
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Snapshot
from evolray.engine.spending import add_up, spent
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder
from evolray.refine.judging import work as judging
from evolray.refine.judging.work import Judging


def ask(
    work: Judging,
    folder: Folder,
    shards: Sequence[int],
    config: RefineConfig,
    show: Callable[[Snapshot], None],
    need_cluster: Callable[[], None],
) -> Accounts:
    """Ask what was not asked before; the accounts of all shards. `need_cluster` is called if there is anything to ask.

    Raises EndpointError, BudgetError, Interrupted or EvolrayError; what was answered by then is in the ledger.
    """
    finished = judging.finished(folder, work)
    todo = [shard for shard in shards if shard not in finished]
    if todo:
        from evolray.engine import on_ray

        need_cluster()
        paid = spent(folder, finished.values(), todo)
        coordinator = Coordinator(work, config.budget, add_up(finished.values()), paid)
        engine = replace(config.engine, shard_size=config.shard_size)
        done, stop = on_ray.run_shards(work, coordinator, folder, todo, engine, show)
        finished |= done
        if stop:
            raise stop.as_error(f"{len(finished)} of {len(shards)} shards are judged")
    return add_up(finished.values())
