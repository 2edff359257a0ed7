"""Stages one after another, or side by side, each a Ray job; what has ended is never done again.

A run directory of several stages holds `steps/NAME/` for each: step.json (every job submitted for it), config.yaml
(what the job reads) and job.log (of jobs that failed).

step       one run of one stage
records    what is known of a step on disk
schedule   which step is submitted, tried again, given up
on_ray     the job server
job        what a step's job runs
progress   how it looks meanwhile
running    all of it together
"""
