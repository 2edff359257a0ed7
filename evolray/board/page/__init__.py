"""The page of a leaderboard: what stands on it, its template, its style and its script."""
