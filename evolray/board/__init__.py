"""The leaderboard: all results of some folders on one page and in one table."""

from evolray.calling import calls_function

calls_function(__name__)
