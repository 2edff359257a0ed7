"""Stages one after another, or side by side, each a Ray job; what has ended is never done again.

A run directory of several stages holds `steps/NAME/` for each: step.json (every job submitted for it), config.yaml
(what the job reads) and job.log (of jobs that failed).
"""
