"""Tokenising on Ray Data: a file or shard is read by one process, and its batches are tokenised on all cores."""

import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import ray

from evolray.cluster.ray_errors import last_line, root_cause
from evolray.config import TrainConfig
from evolray.errors import EvolrayError
from evolray.pool.layout import open_folder
from evolray.train.tokenising.sources import Source, read
from evolray.train.tokenising.tokens import Batch, tokenise

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BATCH = 1024  # examples tokenised at a time
READER_CPUS = 0.5


def tokenise_all(
    sources: list[Source],
    tokenizer: "PreTrainedTokenizerFast",
    config: TrainConfig,
    show: Callable[[int], None],
) -> list[Batch]:
    """Read, tokenise and store all examples. `show` is told how many are done. Raises what reading raises."""
    import ray.data

    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    shared = ray.put(tokenizer)
    with ray.data.DataContext.current(context):
        descriptors = ray.data.from_items(
            [{"number": number, "source": pickle.dumps(source)} for number, source in enumerate(sources)],
            override_num_blocks=len(sources),
        )
        # Different needs keep Ray Data from making one task of both: one reads a file, all cores tokenise it.
        texts = descriptors.map_batches(_read, batch_size=1, batch_format="numpy", num_cpus=READER_CPUS)
        rows = texts.map_batches(
            partial(_tokenise, tokenizer=shared, config=config), batch_size=1, batch_format="numpy", num_cpus=1
        )
    done: list[Batch] = []
    examples = 0
    try:
        for row in rows.iter_rows():
            done.append(Batch(**json.loads(row["done"])))
            examples += len(done[-1].tokens) + sum(done[-1].rejected.values())
            show(examples)
    except ray.exceptions.RayTaskError as error:
        cause = root_cause(error)
        if isinstance(cause, EvolrayError):
            raise cause from None
        raise EvolrayError(f"tokenising failed: {type(cause).__name__}: {last_line(cause)}") from error
    return done


def _read(batch: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """One row per batch of examples, so that a file is read once, from its beginning, and tokenised by many."""
    number, outcomes, chunk = batch["number"], read(pickle.loads(batch["source"][0])), 0
    while some := list(islice(outcomes, BATCH)):
        row = np.array([pickle.dumps(some)], dtype=object)
        yield {"number": number, "chunk": np.array([chunk]), "outcomes": row}
        chunk += 1


def _tokenise(batch: dict[str, np.ndarray], tokenizer: Any, config: TrainConfig) -> dict[str, np.ndarray]:
    """`tokenizer`: a reference to it."""
    source, chunk = int(batch["number"][0]), int(batch["chunk"][0])
    outcomes = pickle.loads(batch["outcomes"][0])
    done = tokenise(open_folder(config.run), source, chunk, outcomes, _fetched(tokenizer), config)
    return {"done": np.array([json.dumps(asdict(done))], dtype=object)}


@lru_cache(maxsize=1)  # a worker process serves many batches
def _fetched(reference: Any) -> "PreTrainedTokenizerFast":
    return ray.get(reference)  # type: ignore[no-any-return]
