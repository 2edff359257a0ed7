"""How an evaluation looks while it runs: sampling, grading, judging, and what lm-eval says."""

from evolray.sampling import progress
from evolray.sampling.sampler import Sampling


class Progress(progress.Progress):
    def grading(self, graded: int, passed: int, todo: int) -> None:
        """Of the `todo` samples that this invocation grades."""
        share = f"{passed / graded:.1%} passed" if graded else "starting"
        self.show([f"{graded:,} of {todo:,} graded", share], graded, todo)

    def judging(self, now: Sampling, todo: int, title: str) -> None:
        """Of the `todo` questions that the judge is asked about one benchmark."""
        parts = [f"{title}: {now.sampled:,} of {todo:,} verdicts", f"{now.failed:,} failed"]
        parts += [f"{now.prompt_tokens + now.completion_tokens:,} tokens"]
        parts += [f"cost {now.cost:,.2f}"] if now.cost else []
        parts += [now.detail] if now.detail else []
        self.show(parts, now.sampled + now.failed, todo)

    def saying(self, line: str) -> None:
        """What lm-eval says of how far it is."""
        self.show([line], 0, 0)
