"""Which temperature holds: the question's, else the sampler's, else 0."""

from evolray.config import SamplingConfig
from evolray.sampling.questions import Question


def temperature_of(sampling: SamplingConfig, question: Question | None = None) -> float:
    if question is not None and question.temperature is not None:
        return question.temperature
    return 0.0 if sampling.temperature is None else sampling.temperature
