"""`evolray demo`: the paper in miniature, on two cores, with nothing to download."""
