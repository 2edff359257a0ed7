"""The sweep: many evaluations as Ray jobs, and what they say together.

grid       which cells there are: checkpoint x benchmark x settings
inputs     the files that cells read: problems, baselines, right answers, labels
sources    what the config calls checkpoints, and whether a training still makes new ones
records    what is known of a cell on disk
schedule   which cell is submitted, tried again, given up
plan       the cells of one invocation, finished, waiting and new
on_ray     the job server
rows       what the cells scored, and the best of them; table and figure (by lines) show it
results    what lies in the run directory in the end
stage      all of it together
"""

from evolray.calling import calls_function

calls_function(__name__)
