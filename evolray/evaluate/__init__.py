"""The evaluation stage: problems in, samples graded, scores out; every score with the rules it was made by."""

from evolray.calling import calls_function

calls_function(__name__)
