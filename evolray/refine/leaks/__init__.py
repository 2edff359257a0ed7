"""Which records hold what a benchmark asks or its solution."""
