"""What evolving gives: a student per number of generations, equal in examples and tokens, side by side."""

from evolray.calling import calls_function

calls_function(__name__)
