"""Ray jobs: asked for, looked at, stopped; on the job server that is there, or on one for this run alone."""
