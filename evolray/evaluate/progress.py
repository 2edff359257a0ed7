"""How an evaluation looks while it runs: sampling, and then grading."""

from evolray.sampling import progress


class Progress(progress.Progress):
    def grading(self, graded: int, passed: int, todo: int) -> None:
        """Of the `todo` samples that this invocation grades."""
        share = f"{passed / graded:.1%} passed" if graded else "starting"
        self.show([f"{graded:,} of {todo:,} graded", share], graded, todo)
