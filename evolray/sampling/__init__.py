"""Questions in, samples out: what a model answers, asked at an endpoint or of a checkpoint that evolray loads."""
