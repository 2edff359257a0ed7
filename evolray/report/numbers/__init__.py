"""What lies on disk of a run, as numbers for figures and tables."""
