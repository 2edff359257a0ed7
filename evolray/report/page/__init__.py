"""The page of a report: its content, its data and how it looks."""
