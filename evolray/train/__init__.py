"""The training stage: examples tokenised by Ray Data, a student trained by Ray Train and DeepSpeed."""

from evolray.calling import calls_function

calls_function(__name__)
