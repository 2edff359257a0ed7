"""Which sampler a config asks for."""

from evolray.config import SamplerConfig
from evolray.engine.roles import Script
from evolray.errors import UserError
from evolray.sampling.naming import named_in
from evolray.sampling.sampler import Sampler

__all__ = ["Script", "check", "open_sampler"]


def open_sampler(config: SamplerConfig, script: Script | None = None, section: str = "") -> Sampler:
    """`script`: a function from a Call to its answer, in place of `endpoint.script`. `section`: what the errors put
    before a setting's name, "judge." where the config is the judge's.

    Raises UserError when the config names no model, or two, or what it names cannot be used.
    """
    check(config, section)
    if config.model:
        from evolray.sampling.checkpoint import CheckpointSampler  # loads transformers

        return CheckpointSampler(config, section)
    from evolray.sampling.endpoint import EndpointSampler

    return EndpointSampler(config, script, section)


def check(config: SamplerConfig, section: str = "") -> None:
    model, endpoint = f"{section}model", f"{section}endpoint"
    if config.model and (config.endpoint.model or config.endpoint.kind != "endpoint"):
        raise UserError(
            f"{model}={config.model} and {endpoint}.model={config.endpoint.model}: expected one of the two, a "
            "checkpoint or a model at an endpoint."
        )
    if not config.model and not config.endpoint.model and config.endpoint.kind == "endpoint":
        raise UserError(
            f"no model is named; set {model}= to a checkpoint (a run of evolray train, a folder, a name on the Hub), "
            f"or {endpoint}.model= and {endpoint}.base_url= to one that is served."
        )
    with named_in(section):
        _check_numbers(config)
    sampling = config.sampling
    if sampling.n > 1 and not sampling.temperature:
        raise UserError(
            f"{section}sampling.n={sampling.n} at temperature 0 asks for the same sample {sampling.n} times; "
            f"set {section}sampling.temperature (the papers use 0.2), or {section}sampling.n=1."
        )


def _check_numbers(config: SamplerConfig) -> None:
    sampling = config.sampling
    least = {
        "sampling.n": (sampling.n, 1), "sampling.temperature": (sampling.temperature, 0),
        "sampling.top_k": (sampling.top_k, 0), "sampling.max_tokens": (sampling.max_tokens, 1),
        "batch_tokens": (config.batch_tokens, 1), "engine.shard_size": (config.engine.shard_size, 1),
        "workers.number": (config.workers.number, 1),
    }  # fmt: skip
    for key, (value, minimum) in least.items():
        if value is not None and not value >= minimum:
            raise UserError(f"{key}={value}: expected {minimum} or more.")
    if not 0 < sampling.top_p <= 1:
        raise UserError(f"sampling.top_p={sampling.top_p}: expected a share above 0, up to 1.")
