"""lm-eval itself, in a process of its own: tasks in, its results out. Nothing is changed in how it asks or scores.

What is added: a count of answered requests (lm-eval tells its cache of each answer; a listener stands in between),
checks before anything is asked, and Jinja's sandbox around the templates of task files that are not lm-eval's own.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from jinja2.sandbox import SandboxedEnvironment

from evolray.cluster.machine import Machine
from evolray.errors import EvolrayError, UserError
from evolray.evaluate.knowledge.benchmarks import KnowledgeBenchmark
from evolray.evaluate.knowledge.endpoint import endpoint_error, first_line, open_endpoint
from evolray.evaluate.knowledge.job import Job, Outcome, Stage
from evolray.evaluate.knowledge.rows import rows_of
from evolray.evaluate.knowledge.source import CheckpointSource, EndpointSource, ModelSource
from evolray.evaluate.knowledge.task_files import TaskFiles

BY_DEFAULT = ("acc_norm", "acc")
BULKY = ("samples", "pretty_env_info", "upper_git_hash", "git_hash")


def evaluate(job: Job, machine: Machine, threads: int, stage: Stage) -> Outcome:
    """Raises UserError, EndpointError or EvolrayError."""
    with _set_up(job) as folder:
        stage.say("reading the tasks")
        manager = _task_manager(job.files, folder)
        metric, tasks = _load(job.benchmark, job.files, manager)
        stage.say("loading the model")
        model = _open(job.source, job.batch_size, machine, threads)
        _listen(model, stage)
        stage.say("making the requests")
        try:
            results = _run(job, model, tasks, manager)
        finally:
            stage.before_end()
    return Outcome(
        results=_plain({name: value for name, value in results.items() if name not in BULKY}),
        rows=rows_of(results, metric),
        metric=metric,
        max_length=int(model.max_length),
        truncated=_truncated(model, isinstance(job.source, EndpointSource), results["samples"]),
    )


@contextmanager
def _set_up(job: Job) -> Iterator[Path]:
    """This process's environment, and a folder with the task files, in which they are read."""
    os.environ.update({**job.environment, "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "false"})
    os.environ["OPENAI_API_KEY"] = job.key  # where lm-eval looks for it
    with tempfile.TemporaryDirectory(prefix="evolray-lm-eval-") as place:
        folder = Path(place) / "tasks"
        folder.mkdir()
        if job.files:
            os.environ["HF_DATASETS_CACHE"] = f"{place}/cache"  # else every run leaves a copy of its data in the user's
            for name, content in job.files.contents.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        with chdir(folder):
            yield folder


def _task_manager(files: TaskFiles | None, folder: Path) -> Any:
    import lm_eval.utils
    from lm_eval.api.metrics import mean  # noqa: F401  fills the registry
    from lm_eval.api.registry import metric_registry
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.WARNING)
    if files is None:
        return TaskManager()
    if unknown := sorted(name for name in files.metrics if name not in metric_registry):
        raise UserError(f"{files.source}: metric {', '.join(unknown)}: not one of lm-eval's own; others are refused.")
    theirs = lm_eval.utils.env
    sandbox = SandboxedEnvironment(
        loader=theirs.loader, undefined=theirs.undefined, keep_trailing_newline=theirs.keep_trailing_newline
    )
    sandbox.filters.update(theirs.filters)
    lm_eval.utils.env = sandbox
    return TaskManager(include_path=str(folder), include_defaults=False)


def _load(benchmark: KnowledgeBenchmark, files: TaskFiles | None, manager: Any) -> tuple[str, list[Any]]:
    """The metric that the score is, and the task, or the group of tasks, with its data."""
    task = benchmark.task
    if task not in manager.task_index:
        raise UserError(f"{benchmark.name}: lm-eval has no task or group named {task}; `lm-eval ls tasks` lists them.")
    try:
        loaded = manager.load([task])
    except Exception as error:  # of the datasets library, of the Hub's client, of jinja2, of YAML
        where = files.source if files else "lm-eval's own task, whose data come from the Hugging Face Hub"
        hint = "" if files else f" Where the Hub cannot be reached, set problems.{benchmark.name}=FOLDER."
        raise UserError(f"{benchmark.name}: {task} cannot be loaded from {where}: {first_line(error)}.{hint}") from None
    groups, tasks = loaded["groups"], loaded["tasks"]
    if group := groups.get(task):
        there = [one.metric for one in group.aggregate_metric_list or ()]
    elif task in tasks:
        there = list(tasks[task].higher_is_better())
    else:
        there = []
    if not there:
        raise UserError(
            f"{benchmark.name}: {task} stands for several tasks without a score in common. Name one of "
            f"{', '.join(sorted(tasks)[:20])}."
        )
    metric = benchmark.metric or next((name for name in BY_DEFAULT if name in there), there[0])
    if metric not in there:
        raise UserError(f"{benchmark.name}: {task} has the metrics {', '.join(there)}; expected {metric} among them.")
    return metric, [group or tasks[task]]


def _open(source: ModelSource, batch_size: int, machine: Machine, threads: int) -> Any:
    from lm_eval.api.registry import get_model

    if isinstance(source, EndpointSource):
        return open_endpoint(source, get_model("local-completions"))
    return _checkpoint(source, get_model("hf"), batch_size, machine, threads)


def _checkpoint(source: CheckpointSource, kind: Any, batch_size: int, machine: Machine, threads: int) -> Any:
    """As `--model hf` loads it: safetensors only, and no code that comes with the model."""
    from torch import OutOfMemoryError

    from evolray.quiet import quiet
    from evolray.sampling.fetching import fetch
    from evolray.sampling.models.loading import PRECISIONS, choose_precision, compute_with

    quiet()
    compute_with(threads)
    model = source.model
    arguments = {
        "pretrained": model.name if model.tree is None else str(fetch(model.tree)),
        "revision": model.revision or "main",
        "dtype": PRECISIONS[choose_precision(source.precision, machine)],
        "use_safetensors": True,
        "trust_remote_code": False,
    }
    device = "cuda" if machine.device == "gpu" else "cpu"
    try:
        return kind.create_from_arg_obj(arguments, {"batch_size": batch_size, "device": device})
    except (OutOfMemoryError, MemoryError):
        raise UserError(f"model={model.name}: does not fit into the memory of a worker's {device}.") from None
    except EvolrayError:
        raise
    except Exception as error:
        raise UserError(f"model={model.name}: cannot be loaded by lm-eval ({first_line(error)}).") from None


class _Listener:
    """Between lm-eval and its cache, which is told of each answer."""

    def __init__(self, cache: Any, stage: Stage) -> None:
        self._cache, self._stage = cache, stage

    def add_partial(self, kind: str, request: Any, answer: Any) -> None:
        self._cache.add_partial(kind, request, answer)
        self._stage.add()


def _listen(model: Any, stage: Stage) -> None:
    hook_in = model.set_cache_hook

    def set_cache_hook(cache: Any) -> None:
        hook_in(_Listener(cache, stage))
        if (kept := cache.dbdict) is not None:
            stage.before_end = kept.commit

    def counted(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asking(requests: Sequence[Any], *more: Any, **options: Any) -> Any:
            stage.expect(len(requests))
            return ask(requests, *more, **options)

        return asking

    model.set_cache_hook = set_cache_hook
    model.set_cache_hook(model.cache_hook)
    for name in ("loglikelihood", "loglikelihood_rolling", "generate_until"):
        setattr(model, name, counted(getattr(model, name)))


def _run(job: Job, model: Any, tasks: list[Any], manager: Any) -> Mapping[str, Any]:
    from lm_eval import simple_evaluate
    from torch import OutOfMemoryError

    try:
        results: Mapping[str, Any] | None = simple_evaluate(
            model=model, tasks=tasks, num_fewshot=job.shots, batch_size=job.batch_size, limit=job.limit,
            task_manager=manager, use_cache=job.cache, log_samples=True, apply_chat_template=False,
        )  # fmt: skip
    except OutOfMemoryError:
        raise UserError(
            f"lm_eval.batch_size={job.batch_size}: the requests of {job.benchmark.name} do not fit into the GPU's "
            "memory; set a smaller one."
        ) from None
    except Exception as error:
        if isinstance(job.source, EndpointSource):
            raise endpoint_error(job.source, error) from None
        raise EvolrayError(f"{job.benchmark.name}: lm-eval failed: {first_line(error)}.") from error
    if not results:
        raise EvolrayError(f"{job.benchmark.name}: lm-eval gave no results.")
    return results


def _plain(results: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it: numpy's numbers as numbers, and the functions of task files by their names."""

    def plain(value: Any) -> Any:
        if isinstance(value, set | frozenset):
            return sorted(value)
        return value.item() if hasattr(value, "item") else getattr(value, "__name__", str(value))

    made: dict[str, Any] = json.loads(json.dumps(results, default=plain))
    return made


def _truncated(model: Any, by_endpoint: bool, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
    """Requests that do not fit, whose beginning lm-eval leaves out. A token has a byte at least: most need no look."""
    most = model.max_length + (0 if by_endpoint else 1)  # the last token of a choice is never an input
    pairs = (pair for some in samples.values() for one in some for pair in one["arguments"])
    long = (
        (pair[0], pair[1]) for pair in pairs
        if len(pair) > 1 and isinstance(pair[1], str) and pair[0] and len(f"{pair[0]}{pair[1]}".encode()) + 2 > most
    )  # fmt: skip
    return sum(sum(map(len, model._encode_pair(*pair))) > most for pair in long)
