"""All metrics by name. Ray exports them to Prometheus, with `ray_` before the name and `_total` behind a counter's.

The names are stable. `run` is the run directory of the stage, without credentials: that of the training in a
campaign's third round is .../rounds/3/student. Ray adds labels of its own: of its session, the node and the worker.
"""

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    name: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    meaning: str

    @property
    def arguments(self) -> tuple[str, str, tuple[str, ...]]:
        """What Ray's Counter or Gauge is made from."""
        return self.name, self.meaning, self.labels

    @property
    def exported(self) -> str:
        """The name in Prometheus."""
        return f"ray_{self.name}{'_total' if self.kind == 'counter' else ''}"


def _train(name: str, meaning: str) -> Metric:
    return Metric(f"evolray_train_{name}", "gauge", ("run",), meaning)


CALLS = Metric("evolray_calls", "counter", ("run", "purpose"), "Answered calls of teachers, judges and students.")
TOKENS = Metric(
    "evolray_tokens", "counter", ("run", "purpose", "side"), "Tokens of answered calls: prompt, completion."
)
COST = Metric("evolray_cost", "counter", ("run",), "Cost of answered calls, at the prices of the config.")
OUTCOMES = Metric(
    "evolray_outcomes", "counter", ("run", "generation", "operator", "fate", "reason"),
    "What became of what was asked about: kept, eliminated (by reason) or failed (by cause).",
)  # fmt: skip
REFUSED_CALLS = Metric("evolray_refused_calls", "counter", ("run", "endpoint"), "Calls that an endpoint refused (429).")
CALLS_IN_FLIGHT = Metric("evolray_calls_in_flight", "gauge", ("run", "endpoint"), "Calls in flight.")
CALLS_IN_FLIGHT_LIMIT = Metric(
    "evolray_calls_in_flight_limit", "gauge", ("run", "endpoint"), "How many calls may be in flight at present."
)

REFINED_SHARDS = Metric(
    "evolray_refined_shards",
    "counter",
    ("run", "step"),
    "Shards, or other units, of a refining step that are finished.",
)

TRAIN = {
    "step": _train("step", "Optimizer steps so far."),
    "steps": _train("steps", "Optimizer steps in all."),
    "epoch": _train("epoch", "Passes over the examples so far, with fractions."),
    "loss": _train("loss", "Mean loss over the trained tokens of the last optimizer steps."),
    "held_out_loss": _train("held_out_loss", "Mean loss over the trained tokens of the held-out examples."),
    "learning_rate": _train("learning_rate", "Learning rate of the last optimizer step."),
    "gradient_norm": _train("gradient_norm", "Norm of the gradient of the last optimizer step, before clipping."),
    "tokens_per_second": _train("tokens_per_second", "Tokens trained on per second by all workers, without padding."),
    "flops_per_second": _train(
        "flops_per_second", "Floating-point operations per second of all workers, by the model."
    ),
    "mfu": _train("mfu", "Model FLOPs utilisation, from 0 to 1, where the peak of the GPU is known."),
    "memory_bytes": _train(
        "memory_bytes", "Most memory in bytes that the first worker's GPU, or its process, has held."
    ),
    "padding": _train("padding", "Share of the computed tokens that are padding."),
    "examples": _train("examples", "Examples trained on so far."),
    "tokens": _train("tokens", "Tokens trained on so far."),
    "seconds_left": _train("seconds_left", "Estimated seconds to the end of the training."),
}
"""By field of evolray.train.watching.Figures."""

SAMPLES = Metric("evolray_samples", "gauge", ("run", "fate"), "Samples of a checkpoint: answered, failed.")
SAMPLE_TOKENS = Metric("evolray_sample_tokens", "gauge", ("run", "side"), "Tokens of its samples: prompt, completion.")
GRADED = Metric("evolray_graded", "counter", ("run", "benchmark", "outcome"), "Graded samples, by how they fared.")

STEPS = Metric("evolray_steps", "gauge", ("run", "state"), "Steps of a campaign: waiting, running, complete, failed.")
CAMPAIGN_ROUND = Metric("evolray_campaign_round", "gauge", ("run",), "The latest round that has a score.")
CAMPAIGN_SCORE = Metric(
    "evolray_campaign_score", "gauge", ("run", "round"), "Score of a round on the development sets, from 0 to 100."
)

METRICS: dict[str, tuple[Metric, ...]] = {
    "evolve, and all that asks endpoints": (
        CALLS, TOKENS, COST, OUTCOMES, REFUSED_CALLS, CALLS_IN_FLIGHT, CALLS_IN_FLIGHT_LIMIT,
    ),
    "refine": (REFINED_SHARDS,),
    "train": tuple(TRAIN.values()),
    "evaluate, generate": (SAMPLES, SAMPLE_TOKENS, GRADED),
    "campaign": (STEPS, CAMPAIGN_ROUND, CAMPAIGN_SCORE),
}  # fmt: skip
"""By who exports them."""
