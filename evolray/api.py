"""The stages as functions, for scripts and notebooks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from evolray.checkpoints import Checkpoint, Checkpoints
from evolray.config import (
    AblationConfig,
    BlindConfig,
    BoardConfig,
    CampaignConfig,
    EvaluateConfig,
    EvolveConfig,
    GenerateConfig,
    GradeConfig,
    RefineConfig,
    ReportConfig,
    SweepConfig,
    TrainConfig,
    from_mapping,
    load,
)
from evolray.engine.roles import Script
from evolray.errors import UserError
from evolray.evolve import stage as evolving
from evolray.method.domains import Domain
from evolray.pool.pool import Pool
from evolray.train import stage as training

if TYPE_CHECKING:
    from evolray.ablation.results import Ablation
    from evolray.blind.stage import Blind
    from evolray.board.stage import Board
    from evolray.campaign.results import Campaign
    from evolray.evaluate.results import Results
    from evolray.refine.results import Refined
    from evolray.sampling.answers import Answers
    from evolray.sweep.stage import Sweep

Config = TypeVar(
    "Config",
    EvolveConfig,
    RefineConfig,
    ReportConfig,
    TrainConfig,
    EvaluateConfig,
    GradeConfig,
    GenerateConfig,
    SweepConfig,
    CampaignConfig,
    AblationConfig,
    BlindConfig,
)

ESTIMATE = "there are no scores without samples; for an estimate, call evolray.evaluate.stage.dry_run_"


def evolve(
    config: EvolveConfig | Mapping[str, Any] | str | None = None,
    *,
    domain: Domain | str | None = None,
    script: Script | None = None,
    **settings: Any,
) -> Pool:
    """Evolve seeds into a pool; the same as the command `evolray evolve`.

    `config` is an EvolveConfig, the path of a YAML file or a mapping whose keys may be dotted; keywords come on top,
    with two underscores for a dot: evolve("conf/evolve/wizardlm.yaml", run="runs/a", seeds__path="seeds.json").
    `domain` may be a Domain of your own. `script` is a function from a Call to its answer that plays all the roles.
    Raises UserError, EndpointError, BudgetError, Interrupted or EvolrayError; the same call goes on afterwards.
    """
    values = _dotted(settings)
    _script(values, "teacher.kind", script)
    if isinstance(domain, str):
        values["domain"] = domain
    elif domain is not None:
        values["domain"] = domain.name
    own = domain if isinstance(domain, Domain) else None
    loaded = _config(EvolveConfig, config, values)
    if loaded.dry_run:
        raise UserError(
            "dry_run: evolray.evolve() returns a pool; for an estimate, call evolray.evolve.stage.dry_run()."
        )
    return evolving.evolve(loaded, domain=own, script=script)


def refine(
    config: RefineConfig | Mapping[str, Any] | str | None = None, *, script: Script | None = None, **settings: Any
) -> "Refined":
    """Refine pools into a training mix; the same as the command `evolray refine`.

    `config` and keywords are as for `evolve`. `data` may be a Pool, a path, a list of them, or a mapping from names to
    them or to {path, weight, columns}. `script` is a function from a Call to its answer that stands in for the judge.
    Raises UserError, EndpointError, BudgetError, Interrupted or EvolrayError; the same call goes on afterwards.
    """
    from evolray.refine import stage as refining

    values = _dotted(settings)
    if "data" in values:
        values["data"] = _paths(values["data"])
    _script(values, "judge.kind", script)
    loaded = _config(RefineConfig, config, values)
    if loaded.dry_run:
        raise UserError("dry_run: evolray.refine() returns a mix; call evolray.refine.stage.dry_run() for an estimate.")
    return refining.refine(loaded, script=script)


def report(run: Pool | str, **settings: Any) -> str:
    """Write the page about a run, and its figures; the same as the command `evolray report`.

    Returns the page's path. The figures alone, for notebooks: evolray.report.figures. Raises UserError.
    """
    from evolray import pages

    url = run.folder.url if isinstance(run, Pool) else run
    return pages.write_page(from_mapping(ReportConfig, {**_dotted(settings), "run": url}))


def train(config: TrainConfig | Mapping[str, Any] | str | None = None, **settings: Any) -> Checkpoints:
    """Train a student on a pool or a file; the same as the command `evolray train`.

    `config` and keywords are as for `evolve`, and `data` may be the Pool itself:
    train("conf/train/tiny.yaml", data=pool, run="runs/tiny").best() is the checkpoint with the lowest held-out loss.
    Raises UserError, Interrupted or EvolrayError; the same call goes on afterwards.
    """
    values = _dotted(settings)
    if isinstance(values.get("data"), Pool):
        values["data"] = values["data"].folder.url
    return training.train(_config(TrainConfig, config, values))


def evaluate(
    config: EvaluateConfig | Mapping[str, Any] | str | None = None,
    *,
    script: Script | None = None,
    judge_script: Script | None = None,
    **settings: Any,
) -> "Results":
    """Sample a checkpoint or an endpoint on benchmarks, and score it; the same as the command `evolray evaluate`.

    `config` and keywords are as for `evolve`, and `model` may be a Checkpoint itself:
    evaluate(model=checkpoint, benchmarks=["gsm8k"], problems={"gsm8k": "gsm8k_test.jsonl"}, run="runs/gsm8k").scores
    `script` and `judge_script` are functions from a Call to its answer that stand in for a model and for a judge.
    Raises UserError, EndpointError, BudgetError, Interrupted or EvolrayError; the same call goes on afterwards.
    """
    from evolray.evaluate import stage as evaluating

    values = _dotted(settings)
    if isinstance(values.get("model"), Checkpoint):
        values["model"] = values["model"].url
    _script(values, "endpoint.kind", script)
    _script(values, "judge.endpoint.kind", judge_script)
    loaded = _config(EvaluateConfig, config, values)
    if loaded.dry_run:
        raise UserError(f"dry_run: {ESTIMATE}evaluate().")
    return evaluating.evaluate(loaded, script=script, judge_script=judge_script)


def grade(
    benchmark: str,
    config: GradeConfig | Mapping[str, Any] | str | None = None,
    *,
    judge_script: Script | None = None,
    **settings: Any,
) -> "Results":
    """Grade ready samples of one benchmark, or have them judged; the same as the command `evolray grade`.

    `judge_script` is as for `evaluate`. Raises as `evaluate` does; the same call goes on afterwards.
    """
    from evolray.evaluate import stage as evaluating

    values = _dotted(settings)
    _script(values, "judge.endpoint.kind", judge_script)
    loaded = _config(GradeConfig, config, values)
    if loaded.dry_run:
        raise UserError(f"dry_run: {ESTIMATE}grade().")
    return evaluating.grade(benchmark, loaded, judge_script=judge_script)


def board(results: "str | Results | Sequence[str | Results]", **settings: Any) -> "Board":
    """One leaderboard of all results below some folders; the same as the command `evolray board`.

    Results may be given themselves. The figures alone, for notebooks: evolray.board.figures. Raises UserError.
    """
    from evolray.board import stage as boarding

    some = [results] if isinstance(results, str) or not isinstance(results, Sequence) else results
    urls = [one if isinstance(one, str) else one.folder.url for one in some]
    return boarding.board(from_mapping(BoardConfig, {**_dotted(settings), "results": urls}))


def blind(config: BlindConfig | Mapping[str, Any] | str | None = None, **settings: Any) -> "Blind":
    """Write blinded sheets for people who rate answers, or read their ratings; as the command `evolray blind`.

    `config` and keywords are as for `evolve`. Raises UserError.
    """
    from evolray.blind import stage as blinding

    return blinding.blind(_config(BlindConfig, config, _dotted(settings)))


def generate(config: GenerateConfig | Mapping[str, Any] | str | None = None, **settings: Any) -> "Answers":
    """Answer a file of instructions; the same as the command `evolray generate`.

    `model` and `data` may be a Checkpoint and a Pool. Raises as `evaluate` does; the same call goes on afterwards.
    """
    from evolray.sampling import generate as generating

    values = _dotted(settings)
    if isinstance(values.get("model"), Checkpoint):
        values["model"] = values["model"].url
    if isinstance(values.get("data"), Pool):
        values["data"] = values["data"].folder.url
    return generating.generate(_config(GenerateConfig, config, values))


def sweep(config: SweepConfig | Mapping[str, Any] | str | None = None, **settings: Any) -> "Sweep":
    """Evaluate many checkpoints, each cell a Ray job; the same as the command `evolray sweep`.

    `checkpoints` may hold Checkpoints, the Checkpoints of a training, and their names.
    Raises UserError, Interrupted or EvolrayError (cells that failed); the same call goes on afterwards.
    """
    from evolray.sweep import stage as sweeping

    values = _dotted(settings)
    if "checkpoints" in values:
        named = values["checkpoints"]
        named = named if isinstance(named, list | tuple) else [named]
        values["checkpoints"] = [getattr(one, "run_url", getattr(one, "url", one)) for one in named]
    return sweeping.sweep(_config(SweepConfig, config, values))


def campaign(config: CampaignConfig | Mapping[str, Any] | str | None = None, **settings: Any) -> "Campaign":
    """Another generation while the score on a development set rises; the same as the command `evolray campaign`.

    Raises as the stages do; the same call goes on afterwards.
    """
    from evolray.campaign import stage as campaigning

    loaded = _config(CampaignConfig, config, _dotted(settings))
    if loaded.dry_run:
        raise UserError("dry_run: there are no scores yet; for the steps, call evolray.campaign.stage.dry_run().")
    return campaigning.campaign(loaded)


def ablation(config: AblationConfig | Mapping[str, Any] | str | None = None, **settings: Any) -> "Ablation":
    """A student per number of generations, all else equal; the same as the command `evolray ablation`.

    Raises as the stages do; the same call goes on afterwards.
    """
    from evolray.ablation import stage as comparing

    return comparing.ablation(_config(AblationConfig, config, _dotted(settings)))


def _script(values: dict[str, Any], kind: str, script: Script | None) -> None:
    if script is not None:
        values[kind] = "scripted"


def _paths(data: Any) -> Any:
    """`data` with each Pool as the path of its run."""
    if isinstance(data, Pool):
        return data.folder.url
    if isinstance(data, Mapping):
        return {name: _paths(one) for name, one in data.items()}
    return [_paths(one) for one in data] if isinstance(data, list | tuple) else data


def _dotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("__", "."): value for key, value in settings.items()}


def _config(schema: type[Config], config: Config | Mapping[str, Any] | str | None, values: dict[str, Any]) -> Config:
    if config is not None and not isinstance(config, Mapping):
        return load(schema, [config], values)
    return from_mapping(schema, {**(config or {}), **values})
